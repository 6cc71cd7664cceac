"""The oracles that ask a model: bi_encoder, cross_encoder and remote, behind batching and the score cache."""

from typing import Any

from reseek.config.oracle import OracleConfig
from reseek.oracle.batching import BatchingScorer
from reseek.oracle.cache import CachedScorer
from reseek.oracle.pair_oracle import PairOracle
from reseek.oracle.score_store import ScoreStore
from reseek.registry import ORACLES

_BATCHES_TOGETHER = 8
"""A local model sorts this many batches by length before it runs them: less padding."""


@ORACLES.register("bi_encoder")
class BiEncoderOracle:
    """Cosine similarity of the two sides of a pair."""

    @classmethod
    def of(cls, config: OracleConfig) -> PairOracle:
        from reseek.oracle.bi_encoder import BiEncoderModel

        return _local(config, BiEncoderModel(config))


@ORACLES.register("cross_encoder")
class CrossEncoderOracle:
    """A reranker in this process."""

    @classmethod
    def of(cls, config: OracleConfig) -> PairOracle:
        from reseek.oracle.cross_encoder import CrossEncoderModel

        return _local(config, CrossEncoderModel(config))


@ORACLES.register("remote")
class RemoteOracle:
    """A reranker in a service."""

    @classmethod
    def of(cls, config: OracleConfig) -> PairOracle:
        from reseek.oracle.remote import RemoteModel, ServiceAway
        from reseek.services.http_replicas import REQUESTS_AT_ONCE

        store, model = ScoreStore(config.cache), RemoteModel(config)
        batching = BatchingScorer(model, largest=config.batch_size, at_once=REQUESTS_AT_ONCE, final=(ServiceAway,))
        return PairOracle(config.pair, config.unit, model, CachedScorer(batching, model.identity, store))


def _local(config: OracleConfig, model: Any) -> PairOracle:
    store = ScoreStore(config.cache)
    batching = BatchingScorer(model, largest=config.batch_size * _BATCHES_TOGETHER)
    return PairOracle(config.pair, config.unit, model, CachedScorer(batching, model.identity, store))
