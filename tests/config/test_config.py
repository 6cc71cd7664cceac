"""The configuration: every file of conf/ fits its typed section, and a mistake is one line that names the key."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from reseek.config.agent import AgentConfig, ContextPolicy, TurnUnit
from reseek.config.algo import AlgoSettings
from reseek.config.composition import presets_of, register_config
from reseek.config.oracle import OracleConfig
from reseek.config.policy import PolicySettings
from reseek.config.questions import QuestionSettings
from reseek.config.resolvers import CONF
from reseek.config.rewards import Aggregate, RewardConfig
from reseek.config.run import ClusterSettings, WatchSettings
from reseek.config.search import CorpusSettings, SearchSettings
from reseek.config.section import load_section
from reseek.config.settings import EvalSettings, SftSettings, TrainSettings, load_settings
from reseek.config.sft import ImitationSettings
from reseek.errors import InputError

GROUPS = {
    "agent": AgentConfig,
    "method": AgentConfig,
    "rewards": RewardConfig,
    "oracle": OracleConfig,
    "policy": PolicySettings,
    "questions": QuestionSettings,
    "corpus": CorpusSettings,
    "search": SearchSettings,
    "algo": AlgoSettings,
    "sft": ImitationSettings,
    "cluster": ClusterSettings,
}
GIVEN = {
    "search/http": {"urls": ["http://given"]},
    "sft/recorded": {"files": ["given"]},
    "policy/path": {"path": "given"},
    "policy/openai": {"endpoint": {"model": "given"}},
    "oracle/fine-tuned": {"model": "given"},
    "questions/fictionalhot": {"sets": {"fictionalhot": {"path": "given"}}},
}
"""What a user must give, by file."""
FILES = sorted(f"{group}/{name}" for group in GROUPS for name in presets_of(group))


def composed(file: str) -> dict[str, Any]:
    """A group's values under one of its files, as a command composes them."""
    return deepcopy(_composed(file))


@cache
def _composed(file: str) -> dict[str, Any]:
    register_config()
    group, _, name = file.partition("/")
    command = "train" if group in ("algo", "sft") else "eval"  # verl's groups take a third of a second to compose
    with initialize_config_dir(str(CONF), version_base=None):
        return OmegaConf.to_container(compose(command, [f"{group}={name}"]))["agent" if group == "method" else group]


def problem(call, *args) -> str:
    with pytest.raises(InputError) as caught:
        call(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The files


def test_every_group_of_conf_is_known():
    folders = {path.name for path in CONF.iterdir() if path.is_dir()}
    assert set(GROUPS) <= {*folders, "method"}
    assert folders - set(GROUPS) <= {"experiment", "evaluation"}
    # A group must not take a name that is verl's: Hydra would merge the two.
    assert not folders & {"data", "model", "reward", "algorithm", "actor", "critic", "ref", "rollout"}


@pytest.mark.parametrize("file", FILES)
def test_every_file_fits_its_section(file):
    group = file.partition("/")[0]
    values = composed(file) | GIVEN.get(file, {})
    section = load_section(GROUPS[group], values, group)
    # What a file says arrives: no value is lost on the way into its type.
    assert said_of(section.model_dump(mode="json"), values) == values


def said_of(dumped: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """What `dumped` says of the keys of `values`."""
    return {
        key: said_of(dumped[key], value) if isinstance(value, dict) else dumped[key] for key, value in values.items()
    }


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("agent/")])
def test_every_agent_file_has_room_for_its_turns(file):
    agent = load_section(AgentConfig, composed(file), "agent")
    assert agent.least_response_tokens <= agent.response_tokens


def test_the_defaults_are_the_papers():
    agent, rewards = AgentConfig(), RewardConfig()
    assert (agent.max_turns, agent.top_k, agent.prompt_tokens) == (4, 3, 2048)
    assert (agent.call_tokens, agent.observation_tokens) == (500, 500)
    assert (agent.context, agent.turn_unit, agent.deadline_s) == (ContextPolicy.DROP, TurnUnit.SEARCH, None)
    assert (rewards.answer, rewards.match, rewards.wrong_yes, rewards.wrong_no) == (1.0, 0.3, -0.3, -0.3)
    assert (rewards.aggregate, rewards.cap) == (Aggregate.SUM, 0.3)
    assert OracleConfig().threshold == 0.7
    for file, section in (("agent/reseek", agent), ("rewards/paper", rewards)):
        assert load_section(type(section), composed(file), "x") == section
    algo = AlgoSettings(**composed("algo/grpo"))
    assert (algo.sessions_per_question, algo.learning_rate, algo.kl_loss) == (5, 1e-6, 0.001)
    assert (algo.questions_per_step, algo.mini_batch_questions, algo.estimator) == (512, 256, "grpo")
    ppo = AlgoSettings(**composed("algo/ppo"))
    assert (ppo.estimator, ppo.critic_learning_rate) == ("ppo", 1e-5)
    asymmetric = load_section(RewardConfig, composed("rewards/asymmetric"), "rewards")
    assert (asymmetric.wrong_yes, asymmetric.wrong_no, asymmetric.match) == (-0.6, -0.3, 0.3)


# Mistakes


def test_an_unknown_key_names_the_known_ones():
    message = problem(load_section, RewardConfig, {"answr": 1}, "rewards")
    assert message == (
        "rewards.answr: no such key; known: action_penalty, aggregate, answer, answer_metric, cap, format, match, "
        "search_cost, terms, wrong_no, wrong_yes"
    )


@pytest.mark.parametrize(
    ("section", "group", "values", "says"),
    [
        (AgentConfig, "agent", {"max_turns": -1}, "agent.max_turns: "),
        (AgentConfig, "agent", {"max_turns": "many"}, "agent.max_turns: "),
        (AgentConfig, "agent", {"max_turns": 2.5}, "agent.max_turns: "),
        (AgentConfig, "agent", {"context": "forget"}, "agent.context=forget: unknown; known: drop, strict, keep, or"),
        (
            AgentConfig,
            "agent",
            {"context_options": {"keep": 2}},
            "agent: Value error, context_options: context=drop has none",
        ),
        (AgentConfig, "agent", {"turn_unit": "step"}, "agent.turn_unit: "),
        (AgentConfig, "agent", {"top_k": 0}, "agent.top_k: "),
        (AgentConfig, "agent", {"call_tokens": 0}, "agent.call_tokens: "),
        (AgentConfig, "agent", {"observation_tokens": 0}, "agent.observation_tokens: "),
        (AgentConfig, "agent", {"response_tokens": None}, "agent.response_tokens: "),
        (AgentConfig, "agent", {"deadline_s": 0}, "agent.deadline_s: "),
        (AgentConfig, "agent", {"turn_unit": "action", "max_turns": 0}, "agent: Value error, max_turns must be at"),
        (AgentConfig, "agent", {"method": "search_r1"}, "agent: Value error, context=drop means nothing to method="),
        (AgentConfig, "agent", {"method": "rag", "context": "keep"}, "agent: Value error, max_turns=4 "),
        (RewardConfig, "rewards", {"cap": -0.1}, "rewards.cap: "),
        (RewardConfig, "rewards", {"aggregate": "max"}, "rewards.aggregate: "),
        (RewardConfig, "rewards", {"answer_metric": "bleu"}, "rewards.answer_metric: "),
        (RewardConfig, "rewards", {"search_cost": -0.1}, "rewards.search_cost: "),
        (WatchSettings, "watch", {"window": 0}, "watch.window: "),
        (WatchSettings, "watch", {"stop": "soon"}, "watch.stop: "),
        (OracleConfig, "oracle", {"threshold": 1.1}, "oracle.threshold: "),
        (OracleConfig, "oracle", {"name": "bert"}, "oracle.name=bert: unknown; known: literal, supporting, bi_encoder"),
        (PolicySettings, "policy", {"source": "path"}, "policy: Value error, path is needed with source=path"),
        (PolicySettings, "policy", {}, "policy.source: Field required"),
        (CorpusSettings, "corpus", {"source": "world", "b": 1.5}, "corpus.b: "),
        (SearchSettings, "search", {"name": "bing"}, "search.name=bing: unknown; known: lucene, dense, http"),
        (ClusterSettings, "cluster", {"forward_tokens": 1, "device": "tpu"}, "cluster.device: "),
    ],
)
def test_a_wrong_value_names_its_key(section, group, values, says):
    assert problem(load_section, section, values, group).startswith(says)


@pytest.mark.parametrize(("unit", "turns"), [("search", 0), ("action", 1)])
def test_fewest_turns(unit, turns):
    assert AgentConfig(turn_unit=unit, max_turns=turns).max_turns == turns


def test_least_response_tokens():
    assert AgentConfig(max_turns=3, observation_tokens=10, call_tokens=7).least_response_tokens == 37
    assert AgentConfig(max_turns=0, observation_tokens=10, call_tokens=7).least_response_tokens == 7


def test_a_section_cannot_be_changed():
    with pytest.raises(ValueError):
        AgentConfig().max_turns = 3


# Settings as a whole


def whole(**changes) -> DictConfig:
    groups = {
        "policy": "micro", "questions": "world", "corpus": "world", "search": "lucene", "agent": "micro",
        "rewards": "paper", "oracle": "literal", "cluster": "cpu", "algo": "micro",
    }  # fmt: skip
    config = OmegaConf.create({group: composed(f"{group}/{name}") for group, name in groups.items()})
    config.world = {"seed": 3}
    config.run = {"name": "r", "dir": "runs/${run.name}", "cache": "c"}
    config.trainer = {"other": "a key of verl's"}
    for key, value in changes.items():
        OmegaConf.update(config, key, value)
    return config


def test_settings_are_loaded_with_interpolations_and_without_verls_keys():
    settings = load_settings(whole(), TrainSettings)
    assert isinstance(settings, TrainSettings)
    assert settings.run.dir == "runs/r" and settings.cache == Path("c") and settings.world.seed == 3
    assert isinstance(settings.algo, AlgoSettings) and settings.algo.steps == 16


def test_a_command_reads_its_own_groups_alone():
    config = whole(evaluation={"engine": "transformers"})
    config.algo = "not read"
    settings = load_settings(config, EvalSettings)
    assert settings.evaluation.engine == "transformers" and "algo" not in settings.model_dump()
    assert problem(load_settings, config, SftSettings) == "sft: the configuration has no such group"


def test_the_episodes_to_imitate_are_played_by_the_engine_of_sft():
    config = whole(sft=composed("sft/sampled") | {"engine": "transformers", "temperature": 0.7, "concurrency": 3})
    settings = load_settings(config, SftSettings)
    playing = settings.playing
    asked = playing.evaluation
    assert (asked.engine, asked.temperature, asked.concurrency) == ("transformers", 0.7, 3)
    assert all(getattr(playing, name) == getattr(settings, name) for name in ("policy", "agent", "run", "search"))


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("policy.path", "???", "policy.path: needs a value"),
        ("agent.max_turns", -1, "agent.max_turns: "),
        ("algo.clip", 0, "algo.clip: "),
        ("agent.turns", 3, "agent.turns: no such key; known: call_tokens, "),
        ("world.seed", -1, "world.seed: "),
    ],
)
def test_a_mistake_anywhere_names_its_key(key, value, says):
    config = whole()
    OmegaConf.update(config, key, value, force_add=True)
    assert problem(load_settings, config, TrainSettings).startswith(says)


def test_a_missing_group_is_named():
    config = whole()
    del config["oracle"]
    assert problem(load_settings, config, TrainSettings) == "oracle: the configuration has no such group"


# Resolvers


def test_resolvers():
    register_config()
    register_config()
    config = OmegaConf.create(
        {
            "device": "cpu",
            "cuda": "${reseek.cuda:${device}}",
            "cpu": "${reseek.cpu:${device}}",
            "choice": "${reseek.if_cuda:${device},flash,sdpa}",
            "zero": "${reseek.positive:0.0}",
            "some": "${reseek.positive:1e-3}",
            "sum": "${reseek.sum:1,2,30}",
            "loop": "${reseek.conf:agent_loop.yaml}",
            "mixed": "${reseek.mixed_precision:bfloat16}",
        }
    )
    assert (config.cuda, config.cpu, config.choice, config.zero, config.some) == (False, True, "sdpa", False, True)
    assert config.sum == 33 and Path(config.loop).is_file()
    assert config.mixed == {"param_dtype": "bf16", "reduce_dtype": "fp32", "buffer_dtype": "fp32"}
    config.device = "cuda"
    assert (config.cuda, config.cpu, config.choice) == (True, False, "flash")
