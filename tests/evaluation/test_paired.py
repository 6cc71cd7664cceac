"""Paired comparison against plain references: a sum of binomials, and a slow bootstrap of pairs."""

import random
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseek.evaluation.paired import paired, paired_average, pairs_of
from tests.support.reports import SETS, make_run

PAIRS = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=60)


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided: twice the smaller tail of a fair coin, at most 1."""
    n, k = gained + lost, min(gained, lost)
    return min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)


@settings(max_examples=25)
@given(PAIRS)
def test_mcnemar_and_the_difference_against_plain_counts(pairs):
    made = paired(pairs)
    gained = sum(theirs > ours for ours, theirs in pairs)
    lost = sum(theirs < ours for ours, theirs in pairs)
    assert (made.questions, made.gained, made.lost) == (len(pairs), gained, lost)
    assert made.difference == pytest.approx((gained - lost) / len(pairs))
    assert made.mcnemar_p == pytest.approx(mcnemar(gained, lost))
    swapped = paired([(theirs, ours) for ours, theirs in pairs])
    assert swapped.difference == pytest.approx(-made.difference) and swapped.mcnemar_p == made.mcnemar_p


def test_the_interval_against_a_slow_bootstrap_of_pairs():
    pairs = [(0.0, 1.0)] * 30 + [(1.0, 0.0)] * 12 + [(1.0, 1.0)] * 40 + [(0.0, 0.0)] * 18
    rng = random.Random(0)
    slow = sorted(sum(b - a for a, b in rng.choices(pairs, k=100)) / 100 for _ in range(3000))
    made = paired(pairs, seed=1)
    assert made.interval.low == pytest.approx(slow[75], abs=0.03)
    assert made.interval.high == pytest.approx(slow[2925], abs=0.03)


def test_an_average_weighs_sets_equally_and_pools_the_test():
    small, large = [(0.0, 1.0)] * 2, [(1.0, 0.0)] * 6
    made = paired_average([small, large, []])
    assert made.difference == 0.0 and made.questions == 8
    assert made.mcnemar_p == pytest.approx(mcnemar(2, 6))


def test_only_questions_that_both_answered_are_compared(tmp_path):
    run = make_run(tmp_path / "run")
    ours = sorted(run.records["hotpotqa"], key=lambda record: record.id)
    other = [ours[0].model_copy(update={"question": "another one"}), ours[1].model_copy(update={"em": 1.0})]
    assert len(SETS["hotpotqa"]) == 3 and ours[2].failed
    assert pairs_of(ours, other) == [(0.0, 1.0)]
    assert paired(pairs_of(ours, [])).difference is None
