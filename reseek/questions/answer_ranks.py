"""Ranks at which retrieved passages hold a question's answer: what every recall@k counts."""

from collections.abc import Callable, Sequence

from corpora.record import Hit, Passage
from reseek.questions.record import Question
from reseek.rewards.answers import cover_match


def text_of(passage: Passage | Hit) -> str:
    """The part of a passage that may hold the answer: title and text, both of which the policy sees."""
    return f"{passage.title}\n{passage.text}"


def rank_of_answer(question: Question, hits: Sequence[Hit]) -> int | None:
    """The rank (1 is best) of the first hit that holds a gold answer; None if none does."""
    return first_rank(hits, lambda hit: cover_match(text_of(hit), question.golden_answers) > 0)


def first_rank(hits: Sequence[Hit], holds: Callable[[Hit], bool]) -> int | None:
    """The rank of the first hit for which `holds` is true."""
    return next((rank for rank, hit in enumerate(hits, start=1) if holds(hit)), None)


def within(rank: int | None, k: int) -> bool:
    """Whether a rank is at most k."""
    return rank is not None and rank <= k
