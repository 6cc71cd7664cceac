"""An exact scan of a corpus for the answers of questions, in one pass over all texts.

Invariant: after every text was scanned, a question is `found` iff `reward.cover_match` of one of its golden answers is
1 for one of the texts: the text contains an alias at token boundaries, both normalised. Whole words are matched, by
each alias's first word, and a found question is not sought any more. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from reseek.rewards.answers import normalise_answer


class Sought:
    """Aliases of numbered questions, sought in one text after another."""

    def __init__(self, questions: Iterable[tuple[int, Sequence[str]]]) -> None:
        """Each question's number and golden answers. One whose answers are all punctuation or articles is never
        found."""
        self.left: set[int] = set()
        self._by_first: defaultdict[str, dict[tuple[str, ...], set[int]]] = defaultdict(dict)
        self._aliases: dict[int, set[tuple[str, ...]]] = {}
        for number, golden_answers in questions:
            self.left.add(number)
            self._aliases[number] = {
                words for gold in golden_answers if (words := tuple(normalise_answer(gold).split()))
            }
            for words in self._aliases[number]:
                self._by_first[words[0]].setdefault(words, set()).add(number)

    def look(self, text: str) -> None:
        """Remove the questions that this text answers."""
        words = normalise_answer(text).split()
        found = {
            number
            for place, word in enumerate(words)
            if word in self._by_first
            for alias, numbers in self._by_first[word].items()
            if tuple(words[place : place + len(alias)]) == alias
            for number in numbers
        }
        for number in found:
            self._strike(number)

    def _strike(self, number: int) -> None:
        self.left.discard(number)
        for alias in self._aliases.pop(number):
            others = self._by_first[alias[0]]
            others[alias].discard(number)
            if not others[alias]:
                del others[alias]
            if not others:
                del self._by_first[alias[0]]
