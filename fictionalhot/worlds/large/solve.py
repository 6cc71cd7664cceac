"""A solver that answers a question's program from written facts alone.

Invariant: it uses the file of facts only, not the generator, so that it is an independent check. It finds
contradictions between facts and all answers of a question.
"""

from collections import defaultdict
from collections.abc import Iterable


class Unsolvable(Exception):
    """A contradiction in the facts, an unknown name, or a question without exactly one answer."""


class Facts:
    """(subject, relation, value) triples, indexed both ways. Holds all of them: for universes that fit in memory."""

    def __init__(self, triples: Iterable[tuple[str, str, str]]) -> None:
        """Raises Unsolvable if a relation has two values for a subject, or a name two owners."""
        self._value: dict[tuple[str, str], str] = {}
        self._subjects: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._owner: dict[str, str] = {}
        for subject, relation, value in triples:
            self._own(subject, subject)
            if relation == "alias":
                self._own(value, subject)
            if self._value.setdefault((subject, relation), value) != value:
                raise Unsolvable(f"{subject}, {relation}: {self._value[subject, relation]} and {value}")
            self._subjects[relation, value].append(subject)

    def of(self, name: str, relation: str) -> str:
        """The value of a relation of the entity with this name."""
        try:
            return self._value[self._owner[name], relation]
        except KeyError:
            raise Unsolvable(f"{name}: no {relation} is known") from None

    def solve(self, form: str, names: list[str], relations: list[str]) -> set[str]:
        """All right answers, as the facts write them."""
        if form.startswith("chain"):
            at = names[0]
            for relation in relations:
                at = self.of(at, relation)
            return {at}
        if form == "comparison":
            values = [_comparable(self.of(name, relations[0])) for name in names]
            if values[0] == values[1]:
                raise Unsolvable(f"{names[0]} and {names[1]} are equal")
            best = min(values) if relations[0] == "birth date" else max(values)
            return {self._owner[names[values.index(best)]]}
        if form == "intersection":
            first, second = (set(self._subjects[r, value]) for r, value in zip(relations, names, strict=True))
            return first & second
        if form == "count":
            return {str(len(self._subjects[relations[0], self._owner[names[0]]]))}
        who, born, when = relations
        birth = self.of(self.of(names[0], who), born)
        return {str(int(self.of(names[0], when)) - int(birth.split()[-1]))}

    def names(self, subject: str) -> set[str]:
        """A subject's name and alias; a plain value itself."""
        alias = self._value.get((subject, "alias"))
        return {subject, alias} if alias else {subject}

    def _own(self, name: str, subject: str) -> None:
        if self._owner.setdefault(name, subject) != subject:
            raise Unsolvable(f"{name}: is the name of {self._owner[name]} and of {subject}")


_MONTHS = "January February March April May June July August September October November December".split()


def _comparable(value: str) -> tuple[int, ...]:
    words = value.replace(",", "").split()
    if len(words) == 3:
        return int(words[2]), _MONTHS.index(words[1]), int(words[0])
    return (int(words[0]),)
