"""Entities by number, in blocks of a hundred, and permutations of the blocks that links follow.

Invariant: a relation's links lead from a block to exactly one block, and no two blocks share it: both directions are
one computation.
"""

import math
import random
from dataclasses import dataclass
from enum import StrEnum

from reseek.errors import InputError

BLOCK = 100
MOST = 1_000_000


class Kind(StrEnum):
    """The kinds of entities."""

    PERSON = "person"
    TOWN = "town"
    COMPANY = "company"
    WORK = "work"


PER_BLOCK = {Kind.PERSON: 48, Kind.TOWN: 12, Kind.COMPANY: 16, Kind.WORK: 24}
# The first position of each kind in a block.
_STARTS = {Kind.PERSON: 0, Kind.TOWN: 48, Kind.COMPANY: 60, Kind.WORK: 76}


@dataclass(frozen=True, order=True)
class Ref:
    """An entity: its kind, its block, its position among its kind in the block."""

    kind: Kind
    block: int
    place: int

    @property
    def number(self) -> int:
        """Its number among all entities of its kind, from 0."""
        return self.block * PER_BLOCK[self.kind] + self.place

    @property
    def id(self) -> str:
        """Its page's id."""
        return f"{self.kind.value}-{self.number:07d}"


def block_refs(block: int) -> list[Ref]:
    """The entities of a block."""
    return [Ref(kind, block, place) for kind, count in PER_BLOCK.items() for place in range(count)]


def blocks_of(entities: int) -> int:
    """The number of blocks for this number of entities. Raises InputError."""
    if not BLOCK <= entities <= MOST or entities % BLOCK:
        raise InputError(f"entities = {entities}: must be a multiple of {BLOCK} from {BLOCK} to {MOST:,}")
    return entities // BLOCK


class Permutation:
    """x -> a x + c modulo n with an invertible a: a shuffle that needs no memory."""

    def __init__(self, size: int, salt: str) -> None:
        rng = random.Random(salt)
        self._size, self._c = size, rng.randrange(size)
        self._a = next(a for a in iter(lambda: rng.randrange(1, size + 1), None) if math.gcd(a, size) == 1)
        self._back = pow(self._a, -1, size) if size > 1 else 0

    def __call__(self, x: int) -> int:
        return (self._a * x + self._c) % self._size

    def back(self, y: int) -> int:
        """The x that is mapped to y."""
        return (self._back * (y - self._c)) % self._size
