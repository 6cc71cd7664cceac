"""A run's leftovers are removed and nothing else is: with real processes and real mappings."""

import mmap
import os
import subprocess
import sys
import uuid

import psutil
import pytest

from reseek.run import processes

pytestmark = pytest.mark.integration

SLEEP = "import time; print('up', flush=True); time.sleep(120)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"


@pytest.fixture
def start(monkeypatch):
    """Starts Python children of some run; ends those that a test leaves."""
    monkeypatch.setattr(processes, "_GRACE_SECONDS", 0.3)
    children = []

    def start(run_id: str | None, code: str = SLEEP) -> subprocess.Popen:
        env = {key: value for key, value in os.environ.items() if key != processes.RUN_VARIABLE}
        if run_id is not None:
            env[processes.RUN_VARIABLE] = run_id
        children.append(subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True))
        assert children[-1].stdout.readline() == "up\n"
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()


def test_only_the_runs_own_processes_end(start):
    run_id = f"test-{uuid.uuid4()}"
    ours, other, foreign = start(run_id), start(f"{run_id}-x"), start(None)
    assert [process.pid for process in processes.processes_of(run_id)] == [ours.pid]
    assert processes.end_processes(run_id) == 1
    assert ours.wait(timeout=10) is not None
    assert other.poll() is None and foreign.poll() is None
    assert processes.processes_of(run_id) == []
    assert processes.end_processes(run_id) == 0


def test_grandchildren_inherit_the_run(start):
    run_id = f"test-{uuid.uuid4()}"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}])\nimport time; time.sleep(120)"
    parent = start(run_id, code)  # the grandchild says that it is up
    grandchild = psutil.Process(parent.pid).children()[0]
    assert processes.end_processes(run_id) == 2
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_a_process_is_asked_before_it_is_killed(start, tmp_path):
    run_id = f"test-{uuid.uuid4()}"
    farewell = tmp_path / "farewell"
    end = f"lambda *_: (open({str(farewell)!r}, 'w').close(), os._exit(0))"
    start(run_id, f"import os, signal; signal.signal(signal.SIGTERM, {end}); {SLEEP}")
    assert processes.end_processes(run_id) == 1
    assert farewell.exists() and processes.processes_of(run_id) == []


def test_who_does_not_listen_is_killed(start):
    run_id = f"test-{uuid.uuid4()}"
    deaf = start(run_id, STUBBORN)
    assert processes.end_processes(run_id) == 1
    assert deaf.wait(timeout=10) is not None and processes.processes_of(run_id) == []


def test_who_ends_by_itself_is_not_asked(start, monkeypatch):
    monkeypatch.setattr(processes, "_GRACE_SECONDS", 30.0)
    run_id = f"test-{uuid.uuid4()}"
    start(run_id, "import time; print('up', flush=True); time.sleep(0.3)")
    assert processes.end_processes(run_id) == 0


def test_this_process_is_never_its_own_leftover(monkeypatch, start):
    # A process's environment is what it was started with: ask a child to look for itself.
    run_id = f"test-{uuid.uuid4()}"
    code = f"from reseek.run import processes; assert processes.processes_of({run_id!r}) == []; {SLEEP}"
    start(run_id, code)


# Shared memory: a folder of our own stands for /dev/shm, so that no neighbour's block is ever at stake.


@pytest.fixture
def shm(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_SHM", tmp_path)
    return tmp_path


def test_new_blocks_that_no_process_maps_are_removed(shm):
    (shm / "before").write_bytes(b"x" * 4096)
    before = processes.shared_memory()
    assert before == {"before"}
    for name in ("left", "also left", "mapped"):
        (shm / name).write_bytes(b"x" * 4096)
    (shm / "folder").mkdir()
    with (shm / "mapped").open("r+b") as file, mmap.mmap(file.fileno(), 4096):
        assert processes.free_shared_memory(before) == ["also left", "left"]
        assert processes.shared_memory() == {"before", "mapped", "folder"}
    assert processes.free_shared_memory(before) == ["mapped"]
    assert processes.shared_memory() == {"before", "folder"}


def test_a_block_that_another_process_maps_stays(shm, start):
    (shm / "theirs").write_bytes(b"x" * 4096)
    code = f"import mmap; f = open({str(shm / 'theirs')!r}, 'r+b'); m = mmap.mmap(f.fileno(), 4096); {SLEEP}"
    child = start(None, code)
    assert processes.free_shared_memory(frozenset()) == []
    child.kill()
    child.wait()
    assert processes.free_shared_memory(frozenset()) == ["theirs"]


def test_blocks_of_other_users_stay(shm, monkeypatch):
    (shm / "block").write_bytes(b"x")
    uid = os.getuid()
    monkeypatch.setattr(processes.os, "getuid", lambda: uid + 1)
    assert processes.free_shared_memory(frozenset()) == []
    assert (shm / "block").exists()


def test_no_shared_memory_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_SHM", tmp_path / "none")
    assert processes.shared_memory() == frozenset()
    assert processes.free_shared_memory(frozenset()) == []
