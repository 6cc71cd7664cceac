"""Which rows go through the model together where each micro-batch is padded to its longest row (on the CPU).

verl balances the work of micro-batches, which pays where rows are packed; padded, it mixes long rows with short ones
and feeds up to twice as many tokens as there are, beyond the budget too. Here rows of like length stay together.
Invariant: each row is in exactly one micro-batch; a micro-batch's rows times its longest row never exceed the budget.
Pure: rows are lengths.
"""

from collections.abc import Sequence

OVERHEAD_TOKENS = 64
"""What one micro-batch more may cost, in padding tokens saved: a pass has fixed costs."""


def cut_by_length(lengths: Sequence[int], budget: int, least: int = 1) -> list[list[int]]:
    """Rows (positions in `lengths`) of each micro-batch, at least `least` of them: the cut with the fewest padding
    tokens, a micro-batch counting `OVERHEAD_TOKENS`. Raises ValueError for a row longer than `budget` (tokens), or
    fewer rows than micro-batches."""
    rows = sorted(range(len(lengths)), key=lambda row: (lengths[row], row))
    if rows and lengths[rows[-1]] > budget:
        raise ValueError(f"a row of {lengths[rows[-1]]} tokens does not fit into {budget} (cluster.forward_tokens)")
    if len(rows) < least:
        raise ValueError(f"{len(rows)} rows can't be {least} micro-batches")
    # cost[end]: of the best cut of the `end` shortest rows; start_of[end]: where its last micro-batch begins.
    cost, start_of = [0.0], [0]
    for end in range(1, len(rows) + 1):
        longest = lengths[rows[end - 1]]
        starts = range(max(0, end - budget // max(longest, 1)), end)
        best = min(starts, key=lambda start: cost[start] + longest * (end - start) + OVERHEAD_TOKENS)
        cost.append(cost[best] + longest * (end - best) + OVERHEAD_TOKENS)
        start_of.append(best)
    parts: list[list[int]] = []
    end = len(rows)
    while end:
        parts.append(rows[start_of[end] : end])
        end = start_of[end]
    while len(parts) < least:
        part = max(parts, key=len)
        parts.remove(part)
        parts += [part[: len(part) // 2], part[len(part) // 2 :]]
    return parts
