"""The corpora and queries: real passages and questions if the development data exist, else generated ones.

Generated text is made of pseudo-words whose frequencies fall as a language's do (Zipf), from a seed: the same size
gives the same bytes. Passages stream to the disk; nothing grows with their number.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SHARED = Path(os.environ.get("RESEEK_SHARED", "../shared")) / "data"
_VOCABULARY = 200_000
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_CHUNK = 10_000
_TITLE_WORDS, _TEXT_WORDS, _QUERY_WORDS = 2, 80, 8


@dataclass(frozen=True, eq=False)
class Material:
    """A corpus file (`id`, `title`, `text` a line) and distinct queries for it."""

    name: str
    corpus: Path
    queries: list[str]


def real() -> Material | None:
    """73,206 Wikipedia passages and the questions collected with them; None if the data are missing."""
    corpus = SHARED / "corpus" / "wiki73k.jsonl.gz"
    if not corpus.is_file():
        return None
    questions: dict[str, None] = {}
    for path in sorted((SHARED / "qa").glob("*.jsonl")):
        questions.update(dict.fromkeys(json.loads(line)["question"] for line in path.open(encoding="utf-8")))
    queries = list(questions)
    np.random.default_rng(0).shuffle(queries)
    return Material("wiki73k", corpus, queries)


def generated(passages: int, cache: Path, queries: int = 30_000) -> Material:
    """A generated corpus of this size, written once."""
    corpus = cache / f"generated-{passages}.jsonl"
    if not corpus.is_file():
        part = corpus.with_suffix(".part")
        with part.open("w", encoding="ascii") as file:
            for number, (title, text) in enumerate(_passages(passages)):
                file.write(json.dumps({"id": f"g{number}", "title": title, "text": text}) + "\n")
        os.replace(part, corpus)
    rng, words = np.random.default_rng(1), _words()
    # Questions are made of rarer words than passages: the commonest hundred represent a language's function words.
    ranks = 100 + rng.permuted(_sample(rng, (2 * queries, _QUERY_WORDS)) % (_VOCABULARY - 100), axis=1)
    asked = dict.fromkeys(" ".join(words[rank] for rank in line) for line in ranks)
    return Material(f"generated {passages:,}", corpus, list(asked)[:queries])


def _passages(number: int) -> Iterator[tuple[str, str]]:
    rng, words = np.random.default_rng(0), _words()
    for start in range(0, number, _CHUNK):
        size = min(_CHUNK, number - start)
        titles = rng.integers(100, _VOCABULARY, (size, _TITLE_WORDS))
        for title, text in zip(titles, _sample(rng, (size, _TEXT_WORDS)), strict=True):
            yield " ".join(words[rank] for rank in title), " ".join(words[rank] for rank in text)


def _sample(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Ranks below _VOCABULARY, the n-th as frequent as 1 / (n + 2.7): Mandelbrot's fit to English."""
    cumulated = np.cumsum(1 / (np.arange(_VOCABULARY) + 2.7))
    return np.searchsorted(cumulated, rng.random(shape) * cumulated[-1])


def _words() -> list[str]:
    """Pseudo-words, one per rank; frequent ones are short."""
    base = len(_SYLLABLES)
    words = []
    for rank in range(_VOCABULARY):
        syllables, rest = [], rank
        while True:
            syllables.append(_SYLLABLES[rest % base])
            rest = rest // base - 1
            if rest < 0:
                break
        words.append("".join(syllables) + "k")  # an ending that the stemmer does not change
    return words
