"""Checkpoints in a run's folder: the newest, from which a run resumes, and the best, which is kept.

The trainer writes `checkpoints/global_step_N` and prunes old ones. The checkpoint that answered the validation
questions best is kept whatever is pruned.

`best.json` names it: its step, its exact match, its folder `best/global_step_N`. That folder holds hard links to the
actor's files, so that it costs no disk until the trainer deletes its own checkpoint of that step (verl's
`trainer.max_actor_ckpt_to_keep`); the optimiser's state, two thirds of a checkpoint, is left out: the best is there to
be exported and evaluated, not to be resumed to the bit. Invariant: what `best.json` names is whole.
"""

import os
import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from reseek.errors import InputError, first_problem
from reseek.run.folder import write_json, write_text

FILE = "best.json"
FOLDER = "best"
_LAST_PART = "data.pt"
"""What verl writes last into a checkpoint: the state of the data loader."""
_TRACKER = "checkpoints/latest_checkpointed_iteration.txt"
"""Where verl writes the newest checkpoint's step, after all its parts."""


def resume_step(run: Path) -> int:
    """The step of the newest whole checkpoint, 0 for none. Where a kill left the tracker empty, it is written again."""
    tracker = run / _TRACKER
    if not tracker.is_file():
        return 0
    text = tracker.read_text(encoding="utf-8").strip()
    if text.isdigit():
        return int(text)
    steps = [int(path.parent.name.rpartition("_")[2]) for path in tracker.parent.glob(f"global_step_*/{_LAST_PART}")]
    if not steps:
        tracker.unlink()
        return 0
    write_text(tracker, str(max(steps)))
    return max(steps)


class Best(BaseModel):
    """`em`: greedy exact match over `questions` validation questions. `checkpoint` is relative to the run's folder."""

    model_config = ConfigDict(frozen=True)

    step: int
    em: float
    questions: int
    checkpoint: str


def read_best(run: Path) -> Best | None:
    """The best checkpoint, as a run's `best.json` names it; None without one. Raises InputError for a broken one."""
    path = run / FILE
    if not path.is_file():
        return None
    try:
        return Best.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise InputError(f"{path}: names no checkpoint ({first_problem(error)}); delete it") from None


def keep_best(run: Path, step: int, em: float, questions: int) -> Best | None:
    """The best after a validation at `step`: this one, if its checkpoint was saved and no earlier one was as good.

    Call it after the step's checkpoint was written."""
    best = read_best(run)
    saved = run / "checkpoints" / f"global_step_{step}"
    if not (saved / _LAST_PART).is_file() or (best is not None and em <= best.em):
        return best
    kept = run / FOLDER / saved.name
    shutil.rmtree(kept, ignore_errors=True)  # of a run that was killed while it linked
    _link(saved / "actor", kept / "actor")
    shutil.copyfile(saved / _LAST_PART, kept / _LAST_PART)
    new = Best(step=step, em=em, questions=questions, checkpoint=f"{FOLDER}/{saved.name}")
    write_json(run / FILE, new.model_dump())
    for other in kept.parent.iterdir():
        if other != kept:
            shutil.rmtree(other)
    return new


def _link(source: Path, target: Path) -> None:
    """The same files under another folder, without the optimiser's."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.is_dir():
            _link(file, target / file.name)
        elif not file.name.startswith("optim_"):
            _link_file(file, target / file.name)


def _link_file(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
