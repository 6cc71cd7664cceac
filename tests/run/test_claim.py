"""One run at a time in a folder; what a killed one left is cleared and its unfinished steps are forgotten."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from reseek.errors import InputError
from reseek.run.claim import FILE, Claim, check_free, claimed, last_step
from reseek.run.folder import write_json
from reseek.run.processes import RUN_VARIABLE


def claim(pid: int, started: float, run_id: str, temporary, shared=frozenset()) -> Claim:
    return Claim(pid=pid, started=started, run_id=run_id, temporary=temporary, shared_memory=shared)


def checkpoint(folder, step: int, whole: bool = True) -> None:
    path = folder / "checkpoints" / f"global_step_{step}"
    path.mkdir(parents=True)
    if whole:
        (path / "data.pt").write_bytes(b"x")


def tracker(folder, text: str) -> None:
    (folder / "checkpoints" / "latest_checkpointed_iteration.txt").write_text(text)


def test_a_folder_is_claimed_and_given_back(tmp_path):
    with claimed(tmp_path, "run", tmp_path / "ray") as step:
        assert step == 0
        with pytest.raises(InputError, match=f"process {os.getpid()} is writing there"):
            check_free(tmp_path)
        with pytest.raises(InputError, match="name another folder"), claimed(tmp_path, "other", tmp_path / "ray"):
            pass
        assert (tmp_path / FILE).is_file()
    assert not (tmp_path / FILE).exists()
    check_free(tmp_path)


def test_it_is_given_back_by_a_run_that_fails(tmp_path):
    with pytest.raises(RuntimeError), claimed(tmp_path, "run", tmp_path / "ray"):
        raise RuntimeError
    assert not (tmp_path / FILE).exists()


def test_what_a_killed_run_left_is_cleared(tmp_path):
    worker = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, RUN_VARIABLE: "killed-run"}
    )
    ray = tmp_path / "ray"
    (ray / "session").mkdir(parents=True)
    block = f"psm_reseek_test_{os.getpid()}"
    dead = claim(os.getpid(), psutil.Process().create_time() - 99, "killed-run", ray, frozenset())
    write_json(tmp_path / FILE, dead.model_dump(mode="json"))
    with open(f"/dev/shm/{block}", "wb") as file:
        file.write(b"x")
    try:
        time.sleep(0.2)  # until the worker has its environment
        with claimed(tmp_path, "next", tmp_path / "ray2"):
            assert worker.poll() is not None
            assert not ray.exists()
            assert not os.path.exists(f"/dev/shm/{block}")
    finally:
        worker.kill()
        if os.path.exists(f"/dev/shm/{block}"):
            os.unlink(f"/dev/shm/{block}")


def test_shared_memory_of_others_stays(tmp_path):
    name = f"other_program_{os.getpid()}"
    dead = claim(os.getpid(), 1.0, "no-such-run", tmp_path / "ray")
    write_json(tmp_path / FILE, dead.model_dump(mode="json"))
    with open(f"/dev/shm/{name}", "wb") as file:
        file.write(b"x")
    try:
        with claimed(tmp_path, "next", tmp_path / "ray2"):
            assert os.path.exists(f"/dev/shm/{name}")
    finally:
        os.unlink(f"/dev/shm/{name}")


def test_steps_after_the_checkpoint_are_forgotten(tmp_path):
    checkpoint(tmp_path, 2)
    tracker(tmp_path, "2")
    metrics = tmp_path / "metrics.jsonl"
    records = [{"step": step, "phase": "step"} for step in (1, 2, 3)]
    metrics.write_text("".join(json.dumps(record) + "\n" for record in records) + '{"step": 4, "pha')
    with claimed(tmp_path, "run", tmp_path / "ray") as step:
        assert step == 2
    assert [json.loads(line)["step"] for line in metrics.read_text().splitlines()] == [1, 2]


@pytest.mark.parametrize("text", ["", "1x"])
def test_a_tracker_that_a_kill_left_empty_is_mended(tmp_path, text):
    checkpoint(tmp_path, 9)
    checkpoint(tmp_path, 10)
    checkpoint(tmp_path, 11, whole=False)
    tracker(tmp_path, text)
    assert last_step(tmp_path) == 10
    assert (tmp_path / "checkpoints" / "latest_checkpointed_iteration.txt").read_text() == "10"


def test_a_tracker_without_any_checkpoint_goes(tmp_path):
    checkpoint(tmp_path, 1, whole=False)
    tracker(tmp_path, "")
    assert last_step(tmp_path) == 0
    assert not (tmp_path / "checkpoints" / "latest_checkpointed_iteration.txt").exists()
    assert last_step(tmp_path / "none") == 0


def test_a_broken_claim_is_named(tmp_path):
    (tmp_path / FILE).write_text('{"pid": "x"}')
    with pytest.raises(InputError, match=r"running.json: is not a run's claim \(pid: .*delete it"):
        check_free(tmp_path)
