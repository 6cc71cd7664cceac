"""Leave nothing behind: processes, shared memory, temporary folders of one run.

Processes are recognised by the run's id in their environment, so a neighbour's run is never touched. Shared memory is
removed only if it appeared during the run, is ours, and no living process maps it. Knows nothing of Ray or verl.
"""

import os
from pathlib import Path

import psutil

RUN_VARIABLE = "RESEEK_RUN"
_SHM = Path("/dev/shm")
_GRACE_SECONDS = 8.0


def shared_memory() -> frozenset[str]:
    """Names of what stands in /dev/shm now."""
    return frozenset(entry.name for entry in _SHM.iterdir()) if _SHM.is_dir() else frozenset()


def processes_of(run_id: str) -> list[psutil.Process]:
    """Living processes of the run, without this one."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.environ().get(RUN_VARIABLE) == run_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def end_processes(run_id: str, patience_s: float = _GRACE_SECONDS) -> int:
    """End what is left of the run's processes: wait so long, ask, then kill. Returns how many had to be asked."""
    _, left = psutil.wait_procs(processes_of(run_id), timeout=patience_s)
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
    inodes = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            lines = maps.read_text(errors="replace").splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        # address permissions offset device inode path
        inodes.update(int(line.split()[4]) for line in lines if f" {_SHM}/" in line)
    return frozenset(inodes)
