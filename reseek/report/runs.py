"""Runs read from their folders: evaluations, and trainings with their metrics and recorded rollouts.

Invariant: the kind is never guessed: a folder that holds neither is an error.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reseek.errors import InputError
from reseek.evaluation.conditions import FILE
from reseek.evaluation.results import Evaluation, read_evaluation, read_json, read_yaml, run_name
from reseek.rollout.records import EpisodeRecord, read_set
from reseek.run.checkpoint_layout import newest_huggingface


@dataclass(frozen=True)
class Training:
    """A training run: its metrics by phase ("step", "validated"), each a list of records with "step"."""

    folder: Path
    name: str
    metrics: Mapping[str, Sequence[Mapping[str, float]]]
    card: Mapping[str, Any]
    config: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def records_folder(self) -> Path:
        """Where its trajectories are: an imitation's are the episodes that were played for it."""
        return self.folder / ("episodes" if (self.folder / "episodes").is_dir() else "rollouts")

    @cached_property
    def records(self) -> dict[str, list[EpisodeRecord]]:
        """The recorded rollouts by step, `step_<n>`; empty without `run.record_every`. A session's id is its question's
        with its number. Of an imitation: the episodes that were played, by set. Raises InputError."""
        files = sorted(self.records_folder.glob("*.jsonl"), key=lambda file: (len(file.name), file.name))
        return {file.stem: [_numbered(record) for record in read_set(file)] for file in files}

    @property
    def policy(self) -> str:
        """The folder of the policy's tokenizer: the newest checkpoint's or an imitation's model, else the model's that
        training began with."""
        imitated = self.folder / "model"
        saved = imitated if imitated.is_dir() else newest_huggingface(self.folder)
        given = self.config.get("policy")
        return str(saved or (given.get("path") if isinstance(given, Mapping) else None) or "")


def _numbered(record: EpisodeRecord) -> EpisodeRecord:
    if record.training is None:
        return record
    return record.model_copy(update={"id": f"{record.id} #{record.training.session + 1}"})


Run = Evaluation | Training


def read_run(folder: str | Path) -> Run:
    """The run of a folder, an evaluation or a training. Raises InputError."""
    folder = Path(folder)
    if (folder / FILE).is_file():
        return read_evaluation(folder)
    if (folder / "metrics.jsonl").is_file():
        return read_training(folder)
    kinds = f"holds neither {FILE} (reseek eval) nor metrics.jsonl (reseek train)"
    missing = kinds if folder.is_dir() else "no such folder"
    raise InputError(f"{folder}: {missing}")


def read_training(folder: str | Path) -> Training:
    """The training of a folder. Raises InputError naming file and line."""
    folder = Path(folder)
    path = folder / "metrics.jsonl"
    by_step: dict[str, dict[int, Mapping[str, float]]] = {}
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            by_step.setdefault(record["phase"], {})[int(record["step"])] = record  # a repeated step replaces the first
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            if number == len(lines):  # the run was killed while writing
                continue
            raise InputError(f"{path}:{number}: not a record of a step") from None
    metrics = {phase: [of[step] for step in sorted(of)] for phase, of in by_step.items()}
    config = read_yaml(folder / "config.yaml")
    return Training(folder, run_name(folder, config), metrics, read_json(folder / "result.json"), config)
