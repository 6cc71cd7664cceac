"""Confidence intervals: percentile bootstrap of means, and Wilson's interval of a proportion."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95
_DRAWS_AT_ONCE = 1 << 20  # 16 MB
_RESAMPLES_AT_ONCE = 50


@dataclass(frozen=True)
class Interval:
    """A percentile bootstrap interval of a mean."""

    low: float
    high: float


def bootstrap_means(values: Sequence[float], seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """The means of `resamples` samples with replacement of `values` (at least one)."""
    rng, values_N = np.random.default_rng(seed), np.asarray(values, dtype=float)
    count = len(values_N)
    at_once = max(1, _DRAWS_AT_ONCE // count)
    rows = [min(at_once, resamples - start) for start in range(0, resamples, at_once)]
    return np.concatenate([values_N[rng.integers(0, count, (some, count))].mean(axis=1) for some in rows])


def bootstrap_counts(items: int, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """How often each of `items` is drawn in each of at least `resamples` samples with replacement, in batches: for
    measures that are no means, and for items that stand for several observations."""
    rng = np.random.default_rng(seed)
    for _ in range(0, resamples, _RESAMPLES_AT_ONCE):
        drawn = rng.integers(0, items, (_RESAMPLES_AT_ONCE, items))
        yield np.stack([np.bincount(one, minlength=items) for one in drawn])


def interval(means: np.ndarray, level: float = LEVEL) -> Interval:
    """The percentile interval that holds `level` of the resampled means."""
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


_Z = 1.959963984540054  # the normal distribution's 97.5 % quantile


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % score interval (E. B. Wilson, 1927) of a share of `count` answers, sound near 0 and 1."""
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))  # rounding may pass by the share
