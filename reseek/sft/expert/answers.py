"""What is said of a passage: the gold answer as the passage writes it, and the stretch of text around it. Pure."""

import re
from collections.abc import Sequence

from reseek.rewards.answers import normalise_answer

_WORD = re.compile(r"\S+")
_EDGES = " ,.;:!?()[]{}\"'“”‘’«»"
_VANISHING_WORDS = 3
"""Articles and lone signs inside a passage's answer, which normalisation removes."""


def as_written(text: str, golden_answers: Sequence[str]) -> str | None:
    """The first gold answer that the text holds, as the text writes it; None where it holds none.

    What is returned matches that gold answer exactly, both normalised.
    """
    words = [(match.start(), match.end()) for match in _WORD.finditer(text)]
    normal = [normalise_answer(text[start:end]) for start, end in words]
    for gold in golden_answers:
        wanted = normalise_answer(gold)
        if not wanted:
            continue
        for first, found in enumerate(normal):
            if not found or not wanted.startswith(found):
                continue
            most = len(wanted.split()) + _VANISHING_WORDS
            for last in range(first, min(first + most, len(words))):
                piece = text[words[first][0] : words[last][1]]
                if normalise_answer(piece) == wanted:
                    bare = piece.strip(_EDGES)
                    return bare if normalise_answer(bare) == wanted else piece
    return None


def around(text: str, piece: str, words: int) -> str:
    """The piece with its neighbours in the text, about `words` words in all; "" where the text lacks it."""
    place = text.find(piece)
    if place < 0:
        return ""
    before = text[:place].replace("\n", " ").rpartition(". ")[2].split()
    behind = re.split(r"\.\s", text[place + len(piece) :], maxsplit=1)[0].split()
    left = max(0, words - len(piece.split()))
    kept = before[-(left // 2) :] if left // 2 else []
    return " ".join([*kept, *piece.split(), *behind[: left - len(kept)]])
