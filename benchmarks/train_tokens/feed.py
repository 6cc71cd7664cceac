"""The tokens fed to a forward pass: rows laid out as the trainer does, micro-batches cut by the engines' functions.

Invariant: every row is fed exactly once, in the optimiser step of its session; all workers of a step cut the same
number of micro-batches, as verl makes them agree on. Counts the update; the passes for log-probabilities feed the same
rows, cut without regard to steps. Lengths alone matter: token ids are zeros.
"""

import inspect
from collections.abc import Hashable, Iterable, Sequence

import torch
from tensordict import TensorDict
from verl.trainer.ppo.padding_utils import SYNTHETIC_PADDING_SEQ_LEN
from verl.utils.seqlen_balancing import rearrange_micro_batches

from benchmarks.train_tokens.count import Fed
from reseek.training.credit.batch_layout import Layout, lay_out
from reseek.training.verl_plugin.micro_batches import cut_by_length


def feed(sessions: Sequence[Hashable], lengths: Sequence[int], *, steps: int, workers: int, forward_tokens: int) -> Fed:
    """Tokens of all micro-batches of all workers and steps. `sessions[r]` names the session of row r, `lengths[r]` is
    its number of tokens. Raises AssertionError if a row is longer than `forward_tokens`, as verl does."""
    layout = lay_out(sessions, lengths, steps, workers)
    packed = padded = balanced = 0
    for shares in shares_of_steps(layout, lengths, steps, workers):
        packed += sum(map(sum, shares))
        least = max(len(cut_by_length(share, forward_tokens)) for share in shares)
        for share in shares:
            parts = cut_by_length(share, forward_tokens, least)
            padded += _padded([share[row] for row in part] for part in parts)
        balanced += sum(map(_padded, cut(shares, forward_tokens)))
    return Fed(packed, padded, balanced, layout.padding)


def _padded(micro_batches: Iterable[Sequence[int]]) -> int:
    return sum(len(lengths_B) * max(lengths_B) for lengths_B in micro_batches)


def shares_of_steps(layout: Layout, lengths: Sequence[int], steps: int, workers: int) -> list[list[list[int]]]:
    """[step][worker]: the lengths of that worker's rows in that step, synthetic ones included."""
    all_lengths = [*lengths, *[SYNTHETIC_PADDING_SEQ_LEN] * layout.padding]
    size = layout.rows_per_step // workers
    in_order = [all_lengths[row] for row in layout.order]

    def share(worker: int, step: int) -> list[int]:
        start = (worker * steps + step) * size
        return in_order[start : start + size]

    return [[share(worker, step) for worker in range(workers)] for step in range(steps)]


def cut(shares: Sequence[Sequence[int]], forward_tokens: int) -> list[list[list[int]]]:
    """[worker][micro-batch]: lengths. One step's shares, balanced by verl over the least number that fits all."""
    least = 1
    while True:
        by_worker = [_micro_batches(share, forward_tokens, least) for share in shares]
        counts = {len(micro_batches) for micro_batches in by_worker}
        if len(counts) == 1:
            return by_worker
        # verl lets the workers agree by all-reduce; without a process group we raise the least until they do.
        least = max(counts)


def _micro_batches(lengths: Sequence[int], forward_tokens: int, least: int) -> list[list[int]]:
    ids_BT = torch.nested.as_nested_tensor(
        [torch.zeros(length, dtype=torch.int64) for length in lengths], layout=torch.jagged
    )
    batch = TensorDict({"input_ids": ids_BT}, batch_size=len(lengths))
    balanced = inspect.unwrap(rearrange_micro_batches)  # verl's own function, whether or not our patch wraps it
    micro_batches, _ = balanced(batch, max_token_len=forward_tokens, min_num_micro_batch=least)
    return [micro_batch["input_ids"].offsets().diff().tolist() for micro_batch in micro_batches]
