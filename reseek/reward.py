"""What an episode earns: answer metrics, verdict rewards, their total.

Invariant: an unlabelled verdict earns nothing and counts nowhere; a missing verdict earns what the wrong verdict would
have, so silence never beats judging. Pure functions on plain values: knows nothing of tokens, segments or oracles.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reseek.config import Aggregate, RewardConfig
from reseek.grammar import Verdict

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise_answer(text: str) -> str:
    """Lower case, without ASCII punctuation, articles and extra blanks: the field's normalisation (SQuAD 1.1's
    evaluation, used by Search-R1)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str | None, golden_answers: Sequence[str]) -> float:
    """1.0 if the normalised answer equals a normalised gold answer, else 0.0."""
    if answer is None:
        return 0.0
    return float(normalise_answer(answer) in {normalise_answer(gold) for gold in golden_answers})


def cover_match(text: str | None, golden_answers: Sequence[str]) -> float:
    """1.0 if a gold answer stands in the text at token boundaries, both normalised, else 0.0."""
    if text is None:
        return 0.0
    words = f" {normalise_answer(text)} "
    golds = (normalise_answer(gold) for gold in golden_answers)
    return float(any(gold and f" {gold} " in words for gold in golds))


def f1(answer: str | None, golden_answers: Sequence[str]) -> float:
    """Best token-level F1 against a gold answer, in [0, 1]."""
    if answer is None:
        return 0.0
    return max(_f1(normalise_answer(answer).split(), normalise_answer(gold).split()) for gold in golden_answers)


def _f1(predicted: list[str], gold: list[str]) -> float:
    common = sum((Counter(predicted) & Counter(gold)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(predicted), common / len(gold)
    return 2 * precision * recall / (precision + recall)


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


@dataclass(frozen=True)
class Reward:
    """An episode's reward. `judged` is in order of the observations, without those that the episode's end left
    unjudged. `total` = `answer` (what the match is worth) + `judge` (the aggregated verdicts) is what training
    maximises."""

    exact_match: float
    answer: float
    judged: tuple[Judged, ...]
    judge: float
    total: float


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


def aggregate(rewards: Sequence[float], config: RewardConfig) -> float:
    """The labelled verdicts' rewards as one number; 0.0 where there is none."""
    total = float(sum(rewards))
    if config.aggregate is Aggregate.MEAN:
        return total / len(rewards) if rewards else 0.0
    if config.aggregate is Aggregate.CAPPED:
        return max(-config.cap, min(config.cap, total))
    return total


def reward_of(
    answer: str | None, golden_answers: Sequence[str], judged: Sequence[Judged], config: RewardConfig
) -> Reward:
    """An episode's reward from its answer and its judged observations."""
    match = exact_match(answer, golden_answers)
    judge = aggregate([j.reward for j in judged if j.reward is not None], config)
    answered = config.answer * match
    return Reward(match, answered, tuple(judged), judge, answered + judge)
