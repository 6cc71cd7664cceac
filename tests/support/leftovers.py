"""What launches of the real stack leave on the machine: processes of Ray and vLLM, and shared memory.

Tests run side by side in workers of pytest-xdist. Their processes inherit the worker's name, so that each worker counts
its own alone.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

WORKER = "PYTEST_XDIST_WORKER"
_NAMES = ("raylet", "gcs_server", "ray::", "EngineCore")
_PATIENCE_S = 10.0


def ray_processes() -> list[str]:
    """The command lines of this worker's living processes of Ray and vLLM."""
    lines = (" ".join(_said(process, "cmdline", [])) for process in _processes(of_others=False))
    return [line[:80] for line in lines if any(name in line for name in _NAMES)]


def shared_memory() -> set[str]:
    """The names in /dev/shm, without those that another worker's processes hold."""
    return set(os.listdir("/dev/shm")) - {name for process in _processes(of_others=True) for name in _held(process)}


def left_behind(before: set[str]) -> tuple[set[str], list[str]]:
    """The shared memory that is there since `before`, and the processes. A block that another worker's process is about
    to map or has just let go of belongs to nobody for a moment, so blocks are looked at until they are gone."""
    end = time.monotonic() + (_PATIENCE_S if WORKER in os.environ else 0)
    processes = ray_processes()
    while (blocks := shared_memory() - before) and time.monotonic() < end:
        time.sleep(0.1)
    return blocks, processes


def _processes(*, of_others: bool) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        worker = _said(process, "environ", {}).get(WORKER)
        is_other = worker is not None and worker != os.environ.get(WORKER)
        if is_other == of_others:
            yield process


def _said(process: psutil.Process, what: str, otherwise):
    try:
        return getattr(process, what)()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return otherwise


def _held(process: psutil.Process) -> Iterator[str]:
    """The names in /dev/shm that the process maps or has open."""
    try:
        lines = Path(f"/proc/{process.pid}/maps").read_text().splitlines()
        paths = [line.split(maxsplit=5)[-1] for line in lines]
        paths += [os.readlink(link) for link in Path(f"/proc/{process.pid}/fd").iterdir()]
    except OSError:  # it has ended, or is another user's
        return
    for path in paths:
        if path.startswith("/dev/shm/"):
            yield Path(path.removesuffix(" (deleted)")).name
