"""Retrievers behind one small protocol.

A retriever answers every query of a batch with at most k passages, best first, or raises SearchFailed. Episodes, tags
and budgets are the caller's business.
"""

from collections.abc import Sequence
from typing import Protocol

from corpora.record import Hit


class Search(Protocol):
    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Per query, in the order given, at most `k` (>= 1) hits, best first; [] if nothing matches.

        Raises SearchFailed if the back end did not answer.
        """
        ...

    def close(self) -> None:
        """Release the retriever's resources. A later search may open them again."""
        ...
