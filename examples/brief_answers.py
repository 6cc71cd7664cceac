"""A reward term: an answer costs a little for each of its words."""

from reseek.registry import Extension
from reseek.rewards.terms import Finished


class BriefAnswers(Extension):
    """-each x words of the answer, for the words beyond `free`."""

    each: float = 0.05
    free: int = 3

    def amount(self, finished: Finished) -> float:
        words = len((finished.answer or "").split())
        return -self.each * max(0, words - self.free)
