"""Extensions that go wrong, named by their import path in a configuration: a search that fails, an advantage that is no
number."""

import zlib
from collections.abc import Sequence
from typing import ClassVar

from corpora.record import Hit
from examples.word_overlap import WordOverlap
from reseek.errors import SearchFailed
from reseek.registry import Extension
from reseek.training.credit.estimators import Credited, Session


class FailingSearch(WordOverlap):
    """The example's engine; `share` of the queries, always the same ones, fail."""

    share: float = 0.6

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        for query in queries:
            if zlib.crc32(query.encode()) % 1000 < 1000 * self.share:
                raise SearchFailed("the shard of this query is away")
        return await super().search(queries, k)


class NotFinite(Extension):
    """NaN as every token's advantage."""

    compares_sessions: ClassVar[bool] = False

    def credit(self, group: Sequence[Session]) -> Credited:
        rows = tuple(tuple(segment.mask_T.double() * float("nan") for segment in one.segments) for one in group)
        return Credited(rows, rows)
