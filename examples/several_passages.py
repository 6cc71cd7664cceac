"""An oracle: an observation is good where enough of its passages contain a gold answer."""

from collections.abc import Sequence

from reseek.agent.observation import Observation
from reseek.questions.record import Question
from reseek.registry import Extension
from reseek.rewards.answers import cover_match


class SeveralPassages(Extension):
    """The share of `wanted` passages that contain an alias of the gold answer, at most 1."""

    wanted: int = 2

    async def score(self, question: Question, observations: Sequence[Observation]) -> list[float | None]:
        if not question.answerable:
            return [None] * len(observations)
        return [self._share(question, observation) for observation in observations]

    def _share(self, question: Question, observation: Observation) -> float:
        holding = sum(cover_match(hit.text, question.golden_answers) for hit in observation.hits)
        return min(1.0, holding / self.wanted)
