"""A deliberately degraded retriever: a share of the queries gets lower-ranked passages instead of the best ones.

For the study of self-correction: the passages are real, plausible and mostly useless. Invariant: whether a query is
answered badly depends only on the seed and the query's words, so that repeating a query gives the same result and
rephrasing it may help.
"""

import hashlib
from collections.abc import Sequence

from corpora.record import Hit
from reseek.search import Search
from reseek.search.query import clean_query


class NoisySearch:
    """A `Search` over another. With probability `noise` (in [0, 1]) a query gets the hits of rank k+1 to 2k instead of
    1 to k; if there are none beyond rank k, the best ones."""

    def __init__(self, search: Search, noise: float, seed: int) -> None:
        self.inner, self.noise, self.seed = search, noise, seed

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        found = await self.inner.search(queries, 2 * k)
        return [
            (hits[k:] if self.answers_badly(query) else hits[:k]) or hits[:k]
            for query, hits in zip(queries, found, strict=True)
        ]

    def answers_badly(self, query: str) -> bool:
        words = " ".join(clean_query(query).lower().split())  # the words that the retriever sees
        digest = hashlib.sha256(f"{self.seed}|{words}".encode()).digest()
        return int.from_bytes(digest[:8], "big") < self.noise * 2**64

    def close(self) -> None:
        self.inner.close()
