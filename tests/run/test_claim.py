"""One run at a time in a folder, on any machine; a killed run's leftovers are removed, and nothing else."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from reseek.errors import InputError
from reseek.run import claim as claims
from reseek.run import processes
from reseek.run.claim import LOCK, check_free, claimed
from reseek.run.claim_file import FILE
from reseek.run.machine import started, this_machine
from reseek.run.workspace import MARKER
from tests.support.claims import alive_claim, bystander, dead_claim, holding, old_claim, write_claim

pytestmark = pytest.mark.integration

ELSEWHERE = {
    "host": ({"host": "node-7"}, "on host node-7"),
    "boot": ({"boot": "another"}, "of an earlier boot of host"),
    "namespace": ({"pid_namespace": "pid:[1]"}, "in another container on host"),
}


@pytest.fixture
def temp(monkeypatch, tmp_path):
    """The machine's temporary directory."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(autouse=True)
def shm(monkeypatch, tmp_path):
    """A folder in place of /dev/shm, so that no neighbour's block is at stake."""
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(processes, "_SHM", folder)
    return folder


def elsewhere(where: str, **other):
    return dead_claim(machine=this_machine().model_copy(update=ELSEWHERE[where][0]), **other)


def test_a_folder_is_claimed_and_given_back(tmp_path, temp):
    folder = tmp_path / "run"
    with claimed(folder, "run") as claim:
        assert claim.machine == this_machine() and (claim.pid, claim.user) == (os.getpid(), os.getuid())
        with pytest.raises(InputError, match=f"process {os.getpid()} is writing there"):
            check_free(folder)
        with pytest.raises(InputError, match=f"kill {os.getpid()}.* name another folder"), claimed(folder, "other"):
            pass
        with pytest.raises(InputError, match="is writing there"), claimed(folder, "other", take_over=True):
            pass
        assert json.loads((folder / FILE).read_text())["run_id"] == "run"
        assert list(temp.iterdir()) == [claim.temporary]
    assert not folder.exists() and list(temp.iterdir()) == []
    check_free(folder)


def test_it_is_given_back_by_a_run_that_fails(tmp_path, temp):
    with pytest.raises(RuntimeError), claimed(tmp_path / "run", "run"):
        raise RuntimeError
    assert not (tmp_path / "run").exists() and list(temp.iterdir()) == []


def test_what_a_killed_run_left_is_removed(tmp_path, temp, shm):
    folder = tmp_path / "run"
    with holding(folder, "killed-run", temp) as (process, workspace, worker):
        with pytest.raises(InputError, match=f"process {process.pid} is writing there"):
            check_free(folder)
        (workspace / "session").mkdir()
        (shm / "psm_left").write_bytes(b"x")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert started(worker) is not None and workspace.is_dir()
        with claimed(folder, "next"):
            assert started(worker) is None
            assert not workspace.exists() and not (shm / "psm_left").exists()


def test_shared_memory_of_others_stays(tmp_path, temp, shm):
    with holding(tmp_path / "run", "killed-run", temp) as (process, workspace, _):
        marker = json.loads((workspace / MARKER).read_text())
        (workspace / MARKER).write_text(json.dumps(marker | {"shared_memory": ["psm_before"]}))
        for name in ("psm_before", "other_program", "psm_left"):
            (shm / name).write_bytes(b"x")
        process.kill()
        process.wait()
        with claimed(tmp_path / "run", "next"):
            assert sorted(path.name for path in shm.iterdir()) == ["other_program", "psm_before"]


@pytest.mark.parametrize("where", ELSEWHERE)
def test_a_claim_of_elsewhere_is_refused_with_its_age_and_can_be_taken_over(tmp_path, temp, shm, where):
    folder = tmp_path / "run"
    theirs = Path(tempfile.mkdtemp(prefix="reseek-run-"))
    (theirs / MARKER).write_text(json.dumps({"run_id": "theirs", "folder": str(folder), "shared_memory": []}))
    (shm / "psm_theirs").write_bytes(b"x")
    write_claim(folder, elsewhere(where, run_id="theirs", temporary=theirs))
    os.utime(folder / FILE, (time.time() - 600, time.time() - 600))
    with bystander("theirs", folder) as worker:
        with pytest.raises(InputError) as refused, claimed(folder, "next"):
            pass
        assert ELSEWHERE[where][1] in str(refused.value) and "last heartbeat 10 minutes ago" in str(refused.value)
        assert "run.take_over=true" in str(refused.value) and "\n" not in str(refused.value)
        assert json.loads((folder / FILE).read_text())["run_id"] == "theirs"
        with claimed(folder, "next", take_over=True):
            assert json.loads((folder / FILE).read_text())["run_id"] == "next"
        assert worker.poll() is None and theirs.is_dir() and (shm / "psm_theirs").exists()


def test_a_dead_claim_of_another_user_is_not_cleared(tmp_path, temp):
    write_claim(tmp_path, dead_claim(user=os.getuid() + 1))
    with pytest.raises(InputError, match=f"of user {os.getuid() + 1} on host .*run.take_over=true"):
        check_free(tmp_path)
    check_free(tmp_path, take_over=True)


def test_another_containers_run_is_refused(tmp_path, temp):
    unshare = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    if os.getuid() or subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs root and new pid namespaces")
    refused = pytest.raises(InputError, match="in another container on host .*run.take_over=true")
    with holding(tmp_path / "run", "contained", temp, *unshare), refused:
        check_free(tmp_path / "run")


def test_of_several_starts_at_once_one_takes_the_folder(tmp_path, temp):
    rounds, runs = 6, 5
    for number in range(0, rounds, 2):
        write_claim(tmp_path / str(number), dead_claim())
    code = f"""
import contextlib, sys, time
from pathlib import Path
from reseek.errors import InputError
from reseek.run.claim import claimed
print("up", flush=True)
begin = float(sys.stdin.readline())
with contextlib.ExitStack() as stack:
    for number in range({rounds}):
        time.sleep(max(0, begin + number / 4 - time.time()))
        try:
            stack.enter_context(claimed(Path({str(tmp_path)!r}) / str(number), sys.argv[1]))
            print(number, flush=True)
        except InputError as error:
            assert "is writing there" in str(error) or "is starting there" in str(error), error
    print("all", flush=True)
    sys.stdin.readline()
"""
    contenders = [
        subprocess.Popen(
            [sys.executable, "-c", code, f"run-{number}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(temp)},
        )
        for number in range(runs)
    ]  # fmt: skip
    try:
        for process in contenders:
            assert process.stdout.readline() == "up\n"
        for process in contenders:
            process.stdin.write(f"{time.time() + 0.3}\n")
            process.stdin.flush()
        won = []
        for process in contenders:
            while (line := process.stdout.readline()) != "all\n":
                won.append(int(line))
        assert sorted(won) == list(range(rounds))
        for process in contenders:
            process.communicate("\n")
    finally:
        for process in contenders:
            process.kill()
            process.wait()
    assert not list(tmp_path.glob(f"*/{FILE}")) and not list(tmp_path.glob(f"*/{LOCK}")) and not list(temp.iterdir())


def test_the_claim_has_a_heartbeat(tmp_path, temp, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_S", 0.02)
    with claimed(tmp_path / "run", "run"):
        path = tmp_path / "run" / FILE
        os.utime(path, (0, 0))
        assert wait_for(lambda: time.time() - path.stat().st_mtime < 60)


def test_a_run_notices_that_its_folder_was_taken_over(tmp_path, temp, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_S", 0.02)
    lost = []
    with claimed(tmp_path / "run", "run", on_lost=lambda: lost.append(True)):
        assert not lost
        write_claim(tmp_path / "run", elsewhere("host", run_id="other"))
        assert wait_for(lambda: lost)
    assert json.loads((tmp_path / "run" / FILE).read_text())["run_id"] == "other"  # the other's, not given back


def wait_for(condition) -> bool:
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_a_claim_of_an_old_version_says_no_host_and_is_only_taken_over(tmp_path, temp):
    victim = temp / "reseek-ray-old"
    victim.mkdir()
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / FILE).write_text(old_claim(os.getpid(), psutil.Process().create_time() - 99, victim))
    with pytest.raises(InputError, match=r"of a version that recorded no host .*run.take_over=true"):
        check_free(folder)
    with claimed(folder, "run", take_over=True):
        assert victim.is_dir()
    (folder / FILE).write_text(old_claim(os.getpid(), psutil.Process().create_time(), victim))
    with pytest.raises(InputError, match=f"process {os.getpid()} is writing there"):
        check_free(folder, take_over=True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"pid": "x"}', "pid: "),
        ('{"machine": 1}', "machine: "),
        ("", "Invalid JSON"),
        ("[" * 5000, "Invalid JSON"),
        ('{"pid": 99999999999999, "started": 1}', "pid: "),
    ],
)
def test_a_broken_claim_is_named(tmp_path, text, problem):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=rf"running.json: is not a run's claim \({problem}.*delete it"):
        check_free(tmp_path, take_over=True)


def test_what_is_no_file_is_no_claim(tmp_path):
    os.mkfifo(tmp_path / FILE)
    with pytest.raises(InputError, match=r"running.json: can't be read \(not a file\)"):
        check_free(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / "claim").write_text(alive_claim().model_dump_json())
    (tmp_path / FILE).symlink_to("claim")
    with pytest.raises(InputError, match=r"running.json: can't be read"):
        check_free(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, temp):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="run.dir=.*file/run: can't be written"), claimed(tmp_path / "file/run", "run"):
        pass
