"""Who says which verdict was right: oracles behind one small protocol.

An oracle scores, in [0, 1], how well an observation serves a question whose gold answers are known, or gives no label
(None) where its kind of evidence says nothing. It sees the text that the policy saw. It knows nothing of verdicts,
rewards or thresholds' use.
"""

from collections.abc import Sequence
from typing import Protocol

from reseek.config import OracleConfig, OracleName
from reseek.oracle.literal import LiteralOracle, SupportingOracle
from reseek.questions import Question


class Oracle(Protocol):
    async def score(self, question: Question, observations: Sequence[str]) -> list[float | None]:
        """One score per observation text, or None for no label. Raises ScoringFailed when no score could be had."""
        ...


def make_oracle(config: OracleConfig) -> Oracle:
    """The configured oracle. A model is loaded at its first use, in the process that scores."""
    if config.name is OracleName.LITERAL:
        return LiteralOracle()
    if config.name is OracleName.SUPPORTING:
        return SupportingOracle()
    from reseek.oracle.bi_encoder import BiEncoderOracle  # sentence-transformers is heavy: only who asks pays

    return BiEncoderOracle(config.model)
