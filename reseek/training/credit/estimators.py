"""Advantages through forks: from the rewards of a question's sessions to one number per sampled token.

Invariant: a session is one member of its group however many segments it has; cutting an unedited trajectory into more
segments changes no token's advantage. Tensors are per segment, over the segment's response positions (axis T); what is
not trained gets 0. All results are float64, whatever came in. Each estimator is one small class with one hook.
Formulas: docs/method.md, "Credit".
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import torch

from reseek.config.algo import AlgoSettings, Credit
from reseek.registry import ESTIMATORS

_EPSILON = 1e-6


@dataclass(frozen=True)
class VerdictCredit:
    """A labelled verdict's reward and the response positions `start`:`end` of its tokens in its segment."""

    reward: float
    start: int
    end: int


@dataclass(frozen=True)
class SegmentRow:
    """One training row. `mask_T`: 1 where a token is trained. `values_T`: the critic's, where there is one."""

    mask_T: torch.Tensor
    verdicts: tuple[VerdictCredit, ...] = ()
    values_T: torch.Tensor | None = None


@dataclass(frozen=True)
class Session:
    """One trajectory: what its outcome is worth (the answer and whatever else belongs to the episode as a whole), its
    aggregated verdict rewards, its segments in order of sampling."""

    outcome: float
    judge: float
    segments: tuple[SegmentRow, ...]

    @property
    def total(self) -> float:
        return self.outcome + self.judge

    @property
    def verdict_rewards(self) -> list[float]:
        return [verdict.reward for segment in self.segments for verdict in segment.verdicts]


@dataclass(frozen=True)
class Credited:
    """Per session, per segment: `advantages_T` and `returns_T`."""

    advantages: tuple[tuple[torch.Tensor, ...], ...]
    returns: tuple[tuple[torch.Tensor, ...], ...]


class Estimator(Protocol):
    """An estimator's class may say `compares_sessions = True` (it needs two sessions of a question at least) and
    `needs_critic = True` (it reads `SegmentRow.values_T`)."""

    def credit(self, group: Sequence[Session]) -> Credited:
        """Advantages and returns of the sessions of one question."""
        ...


def _per_step(algo: AlgoSettings) -> bool:
    return algo.credit is Credit.STEP


def _float64(numbers: Sequence[float]) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def _normalised_G(rewards_G: torch.Tensor) -> torch.Tensor:
    """(r - mean) / (std + eps); 0 for a group of one, which has nothing to be compared with."""
    if len(rewards_G) < 2:
        return torch.zeros_like(rewards_G)
    return (rewards_G - rewards_G.mean()) / (rewards_G.std() + _EPSILON)


def _left_out_G(rewards_G: torch.Tensor) -> torch.Tensor:
    """r minus the mean of the others; 0 for a group of one."""
    count = len(rewards_G)
    if count < 2:
        return torch.zeros_like(rewards_G)
    return rewards_G - (rewards_G.sum() - rewards_G) / (count - 1)


def _spread(group: Sequence[Session], advantages_G: torch.Tensor) -> Credited:
    """One advantage per session on all of its trained tokens."""
    rows = tuple(
        tuple(advantage * segment.mask_T.double() for segment in session.segments)
        for session, advantage in zip(group, advantages_G, strict=True)
    )
    return Credited(rows, rows)


@ESTIMATORS.register("grpo")
@dataclass(frozen=True)
class Grpo:
    """Group-normalised total reward, one advantage for all tokens of a session (credit `trajectory`)."""

    compares_sessions: ClassVar[bool] = True

    @classmethod
    def of(cls, algo: AlgoSettings) -> "Estimator":
        """`algo.estimator=grpo` under `algo.credit`."""
        return StepCredit() if _per_step(algo) else cls()

    def credit(self, group: Sequence[Session]) -> Credited:
        return _spread(group, _normalised_G(_float64([session.total for session in group])))


@ESTIMATORS.register("reinforce")
@dataclass(frozen=True)
class LeaveOneOut:
    """REINFORCE with the mean total reward of the other sessions as baseline (credit `trajectory`)."""

    compares_sessions: ClassVar[bool] = True

    @classmethod
    def of(cls, algo: AlgoSettings) -> "Estimator":
        """`algo.estimator=reinforce` under `algo.credit`."""
        return StepCredit(leave_one_out=True) if _per_step(algo) else cls()

    def credit(self, group: Sequence[Session]) -> Credited:
        return _spread(group, _left_out_G(_float64([session.total for session in group])))


@dataclass(frozen=True)
class StepCredit:
    """The outcome's reward, compared within the group, on every token; on the tokens of a verdict, in addition, its own
    reward minus the mean verdict reward of the *other* sessions of the question (0 where they have none).

    How verdict rewards are aggregated makes no difference here: each stays on its own tokens, so that no other token
    (the searches that lead to easy verdicts) is paid for it."""

    leave_one_out: bool = False

    def credit(self, group: Sequence[Session]) -> Credited:
        outcomes_G = _float64([session.outcome for session in group])
        base = _spread(group, _left_out_G(outcomes_G) if self.leave_one_out else _normalised_G(outcomes_G))
        if len(group) < 2:
            return base
        rows = []
        for number, (session, advantages) in enumerate(zip(group, base.advantages, strict=True)):
            others = [r for other, s in enumerate(group) if other != number for r in s.verdict_rewards]
            baseline = sum(others) / len(others) if others else 0.0
            of_session = []
            for segment, advantage_T in zip(session.segments, advantages, strict=True):
                credited_T = advantage_T.clone()
                for verdict in segment.verdicts:
                    span = slice(verdict.start, verdict.end)
                    credited_T[span] += (verdict.reward - baseline) * segment.mask_T[span].double()
                of_session.append(credited_T)
            rows.append(tuple(of_session))
        return Credited(tuple(rows), tuple(rows))


@ESTIMATORS.register("ppo")
@dataclass(frozen=True)
class ChainedGae:
    """PPO: generalised advantage estimation along the trajectory, through its forks.

    The sampled tokens of all segments are one chain: at a segment's last sampled token the next value is that of the
    next segment's first sampled token. Rewards stand on the trajectory's last sampled token (credit `trajectory`: the
    total) or, with `per_step`, each verdict's on the last token of its span and there what is left of the total: the
    chain adds up to the total, so that verdicts which `mean` or `capped` bounds cannot be farmed here either.
    """

    needs_critic: ClassVar[bool] = True
    gamma: float = 1.0
    lam: float = 1.0
    per_step: bool = False

    @classmethod
    def of(cls, algo: AlgoSettings) -> "Estimator":
        """`algo.estimator=ppo` under `algo.credit`."""
        return cls(algo.gamma, algo.lam, _per_step(algo))

    def credit(self, group: Sequence[Session]) -> Credited:
        both = [self._chain(session) for session in group]
        return Credited(tuple(a for a, _ in both), tuple(r for _, r in both))

    def _chain(self, session: Session) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        rewards, values = [], []
        places: list[tuple[int, int]] = []
        for number, segment in enumerate(session.segments):
            assert segment.values_T is not None, "generalised advantage estimation needs a critic's values"
            rewards_T = torch.zeros(len(segment.mask_T), dtype=torch.float64)
            if self.per_step:
                for verdict in segment.verdicts:
                    rewards_T[verdict.end - 1] += verdict.reward
            positions = segment.mask_T.nonzero().flatten()
            rewards.append(rewards_T[positions])
            values.append(segment.values_T[positions].double())
            places.extend((number, int(position)) for position in positions)
        rewards_N, values_N = torch.cat(rewards), torch.cat(values)
        rewards_N[-1] += session.total - (sum(session.verdict_rewards) if self.per_step else 0.0)
        advantages = [torch.zeros(len(segment.mask_T), dtype=torch.float64) for segment in session.segments]
        returns = [torch.zeros_like(advantages_T) for advantages_T in advantages]
        carried = torch.zeros((), dtype=torch.float64)
        for n in range(len(places) - 1, -1, -1):
            next_value = values_N[n + 1] if n + 1 < len(places) else 0.0
            carried = rewards_N[n] + self.gamma * next_value - values_N[n] + self.gamma * self.lam * carried
            number, position = places[n]
            advantages[number][position] = carried
            returns[number][position] = carried + values_N[n]
        return tuple(advantages), tuple(returns)


@dataclass(frozen=True)
class Permuted:
    """A control: the group's rewards, each of its sessions' and each of its verdicts', are shuffled at random
    before another estimator credits them. Their distribution stays, what they were given for is gone."""

    estimator: Estimator
    rng: random.Random

    def credit(self, group: Sequence[Session]) -> Credited:
        givers = self.rng.sample(group, len(group))
        verdict_rewards = [reward for session in group for reward in session.verdict_rewards]
        self.rng.shuffle(verdict_rewards)
        left = iter(verdict_rewards)
        dealt = []
        for session, giver in zip(group, givers, strict=True):
            segments = tuple(
                replace(segment, verdicts=tuple(replace(verdict, reward=next(left)) for verdict in segment.verdicts))
                for segment in session.segments
            )
            dealt.append(Session(giver.outcome, giver.judge, segments))
        return self.estimator.credit(dealt)
