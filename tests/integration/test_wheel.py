"""The wheel outside the repository: built, installed into a throw-away environment, used from another folder.

The throw-away environment shares the third-party packages of the one that runs the tests through a .pth file. Python
reads no .pth files of a folder that is added in this way, so the editable install of the checkout is not visible.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.runs import ROOT

pytestmark = pytest.mark.integration

SITE = Path(metadata.distribution("numpy").locate_file(""))
SOURCES = ("reseek", "corpora", "fictionalhot", "conf")
CORE = (
    "agent.context agent.episode agent.grammar agent.methods agent.prompts agent.tokens rewards.answers rewards.reward "
    "rewards.terms evaluation.metrics rollout.records rollout.stats rollout.environment config.settings "
    "config.resolvers questions.record errors program.commands program.doctor program.help_pages program.conf_reading"
).split()


@dataclass(frozen=True)
class Installed:
    """An environment that has the wheel."""

    folder: Path
    elsewhere: Path
    cache: Path

    def run(self, *words: str, timeout: int = 300) -> subprocess.CompletedProcess[str]:
        """A program of the environment, run in a folder that is not the repository."""
        program = self.folder / "bin" / words[0]
        hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "VERL_PLATFORM")
        variables = {name: value for name, value in os.environ.items() if name not in hidden}
        variables |= {"RESEEK_CACHE": str(self.cache), "COLUMNS": "100", "HF_HUB_OFFLINE": "1"}
        return subprocess.run(
            [program, *words[1:]], capture_output=True, text=True, timeout=timeout, cwd=self.elsewhere, env=variables
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy: a build folder of an earlier build would add modules that are gone."""
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    build = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist"]
    done = subprocess.run(build, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    [made] = (folder / "dist").iterdir()
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory, shared_cache) -> Installed:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True, with_pip=False)
    [site] = (folder / "lib").glob("python*/site-packages")
    (site / "zz-third-party.pth").write_text(f"{SITE}\n")
    pip = [sys.executable, "-m", "pip", f"--python={folder / 'bin' / 'python'}", "install", "--no-deps", "--no-index"]
    done = subprocess.run([*pip, "--ignore-installed", str(wheel)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return Installed(folder, tmp_path_factory.mktemp("elsewhere"), shared_cache)


def test_everything_resolves_inside_the_environment(installed):
    code = """
import importlib, importlib.metadata, importlib.resources, json, subprocess, sys
names = ("reseek", "corpora", "fictionalhot")
found = [importlib.import_module(name).__file__ for name in names]
found += [str(next(iter(importlib.resources.files("reseek.conf").iterdir())))]
from reseek.config.resolvers import CONF
found += [str(CONF)]
points = [p for g in ("verl.plugins", "vllm.general_plugins") for p in importlib.metadata.entry_points(group=g)]
ours = [point for point in points if point.value.startswith("reseek.")]
found += [importlib.util.find_spec(point.module).origin for point in ours]
assert {point.group for point in ours} == {"verl.plugins", "vllm.general_plugins"}
if sys.argv[1] == "parent":
    child = subprocess.run([sys.executable, "-c", sys.argv[2], "child", ""], capture_output=True, text=True, check=True)
    found += json.loads(child.stdout)
print(json.dumps(found))
"""
    done = installed.run("python", "-c", code, "parent", code)
    assert done.returncode == 0, done.stderr
    places = json.loads(done.stdout)
    assert len(places) >= 14
    assert [place for place in places if not Path(place).is_relative_to(installed.folder)] == []
    version = installed.run("python", "-c", "import reseek; print(reseek.__version__)")
    assert version.stdout.strip() == metadata.version("reseek")


def test_every_experiment_composes_and_help_reads_the_shipped_configuration(installed):
    experiments = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))
    assert experiments
    for experiment in experiments:
        done = installed.run("reseek", "train", f"experiment={experiment}", "--cfg", "job")
        assert done.returncode == 0, done.stderr
        assert f"experiment={experiment}" not in done.stderr and "trainer_mode: reseek_" in done.stdout
    for command in ("train", "sft", "eval"):
        assert installed.run("reseek", command, "--help").returncode == 0
    assert installed.run("reseek", "doctor").returncode == 0


def test_a_corpus_is_built_and_searched_and_three_questions_are_evaluated(installed):
    built = installed.run("reseek", "corpus", "build", str(ROOT / "tests" / "data" / "passages.jsonl"), "index")
    assert built.returncode == 0, built.stderr
    found = installed.run("reseek", "corpus", "search", "index", "glass works", "-k", "1")
    assert found.returncode == 0 and "score" in found.stdout, found.stderr
    words = ("evaluation.engine=transformers", "evaluation.limit=3", "run.dir=run")
    done = installed.run("reseek", "eval", *words, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((installed.elsewhere / "run" / "result.json").read_text())
    assert result["sets"]["test"]["questions"] == 3
    checked = installed.run("reseek", "train", "run.check_only=true", timeout=600)
    assert checked.returncode == 0 and "all checks passed" in checked.stdout, checked.stdout + checked.stderr


def test_an_old_command_is_answered_from_the_wheel_too(installed):
    done = installed.run("python", "-m", "corpora", "build", "a", "b")
    assert done.returncode == 2
    assert done.stderr == "error: python -m corpora has been renamed; type: reseek corpus build a b\n"


def closure(name: str) -> set[str]:
    """The distributions that an install of `name` brings without extras."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = metadata.distribution(waiting.pop())
        if one.name in found:
            continue
        found.add(one.name)
        for line in one.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def test_the_core_imports_with_nothing_but_its_dependencies(wheel, tmp_path):
    folder = tmp_path / "only"
    folder.mkdir()
    shutil.unpack_archive(wheel, folder, "zip")
    named = closure("reseek") - {"reseek"}
    assert {"numpy", "pydantic", "typer", "rich", "hydra-core"} <= named and len(named) < 30
    for name in named:
        for file in metadata.files(name) or ():
            place = Path(file.locate())
            if ".." not in file.parts and place.is_file() and "__pycache__" not in file.parts:
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(place)
    modules = [f"reseek.{name}" for name in CORE] + ["corpora.passages", "corpora.cli.index", "fictionalhot.cli"]
    code = f"""
import importlib, importlib.util, sys
sys.path.insert(0, {str(folder)!r})
for name in {modules!r}:
    importlib.import_module(name)
assert sys.modules["reseek"].__file__.startswith({str(folder)!r})
assert not [name for name in ("torch", "verl", "ray", "vllm", "psutil") if importlib.util.find_spec(name)]
sys.argv = ["reseek", *sys.argv[1:]]
from reseek.program.commands import main
main()
"""

    def program(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", "-c", code, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)

    for words in (("--help",), ("eval", "--help"), ("train", "--help"), ("corpus", "build", "--help")):
        shown = program(*words)
        assert shown.returncode == 0, shown.stderr
    told = program("doctor")
    assert told.returncode == 1 and "missing" in told.stdout and told.stderr == ""
    for words in (("corpus", "serve", "x"), ("report", "x"), ("train",), ("eval",)):
        refused = program(*words)
        assert refused.returncode == 2, (words, refused.stdout, refused.stderr)
        assert refused.stderr.startswith("error: ") and refused.stderr.count("\n") == 1, refused.stderr
