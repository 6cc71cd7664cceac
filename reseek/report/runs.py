"""Runs by their folders, whichever kind they are: evaluations, and trainings with their metrics.

Invariant: nothing is guessed: a folder that holds neither is refused. Knows nothing of how results are shown.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reseek.errors import InputError
from reseek.evaluation.conditions import FILE
from reseek.evaluation.results import Evaluation, read_evaluation, read_json, read_yaml, run_name


@dataclass(frozen=True)
class Training:
    """A training run: its metrics by phase ("step", "validated"), each a list of records with "step"."""

    folder: Path
    name: str
    metrics: Mapping[str, Sequence[Mapping[str, float]]]
    card: Mapping[str, Any]


Run = Evaluation | Training


def read_run(folder: str | Path) -> Run:
    """The run of a folder, whichever kind it is. Raises InputError."""
    folder = Path(folder)
    if (folder / FILE).is_file():
        return read_evaluation(folder)
    if (folder / "metrics.jsonl").is_file():
        return read_training(folder)
    kinds = f"holds neither {FILE} (eval.py) nor metrics.jsonl (train.py)"
    missing = kinds if folder.is_dir() else "no such folder"
    raise InputError(f"{folder}: {missing}")


def read_training(folder: str | Path) -> Training:
    """The training of a folder. Raises InputError naming file and line."""
    folder = Path(folder)
    path = folder / "metrics.jsonl"
    by_step: dict[str, dict[int, Mapping[str, float]]] = {}
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            by_step.setdefault(record["phase"], {})[int(record["step"])] = record  # a repeated step replaces the first
        except (ValueError, KeyError, TypeError):
            if number == len(lines):  # the run was killed while it wrote
                continue
            raise InputError(f"{path}:{number}: is not a record of a step") from None
    metrics = {phase: [of[step] for step in sorted(of)] for phase, of in by_step.items()}
    return Training(
        folder, run_name(folder, read_yaml(folder / "config.yaml")), metrics, read_json(folder / "result.json")
    )
