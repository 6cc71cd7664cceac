"""What answers and verdicts are worth, and the record of what an episode earned.

Invariant: an unlabelled verdict earns nothing and counts nowhere; a missing verdict earns what the wrong verdict would
have, so silence never beats judging; a reward's total is the sum of its parts. Pure functions on plain values: knows
nothing of tokens, segments or oracles, nor of which parts there are (`reseek.rewards.terms`).
"""


from dataclasses import dataclass
from enum import Enum

from reseek.agent.grammar import Verdict
from reseek.config.rewards import RewardConfig


@dataclass(frozen=True)
class Judged:
    """One observation that got a verdict. `label` is the oracle's: True good, False bad, None no label (then `score`
    and `reward` are None too)."""

    verdict: Verdict
    score: float | None
    label: bool | None
    reward: float | None

    @property
    def right(self) -> bool | None:
        """Whether the verdict agrees with the label; a missing verdict never does; None without a label."""
        if self.label is None:
            return None
        return self.verdict is (Verdict.YES if self.label else Verdict.NO)


class Place(Enum):
    """Which sampled tokens a part of the reward belongs to (reseek/training/credit/token_positions.py, credit.py)."""

    OUTCOME = "outcome"
    """The episode as a whole: the trajectory's last sampled token."""
    VERDICTS = "verdicts"
    """The tokens of each labelled verdict, by its own `Judged.reward`."""


@dataclass(frozen=True)
class Part:
    """What one term of the reward came to in an episode."""

    name: str
    place: Place
    amount: float


@dataclass(frozen=True)
class Reward:
    """An episode's reward. `judged` is in order of the observations, without those that the episode's end left
    unjudged. `total`, the sum of the parts, is what training maximises."""

    exact_match: float
    judged: tuple[Judged, ...]
    parts: tuple[Part, ...]

    def part(self, name: str) -> float:
        """The amount of the term of that name; 0.0 where the reward has no such term."""
        return sum((part.amount for part in self.parts if part.name == name), 0.0)

    def at(self, place: Place) -> float:
        """The sum of the parts of that place."""
        return sum((part.amount for part in self.parts if part.place is place), 0.0)

    @property
    def total(self) -> float:
        return sum((part.amount for part in self.parts), 0.0)


def judge_one(verdict: Verdict, score: float | None, threshold: float, config: RewardConfig) -> Judged:
    """One verdict against one oracle score (good iff score > threshold)."""
    if score is None:
        return Judged(verdict, None, None, None)
    good = score > threshold
    if verdict is (Verdict.YES if good else Verdict.NO):
        reward = config.match
    else:
        reward = config.wrong_no if good else config.wrong_yes
    return Judged(verdict, score, good, reward)
