"""Advantages through forks, against slow references in plain Python that know tokens but no segments."""

import math
import random
from statistics import mean, stdev

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reseek.training.credit import ChainedGae, Grpo, LeaveOneOut, SegmentRow, Session, StepCredit, VerdictCredit
from reseek.training.credit_rows import credit_rows, estimator_of

TOLERANCE = 1e-5  # float32; the references count in float64


def random_session(rng: random.Random) -> Session:
    """1 to 4 segments; a later one repeats a stretch of history (mask 0) before its own tokens."""
    segments = []
    for number in range(rng.randint(1, 4)):
        mask = [0] * (rng.randint(1, 6) if number else 0)
        verdicts = []
        for _ in range(rng.randint(1, 3)):
            length = rng.randint(1, 4)
            if rng.random() < 0.5:
                verdicts.append(VerdictCredit(rng.choice([0.3, -0.3, -0.6]), len(mask), len(mask) + length))
            mask += [1] * length + [0] * rng.randint(0, 3)
        mask_T = torch.tensor(mask)
        segments.append(SegmentRow(mask_T, tuple(verdicts), torch.randn(len(mask), generator=_torch(rng))))
    judge = sum(v.reward for s in segments for v in s.verdicts)
    return Session(float(rng.random() < 0.5), judge, tuple(segments))


def _torch(rng: random.Random) -> torch.Generator:
    return torch.Generator().manual_seed(rng.randrange(10**9))


def random_group(seed: int, size: int | None = None) -> list[Session]:
    rng = random.Random(seed)
    return [random_session(rng) for _ in range(size or rng.randint(2, 5))]


def tokens(session: Session, tensors) -> list[float]:
    """The numbers of a session's sampled tokens, in order of sampling."""
    return [
        float(tensor[i])
        for segment, tensor in zip(session.segments, tensors, strict=True)
        for i in range(len(segment.mask_T))
        if segment.mask_T[i]
    ]


def verdict_at(session: Session) -> list[list[VerdictCredit]]:
    """Per sampled token, the verdicts whose tokens it is among."""
    return [
        [v for v in segment.verdicts if v.start <= i < v.end]
        for segment in session.segments
        for i in range(len(segment.mask_T))
        if segment.mask_T[i]
    ]


def reference_grpo(group):
    totals = [s.answer + s.judge for s in group]
    if len(group) == 1:
        return [0.0]
    return [(t - mean(totals)) / (stdev(totals) + 1e-6) for t in totals]


def reference_leave_one_out(group):
    totals = [s.answer + s.judge for s in group]
    return [t - mean(totals[:i] + totals[i + 1 :]) if len(group) > 1 else 0.0 for i, t in enumerate(totals)]


def reference_step(group, leave_one_out):
    answers = [s.answer for s in group]
    result = []
    for i, session in enumerate(group):
        others = answers[:i] + answers[i + 1 :]
        base = answers[i] - mean(others) if leave_one_out else (answers[i] - mean(answers)) / (stdev(answers) + 1e-6)
        rewards = [v.reward for j, s in enumerate(group) if j != i for seg in s.segments for v in seg.verdicts]
        baseline = mean(rewards) if rewards else 0.0
        result.append([base + sum(v.reward - baseline for v in at) for at in verdict_at(session)])
    return result


def reference_gae(session, gamma, lam, per_step):
    """The definition: a sum of discounted temporal differences over the chain of sampled tokens."""
    values = tokens(session, [segment.values_T for segment in session.segments])
    rewards = [0.0] * len(values)
    if per_step:
        number = 0
        for segment in session.segments:
            at = {}
            for i in range(len(segment.mask_T)):
                if segment.mask_T[i]:
                    at[i] = number
                    number += 1
            for v in segment.verdicts:
                rewards[at[v.end - 1]] += v.reward
        rewards[-1] += session.answer
    else:
        rewards[-1] += session.answer + session.judge
    deltas = [
        rewards[t] + gamma * (values[t + 1] if t + 1 < len(values) else 0.0) - values[t] for t in range(len(values))
    ]
    advantages = [
        math.fsum((gamma * lam) ** (u - t) * deltas[u] for u in range(t, len(deltas))) for t in range(len(deltas))
    ]
    return advantages, [a + v for a, v in zip(advantages, values, strict=True)]


@pytest.mark.parametrize("seed", range(40))
def test_one_advantage_per_session(seed):
    group = random_group(seed)
    for estimator, reference in ((Grpo(), reference_grpo), (LeaveOneOut(), reference_leave_one_out)):
        credited = estimator.credit(group)
        for session, advantages, expected in zip(group, credited.advantages, reference(group), strict=True):
            found = tokens(session, advantages)
            assert found == pytest.approx([expected] * len(found), abs=TOLERANCE)


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_step_credit(seed, leave_one_out):
    group = random_group(seed)
    credited = StepCredit(leave_one_out).credit(group)
    for session, advantages, expected in zip(
        group, credited.advantages, reference_step(group, leave_one_out), strict=True
    ):
        assert tokens(session, advantages) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 1.0), (0.99, 0.95), (0.9, 0.0)])
@pytest.mark.parametrize("seed", range(15))
def test_gae_chains_through_forks(seed, gamma, lam, per_step):
    (session,) = random_group(seed, size=1)
    credited = ChainedGae(gamma, lam, per_step).credit([session])
    advantages, returns = reference_gae(session, gamma, lam, per_step)
    assert tokens(session, credited.advantages[0]) == pytest.approx(advantages, abs=TOLERANCE)
    assert tokens(session, credited.returns[0]) == pytest.approx(returns, abs=TOLERANCE)


ESTIMATORS = (Grpo(), LeaveOneOut(), StepCredit(), StepCredit(True), ChainedGae(0.99, 0.95), ChainedGae(1, 1, True))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@given(seed=st.integers(0, 10**6))
def test_what_is_not_trained_gets_nothing(estimator, seed):
    group = random_group(seed)
    credited = estimator.credit(group)
    for session, advantages, returns in zip(group, credited.advantages, credited.returns, strict=True):
        for segment, advantage_T, return_T in zip(session.segments, advantages, returns, strict=True):
            assert not advantage_T[segment.mask_T == 0].any()
            assert not return_T[segment.mask_T == 0].any()


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
    early = SegmentRow(
        segment.mask_T[:at], tuple(v for v in segment.verdicts if v.end <= at), segment.values_T[:at]
    )
    late = SegmentRow(late_mask, tuple(v for v in segment.verdicts if v.start >= at), segment.values_T)
    rows = (*session.segments[:number], early, late, *session.segments[number + 1 :])
    return Session(session.answer, session.judge, rows)


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
                    "answer": session.answer,
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
            assert torch.allclose(advantages[place], flat_advantages[row])
            assert torch.allclose(returns[place], flat_returns[row])


def test_whitening_is_over_trained_tokens_only():
    group = random_group(11, size=4)
    keys = [f"q_{g}_{i}" for g, s in enumerate(group) for i in range(len(s.segments))]
    rows = [segment for s in group for segment in s.segments]
    credits = [{"answer": s.answer, "judge": s.judge, "verdicts": []} for s in group for _ in s.segments]
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
    assert estimator_of({"gamma": 0.9, "lam": 0.8, **algo}) == expected
