"""Old names of commands and modules are answered with the new ones."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reseek.program.commands import Reseek
from reseek.renamed import COMMANDS, MovedModules, module_of, moved_modules

CHANGELOG = (Path(__file__).resolve().parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["reseek.ablate", "policy=path", "--out", "a b"], "reseek ablate policy=path --out 'a b'"),
        (["corpora", "build", "x", "y"], "reseek corpus build x y"),
        (["fictionalhot.build"], "reseek fictionalhot build"),
        (["reseek.report"], "reseek report"),
    ],
)
def test_an_old_command_is_answered_with_the_new_one(words, answer, tmp_path):
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"error: python -m {words[0]} has been renamed; type: {answer}\n"


@pytest.mark.parametrize(("old", "new"), COMMANDS.items())
def test_every_new_command_exists_and_is_in_the_changelog(old, new):
    group, _, name = new.partition(" ")
    (entry,) = [entry for entry in Reseek.entries if entry.name == group]
    if name:
        assert name in [inner.name for inner in entry.load().entries]
    assert re.search(rf"^\| `python -m {re.escape(old)}[^`]*` \| `reseek {re.escape(new)}[^`]*` \|$", CHANGELOG, re.M)


@pytest.mark.parametrize(("old", "new"), moved_modules().items())
def test_an_old_module_names_the_new_one(old, new):
    assert importlib.util.find_spec(new)
    with pytest.raises(ModuleNotFoundError, match=f"^{re.escape(old)} is now {re.escape(new)} "):
        MovedModules.find_spec(old)


def test_importing_an_old_module_names_the_new_one():
    with pytest.raises(ModuleNotFoundError, match=r"reseek\.grammar is now reseek\.agent\.grammar"):
        import reseek.grammar  # noqa: F401


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("python -m reseek.ablate a", ("reseek.ablate", ["a"])),
        ("python -u -X dev -m x", ("x", [])),
        ("python script.py -m corpora", ("", [])),
        ("python -c code -m corpora", ("", [])),
        ("python", ("", [])),
    ],
)
def test_only_the_interpreters_own_m_counts(line, module):
    assert module_of(line.split()) == module
