"""A progress bar that appears only for jobs that take longer than a few seconds."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

QUIET_SECONDS = 5.0


class PatientBar:
    """A bar on stderr with an estimate of the time left; nothing is printed in the first five seconds."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._started = title, total, time.monotonic()
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def __call__(self, done: int, note: str = "") -> None:
        """`done` of the total, and a short note beside the bar."""
        if self._progress is None:
            if time.monotonic() - self._started < QUIET_SECONDS:
                return
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}% {task.fields[note]}"),
                TimeElapsedColumn(),
                TextColumn("left:"),
                TimeRemainingColumn(),
                console=Console(file=sys.stderr),
            )
            self._task = self._progress.add_task(self._title, total=self._total, note=note)
            self._progress.start()
        self._progress.update(self._task, completed=done, note=note)

    def __enter__(self) -> "PatientBar":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
