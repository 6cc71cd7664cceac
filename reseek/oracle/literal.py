"""Oracles that read: does the gold answer, or a gold passage, stand in the observation?

Invariant: scores are exactly 0.0 or 1.0, or None where the question gives this kind of evidence no hold. Pure.
"""

from collections.abc import Sequence

from reseek.oracle.pairs import titles
from reseek.questions.record import Question
from reseek.rewards.answers import cover_match, normalise_answer


def answer_labels(question: Question) -> bool:
    """Whether the gold answer's presence can say anything: not for yes / no, nor for a choice that the question names
    (it stands in any passage on the topic)."""
    golds = {normalise_answer(gold) for gold in question.golden_answers}
    return not golds <= {"yes", "no", ""} and not cover_match(question.question, question.golden_answers)


class LiteralOracle:
    """1.0 iff an alias of the gold answer stands in the observation at token boundaries, both normalised."""

    async def score(self, question: Question, observations: Sequence[str]) -> list[float | None]:
        if not answer_labels(question):
            return [None] * len(observations)
        return [cover_match(text, question.golden_answers) for text in observations]


class SupportingOracle:
    """1.0 iff a supporting passage is in the observation, known by the title in its heading."""

    async def score(self, question: Question, observations: Sequence[str]) -> list[float | None]:
        if not question.supporting_titles:
            return [None] * len(observations)
        wanted = {normalise_answer(title) for title in question.supporting_titles}
        return [float(any(normalise_answer(title) in wanted for title in titles(text))) for text in observations]
