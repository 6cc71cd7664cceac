"""A page for each entity: its facts in sentences, each in one of several forms, in changing order.

Invariant: a page states every fact of its entity and no fact of another one; so each fact is stated once in the
universe.
"""

import random

from corpora.record import Passage
from fictionalhot.worlds.large.facts import OF_KIND, Relation, Universe
from fictionalhot.worlds.large.layout import Kind, Ref

FORMS: dict[Relation, tuple[str, ...]] = {
    Relation.ALIAS: (
        "{name} is also known as {value}.",
        "Many know {name} by the name {value}.",
        "{value} is another name of {name}.",
    ),
    Relation.BIRTHPLACE: (
        "{name} was born in {value}.",
        "The birthplace of {name} is {value}.",
        "{name} came into the world in {value}.",
    ),
    Relation.BIRTH_DATE: (
        "{name} was born on {value}.",
        "The birthday of {name} is {value}.",
        "On {value} {name} was born.",
    ),
    Relation.PROFESSION: (
        "{name} worked as a {value}.",
        "By profession {name} was a {value}.",
        "{name} earned a living as a {value}.",
    ),
    Relation.RIVER: (
        "{name} lies on the river {value}.",
        "The river {value} flows through {name}.",
        "{name} was built on the banks of the river {value}.",
    ),
    Relation.MAYOR: (
        "The mayor of {name} is {value}.",
        "{name} is governed by its mayor, {value}.",
        "{value} was elected mayor of {name}.",
    ),
    Relation.POPULATION: (
        "{name} has {value} inhabitants.",
        "The population of {name} is {value}.",
        "{value} people live in {name}.",
    ),
    Relation.FOUNDER: (
        "{name} was founded by {value}.",
        "The founder of {name} is {value}.",
        "It was {value} who founded {name}.",
    ),
    Relation.FOUNDED: (
        "{name} has existed since {value}.",
        "The founding year of {name} is {value}.",
        "{name} opened its doors in {value}.",
    ),
    Relation.BASE: (
        "{name} is based in {value}.",
        "The head office of {name} stands in {value}.",
        "{name} does its business from {value}.",
    ),
    Relation.AUTHOR: (
        "{name} was written by {value}.",
        "The author of {name} is {value}.",
        "{name} is a book by {value}.",
    ),
    Relation.PUBLISHED: (
        "{name} was published in {value}.",
        "{name} first appeared in {value}.",
        "The first edition of {name} dates from {value}.",
    ),
}
_OPENINGS = {
    Kind.PERSON: ("{name} is remembered to this day.", "Little else is told of {name}.", ""),
    Kind.TOWN: ("{name} is a town.", "{name} is a small town with a market.", ""),
    Kind.COMPANY: ("{name} is a company.", "{name} is a trading company of some size.", ""),
    Kind.WORK: ("{name} is a book.", "{name} is a book that was much read in its day.", ""),
}


def page(universe: Universe, ref: Ref) -> Passage:
    """The entity's page: a pure function of universe and entity."""
    rng = random.Random(f"universe {universe.seed} page {ref.id}")
    name = universe.names.name(ref)
    stated = [(relation, universe.value(ref, relation)) for relation in OF_KIND[ref.kind]]
    if (alias := universe.names.alias(ref)) is not None:
        stated.append((Relation.ALIAS, alias))
    sentences = [rng.choice(FORMS[relation]).format(name=name, value=value) for relation, value in stated]
    rng.shuffle(sentences)
    opening = rng.choice(_OPENINGS[ref.kind]).format(name=name)
    return Passage(id=ref.id, title=name, text=" ".join([opening, *sentences] if opening else sentences))
