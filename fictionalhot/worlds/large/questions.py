"""Questions about a universe, each with the program that answers it.

Invariant: a question has one right answer (its gold answers are names of one thing); its program states it in
relations, and `fictionalhot.worlds.large.solve` runs it on written facts without this module. A question is a function
of its number, so any part of them can be made again.
"""

import random
from collections.abc import Callable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from fictionalhot.worlds.large.facts import LINKS, OF_KIND, Relation, Universe
from fictionalhot.worlds.large.layout import PER_BLOCK, Kind, Ref
from reseek.questions.record import Hop, Question

ASKED: dict[Relation, tuple[str, ...]] = {
    Relation.BIRTHPLACE: ("Where was {of} born?", "What is the birthplace of {of}?"),
    Relation.BIRTH_DATE: ("On which date was {of} born?", "What is the birthday of {of}?"),
    Relation.PROFESSION: ("What was the profession of {of}?", "What did {of} work as?"),
    Relation.RIVER: ("On which river does {of} lie?", "Which river flows through {of}?"),
    Relation.MAYOR: ("Who is the mayor of {of}?", "Who governs {of}?"),
    Relation.POPULATION: ("How many inhabitants does {of} have?", "What is the population of {of}?"),
    Relation.FOUNDER: ("Who founded {of}?", "Who is the founder of {of}?"),
    Relation.FOUNDED: ("In which year was {of} founded?", "Since when has {of} existed?"),
    Relation.BASE: ("Where is {of} based?", "In which town is the head office of {of}?"),
    Relation.AUTHOR: ("Who wrote {of}?", "Who is the author of {of}?"),
    Relation.PUBLISHED: ("In which year was {of} published?", "When did {of} first appear?"),
}
_DESCRIBED: dict[Relation, tuple[str, ...]] = {
    Relation.BIRTHPLACE: ("the town where {of} was born", "the birthplace of {of}"),
    Relation.MAYOR: ("the mayor of {of}",),
    Relation.FOUNDER: ("the founder of {of}", "the person who founded {of}"),
    Relation.BASE: ("the town where {of} is based", "the town with the head office of {of}"),
    Relation.AUTHOR: ("the author of {of}", "the person who wrote {of}"),
}


class Form(StrEnum):
    """The forms of questions."""

    CHAIN_1 = "chain1"
    """One relation of a named entity."""
    CHAIN_2 = "chain2"
    CHAIN_3 = "chain3"
    CHAIN_4 = "chain4"
    """A chain of four relations."""
    COMPARISON = "comparison"
    """Which of two: born earlier, or with more inhabitants."""
    INTERSECTION = "intersection"
    """The one person of a profession who was born in a town."""
    COUNT = "count"
    """How many books somebody wrote, or people of these pages were born in a town."""
    DATE = "date"
    """The number of years between a birth and a book or a company."""


class Program(BaseModel):
    """A question in names and relations."""

    model_config = ConfigDict(frozen=True)

    form: Form
    names: tuple[str, ...]
    """The entities that the question names; for an intersection a town and a profession."""
    relations: tuple[Relation, ...]
    """Along a chain, first to last; otherwise what is compared, intersected, counted or subtracted."""


class Asked(Question):
    """A question with its program."""

    form: Form
    program: Program


def question(universe: Universe, number: int) -> Asked:
    """The question of this number. Forms come in turn."""
    rng = random.Random(f"universe {universe.seed} question {number}")
    form = list(Form)[number % len(Form)]
    while True:  # a draw may not yield a question: two people with the same birthday, no book, ...
        made = _MAKERS[form](universe, form, rng)
        if made is not None:
            text, answers, program, hops = made
            return Asked(
                id=f"{form.value}-{number:07d}",
                question=text[0].upper() + text[1:],
                golden_answers=answers,
                supporting_titles=tuple(dict.fromkeys(hop.entity for hop in hops)),
                hops=tuple(hops),
                form=form,
                program=program,
            )


_Made = tuple[str, tuple[str, ...], Program, list[Hop]]


def _chain(universe: Universe, form: Form, rng: random.Random) -> _Made | None:
    length = int(form.value[-1])
    at = start = _draw(universe, rng, rng.choice(list(Kind)))
    called = text = _called(universe, start, rng)
    relations: list[Relation] = []
    hops: list[Hop] = []
    passed = {start}
    for step in range(length):
        last = step == length - 1
        open_ = [r for r in OF_KIND[at.kind] if last or r in LINKS]
        if not open_:
            return None
        relation = rng.choice(open_)
        relations.append(relation)
        hops.append(_hop(universe, at, relation))
        if last:
            answers = _names_of(universe, universe.link(at, relation)) if relation in LINKS else (hops[-1].value,)
            asked = rng.choice(ASKED[relation]).format(of=text)
            return asked, answers, Program(form=form, names=(called,), relations=tuple(relations)), hops
        at = universe.link(at, relation)
        if at in passed:  # the mayor's birthplace's mayor: a circle has fewer hops than it seems
            return None
        passed.add(at)
        text = rng.choice(_DESCRIBED[relation]).format(of=text)
    return None


def _comparison(universe: Universe, form: Form, rng: random.Random) -> _Made | None:
    relation = rng.choice((Relation.BIRTH_DATE, Relation.POPULATION))
    kind = Kind.PERSON if relation is Relation.BIRTH_DATE else Kind.TOWN
    one, other = _draw(universe, rng, kind), _draw(universe, rng, kind)
    if relation is Relation.BIRTH_DATE:
        values = [universe.born(one).toordinal(), universe.born(other).toordinal()]
        wins, text = values[0] < values[1], "Who was born earlier, {0} or {1}?"
    else:
        values = [universe.number(one, relation), universe.number(other, relation)]
        wins, text = values[0] > values[1], "Which town has more inhabitants, {0} or {1}?"
    if values[0] == values[1]:
        return None
    names = (_called(universe, one, rng), _called(universe, other, rng))
    answer = one if wins else other
    program = Program(form=form, names=names, relations=(relation,))
    hops = [_hop(universe, one, relation), _hop(universe, other, relation)]
    return text.format(*names), _names_of(universe, answer), program, hops


def _intersection(universe: Universe, form: Form, rng: random.Random) -> _Made | None:
    person = _draw(universe, rng, Kind.PERSON)
    town, profession = universe.link(person, Relation.BIRTHPLACE), universe.value(person, Relation.PROFESSION)
    same = [
        other
        for other in universe.linking(town, Relation.BIRTHPLACE, Kind.PERSON)
        if universe.value(other, Relation.PROFESSION) == profession
    ]
    if len(same) != 1:
        return None
    name = universe.names.name(town)
    text = rng.choice(("Which {0} was born in {1}?", "Who worked as a {0} and was born in {1}?"))
    relations = (Relation.BIRTHPLACE, Relation.PROFESSION)
    hops = [_hop(universe, person, relation) for relation in relations]
    program = Program(form=form, names=(name, profession), relations=relations)
    return text.format(profession, name), _names_of(universe, person), program, hops


def _count(universe: Universe, form: Form, rng: random.Random) -> _Made | None:
    relation, kind, of, text = rng.choice(
        (
            (Relation.AUTHOR, Kind.WORK, Kind.PERSON, "How many books did {0} write?"),
            (Relation.BIRTHPLACE, Kind.PERSON, Kind.TOWN, "How many people of these pages were born in {0}?"),
        )
    )
    ref = _draw(universe, rng, of)
    linking = universe.linking(ref, relation, kind)
    if not linking:
        return None
    name = _called(universe, ref, rng)
    hops = [_hop(universe, one, relation) for one in linking]
    return text.format(name), (str(len(linking)),), Program(form=form, names=(name,), relations=(relation,)), hops


def _years(universe: Universe, form: Form, rng: random.Random) -> _Made | None:
    kind, who, when, text = rng.choice(_SINCE_BIRTH)
    ref = _draw(universe, rng, kind)
    person = universe.link(ref, who)
    name = universe.names.name(ref)
    hops = [_hop(universe, ref, who), _hop(universe, ref, when), _hop(universe, person, Relation.BIRTH_DATE)]
    answer = str(universe.number(ref, when) - universe.born(person).year)
    program = Program(form=form, names=(name,), relations=(who, Relation.BIRTH_DATE, when))
    return text.format(name), (answer,), program, hops


_SINCE_BIRTH = (
    (
        Kind.WORK,
        Relation.AUTHOR,
        Relation.PUBLISHED,
        "How many years after the birth year of its author was {0} published?",
    ),
    (
        Kind.COMPANY,
        Relation.FOUNDER,
        Relation.FOUNDED,
        "How many years after the birth year of its founder was {0} founded?",
    ),
)
_MAKERS: dict[Form, Callable[[Universe, Form, random.Random], _Made | None]] = {
    Form.CHAIN_1: _chain,
    Form.CHAIN_2: _chain,
    Form.CHAIN_3: _chain,
    Form.CHAIN_4: _chain,
    Form.COMPARISON: _comparison,
    Form.INTERSECTION: _intersection,
    Form.COUNT: _count,
    Form.DATE: _years,
}


def _draw(universe: Universe, rng: random.Random, kind: Kind) -> Ref:
    return Ref(kind, rng.randrange(universe.blocks), rng.randrange(PER_BLOCK[kind]))


def _names_of(universe: Universe, ref: Ref) -> tuple[str, ...]:
    alias = universe.names.alias(ref)
    return (universe.names.name(ref), alias) if alias is not None else (universe.names.name(ref),)


def _called(universe: Universe, ref: Ref, rng: random.Random) -> str:
    """One of its names."""
    return rng.choice(_names_of(universe, ref))


def _hop(universe: Universe, ref: Ref, relation: Relation) -> Hop:
    value = universe.value(ref, relation)
    return Hop(entity=universe.names.name(ref), relation=relation.value, value=value, passage_id=ref.id)
