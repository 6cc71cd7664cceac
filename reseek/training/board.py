"""Where a run says how far it is: a tiny Ray actor between the trainer's process and the command that started it.

The trainer reports phases and metrics; the driver reads them to draw the live table and to notice when nothing happens
any more. Works across machines, because it is asked through Ray. Knows nothing of what the metrics mean.
"""

import time
from dataclasses import dataclass, field

import ray

NAME = "reseek-board"
WARNING = "warning: "
"""Begins a phase that is no phase but a line for the user."""


@dataclass(frozen=True)
class Report:
    """One thing that happened. `metrics` is empty for a mere change of phase."""

    phase: str
    step: int
    metrics: dict[str, float] = field(default_factory=dict)
    total_steps: int = 0


@ray.remote(num_cpus=0)
class Board:
    """Keeps reports until they are read, and the time of the last one."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.last = time.monotonic()

    def post(self, report: Report) -> None:
        self.reports.append(report)
        self.last = time.monotonic()

    def read(self) -> tuple[list[Report], float]:
        """The reports since the last read, and the seconds since the last one came."""
        reports, self.reports = self.reports, []
        return reports, time.monotonic() - self.last


def post(phase: str, step: int, metrics: dict[str, float] | None = None, total_steps: int = 0) -> None:
    """Report from any process of the run; does nothing where the run has no board (verl used without our launcher)."""
    try:
        board = ray.get_actor(NAME)
    except ValueError:
        return
    board.post.remote(Report(phase, step, metrics or {}, total_steps))
