"""The cost of one case in tokens. Pure.

Invariant: `unique` counts each distinct prefix of a session's rows once, so it is what a forward pass that shared
prefixes within a session would feed; `segments` is what one without sharing, padding and synthetic rows would.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Row = tuple[int, ...]


@dataclass(frozen=True)
class Session:
    """One session's training data: its rows (segments) as token ids, and its number of sampled tokens."""

    name: Hashable
    rows: tuple[Row, ...]
    sampled: int


@dataclass(frozen=True)
class Fed:
    """Tokens that go through one forward pass over a batch, synthetic rows (`padding_rows` of them) included: with rows
    packed behind each other; with each micro-batch padded to its longest row, micro-batches of like lengths (ours, on
    the CPU); and padded, micro-batches balanced by verl (what it would feed there without us)."""

    packed: int
    padded: int
    balanced: int
    padding_rows: int


@dataclass(frozen=True)
class Counts:
    """The counts of one batch, in tokens unless stated otherwise."""

    sessions: int
    rows: int
    sampled: int
    segments: int
    unique: int
    fed: Fed

    @property
    def segments_over_unique(self) -> float:
        """The cost of forking: 1 if nothing was edited."""
        return self.segments / self.unique

    @property
    def fed_over_segments_packed(self) -> float:
        return self.fed.packed / self.segments

    @property
    def fed_over_segments_padded(self) -> float:
        return self.fed.padded / self.segments

    @property
    def fed_over_segments_balanced(self) -> float:
        return self.fed.balanced / self.segments


def unique_prefix_tokens(rows: Sequence[Row]) -> int:
    """The tokens of the rows' trie, that is the number of their distinct non-empty prefixes."""
    ordered = sorted(rows)
    shared = sum(_common_prefix(one, other) for one, other in pairwise(ordered))
    return sum(map(len, ordered)) - shared


def count(sessions: Sequence[Session], fed: Fed) -> Counts:
    """The counts of a batch whose `fed` is known."""
    return Counts(
        sessions=len(sessions),
        rows=sum(len(session.rows) for session in sessions),
        sampled=sum(session.sampled for session in sessions),
        segments=sum(len(row) for session in sessions for row in session.rows),
        unique=sum(unique_prefix_tokens(session.rows) for session in sessions),
        fed=fed,
    )


def _common_prefix(one: Row, other: Row) -> int:
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))
