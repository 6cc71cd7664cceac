"""The launches of the real stack that several files of tests read: each is made once, when first asked for.

Every batch mixes the three context policies by the questions' own column, and retrieval is noisy: GRPO whole; GRPO
killed with signal 9 in the middle of a step and started again; REINFORCE and PPO with step credit.
"""

import json
import signal
import subprocess
import time
from itertools import cycle

import pytest

from fictionalhot.names import Split
from fictionalhot.world import ensure_world
from reseek.config import ContextPolicy
from tests.support.runs import ROOT, STEPS, Run, command, environment, finished, ray_processes, shared_memory, train


@pytest.fixture(scope="session")
def mixed(tmp_path_factory, shared_cache) -> tuple[str, ...]:
    """Overrides: the embedded world's questions, each with a context policy of its own, and a few to validate with."""
    world = ensure_world(shared_cache / "world-0", 0)
    folder = tmp_path_factory.mktemp("mixed")
    for split, limit in ((Split.TRAIN, None), (Split.VALIDATION, 16)):
        lines = world.questions(split).read_text(encoding="utf-8").splitlines()[:limit]
        policies = cycle(policy.value for policy in ContextPolicy)
        mixed = [json.loads(line) | {"context": next(policies)} for line in lines]
        (folder / f"{split.value}.jsonl").write_text("".join(json.dumps(question) + "\n" for question in mixed))
    train, validation = (folder / f"{split.value}.jsonl" for split in (Split.TRAIN, Split.VALIDATION))
    return ("questions=jsonl", f"questions.train={train}", f"questions.validation={validation}")


@pytest.fixture(scope="session")
def nothing_left():
    """Before and after all launches: what they leave behind."""
    before = shared_memory()
    return lambda: (shared_memory() - before, ray_processes())


@pytest.fixture(scope="session")
def grpo(tmp_path_factory, shared_cache, mixed, nothing_left) -> Run:
    folder = tmp_path_factory.mktemp("grpo") / "run"
    validation = ("algo.validate_every=3",)
    return finished(folder, train(folder, shared_cache, *mixed, *validation, f"algo.steps={STEPS}"))


@pytest.fixture(scope="session")
def resumed(tmp_path_factory, shared_cache, mixed, nothing_left) -> Run:
    """The same run, killed in the middle of its second step, then started again by the same command."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    log = folder.parent / "first.out"
    with log.open("w") as out:
        first = subprocess.Popen(
            command(folder, *mixed, f"algo.steps={STEPS}"),
            env=environment(shared_cache),
            stdout=out,
            stderr=out,
            cwd=ROOT,
        )
    try:
        metrics, started = folder / "metrics.jsonl", time.monotonic()
        while not (metrics.is_file() and '"step": 1' in metrics.read_text()):
            assert first.poll() is None and time.monotonic() - started < 900, log.read_text()
            time.sleep(0.2)
        time.sleep(2)  # into the second step's rollout
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert not (folder / "rollouts" / "step_2.jsonl").exists(), "the kill came too late to be in the middle"
    return finished(folder, train(folder, shared_cache, *mixed, f"algo.steps={STEPS}"))


@pytest.fixture(scope="session")
def reinforce(tmp_path_factory, shared_cache, mixed, nothing_left) -> Run:
    folder = tmp_path_factory.mktemp("reinforce") / "run"
    options = ("algo.estimator=reinforce", "algo.credit=step", "algo.steps=2")
    return finished(folder, train(folder, shared_cache, *mixed, *options))


@pytest.fixture(scope="session")
def ppo(tmp_path_factory, shared_cache, mixed, nothing_left) -> Run:
    folder = tmp_path_factory.mktemp("ppo") / "run"
    options = ("algo.estimator=ppo", "algo.credit=step", "algo.critic_learning_rate=1e-3", "algo.steps=2")
    return finished(folder, train(folder, shared_cache, *mixed, *options))


@pytest.fixture(params=["grpo", "reinforce", "ppo"])
def run(request) -> Run:
    return request.getfixturevalue(request.param)
