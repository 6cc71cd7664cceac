"""A cache before a retriever: equal queries are sent once.

Invariant: a caller gets what the retriever would answer now or answered earlier; a failure reaches all callers that
wait for it and is never cached. Equal means the same cleaned query and the same k. Queries in flight are awaited, not
sent again. At most `entries` answers are kept; the least recently used are evicted.

Each worker process has its own cache. It is correct only for a retriever whose answers don't change (a closed corpus).
"""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from corpora.record import Hit
from reseek.errors import SearchFailed
from reseek.search import Search
from reseek.search.query import check_request, clean_query

_Key = tuple[str, int]


class CachedSearch:
    """A `Search` over another. `hits`, `shared` and `misses` count queries: cached, in flight already, sent."""

    def __init__(self, search: Search, entries: int) -> None:
        if entries < 1:
            raise ValueError(f"entries = {entries}: must be at least 1")
        self.inner, self.entries = search, entries
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {"inner": self.inner, "entries": self.entries}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """As `Search.search`. Queries without a cached answer are sent as one batch."""
        check_request(queries, k)
        keys = [(clean_query(query), k) for query in queries]
        found: dict[_Key, tuple[Hit, ...]] = {}
        awaited: dict[_Key, Future[tuple[Hit, ...]]] = {}
        mine: dict[_Key, Future[tuple[Hit, ...]]] = {}
        with self._lock:
            for key in dict.fromkeys(keys):
                if key in self._kept:
                    self._kept.move_to_end(key)
                    found[key] = self._kept[key]
                elif key in self._under_way:
                    awaited[key] = self._under_way[key]
                else:
                    awaited[key] = mine[key] = self._under_way[key] = Future()
            self.hits += len(found)
            self.shared += len(awaited) - len(mine)
            self.misses += len(mine)
        if mine:
            # A task of its own: other callers get the answer even if the first one is cancelled.
            task = asyncio.get_running_loop().create_task(self._ask(mine, k))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        for key, future in awaited.items():
            found[key] = await asyncio.wrap_future(_follow(future))
        return [list(found[key]) for key in keys]

    def close(self) -> None:
        """Drop the cached answers and close the retriever."""
        with self._lock:
            self._kept.clear()
        self.inner.close()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, tuple[Hit, ...]] = OrderedDict()
        # Futures of threads, not of an event loop: the next caller may run in another loop.
        self._under_way: dict[_Key, Future[tuple[Hit, ...]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.hits = self.shared = self.misses = 0

    async def _ask(self, mine: dict[_Key, Future[tuple[Hit, ...]]], k: int) -> None:
        try:
            answers = await self.inner.search([query for query, _ in mine], k)
        except BaseException as error:
            self._end(mine)
            ended = SearchFailed("the event loop in which the search ran has ended")
            for future in mine.values():
                future.set_exception(error if isinstance(error, Exception) else ended)
            if not isinstance(error, Exception):
                raise
            return
        kept = {key: tuple(hits) for key, hits in zip(mine, answers, strict=True)}
        self._end(mine, kept)
        for key, future in mine.items():
            future.set_result(kept[key])

    def _end(self, mine: dict[_Key, Any], answers: dict[_Key, tuple[Hit, ...]] | None = None) -> None:
        with self._lock:
            for key in mine:
                del self._under_way[key]
            self._kept.update(answers or {})
            while len(self._kept) > self.entries:
                self._kept.popitem(last=False)


def _follow(future: Future[tuple[Hit, ...]]) -> Future[tuple[Hit, ...]]:
    """A future of one caller: cancelling it does not cancel the shared one."""
    own: Future[tuple[Hit, ...]] = Future()

    def pass_on(done: Future[tuple[Hit, ...]]) -> None:
        if own.set_running_or_notify_cancel():
            error = done.exception()
            own.set_exception(error) if error else own.set_result(done.result())

    future.add_done_callback(pass_on)
    return own
