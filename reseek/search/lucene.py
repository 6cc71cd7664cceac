"""BM25 search in a Lucene index, in this process.

Invariant: hits depend on the index, the query and k only; not on the batch, on concurrent callers or on how the index
was split into segments. Equal scores are ordered by passage id, as strings (Anserini does it; it also rounds scores
to four decimals and lowers each later one of a tie by a millionth).

Nothing touches Java before the first search, so an object can be pickled and sent to a worker, which then starts its
own JVM. Knows nothing of corpora files, episodes or other retrievers.
"""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from corpora.documents import passage_of
from corpora.jvm import first_line, java_class, java_error, refuse_fork
from corpora.manifest import Manifest, check_files
from reseek.errors import SearchFailed
from reseek.search import Hit
from reseek.search.query import check_request, clean_query


class LuceneSearch:
    """A `Search` over an index that `corpora.index` built, with the k1 and b of its manifest."""

    def __init__(self, index_dir: str | Path) -> None:
        """Checks the manifest and the files' sizes (not hashes: `corpora.index.verify`); raises InputError."""
        self.index_dir = Path(index_dir)
        self.manifest: Manifest = check_files(self.index_dir, hashes=False)
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {"index_dir": self.index_dir, "manifest": self.manifest}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Per query at most `k` hits, best first; [] for a query without a searchable word.

        Runs off the event loop, in one thread: a second gains nothing here. Raises ValueError for a request that
        is not one, SearchFailed when Lucene fails, RuntimeError in a process forked after the first search.
        """
        refuse_fork()  # before the executor, whose thread a forked child does not have
        check_request(queries, k)
        cleaned = [clean_query(query) for query in queries]
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lucene")
            executor = self._executor
        return await asyncio.get_running_loop().run_in_executor(
            executor, self._search_all, cleaned, min(k, self.manifest.passages)
        )

    def close(self) -> None:
        """Give back the index and the thread. A later search opens them again."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.submit(self._close_searcher).result()
            executor.shutdown()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._searcher: Any = None

    # Below: only ever called in the executor's one thread.

    def _search_all(self, queries: list[str], k: int) -> list[list[Hit]]:
        # Query by query: Anserini's batch_search collapses repeated ids and loses an exception's cause.
        failure = java_error()
        found: dict[str, list[Hit]] = {}
        try:
            searcher = self._open()
            for query in queries:
                if query not in found:
                    found[query] = [_hit(scored) for scored in searcher.search(query, k)] if query else []
        except failure as error:
            raise SearchFailed(f"{self.index_dir}: {first_line(error)}") from error
        return [list(found[query]) for query in queries]

    def _open(self) -> Any:
        if self._searcher is None:
            searcher = java_class("io.anserini.search.SimpleSearcher")(str(self.index_dir))
            searcher.set_bm25(self.manifest.k1, self.manifest.b)
            self._searcher = searcher
        return self._searcher

    def _close_searcher(self) -> None:
        if self._searcher is not None:
            self._searcher.close()
            self._searcher = None


def _hit(scored: Any) -> Hit:
    passage = passage_of(scored.lucene_document.get("raw"))
    return Hit(id=passage.id, title=passage.title, text=passage.text, score=scored.score)
