"""Paired comparison of two runs on the same questions. Pure.

Invariant: only questions that both runs answered without failing are compared, each with itself; exchanging the runs
changes only the sign of the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reseek.rollout.records import EpisodeRecord
from reseek.statistics import Interval, interval

RESAMPLES = 2000


@dataclass(frozen=True)
class Paired:
    """Exact match of `theirs` minus that of `ours` on `questions` that both have. `gained` and `lost` count those that
    only theirs, only ours got right. `mcnemar_p`: the exact McNemar test (binomial on the discordant pairs). The
    numbers are None if there is no common question."""

    questions: int
    gained: int
    lost: int
    difference: float | None
    interval: Interval | None
    mcnemar_p: float | None


def pairs_of(ours: Sequence[EpisodeRecord], theirs: Sequence[EpisodeRecord]) -> list[tuple[float, float]]:
    """The exact matches of both on the questions that they share, in the order of `ours`."""
    known = {(record.set, record.id, record.question): record.em for record in theirs if record.em is not None}
    mine = ((record.em, known.get((record.set, record.id, record.question))) for record in ours)
    return [(own, other) for own, other in mine if own is not None and other is not None]


def paired(pairs: Sequence[tuple[float, float]], seed: int = 0) -> Paired:
    """The comparison. The interval is a percentile bootstrap over questions."""
    from scipy.stats import binomtest  # takes a second, so only on use

    if not pairs:
        return Paired(0, 0, 0, None, None, None)
    ours_N, theirs_N = np.asarray(pairs, dtype=float).T
    difference_N = theirs_N - ours_N
    gained, lost = int((difference_N > 0).sum()), int((difference_N < 0).sum())
    p = binomtest(gained, gained + lost, 0.5).pvalue if gained + lost else 1.0
    rng = np.random.default_rng(seed)
    # A difference is -1, 0 or 1, so a resample is determined by how often each is drawn.
    shares = np.array([lost, len(pairs) - gained - lost, gained]) / len(pairs)
    drawn = rng.multinomial(len(pairs), shares, size=RESAMPLES)
    means = (drawn[:, 2] - drawn[:, 0]) / len(pairs)
    return Paired(len(pairs), gained, lost, float(difference_N.mean()), interval(means), float(p))


def paired_average(by_set: Sequence[Sequence[tuple[float, float]]], seed: int = 0) -> Paired:
    """The sets' unweighted mean difference; resampled within each set. McNemar's test pools the questions."""
    used = [pairs for pairs in by_set if pairs]
    each = [paired(pairs, seed + number) for number, pairs in enumerate(used)]
    if not each:
        return Paired(0, 0, 0, None, None, None)
    pooled = paired([pair for pairs in used for pair in pairs], seed)
    rng = np.random.default_rng(seed)
    means = []
    for one, pairs in zip(each, used, strict=True):
        n = len(pairs)
        drawn = rng.multinomial(n, np.array([one.lost, n - one.gained - one.lost, one.gained]) / n, size=RESAMPLES)
        means.append((drawn[:, 2] - drawn[:, 0]) / n)
    differences = [one.difference for one in each if one.difference is not None]
    return Paired(
        pooled.questions,
        pooled.gained,
        pooled.lost,
        sum(differences) / len(differences),
        interval(np.mean(means, axis=0)),
        pooled.mcnemar_p,
    )
