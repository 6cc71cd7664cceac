"""The checkpoint that a path names, checked to be complete."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from reseek.errors import InputError
from reseek.run.checkpoint_layout import (
    ACTOR,
    CHECKPOINTS,
    FSDP_CONFIG,
    HUGGINGFACE,
    LAST_PART,
    is_saved,
    shards_of,
    step_folders,
    step_of,
)
from reseek.training.checkpoints import FILE as BEST
from reseek.training.checkpoints import read_best


class Pick(Enum):
    """Which checkpoint of a run."""

    NEWEST = "newest"
    """The newest complete one."""
    BEST = "best"
    """The one with the best validation exact match (`best.json`)."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint of an actor. `shards` are ordered by rank; `step` is None if no folder names it."""

    actor: Path
    step: int | None
    shards: tuple[Path, ...]

    @property
    def huggingface(self) -> Path:
        """Everything but the weights: configuration, tokenizer, chat template."""
        return self.actor / HUGGINGFACE

    @property
    def source(self) -> str:
        """The checkpoint within its run, as `RUN/checkpoints/global_step_N/actor`."""
        return "/".join(self.actor.parts[-4:])


def find_checkpoint(path: str | Path, pick: Pick = Pick.NEWEST) -> Checkpoint:
    """The checkpoint that `path` names: the newest complete or the best one of a run's folder, or that of a
    `global_step_N` folder, its `actor` or the `huggingface` within. Raises InputError if a part of it is missing."""
    folder = Path(path).resolve()
    if not folder.is_dir():
        raise InputError(f"{path}: no such folder")
    if pick is Pick.BEST:
        best = read_best(folder)
        if best is None:
            raise InputError(
                f"{folder / BEST}: no such file; a run writes it with algo.validate_every and algo.save_every, where a "
                "validated step is also saved"
            )
        return _checkpoint(folder / best.checkpoint / ACTOR)
    if folder.name == HUGGINGFACE:
        folder = folder.parent
    run = folder / CHECKPOINTS if (folder / CHECKPOINTS).is_dir() else folder
    steps = step_folders(run)
    if steps:
        return _newest(run, steps)
    if run != folder:
        raise InputError(f"{run}: holds no checkpoint; train with algo.save_every")
    actor = folder / ACTOR if (folder / ACTOR).is_dir() else folder
    if not (actor / FSDP_CONFIG).is_file():
        raise InputError(
            f"{path}: is not a checkpoint: it must hold checkpoints/ (a run), actor/ (a global_step_N) or "
            f"{FSDP_CONFIG} (an actor)"
        )
    return _checkpoint(actor)


def _newest(run: Path, steps: Sequence[Path]) -> Checkpoint:
    problems = []
    for step in steps:
        try:
            if not is_saved(step):
                raise InputError(f"{step / LAST_PART}: is missing, saving was not finished")
            return _checkpoint(step / ACTOR)
        except InputError as problem:
            problems.append(str(problem))
    raise InputError(f"{run}: holds no complete checkpoint: {problems[0]}")


def _checkpoint(actor: Path) -> Checkpoint:
    try:
        shards = shards_of(actor)
    except FileNotFoundError:
        raise InputError(f"{actor / FSDP_CONFIG}: is missing, the checkpoint is incomplete") from None
    except ValueError:
        raise InputError(f"{actor / FSDP_CONFIG}: has no valid world_size") from None
    found = Checkpoint(actor, step_of(actor.parent), shards)
    for part in (*shards, found.huggingface / "config.json", found.huggingface / "tokenizer_config.json"):
        if not part.is_file():
            raise InputError(f"{part}: is missing, the checkpoint is incomplete")
    return found
