"""The watch over a training run: is its reward being farmed, does it collapse? One look per step, one line per danger.

A step's signs are means over its episodes (reseek/rollout/stats.py); `dangers` compares the last steps with fixed
bounds, with the run's first steps or with its best ones (bounds: `watch`, reseek/config/run.py). Invariant: the same
history and bounds give the same dangers; what has no number (a ratio over nothing) is not a sign. Pure but
for the reading of a resumed run's history.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from statistics import fmean

from reseek.config.run import StopOn, WatchSettings

_LEAST_EM = 0.05
"""A best exact match below this is too near to nothing for a fall to mean anything."""


class Danger(Enum):
    """What can go wrong while the reward rises."""

    FARMING = "farming"
    """Judging earns most of the reward, and searches rise."""
    ALWAYS_NO = "always_no"
    """Nearly every observation is judged No."""
    SILENCE = "silence"
    """Episodes end without the answers that they used to have."""
    LONG_ANSWERS = "long_answers"
    """Answers grow: F1 and cover reward a text that holds everything."""
    REPEATS = "repeats"
    """The same queries are asked again within an episode."""
    FADING = "fading"
    """The policy finds its own right answers less and less likely: what comes before a collapse of GRPO on search
    agents (lazy likelihood displacement, arXiv 2512.04220)."""
    COLLAPSE = "collapse"
    """Exact match has fallen to a share of its best."""


@dataclass(frozen=True)
class Signs:
    """One step in numbers, by their names in `stats.summarise`; None where there was nothing to count."""

    em: float | None = None
    judge_share: float | None = None
    searches: float | None = None
    drop_rate: float | None = None
    answered_rate: float | None = None
    answer_tokens: float | None = None
    repeated_queries: float | None = None
    right_logprob: float | None = None

    @classmethod
    def of(cls, numbers: Mapping[str, float | None]) -> "Signs":
        """The signs among these numbers."""
        return cls(**{field.name: numbers.get(field.name) for field in fields(cls)})


@dataclass(frozen=True)
class _Look:
    """The means of one sign: over the first `window` steps, the last, and the best."""

    first: float
    last: float
    best: float


def dangers(history: Sequence[Signs], bounds: WatchSettings) -> dict[Danger, str]:
    """What the history shows at its end, each with one line of what was seen and what to do."""
    if len(history) < bounds.window:
        return {}
    looks = {
        field.name: _look([getattr(step, field.name) for step in history], bounds.window) for field in fields(Signs)
    }
    share, searches, answered = looks["judge_share"], looks["searches"], looks["answered_rate"]
    noes, length, repeated = looks["drop_rate"], looks["answer_tokens"], looks["repeated_queries"]
    right, em = looks["right_logprob"], looks["em"]
    found = {}
    rising = searches is not None and searches.last > searches.first * (1 + bounds.search_rise)
    if share and searches and share.last > bounds.judge_share and rising:
        found[Danger.FARMING] = (
            f"judging earns {share.last:.0%} of the reward and searches rise ({searches.first:.2f} -> "
            f"{searches.last:.2f} an episode): the reward may be farmed. Try rewards=mean or rewards=capped, or "
            "rewards.search_cost=0.1"
        )
    if noes and noes.last > bounds.no_rate:
        found[Danger.ALWAYS_NO] = (
            f"{noes.last:.0%} of the observations are judged No. Where judge_accuracy is high retrieval finds little: "
            "look at recall@k (reseek eval); where it is low, raise the price of a wrong No (rewards.wrong_no)"
        )
    if answered and answered.last < answered.first - bounds.answered_fall:
        found[Danger.SILENCE] = (
            f"{answered.last:.0%} of the episodes end with an answer, at first {answered.first:.0%} did: judging pays "
            "where answering does not. Try rewards.format=0.2, rewards.search_cost=0.1 or a lower rewards.match"
        )
    if length and length.last > length.first * bounds.answer_growth:
        found[Danger.LONG_ANSWERS] = (
            f"answers have grown from {length.first:.0f} to {length.last:.0f} tokens. "
            "Try rewards.answer_metric=exact_match"
        )
    if repeated and repeated.last > bounds.repeated:
        found[Danger.REPEATS] = (
            f"{repeated.last:.0%} of the queries were asked before in the same episode. Try rewards.search_cost=0.1"
        )
    if right and right.last < right.best - bounds.fade:
        found[Danger.FADING] = (
            f"a token of a right answer has log-probability {right.last:.2f}, at best it had {right.best:.2f}: a "
            "collapse may come. Try a lower algo.learning_rate or a higher algo.kl_loss, from the best checkpoint"
        )
    if em and em.best >= _LEAST_EM and em.last < em.best * bounds.collapse:
        found[Danger.COLLAPSE] = (
            f"exact match in training has fallen from {em.best:.3f} to {em.last:.3f}. Go on from the best checkpoint "
            "(best.json, if there is one) with a lower algo.learning_rate or a higher algo.kl_loss"
        )
    return found


def _look(values: Sequence[float | None], window: int) -> _Look | None:
    """The means over windows of steps; a step without a number is left out of them. None where no window, or not the
    last, has a number."""
    means = [_mean(values[end - window : end]) for end in range(window, len(values) + 1)]
    first, last = next((mean for mean in means if mean is not None), None), means[-1]
    if first is None or last is None:
        return None
    return _Look(first, last, max(mean for mean in means if mean is not None))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


@dataclass(frozen=True)
class Seen:
    """One look: `metrics` for the loggers (1.0 for each present danger, else 0.0), the lines of dangers that were
    not said before, and whether the run should end."""

    metrics: dict[str, float]
    warnings: tuple[str, ...]
    stop: bool


class Watch:
    """Keeps a run's history and what was said already. `history`: of the steps before a run was resumed."""

    def __init__(self, bounds: WatchSettings, history: Sequence[Signs] = ()) -> None:
        self.bounds = bounds
        self.history = list(history)
        self.said: set[Danger] = set()

    def look(self, signs: Signs) -> Seen:
        """Add a step, and see what the history shows now."""
        self.history.append(signs)
        standing = dangers(self.history, self.bounds)
        new = tuple(line for danger, line in standing.items() if danger not in self.said)
        self.said |= standing.keys()
        return Seen(
            {f"watch/{danger.value}": float(danger in standing) for danger in Danger},
            new,
            self.bounds.stop is StopOn.COLLAPSE and Danger.COLLAPSE in standing,
        )


def history_of(metrics: Path) -> list[Signs]:
    """The signs of the steps that a run's `metrics.jsonl` holds; empty without such a file."""
    if not metrics.is_file():
        return []
    records = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    named = [
        {key.removeprefix("episodes/"): value for key, value in record.items() if key.startswith("episodes/")}
        for record in records
        if record["phase"] == "step"
    ]
    return [Signs.of(numbers) for numbers in named]
