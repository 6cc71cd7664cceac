"""Between verl's rows and `credit`'s sessions: group the rows of a batch, estimate, hand one tensor per row back.

Rows come in any order under keys `{uid}_{session}_{index}`: uid is the question's group, index the segment's number.
Padding rows belong to nobody and get zeros.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from reseek.config.algo import AlgoSettings, Control
from reseek.registry import ESTIMATORS, configured
from reseek.training.credit.estimators import (
    Estimator,
    Permuted,
    SegmentRow,
    Session,
    VerdictCredit,
)


def estimator_of(algo: AlgoSettings, seed: str) -> Estimator:
    """The configured estimator. `seed` decides what a control leaves to chance."""
    estimator = _estimator(algo)
    permuted = algo.control is Control.PERMUTED_REWARDS
    return Permuted(estimator, random.Random(seed)) if permuted else estimator


def _estimator(algo: AlgoSettings) -> Estimator:
    found = ESTIMATORS.find(algo.estimator)
    return found.of(algo) if hasattr(found, "of") else configured(found, algo.options, "algo.options")


def credit_rows(
    estimator: Estimator,
    keys: Sequence[str],
    masks: Sequence[torch.Tensor],
    values: Sequence[torch.Tensor] | None,
    credits: Sequence[Mapping[str, Any] | None],
    padding: Sequence[bool],
    *,
    whiten: bool,
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Advantages and returns per row, float32 of the row's response length, in the order of `keys`.

    `credits[r]` is what the agent loop put into the row's credit field. `whiten`: over all trained tokens of the batch,
    subtract the mean and divide by the standard deviation of the advantages (PPO's custom), returns untouched.
    """
    rows_of: dict[str, dict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    for row, key in enumerate(keys):
        if not padding[row]:
            uid, session, index = key.rsplit("_", 2)
            rows_of[uid][session][int(index)] = row
    advantages = [torch.zeros(len(mask)) for mask in masks]
    returns = [torch.zeros(len(mask)) for mask in masks]
    for sessions in rows_of.values():
        rows_GS = [[row for _, row in sorted(of_session.items())] for of_session in sessions.values()]
        credited = estimator.credit([_session(rows, masks, values, credits) for rows in rows_GS])
        for rows, advantages_S, returns_S in zip(rows_GS, credited.advantages, credited.returns, strict=True):
            for row, advantage_T, return_T in zip(rows, advantages_S, returns_S, strict=True):
                advantages[row], returns[row] = advantage_T.float(), return_T.float()
    if whiten:
        trained = [mask.bool() & (not pad) for mask, pad in zip(masks, padding, strict=True)]
        all_N = torch.cat([a[t] for a, t in zip(advantages, trained, strict=True)])
        mean, deviation = all_N.mean(), all_N.std(correction=0)
        for advantage_T, trained_T in zip(advantages, trained, strict=True):
            advantage_T[trained_T] = (advantage_T[trained_T] - mean) / (deviation + 1e-8)
    return advantages, returns


def _session(
    rows: Sequence[int],
    masks: Sequence[torch.Tensor],
    values: Sequence[torch.Tensor] | None,
    credits: Sequence[Mapping[str, Any] | None],
) -> Session:
    segments = []
    for row in rows:
        credit = credits[row]
        assert credit is not None, "a row that no agent loop of ours wrote"
        verdicts = tuple(VerdictCredit(*verdict) for verdict in credit["verdicts"])
        segments.append(SegmentRow(masks[row], verdicts, None if values is None else values[row]))
    first = credits[rows[0]]
    assert first is not None
    return Session(first["outcome"], first["judge"], tuple(segments))
