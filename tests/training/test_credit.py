"""Advantages through forks, against slow references in plain Python that know tokens but no segments."""

import random
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reseek.config.algo import AlgoSettings
from reseek.training.credit import estimators as credit
from reseek.training.credit.estimators import (
    ChainedGae,
    Grpo,
    LeaveOneOut,
    Permuted,
    SegmentRow,
    Session,
    StepCredit,
    VerdictCredit,
)
from reseek.training.credit.rows import credit_rows, estimator_of
from tests.support.credit import (
    TOLERANCE,
    check_gae,
    check_nothing_elsewhere,
    check_step_credit,
    check_trajectory_credit,
    random_group,
    tokens,
)


@pytest.mark.parametrize("seed", range(40))
def test_one_advantage_per_session(seed):
    check_trajectory_credit(credit, seed)


@pytest.mark.parametrize("seed", range(40))
def test_step_credit(seed):
    check_step_credit(credit, seed)


@pytest.mark.parametrize("seed", range(20))
def test_gae_chains_through_forks(seed):
    check_gae(credit, seed)


@given(seed=st.integers(0, 10**6))
def test_what_is_not_trained_gets_nothing(seed):
    check_nothing_elsewhere(credit, seed)


@pytest.mark.parametrize("judge", [0.3, -0.6, 0.1])
@pytest.mark.parametrize("size", [2, 3, 5, 7])
def test_equal_rewards_teach_nothing(judge, size):
    # 0.3 has no exact float: the mean of several is not quite 0.3, and the deviation that it is divided by not quite 0.
    group = [Session(1.0, judge, (SegmentRow(torch.ones(2)),)) for _ in range(size)]
    for estimator in (Grpo(), LeaveOneOut(), StepCredit(), StepCredit(True)):
        for (advantage_T,) in estimator.credit(group).advantages:
            assert advantage_T.abs().max() < 1e-6


ESTIMATORS = (Grpo(), LeaveOneOut(), StepCredit(), StepCredit(True), ChainedGae(0.99, 0.95), ChainedGae(1, 1, True))


def cut(session: Session, rng: random.Random) -> Session:
    """The same trajectory with one segment cut into two rows at a place that splits no verdict."""
    number = rng.randrange(len(session.segments))
    segment = session.segments[number]
    length = len(segment.mask_T)
    legal = [c for c in range(1, length) if not any(v.start < c < v.end for v in segment.verdicts)]
    legal = [c for c in legal if segment.mask_T[:c].any() and segment.mask_T[c:].any()]
    if not legal:
        return session
    at = rng.choice(legal)
    late_mask = segment.mask_T.clone()
    late_mask[:at] = 0
    early = SegmentRow(segment.mask_T[:at], tuple(v for v in segment.verdicts if v.end <= at), segment.values_T[:at])
    late = SegmentRow(late_mask, tuple(v for v in segment.verdicts if v.start >= at), segment.values_T)
    rows = (*session.segments[:number], early, late, *session.segments[number + 1 :])
    return Session(session.outcome, session.judge, rows)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@given(seed=st.integers(0, 10**6))
def test_cutting_a_trajectory_changes_no_advantage(estimator, seed):
    group = random_group(seed)
    pieces = [cut(session, random.Random(seed + i)) for i, session in enumerate(group)]
    whole, parts = estimator.credit(group), estimator.credit(pieces)
    for before, after, a, b in zip(group, pieces, whole.advantages, parts.advantages, strict=True):
        assert tokens(after, b) == pytest.approx(tokens(before, a), abs=TOLERANCE)


@pytest.mark.parametrize("estimator", ESTIMATORS[:4], ids=repr)
def test_a_group_of_one_learns_nothing(estimator):
    (session,) = random_group(3, size=1)
    credited = estimator.credit([session])
    assert not any(tensor.any() for tensor in credited.advantages[0])


def test_rows_in_any_order_with_padding():
    group = random_group(7, size=3)
    keys, masks, values, credits = [], [], [], []
    for number, session in enumerate(group):
        for index, segment in enumerate(session.segments):
            keys.append(f"q_a_{number}_{index}")
            masks.append(segment.mask_T)
            values.append(segment.values_T)
            credits.append(
                {
                    "outcome": session.outcome,
                    "judge": session.judge,
                    "verdicts": [(v.reward, v.start, v.end) for v in segment.verdicts],
                }
            )
    padding = [False] * len(keys)
    keys.append("pad1_0_0")
    masks.append(torch.zeros(1))
    values.append(torch.zeros(1))
    credits.append(credits[0])  # verl's padding rows copy a real row's fields
    padding.append(True)
    order = list(range(len(keys)))
    random.Random(1).shuffle(order)

    def pick(items):
        return [items[i] for i in order]

    for estimator in ESTIMATORS:
        advantages, returns = credit_rows(
            estimator, pick(keys), pick(masks), pick(values), pick(credits), pick(padding), whiten=False
        )
        expected = estimator.credit(group)
        flat_advantages = [tensor for session in expected.advantages for tensor in session] + [torch.zeros(1)]
        flat_returns = [tensor for session in expected.returns for tensor in session] + [torch.zeros(1)]
        for place, row in enumerate(order):
            assert advantages[place].dtype == returns[place].dtype == torch.float32
            assert torch.allclose(advantages[place], flat_advantages[row].float())
            assert torch.allclose(returns[place], flat_returns[row].float())


def test_whitening_is_over_trained_tokens_only():
    group = random_group(11, size=4)
    keys = [f"q_{g}_{i}" for g, s in enumerate(group) for i in range(len(s.segments))]
    rows = [segment for s in group for segment in s.segments]
    credits = [{"outcome": s.outcome, "judge": s.judge, "verdicts": []} for s in group for _ in s.segments]
    masks = [row.mask_T for row in rows]
    advantages, _ = credit_rows(
        ChainedGae(), keys, masks, [row.values_T for row in rows], credits, [False] * len(keys), whiten=True
    )
    all_N = torch.cat([a[m.bool()] for a, m in zip(advantages, masks, strict=True)])
    assert float(all_N.mean()) == pytest.approx(0, abs=1e-5)
    assert float(all_N.std(correction=0)) == pytest.approx(1, abs=1e-4)
    assert all(not a[m == 0].any() for a, m in zip(advantages, masks, strict=True))


@pytest.mark.parametrize(
    ("algo", "expected"),
    [
        ({"estimator": "grpo", "credit": "trajectory"}, Grpo()),
        ({"estimator": "grpo", "credit": "step"}, StepCredit()),
        ({"estimator": "reinforce", "credit": "trajectory"}, LeaveOneOut()),
        ({"estimator": "reinforce", "credit": "step"}, StepCredit(leave_one_out=True)),
        ({"estimator": "ppo", "credit": "trajectory"}, ChainedGae(0.9, 0.8)),
        ({"estimator": "ppo", "credit": "step"}, ChainedGae(0.9, 0.8, per_step=True)),
    ],
)
def test_each_estimator_by_name(algo, expected):
    assert estimator_of(AlgoSettings(gamma=0.9, lam=0.8, **algo), "0 1") == expected


def told(outcome: float, *verdicts: float) -> Session:
    """A session of one segment: one token for the answer, then one for each verdict."""
    credits = tuple(VerdictCredit(reward, place, place + 1) for place, reward in enumerate(verdicts, start=1))
    return Session(outcome, sum(verdicts), (SegmentRow(torch.ones(1 + len(verdicts)), credits),))


def test_permuted_rewards_are_the_same_rewards_given_to_anyone():
    group = [told(1.0, 0.3), told(0.0), told(0.0, -0.3, 0.3), told(1.0, 0.3, -0.3)]
    algo = AlgoSettings(estimator="reinforce", control="permuted_rewards")
    own = [float(a[0][0]) for a in LeaveOneOut().credit(group).advantages]
    dealt = []
    for step in range(200):
        credited = estimator_of(algo, f"0 {step}").credit(group)
        assert [len(a[0]) for a in credited.advantages] == [2, 1, 3, 3]
        dealt.append([float(a[0][0]) for a in credited.advantages])
        assert sorted(dealt[-1]) == pytest.approx(sorted(own))
    # On the average every session gets the same: nothing.
    means = [sum(column) / len(column) for column in zip(*dealt, strict=True)]
    assert all(abs(mean) < 0.25 for mean in means)
    assert max(map(abs, own)) > 0.4


def test_a_permuted_verdict_keeps_its_place_and_gets_another_s_reward():
    group = [told(1.0, 0.3), told(1.0, -0.3), told(1.0, 0.3, 0.3)]
    seen = set()
    for seed in range(40):
        taken = []
        Permuted(Recording(taken), random.Random(seed)).credit(group)
        assert sorted(r for session in taken for r in session.verdict_rewards) == [-0.3, 0.3, 0.3, 0.3]
        assert [len(session.verdict_rewards) for session in taken] == [1, 1, 2]
        seen.add(tuple(r for session in taken for r in session.verdict_rewards))
    assert len(seen) == 4


@dataclass(frozen=True)
class Recording:
    """An estimator that only looks."""

    taken: list

    def credit(self, group):
        self.taken.extend(group)
