"""Vectors in a faiss file: written row by row, opened memory-mapped.

Invariant: row i is the i-th vector that was added; a flat file is byte for byte what faiss itself would write, but
never wholly in memory. Only flat and HNSW indexes by inner product can be opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from corpora.dense.manifest import FaissRecord, FaissType
from reseek.errors import InputError

# In faiss' file of a flat index: a signature and the dimensions (4 bytes each), then the number of vectors. The header
# ends with the number of floats that follow.
_COUNT_AT, _COUNT_BYTES = 8, 8
MOST_EF = 2**16
"""The widest search of an HNSW graph: faiss sets up a queue of this size for each query."""


class VectorWriter(Protocol):
    def add(self, vectors_ND: np.ndarray) -> None:
        """Append float32 vectors."""
        ...


@contextmanager
def writing_vectors(path: Path, dimensions: int, record: FaissRecord) -> Iterator[VectorWriter]:
    """A writer of a new file, complete when the block ends without an exception."""
    if record.type is FaissType.FLAT:
        with _flat(path, dimensions) as writer:
            yield writer
    else:
        yield from _hnsw(path, dimensions, record)


class _FlatWriter:
    def __init__(self, file: Any) -> None:
        self._file, self.rows = file, 0

    def add(self, vectors_ND: np.ndarray) -> None:
        self._file.write(np.ascontiguousarray(vectors_ND, dtype="<f4").tobytes())
        self.rows += len(vectors_ND)


@contextmanager
def _flat(path: Path, dimensions: int) -> Iterator[_FlatWriter]:
    import faiss

    header = faiss.serialize_index(faiss.IndexFlatIP(dimensions)).tobytes()
    with path.open("wb") as file:
        file.write(header)
        writer = _FlatWriter(file)
        yield writer
        for place, number in ((_COUNT_AT, writer.rows), (len(header) - _COUNT_BYTES, writer.rows * dimensions)):
            file.seek(place)
            file.write(number.to_bytes(_COUNT_BYTES, "little"))


def _hnsw(path: Path, dimensions: int, record: FaissRecord) -> Iterator[VectorWriter]:
    import faiss

    assert record.links is not None and record.ef_construction is not None and record.ef_search is not None
    index = faiss.IndexHNSWFlat(dimensions, record.links, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = record.ef_construction, record.ef_search
    yield index
    faiss.write_index(index, str(path))


def open_vectors(path: Path) -> tuple[Any, FaissRecord]:
    """The faiss index of a file, memory-mapped, and its type. Raises InputError for a file that faiss can't read, or an
    index of another type."""
    import faiss

    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as error:  # a size that can't be true is a MemoryError
        raise InputError(f"{path}: faiss can't read it ({_first_line(error)})") from None
    if not isinstance(index, faiss.Index):  # an empty one is read as None
        raise InputError(f"{path}: holds no faiss index of vectors; only IndexFlatIP and IndexHNSWFlat are supported")
    if index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise InputError(f"{path}: does not compare by inner product; only such faiss indexes are supported")
    if isinstance(index, faiss.IndexHNSWFlat):
        graph: Any = index.hnsw
        _check_graph(path, index, graph)
        return index, FaissRecord(
            type=FaissType.HNSW,
            links=graph.nb_neighbors(1),
            ef_construction=graph.efConstruction,
            ef_search=graph.efSearch,
        )
    if isinstance(index, faiss.IndexFlat):
        return index, FaissRecord(type=FaissType.FLAT)
    raise InputError(f"{path}: is a faiss {type(index).__name__}; only IndexFlatIP and IndexHNSWFlat are supported")


def _check_graph(path: Path, index: Any, graph: Any) -> None:
    """Raise InputError for what faiss itself does not see in a graph: a breadth whose queue takes the memory and half a
    minute a search; an entry or a link to a row without links on that level, whose search may end the process."""
    if not 1 <= graph.efSearch <= MOST_EF:
        raise InputError(f"{path}: is damaged: a search of breadth {graph.efSearch} (1 to {MOST_EF:,} make sense)")
    entry = graph.entry_point
    if index.ntotal and not (0 <= entry < graph.levels.size() and graph.levels.at(entry) == graph.max_level + 1):
        raise InputError(f"{path}: is damaged: its graph has no links where a search begins (row {entry})")
    wrong = _wrong_link(graph)
    if wrong is not None:
        raise InputError(f"{path}: is damaged: row {wrong} of its graph has a link to a row without that level")


def _wrong_link(graph: Any) -> int | None:
    """A row with a link, above the lowest level, to a row that has no links there: a search would read another row's,
    or memory behind the file. Only the upper rows' links are read, about one in `links` of all."""
    levels_N, offsets_N, neighbors = (_view(of) for of in (graph.levels, graph.offsets, graph.neighbors))
    for level in range(1, graph.max_level + 1):
        rows_U = np.flatnonzero(levels_N > level)
        first, width = graph.cum_nb_neighbors(level), graph.nb_neighbors(level)
        places_UW = offsets_N[rows_U].astype(np.int64)[:, None] + first + np.arange(width)
        links_UW = neighbors[places_UW]
        is_wrong_UW = (links_UW >= 0) & (levels_N[np.maximum(links_UW, 0)] <= level)
        if is_wrong_UW.any():
            return int(rows_U[is_wrong_UW.any(axis=1)][0])
    return None


def _view(vector: Any) -> np.ndarray:
    """faiss' vector without a copy."""
    import faiss

    return faiss.rev_swig_ptr(vector.data(), vector.size())


def _first_line(error: Exception) -> str:
    """faiss' message without its C++ signature."""
    line = str(error).partition("\n")[0]
    return line[line.find(": ", line.find(".cpp:")) + 2 :] if ".cpp:" in line else line
