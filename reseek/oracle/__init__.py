"""Oracles (verdict labels) behind one small protocol.

An oracle scores, in [0, 1], how well an observation serves a question whose gold answers are known, or gives no label
(None) where its kind of evidence says nothing. It sees the text that the policy saw and the passages in it, as records.
"""

from collections.abc import Sequence
from typing import Protocol

from reseek.agent.observation import Observation
from reseek.config.oracle import OracleConfig, OracleName
from reseek.oracle.literal import LiteralOracle, SupportingOracle
from reseek.questions.record import Question

# A local model sorts so many batches by length before it runs them: less padding.
_BATCHES_TOGETHER = 8


class Oracle(Protocol):
    async def score(self, question: Question, observations: Sequence[Observation]) -> list[float | None]:
        """One score per observation, in order, or None for no label. Raises ScoringFailed when the oracle fails."""
        ...


def make_oracle(config: OracleConfig) -> Oracle:
    """The configured oracle, with `oracle.flip` of its labels turned round. A model is loaded at its first use, in the
    process that scores; a mistake in the configuration that can be seen without it raises InputError here."""
    oracle = _named(config)
    if not config.flip:
        return oracle
    from reseek.oracle.flipped import FlippedOracle

    return FlippedOracle(oracle, config.flip, config.threshold)


def _named(config: OracleConfig) -> Oracle:
    if config.name is OracleName.LITERAL:
        return LiteralOracle()
    if config.name is OracleName.SUPPORTING:
        return SupportingOracle()
    from reseek.oracle.batching import BatchingScorer
    from reseek.oracle.cache import CachedScorer
    from reseek.oracle.pair_oracle import PairOracle
    from reseek.oracle.score_store import ScoreStore

    store = ScoreStore(config.cache)
    if config.name is OracleName.REMOTE:
        from reseek.oracle.remote import RemoteModel, ServiceAway
        from reseek.services.http_replicas import REQUESTS_AT_ONCE

        model = RemoteModel(config)
        batching = BatchingScorer(model, largest=config.batch_size, at_once=REQUESTS_AT_ONCE, final=(ServiceAway,))
    else:
        model = _local(config)
        batching = BatchingScorer(model, largest=config.batch_size * _BATCHES_TOGETHER)
    return PairOracle(config.pair, config.unit, model, CachedScorer(batching, model.identity, store))


def model_identity(oracle: Oracle) -> str | None:
    """Names the model behind an oracle by its weights; None where there is none."""
    model = getattr(oracle, "model", None)
    return None if model is None else model.identity


def _local(config: OracleConfig):
    if config.name is OracleName.CROSS_ENCODER:
        from reseek.oracle.cross_encoder import CrossEncoderModel

        return CrossEncoderModel(config)
    from reseek.oracle.bi_encoder import BiEncoderModel

    return BiEncoderModel(config)
