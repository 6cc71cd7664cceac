"""How far the rollout engine's probabilities are from the trainer's, by segment.

A token that is trained in the context in which it was sampled has nearly the same probability in both (float32: some
1e-5); a token that is trained in another context has not. So the gap after a fork is the proof that edited contexts
are trained as they were. Pure.
"""

from collections.abc import Sequence

import torch

DEEPEST = 4
"""Segments of this number and later ones share a name: few trajectories fork so often."""


def probability_gaps(
    keys: Sequence[str],
    masks: Sequence[torch.Tensor],
    rollout_logprobs: Sequence[torch.Tensor],
    trainer_logprobs: Sequence[torch.Tensor],
    padding: Sequence[bool],
) -> dict[str, float]:
    """`gap/segment_<n>`: max |p_rollout - p_trainer| over the trained tokens of all n-th segments; `gap/after_fork`:
    over all segments but the first; `gap/forked_trajectories`: how many sessions have such segments.

    Rows come under keys `{uid}_{session}_{index}`; tensors are per row, over its response (axis T).
    """
    gaps: dict[str, float] = {}
    forked: set[str] = set()
    for key, mask_T, rollout_T, trainer_T, is_padding in zip(
        keys, masks, rollout_logprobs, trainer_logprobs, padding, strict=True
    ):
        if is_padding:
            continue
        session, index = key.rsplit("_", 1)
        trained_T = mask_T.bool()
        gap = float((rollout_T[trained_T].exp() - trainer_T[trained_T].exp()).abs().max())
        names = [f"gap/segment_{min(int(index), DEEPEST)}"]
        if int(index) > 0:
            names.append("gap/after_fork")
            forked.add(session)
        for name in names:
            gaps[name] = max(gaps.get(name, 0.0), gap)
    return {**dict(sorted(gaps.items())), "gap/forked_trajectories": float(len(forked))}
