"""An oracle on a scoring model: it turns observations into pairs and takes the best pair's score.

Best over the gold answer's aliases, over passages (with `oracle.unit=passage`) and over windows: what supports the
answer may be anywhere in the text and in any of the accepted wordings.
"""

from collections.abc import Sequence

from reseek.agent.observation import Observation
from reseek.config.oracle import PairForm, Unit
from reseek.oracle.pairs import Pair, queries, texts
from reseek.oracle.scorer import Model, Scorer
from reseek.questions.record import Question


class PairOracle:
    """An `Oracle`. `scorer` is the model itself or layers over it."""

    def __init__(self, form: PairForm, unit: Unit, model: Model, scorer: Scorer) -> None:
        self.form, self.unit, self.model, self.scorer = form, unit, model, scorer

    async def score(self, question: Question, observations: Sequence[Observation]) -> list[float | None]:
        if not question.answerable:
            return [None] * len(observations)
        pairs_of = [self.pairs(question, observation) for observation in observations]
        distinct = list(dict.fromkeys(pair for pairs in pairs_of for pair in pairs))
        score_of = dict(zip(distinct, await self.scorer.score(distinct), strict=True))
        return [max(score_of[pair] for pair in pairs) for pairs in pairs_of]

    def close(self) -> None:
        self.scorer.close()

    def pairs(self, question: Question, observation: Observation) -> list[Pair]:
        """All pairs of this observation; at least one."""
        return [
            Pair(query, window)
            for text in texts(self.unit, observation)
            for query in queries(self.form, question)
            for window in self.model.cut(query, text)
        ]
