"""What a user sees of an SFT run: bars with the time left, first of the episodes, then of the training, with its loss.

Invariant: it only shows numbers that were recorded. Where the output is no terminal: a line now and then.
"""

from rich.console import Console

from reseek.run.bars import bars

_LINES = 10  # lines per phase where no bar can be drawn, roughly


class Bar:
    """One phase. Use as a context manager; `to(count, note)` reports progress."""

    def __init__(self, console: Console, name: str, total: int) -> None:
        self.console, self.name, self.total = console, name, total
        self.progress = bars(console, shown=console.is_terminal)
        self.task = self.progress.add_task(name, total=total, note="")
        self.count = 0

    def __enter__(self) -> "Bar":
        self.progress.start()
        return self

    def __exit__(self, *_exc) -> None:
        self.progress.stop()

    def to(self, count: int, note: str = "") -> None:
        self.progress.update(self.task, completed=count, note=note)
        every = max(1, self.total // _LINES)
        if not self.console.is_terminal and (count // every > self.count // every or count == self.total):
            self.console.print(f"{self.name} {count}/{self.total} {note}".rstrip(), highlight=False, soft_wrap=True)
        self.count = count
