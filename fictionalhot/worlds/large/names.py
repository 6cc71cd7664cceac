"""An entity's name from its number: unique, with many that differ by one syllable.

Invariant: no two entities share a name or alias, whatever their kinds: each kind writes its names in a form of its own,
and within a kind numbers are spread over the possible names by a permutation. A quarter of all people come in pairs
whose names differ in one syllable.
"""

from fictionalhot.worlds.large.layout import PER_BLOCK, Kind, Permutation, Ref
from fictionalhot.worlds.small.names import SYLLABLES

_COUNT = len(SYLLABLES)
_WORDS = _COUNT**2
_PAIRED = 12  # the number of a block's people with paired names
_PAIR_FIRSTS = 20  # first syllables of those; other people have the others
TOWN_ENDINGS = ("burg", "wick", "stead", "ford", "haven", "mere", "holt", "dale", "gate", "bridge")
TOWN_PREFIXES = ("", "Old ", "New ", "Upper ", "Lower ", "Port ")
WORK_NOUNS = "Garden Mirror Song Winter Letters Voyage Orchard Lantern Silence Harvest Bridge Shadow".split()


class Names:
    """The names of one universe."""

    def __init__(self, seed: int) -> None:
        def spread(size: int, what: str) -> Permutation:
            return Permutation(size, f"universe names {seed} {what}")

        self._pairs = spread(_PAIR_FIRSTS * (_COUNT // 2) * _WORDS, "pairs")
        self._people = spread((_COUNT - _PAIR_FIRSTS) * _COUNT * _WORDS, "people")
        self._aliases = spread(_COUNT**3, "aliases")
        self._towns = spread(_WORDS * len(TOWN_ENDINGS) * len(TOWN_PREFIXES), "towns")
        self._companies = spread(_WORDS**2, "companies")
        self._works = spread(_COUNT**3 * len(WORK_NOUNS), "works")
        self._rivers = spread(_COUNT**3, "rivers")

    def name(self, ref: Ref) -> str:
        """The entity's name."""
        if ref.kind is Kind.PERSON:
            return self._person(ref)
        if ref.kind is Kind.TOWN:
            rest, prefix = divmod(self._towns(ref.number), len(TOWN_PREFIXES))
            word, ending = divmod(rest, len(TOWN_ENDINGS))
            return TOWN_PREFIXES[prefix] + (_letters(word, 2) + TOWN_ENDINGS[ending]).capitalize()
        if ref.kind is Kind.COMPANY:
            first, second = divmod(self._companies(ref.number), _WORDS)
            return f"{_word(first, 2)} & {_word(second, 2)}"
        word, noun = divmod(self._works(ref.number), len(WORK_NOUNS))
        return f"The {WORK_NOUNS[noun]} of {_word(word, 3)}"

    def alias(self, ref: Ref) -> str | None:
        """The other name of every third person; None for all others."""
        if ref.kind is not Kind.PERSON or ref.place % 3:
            return None
        return _word(self._aliases(ref.number), 3)

    def river(self, number: int) -> str:
        """The name of the universe's river of this number."""
        return _word(self._rivers(number), 3) + "a"

    def _person(self, ref: Ref) -> str:
        if ref.place < _PAIRED:
            pair = self._pairs((ref.block * _PAIRED + ref.place) // 2)
            rest, first = divmod(pair, _PAIR_FIRSTS)
            last, second = divmod(rest, _COUNT // 2)
            second = 2 * second + ref.place % 2
        else:
            others = PER_BLOCK[Kind.PERSON] - _PAIRED
            rest, first = divmod(self._people(ref.block * others + ref.place - _PAIRED), _COUNT - _PAIR_FIRSTS)
            first += _PAIR_FIRSTS
            last, second = divmod(rest, _COUNT)
        return f"{_word(first * _COUNT + second, 2)} {_word(last, 2)}"


def _letters(number: int, syllables: int) -> str:
    parts = []
    for _ in range(syllables):
        number, syllable = divmod(number, _COUNT)
        parts.append(SYLLABLES[syllable])
    return "".join(reversed(parts))


def _word(number: int, syllables: int) -> str:
    return _letters(number, syllables).capitalize()
