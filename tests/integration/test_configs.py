"""Configuration and input of `reseek train`: what composes, what verl accepts, what each mistake is answered with.

Everything here happens before Ray starts. The paper's 8-GPU runs can only be composed and validated on this machine.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from reseek.config.composition import register_config
from reseek.config.resolvers import CONF
from reseek.config.settings import TrainSettings, load_settings
from reseek.errors import InputError
from reseek.micro.model import make_model, make_tokenizer

pytestmark = pytest.mark.integration

ROOT = CONF.parent
SAMPLE = ROOT / "tests" / "data"


def composed(*overrides: str):
    register_config()
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("train", overrides=list(overrides))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A random model of the micro kind, enough for everything that happens before Ray."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(folder)
    make_model(0, len(tokenizer)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("experiment", ["quickstart", "qwen2.5-3b-grpo", "qwen2.5-7b-grpo", "qwen2.5-7b-ppo"])
def test_experiments_compose_and_pass_verls_checks(experiment, model, tmp_path):
    from reseek.training.launch import check_verl

    config = composed(f"experiment={experiment}", f"run.dir={tmp_path}")
    load_settings(config, TrainSettings)
    config.policy.path = str(model)  # the paper's models are on a hub; only their path differs
    OmegaConf.to_container(config, resolve=True)
    check_verl(config)


def test_the_papers_hyper_parameters():
    grpo = composed("experiment=qwen2.5-7b-grpo")
    assert grpo.actor_rollout_ref.model.path == "Qwen/Qwen2.5-7B-Instruct"
    assert grpo.algorithm.adv_estimator == "grpo"
    assert (grpo.data.train_batch_size, grpo.actor_rollout_ref.actor.ppo_mini_batch_size) == (512, 256)
    assert grpo.actor_rollout_ref.rollout.n == 5
    assert grpo.actor_rollout_ref.actor.optim.lr == 1e-6
    assert grpo.actor_rollout_ref.actor.use_kl_loss and grpo.actor_rollout_ref.actor.kl_loss_coef == 0.001
    assert grpo.actor_rollout_ref.actor.kl_loss_type == "low_var_kl"
    assert grpo.data.max_prompt_length == 2048
    assert (grpo.agent.max_turns, grpo.agent.top_k) == (4, 3)
    assert (grpo.agent.call_tokens, grpo.agent.observation_tokens) == (500, 500)
    assert grpo.trainer.n_gpus_per_node == 8
    ppo = composed("experiment=qwen2.5-7b-ppo")
    assert ppo.algorithm.adv_estimator == "gae" and ppo.critic.optim.lr == 1e-5


def mistakes(tmp_path: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Name -> (overrides, what the one line must contain)."""
    corrupt = tmp_path / "corrupt.jsonl"
    corrupt.write_text('{"id": "1", "question": "Who?", "golden_answers": ["A"]}\n{"id": "2", "question"\n')
    unanswered = tmp_path / "unanswered.jsonl"
    unanswered.write_text('{"id": "1", "question": "Who?", "golden_answers": []}\n')
    bad_corpus = tmp_path / "bad_corpus.jsonl"
    bad_corpus.write_text('{"id": "1", "title": "T", "text": "x"}\nnot json\n')
    long_question = tmp_path / "long.jsonl"
    long_question.write_text(json.dumps({"id": "q9", "question": "Who? " * 400, "golden_answers": ["A"]}) + "\n")
    jsonl = ["questions=jsonl", f"questions.train={SAMPLE / 'questions.jsonl'}"]
    corpus = ["corpus=jsonl", f"corpus.path={SAMPLE / 'passages.jsonl'}"]
    tiny = ["algo.questions_per_step=1", "algo.mini_batch_questions=1"]
    return {
        "missing corpus": (["corpus=jsonl", "corpus.path=/nowhere/c.jsonl"], ["corpus.path", "/nowhere/c.jsonl"]),
        "no corpus named": (["corpus=jsonl"], ["corpus.path"]),
        "corrupt corpus line": (["corpus=jsonl", f"corpus.path={bad_corpus}"], [f"{bad_corpus}:2"]),
        "missing questions": (
            ["questions=jsonl", "questions.train=/nowhere/q.jsonl"],
            ["questions.train", "/nowhere/q.jsonl"],
        ),
        "corrupt question line": (["questions=jsonl", f"questions.train={corrupt}"], [f"{corrupt}:2"]),
        "question without answers": (
            ["questions=jsonl", f"questions.train={unanswered}"],
            [f"{unanswered}:1", "golden_answers"],
        ),
        "question too long": (
            ["questions=jsonl", f"questions.train={long_question}", *corpus, *tiny],
            ["agent.prompt_tokens", "q9"],
        ),
        "budget that cannot fit": (
            ["agent.observation_tokens=200", "agent.max_turns=6"],
            ["agent.response_tokens", "agent.max_turns=6", "agent.observation_tokens=200"],
        ),
        "budget against verl's limit": (["data.max_response_length=100"], ["data.max_response_length=100"]),
        "budget against the model": (
            ["agent.response_tokens=5000", *jsonl, *corpus, *tiny],
            ["agent.response_tokens=5000", "positions"],
        ),
        "unknown key": (["+agent.turns=3"], ["agent.turns", "max_turns"]),
        "wrong value": (["agent.context=forget"], ["agent.context"]),
        "batches that do not divide": (["algo.mini_batch_questions=5"], ["algo.mini_batch_questions=5"]),
        "a row that fits no forward pass": (
            [*jsonl, *corpus, *tiny, "cluster.forward_tokens=100"],
            ["cluster.forward_tokens=100", "agent.response_tokens"],
        ),
        "more questions a step than there are": ([*jsonl, *corpus], ["algo.questions_per_step"]),
        "group of one": (["algo.sessions_per_question=1"], ["algo.sessions_per_question"]),
        "search without an address": (["search=http"], ["search.urls"]),
        "a service that is not there": (["search=http", "search.urls=[http://127.0.0.1:9]"], ["urls", "no answer"]),
        "addresses that nobody asks": (["+search.urls=[http://127.0.0.1:9]"], ["urls", "search=http"]),
        "missing index": ([*jsonl, *tiny, "corpus=jsonl", "corpus.index=/nowhere/i"], ["corpus.index", "/nowhere/i"]),
        "missing encoder": ([*jsonl, *corpus, *tiny, "search=dense", "search.encoder=/nowhere/e"], ["/nowhere/e"]),
        "a method that can't be trained": (["method=search_o1"], ["method=search_o1", "reseek eval"]),
        "a budget that a method has not": (["method=rag", "agent.max_turns=3"], ["max_turns=3", "method=rag"]),
        "missing model": (["policy.path=/nowhere/model"], ["policy.path", "/nowhere/model"]),
    }


@pytest.mark.parametrize("name", mistakes(Path("/tmp")).keys())
def test_each_mistake_is_one_line_and_leaves_nothing(name, tmp_path, model, shared_cache):
    from reseek.training.launch import train

    overrides, expected = mistakes(tmp_path)[name]
    config = composed(
        "policy=path", f"policy.path={model}", f"run.dir={tmp_path / 'run'}", f"run.cache={shared_cache}", *overrides
    )
    with pytest.raises(InputError) as caught:
        train(config)
    message = str(caught.value)
    assert "\n" not in message
    for words in expected:
        assert words in message
    assert not (tmp_path / "run").exists()


def test_an_endpoint_is_not_trained(tmp_path):
    from reseek.training.launch import train

    with pytest.raises(InputError, match="policy=openai: an endpoint gives no token ids"):
        train(composed("policy=openai", "policy.endpoint.model=m", f"run.dir={tmp_path / 'run'}"))
    with pytest.raises(InputError, match="policy.endpoint.model: needs a value"):
        load_settings(composed("policy=openai"), TrainSettings)


@pytest.mark.parametrize("method", ["search_r1", "rag", "direct", "cot"])
def test_methods_that_can_be_trained_pass_all_checks(method, model, tmp_path, shared_cache):
    from reseek.training.launch import train

    here = (f"policy.path={model}", f"run.dir={tmp_path / 'run'}", f"run.cache={shared_cache}")
    train(composed("policy=path", f"method={method}", *here, "run.check_only=true"))


def test_an_index_of_another_corpus_is_refused(tmp_path, model):
    from corpora.index import build_index
    from reseek.training.launch import train

    index = tmp_path / "index"
    build_index(SAMPLE / "passages.jsonl", index)
    changed = tmp_path / "passages.jsonl"
    changed.write_text((SAMPLE / "passages.jsonl").read_text() + '{"id": "new", "title": "New", "text": "More."}\n')
    config = composed(
        "policy=path",
        f"policy.path={model}",
        f"run.dir={tmp_path / 'run'}",
        "corpus=jsonl",
        f"corpus.path={changed}",
        f"corpus.index={index}",
        "questions=jsonl",
        f"questions.train={SAMPLE / 'questions.jsonl'}",
    )
    with pytest.raises(InputError, match="another corpus"):
        train(config)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["experiment=nope"], ["nope", "quickstart"]),
        (["corpus=jsonl", "corpus.path=/nowhere/c.jsonl"], ["corpus.path"]),
        (["algo.nope=1"], ["algo.nope"]),
    ],
)
def test_the_command_prints_one_line_and_exits_with_2(overrides, expected, tmp_path):
    run = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), f"run.dir={tmp_path / 'run'}", *overrides],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1, run.stderr
    line = run.stderr.strip()
    assert line.startswith("error: ")
    for words in expected:
        assert words in line
    assert list(tmp_path.iterdir()) == []
