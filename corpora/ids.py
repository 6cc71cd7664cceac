"""Detection of duplicate ids among millions, in eight bytes each.

Invariant: an id that was added twice is always among the suspects. A suspect is only a hash: the caller looks into the
file or index that has the ids themselves to exclude a collision. Suspects are computed once per million ids, and on
request.
"""

from array import array
from collections.abc import Iterable

import numpy as np

PENDING = 2**20


class SeenIds:
    """The hashes of the ids so far. At most 16 bytes an id while it works (two sorted copies), 8 at rest."""

    def __init__(self, pending: int = PENDING) -> None:
        self._limit = pending
        self._sorted = np.empty(0, dtype=np.int64)
        self._pending = array("q")
        self._suspects: set[int] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._pending)

    def add(self, id: str) -> bool:
        """Remember an id; True where it is time to look at `suspects`."""
        self._pending.append(hash(id))  # 64 bits, with a new key in each process
        return len(self._pending) >= self._limit

    def suspects(self) -> set[int]:
        """The hashes that were added more than once."""
        if self._pending:
            merged = np.concatenate([self._sorted, np.frombuffer(self._pending, dtype=np.int64)])
            self._pending = array("q")
            merged.sort()
            self._sorted = merged
            self._suspects |= set(merged[1:][merged[1:] == merged[:-1]].tolist())
        return self._suspects


def first_repeat(numbered: Iterable[tuple[int, str]], suspects: set[int]) -> tuple[int, int, str] | None:
    """The first true duplicate among the suspects as (first place, second place, id); None if all are collisions."""
    first_of: dict[str, int] = {}
    for number, id in numbered:
        if hash(id) in suspects and first_of.setdefault(id, number) != number:
            return first_of[id], number, id
    return None
