"""What is made once: whoever comes second waits for the first and takes what that has made."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from corpora.atomic import new_folder
from corpora.once import file_lock, made_once
from fictionalhot.worlds.small.facts import Sizes
from fictionalhot.worlds.small.world import WorldSizes, ensure_world
from reseek.config.policy import MicroStart
from reseek.config.questions import QuestionSource
from reseek.micro.checkpoints import ensure_shipped
from reseek.micro.warmup import ensure_micro
from reseek.questions.cache import ensure_mix, ensure_set

pytestmark = pytest.mark.integration

SIZES = WorldSizes(Sizes(20, 8, 8, 8, questions=20), Sizes(12, 5, 5, 5, questions=5))
QUESTION = '{"question": "who is it", "answer": ["Ada"]}\n'


def at_once(make: Callable[[], object], times: int = 3) -> list:
    """What threads get that begin at the same moment. Locks and renames don't care that they share a process."""
    together = threading.Barrier(times)

    def begin(_: int) -> object:
        together.wait()
        return make()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(begin, range(times)))


def a_set(folder: Path) -> object:
    return ensure_set("nq", QuestionSource(path=str(folder / "q.jsonl")), folder / "cache")


def a_mix(folder: Path) -> object:
    return ensure_mix("train", {"nq": QuestionSource(path=str(folder / "q.jsonl"))}, folder / "cache")


MAKERS: dict[str, Callable[[Path], object]] = {
    "world": lambda folder: ensure_world(folder / "world", 3, SIZES),
    "shipped model": lambda folder: ensure_shipped(folder, MicroStart.LAZY),
    "model": lambda folder: ensure_micro(folder, ensure_world(folder / "w", 3, SIZES), MicroStart.LAZY, 1, 0),
    "question set": a_set,
    "mix of sets": a_mix,
}


@pytest.mark.parametrize("name", MAKERS)
def test_first_commands_at_once_all_get_the_same(name, tmp_path):
    (tmp_path / "q.jsonl").write_text(QUESTION)
    made = at_once(lambda: MAKERS[name](tmp_path))
    assert made[0] == made[1] == made[2] == MAKERS[name](tmp_path)
    assert not list(tmp_path.rglob(".*"))


def test_one_makes_and_the_others_take_it(tmp_path):
    made = []

    def make() -> None:
        with new_folder(tmp_path / "thing") as building:
            (building / "file").write_text("whole")
            made.append(building)

    at_once(lambda: made_once(tmp_path / "thing", (tmp_path / "thing").is_dir, make), 6)
    assert len(made) == 1 and [path.name for path in tmp_path.iterdir()] == ["thing"]


def test_a_maker_that_failed_is_followed_by_the_next(tmp_path):
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        made_once(tmp_path / "thing", lambda: False, fail)
    made_once(tmp_path / "thing", (tmp_path / "thing").is_file, lambda: (tmp_path / "thing").write_text("x"))
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]


def test_those_who_waited_for_a_maker_that_failed_try_themselves(tmp_path):
    def fail() -> None:
        time.sleep(0.05)
        raise ValueError("bad input")

    def attempt() -> str:
        try:
            made_once(tmp_path / "new" / "cache" / "thing", lambda: False, fail)
        except (ValueError, OSError) as error:
            return str(error)
        return ""

    assert at_once(attempt, 4) == ["bad input"] * 4


def test_the_lock_of_a_killed_maker_holds_nobody_up(tmp_path, capsys):
    code = f"from corpora.once import *; c=file_lock(Path({str(tmp_path / '.thing.lock')!r}), print); c.__enter__()"
    with subprocess.Popen([sys.executable, "-c", f"{code}; print(flush=True); input()"], stdin=-1, stdout=-1) as other:
        assert other.stdout is not None and other.stdout.readline()
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(made_once, tmp_path / "thing", lambda: False, lambda: None)
            while "waiting for the process that is making it" not in capsys.readouterr().err:
                assert not done.done()
                time.sleep(0.05)
            other.kill()
            done.result(60)
    assert not list(tmp_path.iterdir())


def test_whoever_waits_too_long_may_say_so(tmp_path):
    def give_up(seconds: float) -> None:
        raise TimeoutError

    with (
        file_lock(tmp_path / "lock", give_up),
        pytest.raises(TimeoutError),
        file_lock(tmp_path / "lock", give_up),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_what_is_there_needs_no_writable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    made_once(tmp_path / "file" / "no folder", lambda: True, lambda: None)
