"""The inputs of a scoring model: pairs of a query (gold answer, with or without the question) and a text.

Invariant: every word of the text to be scored (the whole observation, or each of its passages) is in at least one pair
of each query; nothing is truncated. Pure: a tokenizer is only used for the positions of tokens.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from reseek.agent.observation import Observation
from reseek.config.oracle import PairForm, Unit
from reseek.questions.record import Question

Spans = Callable[[str], Sequence[tuple[int, int]]]
"""Where each token of a text begins and ends, in characters; special tokens left out."""


class Pair(NamedTuple):
    """The input of one score."""

    query: str
    text: str


def passages_of(observation: Observation) -> list[str]:
    """Title and text of each passage that the observation shows, without its rank: the same passage gives the same text
    at every rank. An observation without hits ("No passage was found.") is one passage."""
    if not observation.hits:
        return [observation.text]
    return [passage(hit.title, hit.text.strip()) for hit in observation.hits]


def passage(title: str, text: str) -> str:
    """A passage in the form in which models read it."""
    return f"{title}\n{text}"


def query(form: PairForm, question: str, answer: str) -> str:
    """The other side of a pair."""
    return answer if form is PairForm.ANSWER else f"{question} {answer}"


def queries(form: PairForm, question: Question) -> list[str]:
    """One query per distinct alias of the gold answer."""
    return list(dict.fromkeys(query(form, question.question, answer) for answer in question.golden_answers))


def texts(unit: Unit, observation: Observation) -> list[str]:
    """The texts of an observation to score, without repetition, before they are cut into windows."""
    return [observation.text] if unit is Unit.WHOLE else list(dict.fromkeys(passages_of(observation)))


def windows(text: str, size: int, overlap: int, spans: Spans) -> list[str]:
    """The text itself if it has at most `size` tokens, else pieces of at most `size` that together hold every token;
    neighbours share `overlap` tokens, so that a word cut at the end of one is whole in the next.

    The tokens of a piece are counted again: cutting inside a word can make more tokens of it.
    """
    if size < 1 or overlap >= size:
        raise ValueError(f"size = {size}, overlap = {overlap}: overlap must be smaller than size")
    found = spans(text)
    if len(found) <= size:
        return [text]
    pieces = []
    for first in range(0, len(found) - overlap, size - overlap):
        last = min(first + size, len(found)) - 1
        piece = text[found[first][0] : found[last][1]]
        # A shorter piece than the text, so this ends. One character of many tokens can't be cut any further.
        pieces += windows(piece, size, overlap, spans) if len(piece) < len(text) else [piece]
    return pieces


def characters_as_tokens(text: str) -> list[tuple[int, int]]:
    """Spans without a tokenizer: two characters a token. English has about four, so this errs on the safe side."""
    return [(start, min(start + 2, len(text))) for start in range(0, len(text), 2)]
