"""The tools that install packages: uv, which is fast, and pip, which does what uv cannot.

uv does not read pip's settings, so those that say where packages come from are handed to it as environment variables.
Nothing here resolves dependencies: the lock is complete.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

from .console import Progress
from .state import missing

UV = "uv==0.13.9"  # pip installs it into the environment
_LISTS = {"extra-index-url": "UV_INDEX", "trusted-host": "UV_INSECURE_HOST"}
_SINGLE = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE", "proxy": "ALL_PROXY", "timeout": "UV_HTTP_TIMEOUT",
           "default-timeout": "UV_HTTP_TIMEOUT", "no-index": "UV_NO_INDEX"}
_SIZES = {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}


@dataclass(frozen=True)
class Tool:
    """A program that installs packages into one environment."""

    name: str
    install: tuple  # the command, up to what it installs
    environment: dict = field(default_factory=dict)

    def with_index(self, url: str) -> Tool:
        """The same tool, with `url` as its main index."""
        if self.name == "uv":
            return Tool(self.name, self.install, {**self.environment, "UV_DEFAULT_INDEX": url})
        return Tool(self.name, (*self.install, "--index-url", url), self.environment)


def pip(python: str) -> Tool:
    # Bytecode is a phase of its own, which uses every core.
    return Tool("pip", (python, "-m", "pip", "install", "--no-deps", "--no-compile"))


def uv(python: str, environment) -> Tool:
    program = str(Path(python).parent / "uv")
    command = (program, "pip", "install", "--python", python, "--no-deps", "--no-python-downloads", "--no-progress")
    return Tool("uv", command, dict(environment))


def pip_settings(listing: str) -> dict[str, str]:
    """The settings that `pip config list` prints, the strongest place (global, install, environment) winning."""
    found: dict[str, tuple] = {}
    for line in listing.splitlines():
        match = re.fullmatch(r"(global|install|:env:)\.([a-z-]+)=(.*)", line)
        if match:
            place, key, value = match.groups()
            rank = ("global", "install", ":env:").index(place)
            found[key] = max(found.get(key, (-1, "")), (rank, str(ast.literal_eval(value))), key=lambda item: item[0])
    return {key: value for key, (_, value) in found.items()}


def uv_environment(settings, own) -> dict[str, str]:
    """pip's `settings` as the variables that uv reads; those that the user has set in `own` for uv remain."""
    made = {_SINGLE[key]: value for key, value in settings.items() if key in _SINGLE}
    made.update({_LISTS[key]: " ".join(value.split()) for key, value in settings.items() if key in _LISTS})
    if "find-links" in settings:
        made["UV_FIND_LINKS"] = ",".join(settings["find-links"].split())
    if "UV_INDEX" in made:
        made["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip: the indexes are equals
    return {name: value for name, value in made.items() if name not in own}


def reason(output: str) -> str:
    """The line of a tool's output that says why it failed: its first error, or its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # uv puts the reason on a line of its own below the error
    for pattern in (r"(cause:|╰─▶)", r"(error|ERROR|fatal|×)\b"):
        found = [line for line in lines if re.match(pattern, line)]
        if found:
            return found[0][:200]
    return (lines[-1:] or ["it said nothing"])[0][:200]


class Installing(Progress):
    """How many of the packages are installed or, before the first is, how much of the large files is downloaded."""

    def __init__(self, requirements, packages: Path) -> None:
        self._requirements, self._packages = list(requirements), packages
        self._sizes: dict[str, float] = {}
        self._fetched: set[str] = set()

    def line(self, text: str) -> bool:
        begun = re.match(r"\s*Downloading (\S+) \(([\d.]+)([KMG]iB)\)", text)
        ended = re.match(r"\s*Downloaded (\S+)", text)
        if begun:
            self._sizes[begun.group(1)] = float(begun.group(2)) * _SIZES[begun.group(3)]
        elif ended:
            self._fetched.add(ended.group(1))
        elif re.match(r"Collecting (\S+)", text):  # pip's, one for each package
            self._fetched.add(text)
        return True

    def share(self):
        wanted = len(self._requirements)
        done = wanted - len(missing(self._requirements, self._packages))
        if done == 0 and self._sizes:
            fetched = sum(self._sizes.get(name, 0) for name in self._fetched)
            return round(fetched), round(sum(self._sizes.values())), "MB of large files"
        return (done, wanted, "installed") if done else (len(self._fetched), wanted, "found")


class Compiling(Progress):
    """How many of the modules are compiled, counted in the output of `compileall`."""

    def __init__(self, total: int) -> None:
        self._done, self._total = 0, total

    def line(self, text: str) -> bool:
        compiled = text.startswith("Compiling ")
        self._done += compiled
        return not compiled and not text.startswith("Listing ")

    def share(self):
        return min(self._done, self._total), self._total, "modules"
