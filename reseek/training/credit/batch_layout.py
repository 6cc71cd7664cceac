"""Which row of a rollout batch is trained in which optimiser step, and on which worker.

Invariant: the number of optimiser steps is the configured one whatever the number of forks; all segments of a session
are in the same step; every step holds the same number of rows, filled up with padding rows where sessions do not fit
evenly. Pure: rows are numbers and lengths, nothing is known of tensors, verl or what padding looks like.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """`rows_per_step` rows in each step. `order[i]` is the row at place i of the batch as verl cuts it:
    first by worker, then by step. Numbers from `real` on are padding rows; there are `padding` of them."""

    order: tuple[int, ...]
    rows_per_step: int
    real: int

    @property
    def padding(self) -> int:
        return len(self.order) - self.real


def lay_out(sessions: Sequence[Hashable], lengths: Sequence[int], steps: int, workers: int) -> Layout:
    """Spread rows over optimiser steps, whole sessions at a time, then over workers, evenly by tokens.

    `sessions[r]` names the session of row r, `lengths[r]` is its number of tokens. Longest session first into the step
    with the fewest rows (then tokens), which keeps the padding small. Raises ValueError where there are fewer sessions
    than steps: a step without a session would divide by zero tokens.
    """
    rows_of: dict[Hashable, list[int]] = {}
    for row, session in enumerate(sessions):
        rows_of.setdefault(session, []).append(row)
    if len(rows_of) < steps:
        raise ValueError(f"{len(rows_of)} sessions for {steps} optimiser steps: each step needs one at least")

    def tokens(rows: Sequence[int]) -> int:
        return sum(lengths[row] for row in rows)

    in_step: list[list[int]] = [[] for _ in range(steps)]
    for rows in sorted(rows_of.values(), key=lambda rows: (-len(rows), -tokens(rows), rows[0])):
        min(in_step, key=lambda taken: (len(taken), tokens(taken))).extend(rows)

    per_worker = -(-max(map(len, in_step)) // workers)
    rows_per_step = per_worker * workers
    real = len(sessions)
    padding = iter(range(real, rows_per_step * steps))
    # place[w][s]: the rows of worker w in step s
    place: list[list[list[int]]] = [[[] for _ in range(steps)] for _ in range(workers)]
    for step, rows in enumerate(in_step):
        loads = [0] * workers
        for row in sorted(rows, key=lambda row: (-lengths[row], row)):
            worker = min(
                (w for w in range(workers) if len(place[w][step]) < per_worker), key=lambda w: (loads[w], w)
            )
            place[worker][step].append(row)
            loads[worker] += lengths[row]
        for worker in range(workers):
            missing = per_worker - len(place[worker][step])
            place[worker][step].extend(next(padding) for _ in range(missing))
    order = tuple(row for of_worker in place for of_step in of_worker for row in of_step)
    return Layout(order, rows_per_step, real)
