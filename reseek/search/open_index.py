"""The search over an index folder, BM25 or dense as its manifest says."""

from pathlib import Path
from typing import Protocol

from corpora.dense.manifest import DenseManifest
from corpora.manifest import Kind, Manifest, manifest_content
from reseek.search import Search


class IndexSearch(Search, Protocol):
    """A `Search` over an index folder."""

    @property
    def manifest(self) -> Manifest | DenseManifest:
        """What the index holds."""
        ...

    @property
    def calls_at_once(self) -> int:
        """On how many batches it works at the same time."""
        ...


def open_index(
    index_dir: str | Path, *, device: str = "cpu", encoder: str | None = None, threads: int | None = None
) -> IndexSearch:
    """BM25 or dense search in this process, by the kind of the index; loads nothing yet.

    `device` is where a dense index's encoder runs (cpu, cuda, cuda:1), `encoder` its path on this machine (None: the
    path in the manifest); `threads` are those of Lucene, or of torch and faiss.
    Raises InputError if the folder is not an index or its encoder is not available.
    """
    kind, _ = manifest_content(Path(index_dir))
    if kind is Kind.DENSE:
        from reseek.search.dense import DenseSearch

        return DenseSearch(index_dir, encoder=encoder, device=device, threads=threads)
    from reseek.search.lucene import LuceneSearch

    return LuceneSearch(index_dir, threads=threads)
