"""A folder is resumed under the settings that it was begun with; what may change is listed, and nothing else may."""

import dataclasses

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

from reseek.agent.protocol import protocol
from reseek.config.composition import register_config
from reseek.config.resolvers import CONF
from reseek.config.settings import SftSettings, TrainSettings, load_settings
from reseek.errors import InputError
from reseek.preparation.prepare import Prepared
from reseek.preparation.resuming import FREE, check_same, write_inputs
from reseek.questions.provenance import SetManifest, write_manifests
from reseek.run.folder import open_run

BEGUN = ("run.dir=/a", "algo.steps=2", "questions.train_limit=8")


def composed(*overrides):
    register_config()
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("train", overrides=[*BEGUN, *overrides])


@pytest.fixture(scope="module")
def begun():
    return composed()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, begun):
    folder = tmp_path_factory.mktemp("run")
    open_run(folder, begun, 0, protocol())
    return folder


def check(folder, config, prepared=None, command=TrainSettings):
    check_same(folder, config, load_settings(config, command), prepared)


def changed(config, key, value):
    """The configuration with one key changed, as an override would."""
    copy = config.copy()
    with open_dict(copy):
        OmegaConf.update(copy, key, value)
    return copy


OTHER = {
    "policy.start": "capable",
    "policy.dtype": "bfloat16",
    "policy.warmup_steps": 3,
    "run.seed": 7,
    "algo.estimator": "reinforce",
    "algo.credit": "step",
    "algo.learning_rate": 0.5,
    "algo.kl_loss": 0.7,
    "algo.sessions_per_question": 3,
    "algo.questions_per_step": 2,
    "agent.max_turns": 1,
    "agent.observation_tokens": 77,
    "rewards.answer": 3.0,
    "oracle.name": "supporting",
    "oracle.threshold": 0.1,
    "search.noise": 0.5,
    "corpus.k1": 0.1,
    "world.seed": 1,
    "questions.train_limit": 4,
    "actor_rollout_ref.actor.entropy_coeff": 0.1,
    "actor_rollout_ref.rollout.top_p": 0.5,
    "critic.optim.weight_decay": 0.5,
    "algorithm.use_pf_ppo": True,
}


@pytest.mark.parametrize("key", OTHER)
def test_a_setting_that_decides_what_is_learnt_may_not_change(folder, begun, key):
    if key.startswith("rewards."):
        key = next(f"rewards.{name}" for name, value in begun.rewards.items() if isinstance(value, float))
    other = changed(begun, key, OTHER.get(key, 3.0))
    with pytest.raises(InputError, match=rf"holds a run of other settings \({key} was .*, is now .*\); name another"):
        check(folder, other)


def test_the_same_settings_and_what_is_free_resume(folder, begun):
    check(folder, begun)
    values = {
        "algo.steps": 9,
        "algo.save_every": 1,
        "algo.validate_every": -1,
        "run.watchdog_s": 5.0,
        "run.loggers": ["wandb"],
        "run.dir": "/b",
        "run.cache": "/c",
        "cluster.threads": 1,
        "cluster.forward_tokens": 9999,
        "watch.window": 9,
        "questions.validation_limit": 1,
        "search.cache_entries": 5,
        "oracle.most_failed": 0.9,
        "policy.path": "/elsewhere/the-same-model",
        "corpus.index": "/elsewhere/index",
        "questions.train": {"path": "/elsewhere/train.jsonl"},
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": 4,
        "trainer.max_actor_ckpt_to_keep": 2,
    }
    config = begun
    for key, value in values.items():
        config = changed(config, key, value)
    check(folder, config)


def test_every_free_key_is_a_key():
    """One that was renamed would silently be free no more."""
    fields = {
        f"{group}.{key}" for group, field in TrainSettings.model_fields.items() for key in field.annotation.model_fields
    }
    assert {free for free in FREE if "." in free} <= fields
    assert {free for free in FREE if "." not in free} <= set(TrainSettings.model_fields)


def prepared_with(model="hub/id", digest="0" * 64, passages="corpus-1"):
    manifest = SetManifest(name="train", source="file", rows=1, sha256=digest)
    return Prepared(model, None, None, None, None, {}, (manifest,), passages)


def test_what_a_path_leads_to_may_not_change(tmp_path, begun):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    config = changed(changed(begun, "policy.source", "path"), "policy.path", str(model))
    folder = tmp_path / "run"
    open_run(folder, config, 0, protocol())
    prepared = prepared_with(str(model))
    write_inputs(folder, load_settings(config, TrainSettings), prepared)
    write_manifests(folder, prepared.manifests)
    check(folder, config, prepared)
    model.rename(tmp_path / "moved")
    moved = dataclasses.replace(prepared, model=str(tmp_path / "moved"))
    check(folder, changed(config, "policy.path", moved.model), moved)
    for key, other in {
        "corpus": dataclasses.replace(moved, passages="corpus-2"),
        "questions.train": prepared_with(moved.model, digest="1" * 64),
    }.items():
        with pytest.raises(InputError, match=rf"\({key} was .*, is now"):
            check(folder, config, other)
    (tmp_path / "moved" / "weights").write_text("trained further")
    with pytest.raises(InputError, match=r"\(policy.path was .*, is now"):
        check(folder, config, moved)


def test_a_folder_of_an_earlier_version_is_compared_in_what_it_says(tmp_path, folder, begun):
    written, folder = OmegaConf.load(folder / "config.yaml"), tmp_path
    with open_dict(written):
        del written.watch, written.algo.control, written.actor_rollout_ref.actor.entropy_coeff
    OmegaConf.save(written, folder / "config.yaml")
    check(folder, begun)
    with pytest.raises(InputError, match=r"\(algo.control was none, is now permuted_rewards\)"):
        check(folder, changed(begun, "algo.control", "permuted_rewards"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "can't be read as a configuration"),
        ("- 1", "is not a configuration"),
        ("\x00", "can't be read as a configuration"),
        ("algo: {estimator: grpo, unknown: 1}", "algo.unknown: no such key"),
        ("run: {seed: '${oc.env:HOME}', name: x, dir: x, cache: x}", "run.seed"),
        ('policy: {source: micro, start: "\x1b[31m"}', "can't be read|policy.start"),
    ],
)
def test_a_configuration_that_cannot_be_compared_is_named(tmp_path, begun, text, problem):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(InputError, match=rf"config.yaml: ({problem}).*name another run.dir") as refused:
        check(tmp_path, begun)
    assert "\n" not in str(refused.value) and "\x1b" not in str(refused.value)


def test_a_new_folder_says_nothing(tmp_path, begun):
    check(tmp_path, begun)


def test_an_sft_folder_is_compared_too(tmp_path):
    config = composed("stage=sft")
    open_run(tmp_path, OmegaConf.masked_copy(config, ["stage", *SftSettings.model_fields]), 0, protocol())
    check(tmp_path, config, command=SftSettings)
    check(tmp_path, changed(config, "sft.learning_rate", 0.5), command=SftSettings)  # the plan's to say
    with pytest.raises(InputError, match=r"\(policy.start was lazy, is now capable\)"):
        check(tmp_path, changed(config, "policy.start", "capable"), command=SftSettings)
