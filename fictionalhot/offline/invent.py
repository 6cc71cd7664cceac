"""New words for old names, with a sound by kind.

Invariant: a word is given out once, and only if `taken` says that it is not in use.
"""

import random
from collections.abc import Callable, Collection

from fictionalhot.items.records import Kind
from fictionalhot.worlds.small.names import SYLLABLES

_ENDINGS: dict[Kind, tuple[str, ...]] = {
    Kind.PERSON: ("", "an", "el", "is", "or", "ric", "wen", "eth", "mund"),
    Kind.PLACE: ("burg", "wick", "mere", "holt", "stead", "ford", "dale", "haven"),
    Kind.ORGANISATION: ("ex", "on", "ia", "um", "co", "is"),
    Kind.WORK: ("e", "ine", "ara", "is", "ow", "une"),
    Kind.NATION: ("ia", "land", "ovia", "ara"),
    Kind.OTHER: ("", "en", "ium", "ane", "ost"),
}
_LETTERS = "BDFGHKLMNPRSTVZ"


class Inventor:
    """A source of unused words."""

    def __init__(self, rng: random.Random, taken: Callable[[str], bool]) -> None:
        self._rng, self._taken = rng, taken
        self._given: set[str] = set()

    def word(self, kind: Kind) -> str:
        """A capitalised word with the sound of its kind."""
        endings = _ENDINGS.get(kind, _ENDINGS[Kind.OTHER])
        return self._fresh(
            lambda tries: ("".join(self._rng.sample(SYLLABLES, 2)) + self._rng.choice(endings)).capitalize()
        )

    def acronym(self, length: int) -> str:
        """Capital letters; one letter longer if those of that length are all in use."""
        return self._fresh(lambda tries: "".join(self._rng.choices(_LETTERS, k=length + tries // 50)))

    def number(self, like: int, others: Collection[int]) -> int | None:
        """Another number of about the same size, equally round, with the same rank among `others`; None if there is
        none."""
        zeros = len(str(like)) - len(str(like).rstrip("0"))
        step = 10 ** min(zeros, max(0, len(str(like)) - 2))  # 4,000 may become 3,700
        below = max((other for other in others if other < like), default=0)
        above = min((other for other in others if other > like), default=10 * like)
        free = [
            n for n in range(like - like // 5 // step * step, like + like // 5, step) if below < n < above and n != like
        ]
        return self._rng.choice(free) if free else None

    def claim(self, word: str) -> bool:
        """Reserve a word that the caller made; False if it is in use."""
        if word.lower() in self._given or self._taken(word):
            return False
        self._given.add(word.lower())
        return True

    def _fresh(self, make: Callable[[int], str]) -> str:
        for tries in range(10_000):
            word = make(tries)
            if self.claim(word):
                return word
        raise RuntimeError("no free word was found in 10,000 tries")
