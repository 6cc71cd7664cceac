"""What a user sees of an evaluation: a bar per set with its exact matches so far and the time left.

Invariant: it shows only what was reported to it.
"""

from collections.abc import Mapping

from rich.console import Console

from reseek.rollout.records import EpisodeRecord
from reseek.run.bars import bars
from reseek.run.terminal import plain


class Display:
    """Use as a context manager around the run. `questions`: per set, how many will be asked."""

    def __init__(self, console: Console, questions: Mapping[str, int]) -> None:
        self.progress = bars(console)
        self._phase = self.progress.add_task("", total=None, note="")
        self._sets = {name: self.progress.add_task(plain(name), total=n, note="") for name, n in questions.items()}
        self._ems: dict[str, list[float]] = {name: [] for name in questions}
        self._failed = dict.fromkeys(questions, 0)

    def __enter__(self) -> "Display":
        self.progress.start()
        return self

    def __exit__(self, *_exc) -> None:
        self.progress.stop()

    def say(self, phase: str) -> None:
        self.progress.update(self._phase, description=phase)

    def count(self, record: EpisodeRecord) -> None:
        """One more question of its set is done."""
        ems = self._ems[record.set]
        if record.em is None:
            self._failed[record.set] += 1
        else:
            ems.append(record.em)
        note = f"EM {sum(ems) / len(ems):.3f}" if ems else ""
        if self._failed[record.set]:
            note += f" FAILED {self._failed[record.set]}"
        self.progress.update(self._sets[record.set], advance=1, note=note)
