"""The curves of the benchmark, and the measurements of each.

Invariant: all curves are runs of the same length with the same settings except for what their name says; a run is
evaluated at its last step, on test questions that no run validates on.
"""

import re
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The purpose of a curve."""

    LEARNING = "learning"
    """The quick start: GRPO from the lazy start."""
    ORDINARY = "ordinary"
    """GRPO from a start without handicap: a careful warm-up, stopped half-way."""
    PART = "part"
    """The quick start with the verdicts' reward alone: the signal for judging without a reward for answers."""
    CONTROL = "control"
    """A negative control, which lacks something that learning needs."""


@dataclass(frozen=True)
class Curve:
    """One training run: `train` are its overrides beside seed and steps, `start` those of its start's evaluation
    (empty: the shipped lazy start)."""

    name: str
    kind: Kind
    seed: int
    train: tuple[str, ...] = ()
    start: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The name as a folder's that is valid in an override, where a comma would begin a list."""
        return re.sub(r"\W+", "-", self.name)


@dataclass(frozen=True)
class Point:
    """A validation during training: greedy, on validation questions."""

    step: int
    em: float
    questions: int
    judge_accuracy: float


@dataclass(frozen=True)
class Measured:
    """An evaluation on test questions; the interval is the 95 % one."""

    em: float
    low: float
    high: float
    questions: int
    judge_accuracy: float
    searches: float
    drop_rate: float


@dataclass(frozen=True)
class Result:
    """The result of a curve. `minutes`: its command from start to end, with start-up and validations;
    `stepping_minutes`: the training steps alone."""

    curve: Curve
    points: tuple[Point, ...]
    before: Measured
    after: Measured
    minutes: float
    stepping_minutes: float

    @property
    def gain(self) -> float:
        return self.after.em - self.before.em

    @property
    def apart(self) -> bool:
        """Whether EM rose and the intervals before and after don't overlap."""
        return self.after.low > self.before.high


# Half of the careful lesson (reseek/micro/warmup.py) has been learnt after this share of its steps.
HALF_TRAINED = 700


def plan(seeds: int) -> list[Curve]:
    """The quick start for each seed, then the others with seed 0.

    Right answers alone teach judging too (a right No leads to a right answer), so that flipped labels are also tried
    where nothing but verdicts is rewarded."""
    verdicts = "rewards.answer=0"
    half = ("policy.start=capable", f"policy.warmup_steps={HALF_TRAINED}", "run.seed=0")
    return [
        *(Curve(f"seed {seed}", Kind.LEARNING, seed) for seed in range(seeds)),
        Curve("ordinary half-trained start", Kind.ORDINARY, 0, half, half),
        Curve("learning rate 0", Kind.CONTROL, 0, ("algo.learning_rate=0",)),
        Curve("permuted rewards", Kind.CONTROL, 0, ("algo.control=permuted_rewards",)),
        Curve("flipped oracle labels", Kind.CONTROL, 0, ("oracle.flip=0.5",)),
        Curve("verdicts alone", Kind.PART, 0, (verdicts,)),
        Curve("verdicts alone, labels flipped", Kind.CONTROL, 0, (verdicts, "oracle.flip=0.5")),
    ]
