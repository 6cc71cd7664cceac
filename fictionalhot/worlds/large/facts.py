"""The facts of a universe: each one a function of the seed and the entity.

Invariant: a relation has one value for an entity, nobody founds or writes before the age of twenty, and the order of
queries does not matter. Memory is bounded by a few hundred blocks.
"""

import datetime
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial

from fictionalhot.worlds.large.layout import PER_BLOCK, Kind, Permutation, Ref, block_refs, blocks_of
from fictionalhot.worlds.large.names import Names
from fictionalhot.worlds.small.facts import PROFESSIONS

_FIRST_DAY = datetime.date(1800, 1, 1).toordinal()
_DAYS = 36_000  # to the middle of 1898
_RIVERS = 5  # of a block


class Relation(StrEnum):
    """The relations of facts."""

    ALIAS = "alias"
    """person -> another name; not every person has one"""
    BIRTHPLACE = "birthplace"
    """person -> town"""
    BIRTH_DATE = "birth date"
    """person -> day, month, year"""
    PROFESSION = "profession"
    """person -> profession"""
    RIVER = "river"
    """town -> river"""
    MAYOR = "mayor"
    """town -> person"""
    POPULATION = "population"
    """town -> number"""
    FOUNDER = "founder"
    """company -> person"""
    FOUNDED = "founding year"
    """company -> year"""
    BASE = "base"
    """company -> town"""
    AUTHOR = "author"
    """work -> person"""
    PUBLISHED = "publication year"
    """work -> year"""


LINKS = {
    Relation.BIRTHPLACE: Kind.TOWN,
    Relation.MAYOR: Kind.PERSON,
    Relation.FOUNDER: Kind.PERSON,
    Relation.BASE: Kind.TOWN,
    Relation.AUTHOR: Kind.PERSON,
}
"""Relations whose value is an entity, and of which kind."""
OF_KIND = {
    Kind.PERSON: (Relation.BIRTHPLACE, Relation.BIRTH_DATE, Relation.PROFESSION),
    Kind.TOWN: (Relation.RIVER, Relation.MAYOR, Relation.POPULATION),
    Kind.COMPANY: (Relation.FOUNDER, Relation.FOUNDED, Relation.BASE),
    Kind.WORK: (Relation.AUTHOR, Relation.PUBLISHED),
}
"""Relations that every entity of a kind has."""


@dataclass(frozen=True)
class _Block:
    """The random draws of one block: values, and positions in the blocks that links lead to."""

    values: dict[tuple[Ref, Relation], int]


class Universe:
    """The facts of one seed and size."""

    def __init__(self, seed: int, entities: int) -> None:
        """Raises InputError for an invalid number of entities."""
        self.seed, self.blocks = seed, blocks_of(entities)
        self.names = Names(seed)
        self._to = {link: Permutation(self.blocks, f"universe {seed} {link.value}") for link in LINKS}
        self._block = lru_cache(maxsize=512)(self._drawn)

    def entities(self) -> Iterator[Ref]:
        """Every entity, block by block."""
        for block in range(self.blocks):
            yield from block_refs(block)

    def link(self, ref: Ref, relation: Relation) -> Ref:
        """The entity that is the value of a link."""
        return Ref(LINKS[relation], self._to[relation](ref.block), self._block(ref.block).values[ref, relation])

    def linking(self, ref: Ref, relation: Relation, kind: Kind) -> list[Ref]:
        """All entities of a kind whose link leads to this one."""
        block = self._to[relation].back(ref.block)
        values = self._block(block).values
        candidates = (Ref(kind, block, place) for place in range(PER_BLOCK[kind]))
        return [candidate for candidate in candidates if values[candidate, relation] == ref.place]

    def born(self, ref: Ref) -> datetime.date:
        """A person's day of birth."""
        return datetime.date.fromordinal(_FIRST_DAY + self._block(ref.block).values[ref, Relation.BIRTH_DATE])

    def number(self, ref: Ref, relation: Relation) -> int:
        """A year, or a population."""
        drawn = self._block(ref.block).values[ref, relation]
        if relation in (Relation.FOUNDED, Relation.PUBLISHED):
            who = Relation.FOUNDER if relation is Relation.FOUNDED else Relation.AUTHOR
            return self.born(self.link(ref, who)).year + drawn
        return drawn

    def value(self, ref: Ref, relation: Relation) -> str:
        """The value as a page states it."""
        if relation in LINKS:
            return self.names.name(self.link(ref, relation))
        if relation is Relation.BIRTH_DATE:
            born = self.born(ref)
            return f"{born.day} {born:%B} {born.year}"
        if relation is Relation.PROFESSION:
            return PROFESSIONS[self._block(ref.block).values[ref, relation]]
        if relation is Relation.RIVER:
            return self.names.river(ref.block * _RIVERS + self._block(ref.block).values[ref, relation])
        number = self.number(ref, relation)
        return f"{number:,}" if relation is Relation.POPULATION else str(number)

    def _drawn(self, block: int) -> _Block:
        rng = random.Random(f"universe {self.seed} block {block}")
        draw: dict[Relation, Callable[[], int]] = {
            Relation.BIRTH_DATE: lambda: rng.randrange(_DAYS),
            Relation.PROFESSION: lambda: rng.randrange(len(PROFESSIONS)),
            Relation.RIVER: lambda: rng.randrange(_RIVERS),
            Relation.POPULATION: lambda: rng.randrange(300, 90_000),
            Relation.FOUNDED: lambda: rng.randrange(20, 60),
            Relation.PUBLISHED: lambda: rng.randrange(20, 60),
            **{link: partial(rng.randrange, PER_BLOCK[kind]) for link, kind in LINKS.items()},
        }
        return _Block({(ref, r): draw[r]() for ref in block_refs(block) for r in OF_KIND[ref.kind]})
