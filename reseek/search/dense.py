"""Dense search in this process: a sentence encoder for the query, faiss for the passages.

Invariant: hits depend on the index, the encoder, the query and k; equal scores are ordered by passage id, as strings.
The batch has no effect beyond rounding: batch mates change a query's vector by some 1e-7 (see `corpora.dense.encoder`)
and scores are rounded to five decimals (`reseek.search.nearest`), so that at most the last decimal differs, and the
order only of passages whose scores are that close. With `batch_size` 1 on a CPU queries are encoded one by one and
nothing differs, at about a sixth of the speed.

Nothing is loaded before the first search, so an object can be pickled and sent to a worker, which then loads its own
encoder; faiss' file is memory-mapped and shared by the workers of one machine.
"""

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.dense.manifest import VECTORS_NAME, DenseManifest, check_dense_files
from corpora.record import Hit
from reseek.errors import InputError, SearchFailed
from reseek.search.query import check_request, clean_query

if TYPE_CHECKING:
    from corpora.dense.encoder import Encoder
    from corpora.dense.store import PassageStore

# Texts of similar length are encoded together; in larger batches one long query delays all others.
QUERIES_AT_ONCE = 16
# The size from which faiss multiplies matrices. Its default, 128,000, made batches of 8 to 64 queries 2 to 4x slower.
_BLAS_FROM = 20


@dataclass(frozen=True)
class _Opened:
    encoder: "Encoder"
    vectors: Any
    passages: "PassageStore"


class DenseSearch:
    """A `Search` over an index that `corpora.dense` built or adopted."""

    calls_at_once = 1
    """Encoder and faiss use all cores, so a second batch at the same time would only slow both down."""

    _executor: ThreadPoolExecutor | None
    _opened: "_Opened | None"
    _pid: int | None

    def __init__(
        self,
        index_dir: str | Path,
        *,
        encoder: str | None = None,
        device: str = "cpu",
        threads: int | None = None,
        batch_size: int = QUERIES_AT_ONCE,
    ) -> None:
        """Checks the manifest, the files' sizes (not hashes: `corpora.dense.verify`) and the encoder's hash; raises
        InputError.

        `encoder` is the folder of the index's encoder on this machine (None: the path in the manifest). The encoder
        runs on `device`, faiss on the CPU. `threads` sets those of torch and OpenMP for the whole process; None keeps
        them.
        """
        from corpora.dense.encoder import check_encoder

        self.index_dir = Path(index_dir)
        self.device, self.threads, self.batch_size = device, threads, batch_size
        self.manifest: DenseManifest = check_dense_files(self.index_dir, hashes=False)
        self.encoder = encoder or self.manifest.encoder.name
        check_encoder(self.manifest.encoder, self.encoder)
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Per query at most `k` hits, best first; [] for a query of white space only.

        Every other query finds something, near or far. Runs in one thread off the event loop. Raises ValueError for an
        invalid request, SearchFailed if the encoder or the index fails, RuntimeError in a process forked after the
        first search.
        """
        self._refuse_fork()
        check_request(queries, k)
        cleaned = [clean_query(query) for query in queries]
        with self._lock:  # until the search is submitted: `close` comes before it or waits for it
            if self._executor is None:
                self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dense")
                self._pid = os.getpid()
            answer = asyncio.get_running_loop().run_in_executor(
                self._executor, self._search_all, cleaned, min(k, self.manifest.passages)
            )
        return await answer

    def close(self) -> None:
        """Finish the searches in flight, then release encoder, index and thread. A later search opens them again."""
        with self._lock:
            executor, self._executor = self._executor, None
            if executor is not None:
                executor.shutdown()
            opened, self._opened = self._opened, None
            if opened is not None:
                opened.passages.close()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._executor = None
        self._opened = None
        self._pid = None

    def _refuse_fork(self) -> None:
        if self._pid not in (None, os.getpid()):
            raise RuntimeError(
                f"this process was forked from process {self._pid}, which had searched: it lacks the threads of "
                "OpenMP and would hang. Start workers with the 'spawn' method, or search first in the worker"
            )

    # Below: only ever called in the executor's thread.

    def _search_all(self, queries: list[str], k: int) -> list[list[Hit]]:
        from reseek.search.nearest import nearest

        distinct = [query for query in dict.fromkeys(queries) if query]
        try:
            opened = self._open()
            found = nearest(opened.vectors, opened.encoder.queries(distinct, self.batch_size), k) if distinct else []
            hits = {query: _hits(opened, rows, k) for query, rows in zip(distinct, found, strict=True)}
        except (InputError, RuntimeError, OSError, ValueError, MemoryError) as error:  # torch, faiss, the disk
            reason = str(error).partition("\n")[0]
            raise SearchFailed(f"{self.index_dir}: {reason or type(error).__name__}") from error
        return [list(hits.get(query, ())) for query in queries]

    def _open(self) -> _Opened:
        if self._opened is None:
            import faiss
            import torch

            from corpora.dense.encoder import encoder_of
            from corpora.dense.store import PassageStore
            from corpora.dense.vectors import open_vectors

            faiss.cvar.distance_compute_blas_threshold = _BLAS_FROM
            if self.threads is not None:
                torch.set_num_threads(self.threads)
                faiss.omp_set_num_threads(self.threads)
            encoder = encoder_of(self.manifest.encoder, name=self.encoder, device=self.device)
            vectors, _ = open_vectors(self.index_dir / VECTORS_NAME)
            self._opened = _Opened(encoder, vectors, PassageStore(self.index_dir))
        return self._opened


def _hits(opened: _Opened, rows: list[tuple[int, float]], k: int) -> list[Hit]:
    found = ((opened.passages[row], score) for row, score in rows)
    hits = [Hit(passage.id, passage.title, passage.text, score) for passage, score in found]
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))[:k]
