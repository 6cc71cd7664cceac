"""The facts of one split of a world: people, towns, companies and works with their relations.

Invariant: every value that is an entity's name names an entity of the same split; each entity has exactly one value
for each relation of its kind; no two entities have the same name. Names share their parts (first names, last names,
town names behind Old / New, ...), so a query by a part finds the wrong namesake.
"""

import random
from dataclasses import dataclass, fields
from enum import Enum

from fictionalhot.worlds.small.names import Namer, Split
from reseek.errors import InputError

FIRST_YEAR, LAST_YEAR = 1800, 1999
PROFESSIONS = (
    "painter baker sailor doctor lawyer weaver miner composer teacher botanist tailor gardener farmer printer dancer"
    " chemist"
).split()
TOWN_PREFIXES = ("Old", "New", "Upper", "Lower", "Port")
COMPANY_SUFFIXES = ("Mills", "Lines", "Works", "Bank", "Brothers")
WORK_SUFFIXES = ("Garden", "Mirror", "Song", "Winter", "Letters")


class Relation(Enum):
    """The relations of facts. The enum's value is the relation's name in a question's hops."""

    BIRTHPLACE = "birthplace"
    """person -> town"""
    BIRTH_YEAR = "birth year"
    """person -> year"""
    PROFESSION = "profession"
    """person -> profession"""
    RIVER = "river"
    """town -> river"""
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


@dataclass(frozen=True)
class Person:
    name: str
    birthplace: str
    birth_year: str
    profession: str


@dataclass(frozen=True)
class Town:
    name: str
    river: str


@dataclass(frozen=True)
class Company:
    name: str
    founder: str
    founded: str
    base: str


@dataclass(frozen=True)
class Work:
    name: str
    author: str
    published: str


Entity = Person | Town | Company | Work


def value_of(entity: Entity, relation: Relation) -> str:
    """The entity's value for a relation of its kind."""
    return getattr(entity, relation.name.lower())


def relations_of(kind: type[Entity]) -> tuple[Relation, ...]:
    """The relations that every entity of a kind has, in the order of its fields."""
    return tuple(Relation[field.name.upper()] for field in fields(kind) if field.name != "name")


@dataclass(frozen=True)
class Sizes:
    """The numbers of entities by kind, and of questions, of a split."""

    people: int
    towns: int
    companies: int
    works: int
    questions: int

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 2:
                raise InputError(f"{field.name}: {getattr(self, field.name)} is too small; a world needs at least 2")


@dataclass(frozen=True)
class Facts:
    """One split's entities, in order of creation."""

    split: Split
    people: tuple[Person, ...]
    towns: tuple[Town, ...]
    companies: tuple[Company, ...]
    works: tuple[Work, ...]

    @property
    def entities(self) -> tuple[Entity, ...]:
        return (*self.people, *self.towns, *self.companies, *self.works)


def make_facts(split: Split, sizes: Sizes, rng: random.Random) -> Facts:
    """A split's facts. Raises InputError if the split has too few names for the sizes."""
    namer = Namer(split, rng)
    needed = _word_counts(sizes)
    if sum(needed) > namer.left:
        raise InputError(f"{split.value}: these sizes need {sum(needed)} made-up words, the split has {namer.left}")
    firsts, lasts, places, firms, subjects, rivers = (namer.words(count) for count in needed)

    people = _pairs(firsts, lasts, sizes.people, rng)
    towns = _pairs(TOWN_PREFIXES, places, sizes.towns, rng)
    companies = _pairs(firms, COMPANY_SUFFIXES, sizes.companies, rng)
    works = _pairs(subjects, WORK_SUFFIXES, sizes.works, rng)

    def year() -> str:
        return str(rng.randint(FIRST_YEAR, LAST_YEAR))

    return Facts(
        split,
        tuple(Person(name, rng.choice(towns), year(), rng.choice(PROFESSIONS)) for name in people),
        tuple(Town(name, rng.choice(rivers)) for name in towns),
        tuple(Company(name, rng.choice(people), year(), rng.choice(towns)) for name in companies),
        tuple(Work(name, rng.choice(people), year()) for name in works),
    )


def _word_counts(sizes: Sizes) -> tuple[int, ...]:
    """Words for first names, last names, towns, companies, works, rivers: few enough that each is shared."""
    return (
        sizes.people // 4 + 2,
        sizes.people // 5 + 2,
        sizes.towns // 3 + 2,
        sizes.companies // 3 + 2,
        sizes.works // 3 + 2,
        sizes.towns // 2 + 2,
    )


def _pairs(left: list[str] | tuple[str, ...], right: list[str] | tuple[str, ...], count: int, rng) -> list[str]:
    """`count` distinct names of two words."""
    every = [f"{a} {b}" for a in left for b in right]
    if count > len(every):
        raise InputError(f"{count} names are needed but only {len(every)} can be made")
    return rng.sample(every, count)
