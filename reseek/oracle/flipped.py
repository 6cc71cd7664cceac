"""Deliberate label noise: a share of an oracle's labels is flipped.

With a share of one half the labels carry no information: the control that shows whether judging was learnt from them.
Invariant: whether a label is flipped depends on the question and the observation alone, so every session of a group, on
every worker, sees the same labels.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from reseek.agent.observation import Observation
from reseek.questions.record import Question


class FlippedOracle:
    """Another oracle's scores; those that are drawn become 0.0 where they were above `threshold`, else 1.0."""

    def __init__(self, oracle: Any, share: float, threshold: float) -> None:
        self._oracle, self._share, self._threshold = oracle, share, threshold

    @property
    def model(self) -> Any:
        return getattr(self._oracle, "model", None)

    async def score(self, question: Question, observations: Sequence[Observation]) -> list[float | None]:
        scores = await self._oracle.score(question, observations)
        return [
            self._turned(score) if score is not None and _drawn(question, one.text) < self._share else score
            for score, one in zip(scores, observations, strict=True)
        ]

    def _turned(self, score: float) -> float:
        return 0.0 if score > self._threshold else 1.0


def _drawn(question: Question, text: str) -> float:
    """A number in [0, 1) of this question and observation."""
    digest = hashlib.sha256(f"{question.id}\0{question.question}\0{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
