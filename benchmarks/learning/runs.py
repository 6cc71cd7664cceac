"""The runs of the curves, by the commands that a user types, and the reading of their results.

Invariant: a curve's `curve.json` is written last, so an interrupted benchmark resumes with the curves that it
has not finished; every number is read from `metrics.jsonl` of `reseek train` or `result.json` of `reseek eval`.
"""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.learning.curves import Curve, Measured, Point, Result
from corpora.atomic import write_json
from reseek.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
_RESULT = "curve.json"


class CommandFailed(RuntimeError):
    """A command of the benchmark ended with an error. The message names the command and its output's file."""


@dataclass(frozen=True)
class Runs:
    """The folder of the runs, their length, and their number of test questions."""

    folder: Path
    steps: int
    validate_every: int
    questions: int

    def run(self, curve: Curve) -> Result:
        """The curve's result, read if it was finished before."""
        folder = self.folder / curve.folder
        wanted = {"curve": asdict(curve) | {"kind": curve.kind.value}, "steps": self.steps, "questions": self.questions}
        if (folder / _RESULT).is_file():
            kept = json.loads((folder / _RESULT).read_text(encoding="utf-8"))
            if kept["of"] != json.loads(json.dumps(wanted)):
                raise InputError(f"--out {self.folder}: holds curves with other settings; name another folder")
            return _result(curve, kept)
        shutil.rmtree(folder, ignore_errors=True)  # interrupted: its minutes would be wrong
        before = self._before(curve)
        started = time.monotonic()
        _python(
            folder / "train.out",
            "train.py",
            f"run.dir={folder / 'train'}",
            f"run.seed={curve.seed}",
            f"algo.steps={self.steps}",
            f"algo.validate_every={self.validate_every}",
            f"algo.save_every={self.steps}",
            *curve.train,
        )
        minutes = (time.monotonic() - started) / 60
        card = json.loads((folder / "train" / "result.json").read_text(encoding="utf-8"))
        after = self.evaluate(folder / "after", f"run.seed={curve.seed}", *_checkpoint(card["checkpoint"]))
        points, stepping = _read_metrics(folder / "train" / "metrics.jsonl")
        kept = {
            "of": wanted,
            "minutes": minutes,
            "stepping_minutes": stepping,
            "before": asdict(before),
            "after": asdict(after),
            "points": [asdict(point) for point in points],
            "checkpoint": card["checkpoint"],
        }
        write_json(folder / _RESULT, kept)
        return _result(curve, kept)

    def _before(self, curve: Curve) -> Measured:
        """Of the curve's start: the shipped one is evaluated once for all curves that begin there."""
        if not curve.start:
            return self.evaluate(self.folder / "lazy")
        return self.evaluate(self.folder / f"start-of-{curve.name.replace(' ', '-')}", *curve.start)

    def by_turns(self, curve: Curve, turns: range) -> dict[int, Measured]:
        """The finished curve's last checkpoint with each turn budget."""
        folder = self.folder / curve.folder
        checkpoint = json.loads((folder / _RESULT).read_text(encoding="utf-8"))["checkpoint"]
        return {
            budget: self.evaluate(folder / f"turns-{budget}", f"agent.max_turns={budget}", *_checkpoint(checkpoint))
            for budget in turns
        }

    def evaluate(self, folder: Path, *overrides: str) -> Measured:
        """An evaluation on test questions, read if it exists."""
        if not (folder / "result.json").is_file():
            limit = f"evaluation.limit={self.questions}"
            _python(folder.with_name(f"{folder.name}.out"), "eval.py", f"run.dir={folder}", limit, *overrides)
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))["sets"]["test"]
        return Measured(
            result["em"],
            result["em_interval"]["low"],
            result["em_interval"]["high"],
            result["questions"],
            result["judge_accuracy"] or 0.0,
            result["searches"],
            result["drop_rate"],
        )


def _checkpoint(path: str) -> tuple[str, str]:
    return "policy=path", f"policy.path={path}"


def _result(curve: Curve, kept: dict[str, Any]) -> Result:
    return Result(
        curve,
        tuple(Point(**point) for point in kept["points"]),
        Measured(**kept["before"]),
        Measured(**kept["after"]),
        kept["minutes"],
        kept["stepping_minutes"],
    )


def _read_metrics(path: Path) -> tuple[list[Point], float]:
    """The validations, and the minutes that the steps took."""
    points, seconds = [], 0.0
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["phase"] == "step":
            seconds += record["timing_s/step"]
        elif record["phase"] == "validated":
            accuracy = record.get("validation/judge_accuracy", 0.0)
            questions = int(record["validation/episodes"])
            points.append(Point(record["step"], record["validation/em"], questions, accuracy))
    return points, seconds / 60


def _python(output: Path, script: str, *overrides: str) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / script), *overrides]
    with output.open("w", encoding="utf-8") as file:
        done = subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        last = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise CommandFailed(f"{script} ended with exit code {done.returncode}, see {output}: {' '.join(last)}")
