"""BM25 search in a Lucene index, in this process.

Invariant: hits depend on the index, the query and k only; not on the batch, on concurrent callers or on how the index
was split into segments. Equal scores are ordered by passage id, as strings (Anserini does it; it also rounds scores
to four decimals and lowers each later one of a tie by a millionth).

Nothing touches Java before the first search, so an object can be pickled and sent to a worker, which then starts its
own JVM.
"""

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from corpora.jvm import first_line, java_error, refuse_fork
from corpora.manifest import Manifest, check_files
from corpora.record import Hit
from reseek.errors import SearchFailed
from reseek.search.query import check_request, clean_query

# More Java threads gain little for queries this short: dispatching them costs as much as searching.
MOST_THREADS = 4


class LuceneSearch:
    """A `Search` over an index that `corpora.index` built, with the k1 and b of its manifest."""

    calls_at_once = 2
    """While one batch reads its hits, the other is in Java."""

    _executor: ThreadPoolExecutor | None
    _searcher: Any

    def __init__(self, index_dir: str | Path, *, threads: int | None = None) -> None:
        """Checks the manifest and the files' sizes (not hashes: `corpora.index.verify`); raises InputError.

        A batch is searched by `threads` Java threads; None: one per core of this process, at most 4.
        """
        self.index_dir = Path(index_dir)
        self.threads = threads or min(MOST_THREADS, len(os.sched_getaffinity(0)))
        self.manifest: Manifest = check_files(self.index_dir, hashes=False)
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {"index_dir": self.index_dir, "threads": self.threads, "manifest": self.manifest}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Per query at most `k` hits, best first; [] for a query without a searchable word.

        Runs off the event loop. A batch is faster than its queries one by one: `reseek.search.batching` makes batches
        of concurrent callers. Raises ValueError for an invalid request, SearchFailed if Lucene fails,
        RuntimeError in a process forked after the first search.
        """
        refuse_fork()  # before the executor, whose threads a forked child does not have
        check_request(queries, k)
        cleaned = [clean_query(query) for query in queries]
        with self._lock:  # until the search is submitted: `close` comes before it or waits for it
            if self._executor is None:
                self._executor = ThreadPoolExecutor(max_workers=self.calls_at_once, thread_name_prefix="lucene")
            answer = asyncio.get_running_loop().run_in_executor(
                self._executor, self._search_all, cleaned, min(k, self.manifest.passages)
            )
        return await answer

    def close(self) -> None:
        """Finish the searches in flight, then release the index and the threads. A later search opens them again."""
        with self._lock:
            executor, self._executor = self._executor, None
            if executor is not None:
                executor.shutdown()
            searcher, self._searcher = self._searcher, None
            if searcher is not None:
                searcher.close()

    def _forget(self) -> None:
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._executor = None
        self._searcher = None

    # Below: only ever called in the executor's threads.

    def _search_all(self, queries: list[str], k: int) -> list[list[Hit]]:
        failure = java_error()
        distinct = [query for query in dict.fromkeys(queries) if query]
        try:
            found = self._open().search(distinct, k, self.threads) if distinct else []
        except failure as error:
            raise SearchFailed(f"{self.index_dir}: {first_line(error)}") from error
        hits = dict(zip(distinct, found, strict=True))
        return [list(hits.get(query, ())) for query in queries]

    def _open(self) -> Any:
        from reseek.search.anserini import Searcher

        with self._opening:
            if self._searcher is None:
                self._searcher = Searcher(self.index_dir, self.manifest.k1, self.manifest.b)
            return self._searcher
