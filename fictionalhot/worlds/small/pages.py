"""A passage for each entity, like an encyclopedia's: its facts in one of several phrasings, among other names.

Invariant: a passage states every fact of its entity, names the entity at least once in its text, and states nothing
about another entity that contradicts that entity's own passage. Other names appear only in roles that no question asks
about (friend, director, mayor, ...): they are distractors.
"""

import random

from fictionalhot.worlds.small.facts import Company, Entity, Facts, Person, Town, Work

FEATURES = "bridge market castle library harbour mill cathedral theatre".split()
INDUSTRIES = "shipping textile brewing mining paper glass railway furniture".split()
GENRES = "novel play poem memoir comedy ballad".split()

_PERSON = (
    "{name} was a {profession}, born in {birthplace} in {birth_year}. {pronoun} was a friend of {other}.",
    "{name}, born in {birth_year} in {birthplace}, worked as a {profession}. {pronoun} studied with {other}.",
    "{name} was born in {birthplace} in {birth_year}. {pronoun} became a {profession} and travelled to {place}.",
)
_TOWN = (
    "{name} is a town on the river {river}. It is known for its {feature}, built by {other}.",
    "{name} is a small town with a {feature}. The river {river} runs through it. Its mayor was {other}.",
    "The town of {name} lies on the river {river}. The road to {place} crosses its {feature}.",
)
_COMPANY = (
    "{name} is a {industry} company founded by {founder} in {founded}. It is based in {base}."
    " Its director was {other}.",
    "{name}, a {industry} company based in {base}, was founded in {founded} by {founder}. It has a mill in {place}.",
    "The {industry} company {name} was founded by {founder} in {founded}. It is based in {base} and supplied {other}.",
)
_WORK = (
    "{name} is a {genre} written by {author} and published in {published}. It tells the story of {other}.",
    "{name}, a {genre} published in {published}, was written by {author}. It is set in {place}.",
    "The {genre} {name} was written by {author}. It was published in {published} and edited by {other}.",
)
_PHRASINGS: dict[type[Entity], tuple[str, ...]] = {Person: _PERSON, Town: _TOWN, Company: _COMPANY, Work: _WORK}


def render(entity: Entity, facts: Facts, rng: random.Random) -> str:
    """The entity's passage. The other names are taken from `facts`."""
    own = vars(entity)
    return rng.choice(_PHRASINGS[type(entity)]).format(
        **own,
        other=_another([person.name for person in facts.people], own, rng),
        place=_another([town.name for town in facts.towns], own, rng),
        pronoun=rng.choice(("He", "She")),
        feature=rng.choice(FEATURES),
        industry=rng.choice(INDUSTRIES),
        genre=rng.choice(GENRES),
    )


def template_texts() -> tuple[str, ...]:
    """Every phrasing with its slots, and the words that fill the fixed ones: what a tokenizer must know."""
    phrasings = tuple(text for texts in _PHRASINGS.values() for text in texts)
    return (*phrasings, " He", " She", *(f" {word}" for word in (*FEATURES, *INDUSTRIES, *GENRES)))


def _another(names: list[str], own: dict[str, str], rng: random.Random) -> str:
    """A name that is neither the entity's nor one of its values."""
    while True:
        name = rng.choice(names)
        if name not in own.values():
            return name
