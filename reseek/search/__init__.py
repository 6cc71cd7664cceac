"""Who is asked: retrievers behind one small protocol.

A retriever answers every query of a batch with at most k passages, best first, or raises SearchFailed. It knows
nothing of episodes, tags or budgets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Hit:
    """One retrieved passage. `score` is the retriever's own, comparable within one query only."""

    id: str
    title: str
    text: str
    score: float


class Search(Protocol):
    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Per query, in the order given, at most `k` (>= 1) hits, best first; [] where nothing matches.

        Raises SearchFailed when the back end gave no answer.
        """
        ...
