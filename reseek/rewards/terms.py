"""The terms of an episode's reward: each a small class with one hook, composed by configuration.

Invariant: a reward is the sum of its terms' amounts, each computed from the same finished episode and from nothing
else; a term of weight 0 is not there. To add one: a class here, a key in `RewardConfig`, a line in `terms_of`.

Knows nothing of tokens, oracles or how rewards become advantages.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from reseek.agent.episode import StopReason
from reseek.agent.grammar import Verdict
from reseek.config.rewards import Aggregate, AnswerMetric, RewardConfig
from reseek.rewards.answers import cover_em, exact_match, f1
from reseek.rewards.reward import Judged, Part, Place, Reward


@dataclass(frozen=True)
class Finished:
    """What a reward may depend on: plain values of an episode that did not fail. `judged` is in order of the
    observations; `legal_calls` of the policy's `calls` held a legal action."""

    answer: str | None
    golden_answers: tuple[str, ...]
    judged: tuple[Judged, ...] = ()
    stop: StopReason = StopReason.ANSWERED
    searches: int = 0
    calls: int = 0
    legal_calls: int = 0


class Term(Protocol):
    """One term: its name in logs and records, the tokens it belongs to, and what it comes to."""

    name: ClassVar[str]
    place: ClassVar[Place]

    def amount(self, finished: Finished) -> float: ...


@dataclass(frozen=True)
class Answer:
    """weight x metric(answer, gold answers); 0 without an answer."""

    name: ClassVar[str] = "answer"
    place: ClassVar[Place] = Place.OUTCOME
    weight: float
    metric: AnswerMetric

    def amount(self, finished: Finished) -> float:
        return self.weight * _METRICS[self.metric](finished.answer, finished.golden_answers)


@dataclass(frozen=True)
class Judging:
    """The labelled verdicts' rewards (`reward.judge_one`) as one number; 0 without a labelled verdict."""

    name: ClassVar[str] = "judge"
    place: ClassVar[Place] = Place.VERDICTS
    aggregate: Aggregate
    cap: float

    def amount(self, finished: Finished) -> float:
        rewards = [judged.reward for judged in finished.judged if judged.reward is not None]
        total = float(sum(rewards))
        if self.aggregate is Aggregate.MEAN:
            return total / len(rewards) if rewards else 0.0
        if self.aggregate is Aggregate.CAPPED:
            return max(-self.cap, min(self.cap, total))
        return total


@dataclass(frozen=True)
class Format:
    """weight for an episode without a flaw of form: it ended with its answer, every call held a legal action, every
    observation got a verdict. With weight L and an answer's weight of 1 - L this is the reward of Search-R1's later
    study (arXiv 2505.15117): 1, 1 - L, L or 0 for a right or wrong answer in right or wrong form."""

    name: ClassVar[str] = "format"
    place: ClassVar[Place] = Place.OUTCOME
    weight: float

    def amount(self, finished: Finished) -> float:
        flawless = (
            finished.stop is StopReason.ANSWERED
            and finished.legal_calls == finished.calls
            and all(judged.verdict is not Verdict.MISSING for judged in finished.judged)
        )
        return self.weight * flawless


@dataclass(frozen=True)
class SearchCost:
    """-each x searches. It belongs to the outcome: on the searches' own tokens a cost that is the same for all would
    vanish against its baseline (`algo.credit=step`)."""

    name: ClassVar[str] = "search_cost"
    place: ClassVar[Place] = Place.OUTCOME
    each: float

    def amount(self, finished: Finished) -> float:
        return -self.each * finished.searches


@dataclass(frozen=True)
class ActionPenalty:
    """-each x calls without a legal action."""

    name: ClassVar[str] = "action_penalty"
    place: ClassVar[Place] = Place.OUTCOME
    each: float

    def amount(self, finished: Finished) -> float:
        return -self.each * (finished.calls - finished.legal_calls)


_METRICS: dict[AnswerMetric, Callable[[str | None, Sequence[str]], float]] = {
    AnswerMetric.EXACT_MATCH: exact_match,
    AnswerMetric.F1: f1,
    AnswerMetric.COVER: cover_em,
}


def terms_of(config: RewardConfig) -> tuple[Term, ...]:
    """The configured terms. Answer and judging always stand there; the others only where they weigh something."""
    terms: list[Term] = [Answer(config.answer, config.answer_metric), Judging(config.aggregate, config.cap)]
    if config.format:
        terms.append(Format(config.format))
    if config.search_cost:
        terms.append(SearchCost(config.search_cost))
    if config.action_penalty:
        terms.append(ActionPenalty(config.action_penalty))
    return tuple(terms)


def reward_of(finished: Finished, config: RewardConfig) -> Reward:
    """What the episode earned."""
    parts = tuple(Part(term.name, term.place, term.amount(finished)) for term in terms_of(config))
    return Reward(exact_match(finished.answer, finished.golden_answers), finished.judged, parts)
