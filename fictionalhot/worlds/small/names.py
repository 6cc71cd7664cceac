"""Made-up words from a fixed inventory of syllables.

Invariant: every syllable has exactly three letters (consonant, vowel, consonant), so a word splits into syllables in
one way only; and a word belongs to one split, decided by its hash alone, so the names of two splits are disjoint
for any seeds.
"""

import random
import zlib
from enum import Enum

_ONSETS = "bdfghklmnprstvz"
_VOWELS = "aeiou"
_CODAS = "nlrmkt"
_SYLLABLE_COUNT = 100
SYLLABLE_LENGTH = 3
# Three-letter words that would distract a reader or trigger a filter.
_UNWANTED = frozenset("fat gun hit nut put rat sin tit sun man men not but hen fuk kok dik kum suk kak lul".split())


class Split(Enum):
    """The parts of a world, with disjoint names."""

    TRAIN = "train"
    """Used for training. Six of ten words."""
    VALIDATION = "validation"
    """Used during development. Two of ten words."""
    TEST = "test"
    """Used for reported results. Two of ten words."""


def _inventory() -> tuple[str, ...]:
    every = [o + v + c for o in _ONSETS for v in _VOWELS for c in _CODAS]
    wanted = [syllable for syllable in every if syllable not in _UNWANTED]
    return tuple(sorted(random.Random("fictionalhot syllables 1").sample(wanted, _SYLLABLE_COUNT)))


SYLLABLES = _inventory()


def split_of(word: str) -> Split:
    """The split that owns this word."""
    bucket = zlib.crc32(word.lower().encode()) % 10
    if bucket < 6:
        return Split.TRAIN
    return Split.VALIDATION if bucket < 8 else Split.TEST


def syllables_of(word: str) -> tuple[str, ...]:
    """The only way to split a made-up word. Raises ValueError for a word that is not made of our syllables."""
    lower = word.lower()
    parts = tuple(lower[i : i + SYLLABLE_LENGTH] for i in range(0, len(lower), SYLLABLE_LENGTH))
    if not parts or any(part not in SYLLABLES for part in parts):
        raise ValueError(f"{word!r} is not made of the inventory's syllables")
    return parts


class Namer:
    """Gives out distinct two-syllable words of one split."""

    def __init__(self, split: Split, rng: random.Random) -> None:
        words = ((a + b).capitalize() for a in SYLLABLES for b in SYLLABLES if a != b)
        self._left = [word for word in words if split_of(word) is split]
        rng.shuffle(self._left)

    @property
    def left(self) -> int:
        return len(self._left)

    def words(self, count: int) -> list[str]:
        """`count` words that no earlier call returned."""
        if count > len(self._left):
            raise ValueError(f"{count} words are needed, but only {len(self._left)} are left")
        given, self._left = self._left[:count], self._left[count:]
        return given
