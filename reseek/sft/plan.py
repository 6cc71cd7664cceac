"""The plan of an SFT run, `plan.json` in its folder beside the rows: what the training processes read.

Invariant: a folder holds one plan; its rows belong to that plan, and a resumed run trains by the same numbers. The rows
are written whole or not at all.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from corpora.atomic import replaced_folder, write_json
from corpora.manifest_file import read_record
from reseek.config.sft import ImitationSettings
from reseek.errors import InputError
from reseek.rollout.training_row import Row
from reseek.run.checkpoint_layout import step_number

PLAN, ROWS, MODEL, CHECKPOINTS, METRICS = "plan.json", "rows", "model", "checkpoints", "metrics.jsonl"
IGNORED = -100
"""Stands in `labels` where no token is trained: torch's cross-entropy leaves it out."""


class Plan(BaseModel):
    """`model` is a folder or hub id; `workers` are processes, one per device. `rows`, `validation_rows`: how many."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    chat_template: str | None
    dtype: str
    device: str
    workers: int
    seed: int
    name: str
    loggers: tuple[str, ...]
    sft: ImitationSettings
    rows: int
    validation_rows: int

    @property
    def accumulation(self) -> int:
        """Forward passes per optimiser step and device."""
        return self.sft.batch_rows // (self.sft.device_rows * self.workers)

    @property
    def steps(self) -> int:
        """Optimiser steps of the run: as transformers' Trainer counts them (a rest of the rows is a step too)."""
        if self.sft.steps is not None:
            return self.sft.steps
        batches = -(-self.rows // (self.sft.device_rows * self.workers))
        return self.sft.epochs * max(1, -(-batches // self.accumulation))


def check_batches(sft: ImitationSettings, workers: int) -> None:
    """Raises InputError where the batch can't be cut into forward passes."""
    if sft.batch_rows % (sft.device_rows * workers):
        raise InputError(
            f"sft.batch_rows={sft.batch_rows}: must be a multiple of sft.device_rows={sft.device_rows} x "
            f"{workers} devices (cluster.gpus_per_node)"
        )


def check_plan(folder: Path, plan: Plan) -> None:
    """Raises InputError where the folder holds another plan; how many rows it has is not compared."""
    if (folder / PLAN).is_file():
        found = read_plan(folder)
        _compare(folder, found, plan.model_copy(update={"rows": found.rows, "validation_rows": found.validation_rows}))


def write_plan(folder: Path, plan: Plan) -> None:
    """Write the plan. Raises InputError where the folder holds another one; an equal one, perhaps of a version with
    fewer keys, stays as it is."""
    if (folder / PLAN).is_file():
        found = read_plan(folder)
        _compare(folder, found, plan)
        if found == plan:
            return
    write_json(folder / PLAN, plan.model_dump(mode="json"))


_FREE = ("name", "loggers", "device", "save_every", "concurrency")
"""What may change when the run is resumed."""


def _compare(folder: Path, found: Plan, plan: Plan) -> None:
    theirs, ours = (one.model_dump(exclude={"sft"}) | one.sft.model_dump() for one in (found, plan))
    key = next((key for key in ours if ours[key] != theirs[key] and key not in _FREE), None)
    if key is not None:
        raise InputError(
            f"run.dir={folder}: holds a run of other settings ({key} was {theirs[key]}, is now {ours[key]}); "
            "name another folder"
        )


def read_plan(folder: Path) -> Plan:
    return read_record(folder / PLAN, Plan, "the plan of an SFT run")


def write_rows(folder: Path, train: Sequence[Row], validation: Sequence[Row]) -> None:
    """Write `rows/train` and, where there are such rows, `rows/validation` as Arrow files, which every training process
    maps into memory."""
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    with replaced_folder(folder / ROWS) as building:
        for name, rows in (("train", train), ("validation", validation)):
            if not rows:  # nothing could be read back
                continue
            Dataset.from_dict(
                {
                    "input_ids": [row.ids for row in rows],
                    "labels": [labels_of(row) for row in rows],
                    "length": [len(row.ids) for row in rows],
                }
            ).save_to_disk(building / name)


def labels_of(row: Row) -> list[int]:
    """The ids where the agent spoke, IGNORED elsewhere."""
    return [token if trained else IGNORED for token, trained in zip(row.ids, row.mask, strict=True)]


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of transformers' Trainer, which writes its state last; None where there is none."""
    whole = [path.parent for path in (folder / CHECKPOINTS).glob("checkpoint-*/trainer_state.json")]
    steps = {path: step_number(path.name.removeprefix("checkpoint-")) for path in whole}
    return max((path for path in whole if steps[path] is not None), key=lambda path: steps[path] or 0, default=None)


def resume_step(folder: Path) -> int:
    """The step of the newest whole checkpoint, 0 for none."""
    checkpoint = last_checkpoint(folder)
    return 0 if checkpoint is None else int(checkpoint.name.rpartition("-")[2])
