"""Who is asked: retrievers behind one small protocol.

A retriever answers every query of a batch with at most k passages, best first, or raises SearchFailed. It knows
nothing of episodes, tags or budgets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
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

    def close(self) -> None:
        """Give back what the search holds. A later search may open it again."""
        ...


def make_search(index: str | Path, *, noise: float = 0.0, seed: int = 0) -> Search:
    """BM25 over this index; with `noise`, made worse on purpose. Raises InputError for an index that is none."""
    from reseek.search.lucene import LuceneSearch
    from reseek.search.noisy import NoisySearch

    search = LuceneSearch(index)
    return NoisySearch(search, noise, seed) if noise else search
