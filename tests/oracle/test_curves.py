"""The numbers of a calibration, against slow references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from reseek.oracle.making.curves import (
    Scored,
    accuracy,
    auc,
    average_precision,
    best_threshold,
    called_good_at_best,
    f1,
)

SCORES = st.lists(st.tuples(st.integers(0, 8).map(lambda n: n / 8), st.booleans()), min_size=1, max_size=25)


def scored(pairs, questions=None) -> Scored:
    names = questions or [str(number) for number in range(len(pairs))]
    return Scored.of([score for score, _ in pairs], [good for _, good in pairs], names)


@given(SCORES)
def test_auc_is_the_share_of_pairs_in_order(pairs):
    good, bad = [s for s, g in pairs if g], [s for s, g in pairs if not g]
    found = auc(scored(pairs), resamples=1).value
    if not good or not bad:
        assert found is None
        return
    wins = sum((g > b) + 0.5 * (g == b) for g in good for b in bad)
    assert found == pytest.approx(wins / (len(good) * len(bad)))


@given(SCORES)
def test_areas_are_scikit_learns(pairs):
    scores, good = [s for s, _ in pairs], [g for _, g in pairs]
    if 0 < sum(good) < len(good):
        assert auc(scored(pairs), resamples=1).value == pytest.approx(roc_auc_score(good, scores))
        found = average_precision(scored(pairs), resamples=1).value
        assert found == pytest.approx(average_precision_score(good, scores))


@given(SCORES)
def test_no_threshold_is_more_accurate_than_the_best(pairs):
    one = scored(pairs)
    best = best_threshold(one.score_N, one.good_N)
    assert 0 <= best <= 1

    def right(threshold):
        return sum((score > threshold) == good for score, good in pairs)

    assert right(best) == max(right(threshold) for threshold in [0, 1, *(score for score, _ in pairs)])


@given(SCORES, st.integers(0, 8))
def test_accuracy_and_f1(pairs, cut):
    one = scored(pairs)
    called = [score > cut / 8 for score, _ in pairs]
    both = sum(c and g for c, (_, g) in zip(called, pairs, strict=True))
    found = f1(one, np.array(called), resamples=1).value
    either = sum(called) + sum(g for _, g in pairs)
    assert found == (pytest.approx(2 * both / either) if either else None)
    right = [c == g for c, (_, g) in zip(called, pairs, strict=True)]
    assert accuracy(one, np.array(called), resamples=1).value == pytest.approx(sum(right) / len(right))


def test_average_precision_by_hand():
    # Ranked good, bad, good: precision 1 at recall 1/2, 2/3 at recall 1.
    assert average_precision(scored([(0.9, True), (0.5, False), (0.1, True)])).value == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_intervals_hold_the_value_and_narrow_with_questions():
    rng = np.random.default_rng(0)

    def width(count, of_one_question):
        pairs = [(float(rng.beta(4, 2) if good else rng.beta(2, 4)), good) for good in rng.random(count) < 0.5]
        names = [str(number // of_one_question) for number in range(count)]
        found = auc(scored(pairs, names), resamples=300)
        assert found.low <= found.value <= found.high
        return found.high - found.low

    assert width(900, 1) < 0.6 * width(100, 1)


def test_a_questions_observations_are_resampled_together():
    # Ten copies of each observation tell no more than one: the interval must not narrow.
    rng = np.random.default_rng(1)
    pairs = [(float(rng.random()), bool(rng.random() < 0.5)) for _ in range(40)]
    once = auc(scored(pairs), resamples=300)
    names = [str(number) for number in range(40) for _ in range(10)]
    tenfold = auc(scored([pair for pair in pairs for _ in range(10)], names), resamples=300)
    assert tenfold.value == pytest.approx(once.value)
    assert tenfold.high - tenfold.low == pytest.approx(once.high - once.low, rel=0.02)


def test_the_best_threshold_is_not_chosen_on_what_it_is_tested_on():
    # Labels that the scores know nothing of: chosen on themselves thresholds would beat chance.
    rng = np.random.default_rng(2)
    gains = []
    for seed in range(60):
        pairs = [(float(rng.random()), bool(good)) for good in rng.permutation([True, False] * 10)]
        one = scored(pairs)
        chosen_elsewhere = called_good_at_best(one, seed)
        gains.append((chosen_elsewhere == one.good_N).mean() - 0.5)
        assert best_threshold(one.score_N, one.good_N) is not None
    assert np.mean(gains) < 0.03
    lone = scored([(0.2, False), (0.8, True)], ["same", "same"])
    assert (called_good_at_best(lone) == lone.good_N).all()
