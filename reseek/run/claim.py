"""A run's folder while a run writes into it, and how a run that was killed is taken up again.

`running.json` names the process that writes; it goes with it. Invariant: two runs never write into one folder; what a
killed run left behind (processes, shared memory, temporary folder, metrics of steps that are not in a checkpoint) is
gone before the next one starts. Knows nothing of what a checkpoint holds.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
from pydantic import BaseModel, ValidationError

from reseek.errors import InputError, first_problem
from reseek.run import processes
from reseek.run.folder import write_json, write_text
from reseek.sft.plan import last_checkpoint

FILE = "running.json"
_TRACKER = "checkpoints/latest_checkpointed_iteration.txt"
# What a killed run leaves in /dev/shm under names of its own; other programs' blocks have other names.
_BLOCKS = ("psm_", "sem.mp-")


class Claim(BaseModel):
    """Who writes: a process, told from a later one of the same number by its start; the run's id, its temporary folder,
    and what stood in /dev/shm before it."""

    pid: int
    started: float
    run_id: str
    temporary: Path
    shared_memory: frozenset[str]

    @property
    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.started and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def check_free(folder: Path) -> None:
    """Raises InputError where a living run writes into the folder."""
    claim = _read(folder)
    if claim is not None and claim.alive:
        raise InputError(f"run.dir={folder}: process {claim.pid} is writing there; wait for it or name another folder")


@contextlib.contextmanager
def claimed(folder: Path, run_id: str, temporary: Path) -> Iterator[int]:
    """Hold the folder for this process; yields the step of the checkpoint from which the run goes on, 0 for none.

    First takes care of what a killed run left. Raises InputError where a living run writes into the folder.
    """
    check_free(folder)
    left = _read(folder)
    if left is not None:
        _clear(left)
    step = last_step(folder)
    _forget_later_steps(folder / "metrics.jsonl", step)
    claim = Claim(
        pid=os.getpid(),
        started=psutil.Process().create_time(),
        run_id=run_id,
        temporary=temporary,
        shared_memory=processes.shared_memory(),
    )
    write_json(folder / FILE, claim.model_dump(mode="json"))
    try:
        yield step
    finally:
        (folder / FILE).unlink(missing_ok=True)


def last_step(folder: Path) -> int:
    """The step of the newest whole checkpoint, 0 for none.

    The trainer names it in a file that it writes last, though not at one stroke: where a kill left that file empty, the
    newest checkpoint with all its parts is named anew. (stage=sft has transformers' checkpoints, without a tracker.)
    """
    tracker = folder / _TRACKER
    if not tracker.is_file():
        checkpoint = last_checkpoint(folder)
        return 0 if checkpoint is None else int(checkpoint.name.rpartition("-")[2])
    text = tracker.read_text(encoding="utf-8").strip()
    if text.isdigit():
        return int(text)
    # data.pt, the state of the data loader, is the last part that is written before the tracker.
    steps = [int(path.parent.name.rpartition("_")[2]) for path in tracker.parent.glob("global_step_*/data.pt")]
    if not steps:
        tracker.unlink()
        return 0
    write_text(tracker, str(max(steps)))
    return max(steps)


def _forget_later_steps(metrics: Path, step: int) -> None:
    """Steps after the checkpoint are made again: their records would stand twice."""
    if not metrics.is_file():
        return
    lines = metrics.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    write_text(metrics, "".join(line for line in whole if json.loads(line)["step"] <= step))


def _read(folder: Path) -> Claim | None:
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return Claim.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        problem = first_problem(error)
        raise InputError(f"{path}: is not a run's claim ({problem}); delete it if no run is alive") from None


def _clear(left: Claim) -> None:
    processes.end_processes(left.run_id, patience_s=0.0)
    others = frozenset(name for name in processes.shared_memory() if not name.startswith(_BLOCKS))
    processes.free_shared_memory(left.shared_memory | others)
    shutil.rmtree(left.temporary, ignore_errors=True)
