"""Ctrl-C, as a terminal sends it to all processes of a command: one line, which resumes the run when it is typed."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from corpora.index import build_index
from reseek.run.claim_file import FILE
from reseek.run.interrupts import INTERRUPTED
from tests.support.copying import PROMPT, save_copying_model
from tests.support.interrupts import interruptible
from tests.support.leftovers import left_behind, shared_memory
from tests.support.runs import ROOT, SMALL, environment
from tests.support.services import free_port

pytestmark = pytest.mark.integration

RESUME = "interrupted: resume with: reseek "
AGAIN = "interrupted: nothing was written; start again with: reseek "


def interrupted(
    words: Sequence[str], cache: Path, out: Path, when: Callable[[], bool], says: str = RESUME
) -> list[str]:
    """The words after `reseek` of the line that the command prints when it is interrupted."""
    with out.open("w") as file:
        run = subprocess.Popen(
            interruptible([sys.executable, "-m", "reseek", *words]),
            env=environment(cache),
            stdout=file,
            stderr=file,
            cwd=ROOT,
            start_new_session=True,
        )
    started = time.monotonic()
    while not when():
        assert run.poll() is None and time.monotonic() - started < 600, out.read_text()
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(120) == INTERRUPTED, out.read_text()
    said = out.read_text()
    last = said.splitlines()[-1]
    assert last.startswith(says) and said.count("interrupted") == 1 and "Traceback" not in said, said
    return shlex.split(last.removeprefix(says))


def resumed(words: Sequence[str], cache: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "reseek", *words],
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=900,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def test_an_evaluation(tmp_path, shared_cache):
    folder, model = tmp_path / "a run", save_copying_model(tmp_path / "model")
    words = ["eval", "policy=path", f"policy.path={model}", "evaluation.engine=transformers", PROMPT]
    words += ["evaluation.limit=40", "evaluation.concurrency=1", f"run.dir='{folder}'"]
    episodes = folder / "episodes" / "test.jsonl"
    again = interrupted(words, shared_cache, tmp_path / "out", lambda: lines(episodes) >= 3)
    assert 3 <= lines(episodes) < 40 and not (folder / FILE).exists()
    assert again[:-1] == words[:-1]
    resumed(again, shared_cache)
    records = [json.loads(line) for line in episodes.read_text().splitlines()]
    assert len(records) == len({record["id"] for record in records}) == 40


def test_a_service_that_loads_its_index(tmp_path, shared_cache):
    index, port = tmp_path / "index", free_port()
    build_index(ROOT / "tests" / "data" / "passages.jsonl", index)
    words = ["corpus", "serve", str(index), "--port", str(port)]

    def listens() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    assert interrupted(words, shared_cache, tmp_path / "out", listens, AGAIN) == words


def test_a_training_run(tmp_path, shared_cache):
    folder = tmp_path / "run"
    words = ["train", *SMALL, "algo.steps=2", f"run.dir={folder}"]
    before = shared_memory()

    def in_step_2() -> bool:
        return '"step": 1, "phase": "step"' in (
            metrics.read_text() if (metrics := folder / "metrics.jsonl").is_file() else ""
        )

    again = interrupted(words, shared_cache, tmp_path / "out", in_step_2)
    assert not (folder / FILE).exists() and left_behind(before) == (set(), [])
    assert "resuming after step 1" in resumed(again, shared_cache)
    steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in steps if record["phase"] == "step"] == [1, 2]
