"""Ctrl-C: once a command ends in order and says in one line how it is resumed, twice at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reseek.program.hydra_command import how_to_resume
from reseek.run.interrupts import INTERRUPTED
from tests.support.interrupts import interruptible
from tests.support.runs import ROOT

pytestmark = pytest.mark.integration

# A command that says that it has begun, and what it is doing when it is interrupted.
PROGRAM = """
import sys, time
from pathlib import Path
from reseek.program.lazy import Entry, LazyGroup, Left, group_app
from reseek.run.terminal import undisturbed

def work(seconds: float) -> None:
    try:
        print("begun", flush=True)
        time.sleep(seconds)
        print("whole", flush=True)
    finally:
        with undisturbed():
            print("cleaning", flush=True)
            {cleaning}
            print("clean", flush=True)

sys.modules["work"] = sys.modules["__main__"]

class Program(LazyGroup):
    entries = (
        Entry("make", "work:work", "Make a thing"),
        Entry("parts", "work:work", "Make several", left=Left.PARTS),
    )

group_app(Program, "A program.")(prog_name="program")
"""


def begun(command: list[str], *, ignored: bool = False) -> subprocess.Popen[str]:
    shell = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] if ignored else []
    command = [*shell, *command] if ignored else interruptible(command)
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def program(name: str, seconds: float = 60.0, cleaning: str = "pass") -> list[str]:
    return [sys.executable, "-c", PROGRAM.format(cleaning=cleaning), name, f"{seconds}"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("make", "interrupted: nothing was written; start again with: program make 60.0\n"),
        ("parts", "interrupted: resume with: program parts 60.0\n"),
    ],
)
def test_once_the_command_cleans_up_and_says_how_it_is_resumed(name, line):
    run = begun(program(name))
    assert run.stdout.readline() == "begun\n"
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=60) == ("cleaning\nclean\n", line)
    assert run.returncode == INTERRUPTED == 130


def test_twice_the_command_ends_at_once(tmp_path):
    run = begun(program("parts", cleaning="time.sleep(300)"))
    assert run.stdout.readline() == "begun\n"
    run.send_signal(signal.SIGINT)
    assert run.stdout.readline() == "cleaning\n"
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=60) == ("", "interrupted, ended at once: resume with: program parts 60.0\n")
    assert run.returncode == INTERRUPTED


def test_a_press_that_a_forked_child_got_is_no_second_one():
    child = "(time.sleep(0.5), os.kill(os.getpid(), 2), os._exit(0))"
    run = begun(program("make", cleaning=f"import os; os.fork() or {child}; time.sleep(2)"))
    assert run.stdout.readline() == "begun\n"
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)
    assert run.returncode == INTERRUPTED and said[0].endswith("clean\n") and "at once" not in said[1], said


def test_a_signal_that_is_ignored_at_the_start_remains_ignored():
    run = begun(program("make", seconds=1.0), ignored=True)
    assert run.stdout.readline() == "begun\n"
    for _ in range(3):
        run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=60) == ("whole\ncleaning\nclean\n", "")
    assert run.returncode == 0


def test_an_interrupted_world_is_not_there_and_is_made_by_the_line_that_was_printed(tmp_path):
    words = ["fictionalhot", "universe", "--out", f"{tmp_path / 'a world'}", "--entities"]
    run = begun([sys.executable, "-m", "reseek", *words, "500000"])
    give_up = time.monotonic() + 60
    while not any(tmp_path.iterdir()) and time.monotonic() < give_up:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    line = said.splitlines()[-1]
    again = f"reseek fictionalhot universe --out '{tmp_path / 'a world'}' --entities 500000"
    assert line == f"interrupted: nothing was written; start again with: {again}"
    assert "Traceback" not in said and run.returncode == INTERRUPTED and list(tmp_path.iterdir()) == []


# What a run says


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "a run").mkdir()
    (tmp_path / "a run" / "config.yaml").write_text("stage: rl\n")
    return tmp_path / "a run"


def test_a_run_is_resumed_in_its_folder(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    words = ["algo.steps=4", "--config-dir", "my conf", "run.dir=a run", "questions.train=it's"]
    overrides = [word for word in words if "=" in word]
    assert how_to_resume("train", words, overrides, Path("a run")) == (
        """resume with: reseek train --config-dir 'my conf' algo.steps=4 'questions.train=it'"'"'s' """
        f"""'run.dir='"'"'{folder}'"'"''"""
    )


def test_a_job_of_a_sweep_is_resumed_alone_and_sft_by_its_own_name(folder):
    said = how_to_resume("eval", ["-m", "run.seed=1,2"], ["run.seed=2"], folder)
    assert said.startswith("resume with: reseek eval run.seed=2 'run.dir=")
    said = how_to_resume("sft", ["sft.samples=1", "stage=sft"], ["sft.samples=1", "stage=sft"], folder)
    assert said.startswith("resume with: reseek sft sft.samples=1 'run.dir=")


def test_a_run_that_has_written_nothing_starts_again(tmp_path):
    said = how_to_resume("train", ["algo.steps=4"], ["algo.steps=4"], tmp_path / "new")
    assert said == f"nothing was written to {tmp_path / 'new'}; start again with: reseek train algo.steps=4"
    assert os.listdir(tmp_path) == []
