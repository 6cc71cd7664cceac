"""The order in which rows are trained: shuffled, with rows of like length in one optimiser step.

Invariant: every row once an epoch; `batch` consecutive rows are one optimiser step, whatever it is cut into, so that
the order does not depend on the number of devices. Seed and epoch determine it: a run that is taken up again goes on in
the same order. Pure.
"""

import random
from collections.abc import Iterator, Sequence

_BUCKET = 8  # steps whose rows are sorted together: little padding, and batches stay mixed


def ordered(lengths: Sequence[int], batch: int, seed: int, epoch: int) -> list[int]:
    """The rows' numbers in their order. What does not fill a step comes last."""
    rng = random.Random(f"order {seed} {epoch}")
    shuffled = rng.sample(range(len(lengths)), len(lengths))
    full = len(shuffled) - len(shuffled) % batch
    steps: list[list[int]] = []
    for start in range(0, full, _BUCKET * batch):
        bucket = sorted(shuffled[start : min(full, start + _BUCKET * batch)], key=lengths.__getitem__)
        steps += [bucket[i : i + batch] for i in range(0, len(bucket), batch)]
    rng.shuffle(steps)
    return [row for step in steps for row in step] + shuffled[full:]


class Order:
    """A torch sampler: `ordered` by epoch."""

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self.lengths, self.batch, self.seed, self.epoch = lengths, batch, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(ordered(self.lengths, self.batch, self.seed, self.epoch))

    def __len__(self) -> int:
        return len(self.lengths)
