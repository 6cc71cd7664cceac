"""How a command meets its user, and what a run's folder holds."""

import json

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError

from corpora.atomic import write_text
from reseek.errors import InputError, SearchFailed, one_line
from reseek.run.command import run_command
from reseek.run.folder import open_run, versions
from reseek.run.variables import QUIET_THREADS


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What `run_command` sets is taken back."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    for name in QUIET_THREADS:
        monkeypatch.setenv(name, "")


def raising(error: BaseException):
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    "error",
    [InputError("file:3: bad\n  value"), HydraException("file:3: bad\n\nvalue"), ConfigKeyError("file:3: bad\nvalue")],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(error, capsys):
    with pytest.raises(SystemExit) as caught:
        run_command(raising(error))
    assert caught.value.code == 2
    assert capsys.readouterr() == ("", "error: file:3: bad value\n")


@pytest.mark.parametrize("error", [SearchFailed("x"), ValueError("x"), KeyboardInterrupt()])
def test_other_errors_keep_their_traceback(error):
    with pytest.raises(type(error)):
        run_command(raising(error))


def test_a_command_that_works_just_returns(capsys):
    assert run_command(lambda: print("done")) is None
    assert capsys.readouterr().out == "done\n"


def test_one_line():
    assert one_line("\n a \n\n\tb\nc ") == "a b c"


def test_a_runs_folder_says_what_ran(tmp_path):
    config = OmegaConf.create({"a": 1, "b": "${a}"})
    open_run(tmp_path / "deep" / "run", config, seed=7)
    folder = tmp_path / "deep" / "run"
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml", "versions.json"]
    assert OmegaConf.to_container(OmegaConf.load(folder / "config.yaml")) == {"a": 1, "b": 1}
    assert json.loads((folder / "versions.json").read_text()) == {"seed": 7, **versions()}
    assert {"python", "machine", "reseek"} <= set(versions())


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "file.txt"
    write_text(path, "első")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "broken \ud800")
    assert list(path.parent.iterdir()) == [path], "a temporary file was left"
    assert path.read_text(encoding="utf-8") == "első"
    write_text(path, "second")
    assert path.read_text() == "second"
