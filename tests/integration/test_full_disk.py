"""A disk that is full in the middle of a training run: one line, nothing left, and the printed command resumes it."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reseek.run.claim_file import FILE
from tests.support.disks import fill, tiny_disk
from tests.support.leftovers import left_behind, shared_memory
from tests.support.runs import ROOT, SMALL, environment
from tests.support.storm import steps_made

pytestmark = pytest.mark.integration


def test_a_training_run_is_resumed_when_there_is_room_again(tmp_path, shared_cache):
    with tiny_disk(tmp_path / "disk", "400m") as disk:
        check_full_disk(disk, shared_cache, Path(f"/tmp/f{os.getpid()}"))


def check_full_disk(disk: Path, cache: Path, temp: Path) -> None:
    """`temp`, which is made, is the temporary folder: a socket's path may have 107 characters."""
    folder, out, before = disk / "run", disk.parent / "out", shared_memory()
    words = ["train", *SMALL, "algo.steps=3", f"run.dir={folder}"]
    temp.mkdir()
    with out.open("w") as file:
        run = subprocess.Popen(
            [sys.executable, "-m", "reseek", *words],
            env={**environment(cache), "TMPDIR": str(temp)},
            stdout=file,
            stderr=file,
            cwd=ROOT,
        )
    try:
        while steps_made(folder) < 1:
            assert run.poll() is None, out.read_text()
            time.sleep(0.1)
        filler = fill(disk, left=20_000)
        assert run.wait(300) == 1
        said = out.read_text()
        line = said.splitlines()[-1]
        assert line.startswith("error: ") and "No space left on device" in line and str(folder) in line, said
        assert "Traceback" not in said and said.count("No space") == 1 and "warning: clean-up" not in said, said
        left = [name for name in os.listdir(temp) if not name.startswith("torchinductor_")]  # a cache, for the next run
        assert left == [] and not (folder / FILE).exists()
        assert left_behind(before) == (set(), [])
        filler.unlink()
        again = shlex.split(line.partition("resume with: reseek ")[2])
        done = subprocess.run(
            [sys.executable, "-m", "reseek", *again], env=environment(cache), capture_output=True, text=True, cwd=ROOT
        )
        assert done.returncode == 0 and "resuming after step" in done.stdout, done.stdout + done.stderr
        assert steps_made(folder) == 3
    finally:
        if run.poll() is None:
            run.kill()
            run.wait()
        shutil.rmtree(temp)
