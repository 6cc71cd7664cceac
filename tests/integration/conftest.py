"""The launches of the real stack that several files of tests read: each is made once, when first asked for.

Every batch mixes the three context policies by the questions' own column, and retrieval is noisy: GRPO whole; GRPO
killed with signal 9 in the middle of a step and started again; REINFORCE and PPO with step credit. REINFORCE searches
in a service, which is killed in the middle of a step and started again.
"""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest

from corpora.index import build_index
from fictionalhot.worlds.small.names import Split
from fictionalhot.worlds.small.world import ensure_world
from reseek.config.agent import ContextPolicy
from tests.support.leftovers import left_behind, shared_memory
from tests.support.runs import ROOT, STEPS, Run, command, environment, finished, train
from tests.support.services import free_port, service


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
    return lambda: left_behind(before)


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
        _await(lambda: '"step": 1' in _text(folder / "metrics.jsonl"), first, log)
        time.sleep(2)  # into the second step's rollout
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert not (folder / "rollouts" / "step_2.jsonl").exists(), "the kill came too late to be in the middle"
    return finished(folder, train(folder, shared_cache, *mixed, f"algo.steps={STEPS}"))


@dataclass(frozen=True)
class KilledService:
    """A run whose search service was killed in step 2; requests that the service answered before and after that."""

    run: Run
    before: float
    after: float


@pytest.fixture(scope="session")
def killed_service(tmp_path_factory, shared_cache, mixed, nothing_left) -> KilledService:
    folder = tmp_path_factory.mktemp("reinforce") / "run"
    index, port, log = folder.parent / "index", free_port(), folder.parent / "run.out"
    build_index(ensure_world(shared_cache / "world-0", 0).passages, index)
    options = ("algo.estimator=reinforce", "algo.credit=step", "algo.steps=2")
    search = ("search=http", f"search.urls=[http://127.0.0.1:{port}]", "search.timeout_s=5")
    with service(index, port=port) as first, log.open("w") as out:
        run = subprocess.Popen(
            command(folder, *mixed, *options, *search),
            env=environment(shared_cache),
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
        try:
            _await(lambda: '"step": 1' in _text(folder / "metrics.jsonl"), run, log)
            step_1 = first.answered()
            _await(lambda: first.answered() > step_1 + 2, run, log)
            before = first.answered()
            first.signal(signal.SIGKILL)
            first.process.wait()
            time.sleep(3)
            with service(index, port=port) as second:
                run.wait(900)
                after = second.answered()
        finally:
            if run.poll() is None:
                run.terminate()
                run.wait(120)
    done = subprocess.CompletedProcess(run.args, run.returncode, _text(log), "")
    return KilledService(finished(folder, done), before, after)


def _await(event: Callable[[], bool], run: subprocess.Popen, log: Path) -> None:
    started = time.monotonic()
    while not event():
        assert run.poll() is None and time.monotonic() - started < 900, log.read_text()
        time.sleep(0.05)


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


@pytest.fixture(scope="session")
def reinforce(killed_service) -> Run:
    return killed_service.run


@pytest.fixture(scope="session")
def ppo(tmp_path_factory, shared_cache, mixed, nothing_left) -> Run:
    folder = tmp_path_factory.mktemp("ppo") / "run"
    options = ("algo.estimator=ppo", "algo.credit=step", "algo.critic_learning_rate=1e-3", "algo.steps=2")
    return finished(folder, train(folder, shared_cache, *mixed, *options))


@pytest.fixture(params=["grpo", "reinforce", "ppo"])
def run(request) -> Run:
    return request.getfixturevalue(request.param)
