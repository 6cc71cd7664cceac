"""What a scoring model is shown: pairs of a query (gold answer, with or without the question) and a text.

Invariant: every character of an observation that holds a word stands in at least one pair of each query; nothing is cut
off. Pure: a tokenizer is only asked where tokens begin and end. Knows nothing of models, scores or thresholds.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from reseek.config.oracle import PairForm, Unit
from reseek.questions.record import Question

# How `prompts.passages` heads a passage: the title, not a mention in running text.
_HEADING = re.compile(r'^Doc \d+\(Title: "(.*?)"\) ', re.MULTILINE)

Spans = Callable[[str], Sequence[tuple[int, int]]]
"""Where each token of a text begins and ends, in characters; special tokens left out."""


class Pair(NamedTuple):
    """What one forward pass scores."""

    query: str
    text: str


def titles(observation: str) -> list[str]:
    """The titles of an observation's passages, best hit first."""
    return _HEADING.findall(observation)


def passages_of(observation: str) -> list[str]:
    """Title and text of each passage of an observation, without its rank: the same passage gives the same text wherever
    it stands. A text without a heading ("No passage was found.") is one passage."""
    headings = list(_HEADING.finditer(observation))
    if not headings:
        return [observation]
    ends = [heading.start() for heading in headings[1:]] + [len(observation)]
    found = [passage(h[1], observation[h.end() : end].strip()) for h, end in zip(headings, ends, strict=True)]
    lead = observation[: headings[0].start()].strip()
    return [lead, *found] if lead else found


def passage(title: str, text: str) -> str:
    """A passage as models are shown it."""
    return f"{title}\n{text}"


def query(form: PairForm, question: str, answer: str) -> str:
    """The other side of a pair."""
    return answer if form is PairForm.ANSWER else f"{question} {answer}"


def queries(form: PairForm, question: Question) -> list[str]:
    """One query per distinct alias of the gold answer."""
    return list(dict.fromkeys(query(form, question.question, answer) for answer in question.golden_answers))


def texts(unit: Unit, observation: str) -> list[str]:
    """What is scored of an observation, without repetition; windows come later."""
    return [observation] if unit is Unit.WHOLE else list(dict.fromkeys(passages_of(observation)))


def windows(text: str, size: int, overlap: int, spans: Spans) -> list[str]:
    """The text itself if it has at most `size` tokens, else pieces of at most `size` that together hold every token;
    neighbours share `overlap` tokens, so that a word cut at the end of one stands whole in the next.

    A piece is counted anew: cutting inside a word can make more tokens of it.
    """
    if size < 1 or overlap >= size:
        raise ValueError(f"size = {size}, overlap = {overlap}: windows would not move on")
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
