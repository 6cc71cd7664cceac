"""Repeated ids among millions, in eight bytes each.

Invariant: an id that was added twice is always among the suspects; a suspect is only a hash, and whoever keeps the ids
themselves (the file, the index) looks there whether it is more than an accident of hashing. Suspects are known once a
million ids, and when asked.

Knows nothing of passages or files.
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
        self._pending.append(hash(id))  # 64 bits, keyed anew in each process
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
    """The first id that really repeats, as (where first, where again, id), among the suspects; None where none does."""
    first_of: dict[str, int] = {}
    for number, id in numbered:
        if hash(id) in suspects and first_of.setdefault(id, number) != number:
            return first_of[id], number, id
    return None
