"""`reseek doctor` on this machine, and where things are missing."""

import subprocess
import sys

import pytest

from reseek.program import checks
from reseek.program.checks import CHECKS, State, findings


def doctor(*flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "from reseek.program.commands import app; app(['doctor'], prog_name='reseek')"
    words = [sys.executable, *flags, "-c", code]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, env={"COLUMNS": "100"} | environment)


def test_it_says_that_the_quick_start_can_run_and_imports_nothing_heavy():
    done = doctor("-X", "importtime")
    assert done.returncode == 0, done.stdout
    assert "The quick start can run here: reseek demo" in done.stdout
    assert all(name in done.stdout for name in CHECKS)
    assert max(map(len, done.stdout.splitlines())) <= 100
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "vllm", "verl", "ray", "transformers", "jnius"}


def test_nothing_but_the_standard_library_and_the_cores_needs_is_no_traceback(tmp_path):
    """Everything that is looked up by its name is missing."""
    code = (
        "import importlib.util, importlib.metadata as m, sys\n"
        "import reseek.program.checks as checks, reseek.program.doctor\n"
        "def gone(name): raise m.PackageNotFoundError(name)\n"
        "checks.find_spec = lambda name: None\n"
        "m.version = gone\n"
        "m.entry_points = lambda **group: []\n"
        "reseek.program.doctor.main()\n"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env={"COLUMNS": "100", "PATH": ""})
    assert "Exit" in done.stderr and done.returncode == 1
    assert done.stdout.count("missing") >= 7 and "bug" not in done.stdout
    for name in ("plug-ins", "PyTorch", "vLLM", "verl", "Ray", "Transformers", "Java and Lucene"):
        assert name in done.stdout.rpartition("missing:")[2]


def test_a_check_that_fails_is_a_line(monkeypatch):
    def broken():
        raise OSError("no such device")

    monkeypatch.setitem(CHECKS, "GPUs", broken)
    (line,) = [finding for finding in findings() if finding.name == "GPUs"]
    assert line.state is State.MISSING and "no such device" in line.found


def test_a_stale_entry_point_is_found(monkeypatch):
    point = checks.metadata.EntryPoint("reseek", "reseek.training.plugin", "verl.plugins")
    monkeypatch.setattr(checks.metadata, "entry_points", lambda group: [point])
    state, found, todo = CHECKS["plug-ins"]()
    assert state is State.MISSING and "reseek.training.plugin does not exist" in found and "make setup" in todo


def test_a_cache_that_cannot_be_written_is_missing(monkeypatch):
    monkeypatch.setenv("RESEEK_CACHE", "/proc/reseek")
    state, found, todo = CHECKS["cache"]()
    assert state is State.MISSING and "/proc/reseek" in found and "RESEEK_CACHE" in todo


@pytest.mark.parametrize(("set_", "state"), [("", State.OK), ("HF_HUB_OFFLINE", State.WARNING)])
def test_half_an_offline_setting_is_a_warning(monkeypatch, set_, state):
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    if set_:
        monkeypatch.setenv(set_, "1")
    assert CHECKS["model hub"]()[0] is state
