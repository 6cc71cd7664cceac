"""Classification quality of scores: areas, accuracy and F1 at a threshold, intervals. Pure.

Invariant: observations of one question are resampled together, since they share its difficulty; the same scores and
seed give the same numbers. An observation is called good iff its score is above the threshold, as everywhere else.
Areas are as scikit-learn defines them (roc_auc_score, average_precision_score); they are computed here because a
thousand resamples at once are then a hundred times faster.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from reseek.oracle.making.calibration_card import Estimate
from reseek.statistics import bootstrap_counts, interval

RESAMPLES = 1000


@dataclass(frozen=True)
class Scored:
    """Scores and labels of N observations; `question_N` numbers their questions from 0."""

    score_N: np.ndarray
    good_N: np.ndarray
    question_N: np.ndarray

    @classmethod
    def of(cls, scores: Sequence[float], good: Sequence[bool], questions: Sequence[str]) -> "Scored":
        number = {question: place for place, question in enumerate(dict.fromkeys(questions))}
        question_N = np.array([number[question] for question in questions])
        return cls(np.array(scores, float), np.array(good, bool), question_N)


def auc(scored: Scored, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Area under the ROC curve: the probability that a good one scores higher than a bad one, ties counting half."""
    groups = _Groups.of(scored)

    def measure(times_RN: np.ndarray) -> np.ndarray:
        good_RG, bad_RG = groups.counts(times_RN)
        worse_RG = np.cumsum(bad_RG, axis=1) - bad_RG / 2
        return (good_RG * worse_RG).sum(axis=1) / (good_RG.sum(axis=1) * bad_RG.sum(axis=1))

    return _bootstrap(scored, measure, seed, resamples)


def average_precision(scored: Scored, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """The area under the precision-recall curve, in steps."""
    groups = _Groups.of(scored)

    def measure(times_RN: np.ndarray) -> np.ndarray:
        good_RG, bad_RG = (counts[:, ::-1] for counts in groups.counts(times_RN))  # from the highest score
        found_RG = np.cumsum(good_RG, axis=1)
        # Before the first group precision is 0 / 0 and recall is 0.
        precision_RG = np.nan_to_num(found_RG / (found_RG + np.cumsum(bad_RG, axis=1)))
        return (good_RG * precision_RG).sum(axis=1) / good_RG.sum(axis=1)

    return _bootstrap(scored, measure, seed, resamples)


def accuracy(scored: Scored, called_good_N: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """The share of correct labels."""
    right_N = called_good_N == scored.good_N
    return _bootstrap(scored, lambda times_RN: times_RN @ right_N / times_RN.sum(axis=1), seed, resamples)


def f1(scored: Scored, called_good_N: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """F1 of the good ones."""
    both_N, either_N = called_good_N & scored.good_N, called_good_N.astype(int) + scored.good_N.astype(int)
    return _bootstrap(scored, lambda times_RN: 2 * (times_RN @ both_N) / (times_RN @ either_N), seed, resamples)


def best_threshold(score_N: np.ndarray, good_N: np.ndarray) -> float:
    """The threshold in [0, 1] of highest accuracy, halfway between two scores; of equally good ones the lowest."""
    order = np.argsort(score_N, kind="stable")
    scores, good = score_N[order], good_N[order]
    # If the first n are called bad, the bad ones among them and the good ones after them are correct.
    right = np.concatenate([[0], np.cumsum(~good)]) + good.sum() - np.concatenate([[0], np.cumsum(good)])
    cuts = np.concatenate([[0.0], (scores[:-1] + scores[1:]) / 2, [1.0]])
    # Score > threshold: a threshold of 0 calls scores of 0 bad; equal scores can't be separated.
    possible = np.concatenate([[scores[0] > 0], scores[:-1] < scores[1:], [True]])
    return float(cuts[np.argmax(np.where(possible, right, -1))])


def called_good_at_best(scored: Scored, seed: int = 0) -> np.ndarray:
    """The observations called good by the best threshold, for each half of the questions that of the other half, so
    that the estimate is not biased by the choice."""
    questions = int(scored.question_N.max()) + 1
    first_half = np.random.default_rng(seed).permutation(questions)[: questions // 2]
    in_first_N = np.isin(scored.question_N, first_half)
    called_good_N = np.zeros(len(scored.score_N), bool)
    for here_N in (in_first_N, ~in_first_N):
        if here_N.any() and not here_N.all():
            called_good_N[here_N] = scored.score_N[here_N] > best_threshold(
                scored.score_N[~here_N], scored.good_N[~here_N]
            )
        elif here_N.any():
            called_good_N = scored.score_N > best_threshold(scored.score_N, scored.good_N)
    return called_good_N


@dataclass(frozen=True)
class _Groups:
    """The observations in order of their scores, equal ones in one group: `start_G` is where each group begins."""

    order_N: np.ndarray
    start_G: np.ndarray
    good_N: np.ndarray

    @classmethod
    def of(cls, scored: Scored) -> "_Groups":
        order_N = np.argsort(scored.score_N, kind="stable")
        _, start_G = np.unique(scored.score_N[order_N], return_index=True)
        return cls(order_N, start_G, scored.good_N[order_N])

    def counts(self, times_RN: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Per resample and group: good ones, bad ones."""
        sorted_RN = times_RN[:, self.order_N]
        good_RG = np.add.reduceat(sorted_RN * self.good_N, self.start_G, axis=1)
        return good_RG, np.add.reduceat(sorted_RN * ~self.good_N, self.start_G, axis=1)


def _bootstrap(scored: Scored, measure: Callable[[np.ndarray], np.ndarray], seed: int, resamples: int) -> Estimate:
    """`measure` gets how often each observation counts in each resample and returns a number for each, nan if
    undefined."""
    questions = int(scored.question_N.max()) + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        (value,) = measure(np.ones((1, len(scored.score_N)), int))
        found: list[float] = []
        for times_RQ in bootstrap_counts(questions, seed, resamples):
            found.extend(measure(times_RQ[:, scored.question_N]))
    defined = [one for one in found[:resamples] if np.isfinite(one)]
    if not np.isfinite(value) or not defined:
        return Estimate(float(value) if np.isfinite(value) else None, None, None)
    bounds = interval(np.array(defined))
    return Estimate(float(value), bounds.low, bounds.high)
