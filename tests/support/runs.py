"""Runs of the real stack for the tests to read: how they are launched, and the content of their folders."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load_file

from reseek.rollout.records import EpisodeRecord, TrainingRecord, read_records
from reseek.rollout.training_record import TrainedSegment, trained_segments

ROOT = Path(__file__).resolve().parents[2]
STEPS = 3
QUESTIONS, SESSIONS = 16, 4
# Half-trained: it says No often, and its words are not always spelt as the tokenizer would.
SMALL = (
    "policy.start=capable",
    "policy.warmup_steps=300",
    f"algo.questions_per_step={QUESTIONS}",
    f"algo.sessions_per_question={SESSIONS}",
    "algo.mini_batch_questions=8",
    "algo.save_every=1",
    "algo.learning_rate=1e-4",
    "algo.validate_first=false",
    "algo.validate_every=-1",
    "search.noise=0.5",
    "run.record_every=1",
)


def command(folder: Path, *overrides: str) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), f"run.dir={folder}", *SMALL, *overrides]


def train(folder: Path, cache: Path, *overrides: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, *overrides), env=environment(cache), capture_output=True, text=True, timeout=timeout, cwd=ROOT
    )


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "RESEEK_CACHE": str(cache)}


@dataclass(frozen=True)
class Session:
    """A recorded rollout, with the training rows that its record gives back."""

    record: EpisodeRecord

    @property
    def training(self) -> TrainingRecord:
        return self.record.training

    @cached_property
    def segments(self) -> tuple[TrainedSegment, ...]:
        return trained_segments(self.record)


@dataclass(frozen=True)
class Run:
    """A finished run's folder and the terminal's output of its last launch."""

    folder: Path
    output: str

    @property
    def metrics(self) -> list[dict]:
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]

    def steps(self) -> dict[int, dict]:
        return {record["step"]: record for record in self.metrics if record["phase"] == "step"}

    def sessions(self, step: int) -> list[Session]:
        return [Session(record) for record in read_records(self.folder / "rollouts" / f"step_{step}.jsonl")]

    def checkpoint(self, step: int) -> Path:
        return self.folder / "checkpoints" / f"global_step_{step}"

    def weights(self, step: int):
        return load_file(self.checkpoint(step) / "actor" / "huggingface" / "model.safetensors")

    def state(self, step: int, part: str):
        (path,) = (self.checkpoint(step) / "actor").glob(f"{part}_world_size_1_rank_0.pt")
        return torch.load(path, weights_only=False)


def finished(folder: Path, run: subprocess.CompletedProcess[str]) -> Run:
    log = folder / "train.log"
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-60:]) if log.is_file() else ""
    assert run.returncode == 0, run.stdout + run.stderr + tail
    return Run(folder, run.stdout)


def by_question(sessions: list[Session]) -> dict[int, list[Session]]:
    groups: dict[int, list[Session]] = {}
    for session in sessions:
        groups.setdefault(session.training.index, []).append(session)
    return groups


def trained(segment: TrainedSegment, numbers) -> list[float]:
    """The numbers of the segment's trained tokens."""
    return [number for number, mask in zip(numbers, segment.mask, strict=True) if mask]
