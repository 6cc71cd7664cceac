"""Questions about a split's facts: single-hop and two-hop, with their hops written down.

Invariant: the answer is the value of the last hop; the value of the first of two hops is the entity of the second; each
hop names the passage that states it; no question is asked twice. As names are unique and relations have one value, a
question has one right answer.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fictionalhot.worlds.small.facts import Company, Entity, Facts, Person, Relation, Town, Work, relations_of, value_of
from reseek.errors import InputError
from reseek.questions.record import Hop, Question

_ASKED: dict[Relation, tuple[str, ...]] = {
    Relation.BIRTHPLACE: ("In which town was {entity} born?", "Where was {entity} born?"),
    Relation.BIRTH_YEAR: ("In which year was {entity} born?", "When was {entity} born?"),
    Relation.PROFESSION: ("What was the profession of {entity}?", "What did {entity} work as?"),
    Relation.RIVER: ("On which river does {entity} lie?", "Which river runs through {entity}?"),
    Relation.FOUNDER: ("Who founded {entity}?", "Who was the founder of {entity}?"),
    Relation.FOUNDED: ("In which year was {entity} founded?", "When was {entity} founded?"),
    Relation.BASE: ("In which town is {entity} based?", "Where is {entity} based?"),
    Relation.AUTHOR: ("Who wrote {entity}?", "Who was the author of {entity}?"),
    Relation.PUBLISHED: ("In which year was {entity} published?", "When was {entity} published?"),
}
# How a two-hop question names its bridge.
_DESCRIBED: dict[Relation, str] = {
    Relation.FOUNDER: "the founder of {entity}",
    Relation.AUTHOR: "the author of {entity}",
    Relation.BASE: "the town where {entity} is based",
    Relation.BIRTHPLACE: "the town where {entity} was born",
}
_BRIDGES: tuple[tuple[type[Entity], Relation, type[Entity]], ...] = (
    (Company, Relation.FOUNDER, Person),
    (Work, Relation.AUTHOR, Person),
    (Company, Relation.BASE, Town),
    (Person, Relation.BIRTHPLACE, Town),
)


@dataclass(frozen=True)
class Pattern:
    """A question's form: one relation, or two with the first leading to the second's entity."""

    kind: type[Entity]
    relations: tuple[Relation, ...]


def patterns() -> tuple[Pattern, ...]:
    """Every form, single-hop first."""
    single = [Pattern(kind, (relation,)) for kind in (Person, Town, Company, Work) for relation in relations_of(kind)]
    double = [Pattern(kind, (first, second)) for kind, first, bridge in _BRIDGES for second in relations_of(bridge)]
    return (*single, *double)


def ask(facts: Facts, passage_ids: Mapping[str, str], count: int, rng: random.Random) -> list[Question]:
    """`count` distinct questions, half of them (rounded down) two-hop, in shuffled order with ids `SPLIT-00001`, ...

    `passage_ids` gives each entity's passage. Raises InputError if the facts allow fewer questions.
    """
    entities = {entity.name: entity for entity in facts.entities}
    asked: list[Question] = []
    for hops, wanted in ((1, count - count // 2), (2, count // 2)):
        forms = [pattern for pattern in patterns() if len(pattern.relations) == hops]
        drawn = [pair for _, pair in zip(range(wanted), _draws(forms, facts, rng), strict=False)]
        if len(drawn) < wanted:
            raise InputError(
                f"{facts.split.value}: {wanted} {hops}-hop questions requested, but only {len(drawn)} can be asked"
            )
        asked += [_question(entity, pattern, entities, passage_ids, rng) for pattern, entity in drawn]
    rng.shuffle(asked)
    return [
        question.model_copy(update={"id": f"{facts.split.value}-{number:05d}"})
        for number, question in enumerate(asked, start=1)
    ]


def template_texts() -> tuple[str, ...]:
    """Every wording with its slot: what a tokenizer for the world must know."""
    return (*(text for texts in _ASKED.values() for text in texts), *(f" {text}" for text in _DESCRIBED.values()))


def _draws(forms: list[Pattern], facts: Facts, rng: random.Random) -> Iterator[tuple[Pattern, Entity]]:
    """Form by form in turn, each entity at most once for a form, until nothing is left."""
    queues = []
    for form in forms:
        entities = [entity for entity in facts.entities if isinstance(entity, form.kind)]
        rng.shuffle(entities)
        queues.append((form, entities))
    while any(entities for _, entities in queues):
        for form, entities in queues:
            if entities:
                yield form, entities.pop()


def _question(
    entity: Entity,
    pattern: Pattern,
    entities: Mapping[str, Entity],
    passage_ids: Mapping[str, str],
    rng: random.Random,
) -> Question:
    hops: list[Hop] = []
    named = ""
    for relation in pattern.relations:
        named = _DESCRIBED[pattern.relations[0]].format(entity=hops[0].entity) if hops else entity.name
        at = entities[hops[-1].value] if hops else entity
        value = value_of(at, relation)
        hops.append(Hop(entity=at.name, relation=relation.value, value=value, passage_id=passage_ids[at.name]))
    return Question(
        id="unnumbered",
        question=rng.choice(_ASKED[pattern.relations[-1]]).format(entity=named),
        golden_answers=(hops[-1].value,),
        supporting_titles=tuple(hop.entity for hop in hops),
        hops=tuple(hops),
    )
