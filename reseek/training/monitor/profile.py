"""Where a run's seconds went: means over its steps, read from `metrics.jsonl`, as a table and as plain numbers.

The first step of a launch is left out where there are others: it pays for what is made once. Invariant: the parts add
up to the whole step.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from reseek.training.monitor.stopwatch import Part, Wait

STARTED = "started"
"""The phase of the record that says how long a launch took until its first step."""
_WITHIN = f"{Part.ROLLOUT.value}_"


class Start:
    """The seconds of a launch until its first step, by phase, as the reports come."""

    def __init__(self, began: float) -> None:
        self._phase, self._since = "ray_workers_engine", began
        self._seconds: dict[str, float] = {}

    def until(self, phase: str) -> dict[str, float] | None:
        """The next phase has begun. The metrics of the whole start once the first rollout has."""
        now = time.monotonic()
        self._seconds[self._phase] = self._seconds.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase.replace(" ", "_"), now
        if phase != "rollout":
            return None
        return {f"timing/{name}": round(seconds, 1) for name, seconds in self._seconds.items()}


@dataclass(frozen=True)
class Profile:
    """Mean seconds of a step by `timing/` name without the prefix, over `steps` steps; and the seconds that the last
    launch took until its first step, by phase."""

    steps: int
    seconds: dict[str, float]
    start: dict[str, float]

    @property
    def whole(self) -> float:
        return self.seconds["whole"]


def read_profile(run: Path) -> Profile | None:
    """A run's profile; None where no step was timed."""
    steps: list[dict[str, float]] = []
    start: dict[str, float] = {}
    first = True
    for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        timing = {key.partition("/")[2]: value for key, value in record.items() if key.startswith("timing/")}
        if record["phase"] == STARTED:
            start, first = timing, True
        elif record["phase"] == "step" and timing:
            steps += [timing | {"_first": float(first)}]
            first = False
    counted = [one for one in steps if not one["_first"]] or steps
    if not counted:
        return None
    names = [name for name in counted[0] if name != "_first"]
    return Profile(len(counted), {name: sum(one[name] for one in counted) / len(counted) for name in names}, start)


def table(profile: Profile) -> Table:
    """The parts that took any time, the rollout's waits below it."""
    shown = Table(title=f"seconds a step (mean of {profile.steps})")
    shown.add_column("part")
    for header in ("s", "share"):
        shown.add_column(header, justify="right")

    def row(name: str, seconds: float) -> None:
        shown.add_row(name, f"{seconds:.2f}", f"{seconds / profile.whole:.0%}")

    for part in Part:
        if profile.seconds[part.value] >= 0.005:
            row(part.value.replace("_", "-"), profile.seconds[part.value])
        if part is Part.ROLLOUT:
            for wait in Wait:
                if (seconds := profile.seconds[_WITHIN + wait.value]) >= 0.005:
                    row(f"  {wait.value}", seconds)
    shown.add_section()
    row("whole step", profile.whole)
    if profile.start:
        shown.add_section()
        for phase, seconds in profile.start.items():
            shown.add_row(f"once: {phase.replace('_', ' ')}", f"{seconds:.1f}", "")
    return shown
