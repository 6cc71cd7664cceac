"""Queries that can be made of a question: good ones, best first, and poor ones.

Invariant: a query is made of the question's words and of titles that it names in part or that a passage has shown,
never of the answer. Pure.
"""

import re

from reseek.questions.record import Question
from reseek.rewards.answers import normalise_answer

_WORD = re.compile(r"\w[\w'’.\-]*", re.UNICODE)
_QUOTED = re.compile(r'["“]([^"”]{2,60})["”]')
_POSSESSIVE = re.compile(r"['’]s\b")
_JOINING = frozenset("of the and in de von van la le du".split())
_COMMON = frozenset(
    """a about also an and another are as at be been between both by called did do does during first for from had
    has have he her his how i in into is it its know known last many more most much name named not of on one or same she
    than that the their there these they this those to was we were what when where which who whom whose why with year
    you""".split()
)
_NAMED_ENOUGH = 0.5
"""The share of a title's words that the question must hold, for the title to be named in part."""


def good_queries(question: Question, bridges: tuple[str, ...] = ()) -> list[str]:
    """Queries in the order in which they are tried, each once: the question, titles that a passage has shown
    (`bridges`), all names, content words, single names, supporting titles that the question names in part."""
    text = _spaced(question.question)
    names = names_in(text)
    together = [" ".join(names)] if len(names) > 1 else []
    named = [
        without_brackets(title)
        for title in question.supporting_titles
        if _share_of_words(without_brackets(title), text) >= _NAMED_ENOUGH
    ]
    return _distinct([text, *bridges, *together, content_words(text), *names, *named])


def poor_queries(question: Question) -> list[str]:
    """Queries that ask too little: single words of the question, the names' last words first."""
    text = _spaced(question.question)
    lasts = [name.split()[-1] for name in names_in(text) if " " in name]
    return _distinct([*lasts, *content_words(text).split()])


def bridges_in(shown: str, question: Question) -> tuple[str, ...]:
    """The supporting titles that a passage's text names and the question doesn't."""
    words, asked = (f" {normalise_answer(_POSSESSIVE.sub('', text))} " for text in (shown, question.question))
    found = []
    for title in map(without_brackets, question.supporting_titles):
        normal = normalise_answer(_POSSESSIVE.sub("", title))
        if len(normal) > 2 and f" {normal} " in words and f" {normal} " not in asked:
            found.append(title)
    return tuple(found)


def names_in(text: str) -> list[str]:
    """Quoted stretches and runs of capitalised words or years, each once; a question's first word alone is no name."""
    found = _QUOTED.findall(text)
    run: list[str] = []
    for place, match in enumerate([*_WORD.finditer(text), None]):
        word = match.group().rstrip(".'’-") if match else ""
        word = word[:-2] if word.endswith(("'s", "’s")) else word
        if word and (word[0].isupper() or (word.isdigit() and len(word) == 4)):
            if place > 0 or word.lower() not in _COMMON:
                run.append(word)
        elif run and word.lower() in _JOINING:
            run.append(word)
        else:
            while run and run[-1] in _JOINING:
                run.pop()
            found.append(" ".join(run))
            run = []
    return _distinct([name for name in found if len(name) > 2])


def content_words(text: str) -> str:
    """The words of a text that are not among the commonest, in their order."""
    words = (match.group().rstrip(".'’-") for match in _WORD.finditer(text))
    return " ".join(word for word in words if word.lower() not in _COMMON)


def without_brackets(title: str) -> str:
    """A title without what tells it from its namesakes: "Jaws (film)" as "Jaws"."""
    return re.sub(r"\s*\([^()]*\)$", "", title).strip() or title


def _share_of_words(title: str, text: str) -> float:
    words = set(normalise_answer(title).split())
    return len(words & set(normalise_answer(text).split())) / len(words) if words else 0.0


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _distinct(queries: list[str]) -> list[str]:
    return [query for query in dict.fromkeys(map(_spaced, queries)) if query]
