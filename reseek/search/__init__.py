"""Who is asked: retrievers behind one small protocol.

A retriever answers every query of a batch with at most k passages, best first, or raises SearchFailed. It knows
nothing of episodes, tags or budgets.
"""

from collections.abc import Sequence
from typing import Protocol

from corpora.record import Hit


class Search(Protocol):
    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Per query, in the order given, at most `k` (>= 1) hits, best first; [] where nothing matches.

        Raises SearchFailed when the back end gave no answer.
        """
        ...

    def close(self) -> None:
        """Give back what the search holds. A later search may open it again."""
        ...




