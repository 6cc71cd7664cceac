"""The processes and shared memory of one run, and how to end and remove them.

A process belongs to a run if its environment holds the run's id and it is this user's, so that a neighbour's run is
never touched. Shared memory is removed only if it appeared during the run, is this user's, and no living process maps
it.
"""

import os
from pathlib import Path

import psutil

from reseek.run.machine import started
from reseek.run.marks import FOLDER_VARIABLE, RUN_VARIABLE

_SHM = Path("/dev/shm")
_GRACE_SECONDS = 8.0


def shared_memory() -> frozenset[str]:
    """The names in /dev/shm."""
    return frozenset(entry.name for entry in _SHM.iterdir()) if _SHM.is_dir() else frozenset()


def processes_of(run_id: str, *, folder: Path | None = None, since: int = 0) -> list[psutil.Process]:
    """This user's living processes of the run, without the calling one. With `folder` only those whose environment
    names it as the run's folder; with `since` only those started later, on the clock of `machine.started`."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.uids().real != os.getuid() or not _belongs(process.environ(), run_id, folder):
                continue
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        start = started(process.pid)
        if start is not None and start >= since:
            found.append(process)
    return found


def _belongs(variables: dict[str, str], run_id: str, folder: Path | None) -> bool:
    if variables.get(RUN_VARIABLE) != run_id:
        return False
    return folder is None or variables.get(FOLDER_VARIABLE) == str(folder)


def end_processes(
    run_id: str, patience_s: float | None = None, *, folder: Path | None = None, since: int = 0
) -> int:
    """End what is left of the run's processes (see `processes_of`): wait `patience_s`, ask, then kill. Returns how many
    had to be asked."""
    patience = _GRACE_SECONDS if patience_s is None else patience_s
    _, left = psutil.wait_procs(processes_of(run_id, folder=folder, since=since), timeout=patience)
    for process in left:
        _signal(process, kill=False)
    _, stubborn = psutil.wait_procs(left, timeout=_GRACE_SECONDS)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=_GRACE_SECONDS)
    return len(left)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return


def free_shared_memory(before: frozenset[str]) -> list[str]:
    """Remove the blocks in /dev/shm that the run left; returns their names."""
    new = shared_memory() - before
    mapped = _mapped_inodes() if new else frozenset()
    removed = []
    for name in sorted(new):
        path = _SHM / name
        try:
            stat = path.stat()
            if path.is_file() and stat.st_uid == os.getuid() and stat.st_ino not in mapped:
                path.unlink()
                removed.append(name)
        except FileNotFoundError:
            continue
    return removed


def _mapped_inodes() -> frozenset[int]:
    """Inodes of what living processes map in /dev/shm. Not names: a semaphore is mapped under a temporary one."""
    inodes: set[int] = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            lines = maps.read_text(errors="replace").splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        # address permissions offset device inode path
        inodes.update(int(line.split()[4]) for line in lines if f" {_SHM}/" in line)
    return frozenset(inodes)
