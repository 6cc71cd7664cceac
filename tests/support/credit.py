"""Random sessions, and slow references of every estimator in plain Python that know tokens but no segments.

The `check_...` functions compare the estimators of a module (`reseek.training.credit.estimators`, or a copy with a
fault in it) with the references on one random group. Masks, values and rewards are exact in float64; nothing here is
float32."""

import math
import random
from statistics import mean, stdev
from types import ModuleType

import pytest
import torch

from reseek.training.credit import estimators as credit
from reseek.training.credit.estimators import Session, VerdictCredit

TOLERANCE = 1e-6
DISCOUNTS = ((1.0, 1.0), (0.99, 0.95), (0.9, 0.0))


def random_session(rng: random.Random, module: ModuleType = credit) -> Session:
    """1 to 4 segments; a later one repeats a stretch of history (mask 0) before its own tokens."""
    segments = []
    for number in range(rng.randint(1, 4)):
        mask = [0] * (rng.randint(1, 6) if number else rng.choice([0, 0, 2]))
        verdicts = []
        for _ in range(rng.randint(1, 3)):
            length = rng.randint(1, 4)
            if rng.random() < 0.5:
                verdicts.append(module.VerdictCredit(rng.choice([0.3, -0.3, -0.6]), len(mask), len(mask) + length))
            mask += [1] * length + [0] * rng.randint(0, 3)
        mask_T = torch.tensor(mask)
        segments.append(module.SegmentRow(mask_T, tuple(verdicts), torch.randn(len(mask), generator=_torch(rng))))
    judge = rng.choice([1.0, 0.5, 0.0]) * sum(v.reward for s in segments for v in s.verdicts)  # summed, or bounded
    return module.Session(float(rng.random() < 0.5), judge, tuple(segments))


def _torch(rng: random.Random) -> torch.Generator:
    return torch.Generator().manual_seed(rng.randrange(10**9))


def random_group(seed: int, size: int | None = None, module: ModuleType = credit) -> list[Session]:
    rng = random.Random(seed)
    return [random_session(rng, module) for _ in range(size or rng.randint(2, 5))]


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
    totals = [s.outcome + s.judge for s in group]
    if len(group) == 1:
        return [0.0]
    return [(t - mean(totals)) / (stdev(totals) + 1e-6) for t in totals]


def reference_leave_one_out(group):
    totals = [s.outcome + s.judge for s in group]
    return [t - mean(totals[:i] + totals[i + 1 :]) if len(group) > 1 else 0.0 for i, t in enumerate(totals)]


def reference_step(group, leave_one_out):
    if len(group) == 1:
        return [[0.0] * len(verdict_at(group[0]))]
    outcomes = [s.outcome for s in group]
    result = []
    for i, session in enumerate(group):
        others = outcomes[:i] + outcomes[i + 1 :]
        own = outcomes[i]
        base = own - mean(others) if leave_one_out else (own - mean(outcomes)) / (stdev(outcomes) + 1e-6)
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
        rewards[-1] += session.outcome + session.judge - sum(rewards)
    else:
        rewards[-1] += session.outcome + session.judge
    deltas = [
        rewards[t] + gamma * (values[t + 1] if t + 1 < len(values) else 0.0) - values[t] for t in range(len(values))
    ]
    advantages = [
        math.fsum((gamma * lam) ** (u - t) * deltas[u] for u in range(t, len(deltas))) for t in range(len(deltas))
    ]
    return advantages, [a + v for a, v in zip(advantages, values, strict=True)]


def check_trajectory_credit(module: ModuleType, seed: int) -> None:
    """One advantage per session, the references', also in a group of one."""
    for group in (random_group(seed, module=module), random_group(seed, 1, module)):
        for estimator, reference in (
            (module.Grpo(), reference_grpo),
            (module.LeaveOneOut(), reference_leave_one_out),
        ):
            credited = estimator.credit(group)
            for session, advantages, expected in zip(group, credited.advantages, reference(group), strict=True):
                found = tokens(session, advantages)
                assert found == pytest.approx([expected] * len(found), abs=TOLERANCE)


def check_step_credit(module: ModuleType, seed: int) -> None:
    """The outcome's advantage on every token, a verdict's on its own, also in a group of one."""
    for group in (random_group(seed, module=module), random_group(seed, 1, module)):
        for leave_one_out in (False, True):
            credited = module.StepCredit(leave_one_out).credit(group)
            expected = reference_step(group, leave_one_out)
            for session, advantages, of_session in zip(group, credited.advantages, expected, strict=True):
                assert tokens(session, advantages) == pytest.approx(of_session, abs=TOLERANCE)


def check_gae(module: ModuleType, seed: int) -> None:
    """Advantages and returns along the chain of sampled tokens, for several discounts and both credits."""
    (session,) = random_group(seed, 1, module)
    for gamma, lam in DISCOUNTS:
        for per_step in (False, True):
            credited = module.ChainedGae(gamma, lam, per_step).credit([session])
            advantages, returns = reference_gae(session, gamma, lam, per_step)
            assert tokens(session, credited.advantages[0]) == pytest.approx(advantages, abs=TOLERANCE)
            assert tokens(session, credited.returns[0]) == pytest.approx(returns, abs=TOLERANCE)


def check_nothing_elsewhere(module: ModuleType, seed: int) -> None:
    """What is not trained gets 0; everything is float64."""
    group = random_group(seed, module=module)
    for estimator in (
        module.Grpo(),
        module.LeaveOneOut(),
        module.StepCredit(),
        module.StepCredit(True),
        module.ChainedGae(0.99, 0.95),
        module.ChainedGae(1, 1, True),
    ):
        credited = estimator.credit(group)
        for session, advantages, returns in zip(group, credited.advantages, credited.returns, strict=True):
            for segment, advantage_T, return_T in zip(session.segments, advantages, returns, strict=True):
                assert not advantage_T[segment.mask_T == 0].any()
                assert not return_T[segment.mask_T == 0].any()
                assert advantage_T.dtype == return_T.dtype == torch.float64


CHECKS = (check_trajectory_credit, check_step_credit, check_gae, check_nothing_elsewhere)
