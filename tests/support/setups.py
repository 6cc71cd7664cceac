"""Environments and tools for the tests of `make setup`: nothing is installed by them."""

import importlib
from pathlib import Path

from deploy.setup import state, tools
from deploy.setup.console import Console

setup_env = importlib.import_module("deploy.setup.__main__")

INDEX = "https://torch.example/whl/cpu"
TORCH = "torch==2.13.0+cpu"
PIP = tools.pip("venv/bin/python")
UV = tools.uv("venv/bin/python", {"UV_FIND_LINKS": "/wheels"})


class Tools(Console):
    """A console whose tools succeed as told; remembers what they were asked and with which variables."""

    def __init__(self, log: Path, *outcomes: bool) -> None:
        super().__init__(log)
        self.outcomes, self.asked = list(outcomes), []

    def run(self, command, cwd, title="", environment=None, progress=None) -> bool:
        self.asked.append((list(command), environment or {}))
        self._last = ["Using Python 3.11\n", "error: no such wheel\n", "hint: look elsewhere\n"]
        return self.outcomes.pop(0)


def setup_of(venv: Path, *outcomes: bool, installers=(UV, PIP)) -> setup_env.Setup:
    made = setup_env.Setup(venv, INDEX, Tools(venv / "log", *outcomes))
    made.installers = list(installers)
    return made


def install_by_hand(packages: Path, name: str, record: str | None, *files: str) -> None:
    """Metadata of the distribution `name`, as `name-1.0`, with this RECORD, and its files."""
    for file in files:
        (packages / file).parent.mkdir(parents=True, exist_ok=True)
        (packages / file).touch()
    (packages / name).mkdir(exist_ok=True)
    if record is not None:
        (packages / name / "RECORD").write_text(record)


def make_venv(folder: Path) -> Path:
    """A folder that looks like an environment: a Python and an empty site-packages."""
    (folder / "bin").mkdir()
    (folder / "bin/python").touch()
    state.site_packages(folder).mkdir(parents=True)
    return folder
