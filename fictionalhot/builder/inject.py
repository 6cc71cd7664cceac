"""Injection of documents into the closed corpus, and the ranks that BM25 gives them.

Invariant: the base is never written to; a version holds the base and these documents and nothing else.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from corpora.manifest import Manifest, check_files
from corpora.record import Fingerprint, Hit, Passage
from corpora.snapshot import inject
from fictionalhot.builder.prove import hop_documents
from fictionalhot.items.records import Draft
from reseek.errors import InputError
from reseek.search.lucene import LuceneSearch


def ensure_version(base: Path, documents: Sequence[Passage], version: Path) -> Manifest:
    """The version of `base` with these documents, made now if it is missing or has other documents."""
    fingerprint = Fingerprint()
    for document in documents:
        fingerprint.add(document)
    if version.exists():
        try:
            manifest = check_files(version, hashes=False)
            known = manifest.parents[-1] if manifest.parents else None
            parent = check_files(base, hashes=False).source.fingerprint
            if known and (known.parent, known.added_fingerprint) == (parent, fingerprint.hexdigest()):
                return manifest
        except InputError:
            pass  # an incomplete index: made again below
    return inject(base, documents, version, overwrite=True)


class Finder:
    """BM25 over one index."""

    def __init__(self, index: Path) -> None:
        self._search = LuceneSearch(index)

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The first k hits of each query."""
        return asyncio.run(self._search.search(queries, k)) if queries else []

    def ranks(self, draft: Draft, k: int) -> list[int | None]:
        """For each hop the rank (from 1) of its best document within k, by the hop's own query."""
        found = self.search(draft.hop_queries, k)
        return [_rank(hits, set(hop_documents(draft, hop))) for hop, hits in enumerate(found)]

    def recall(self, drafts: Sequence[Draft], k: int) -> float | None:
        """The share of hops whose documents a single search with the whole question finds."""
        found = self.search([draft.fiction.question for draft in drafts], k)
        hops = [
            _rank(hits, set(hop_documents(draft, hop))) is not None
            for draft, hits in zip(drafts, found, strict=True)
            for hop in range(len(draft.hop_queries))
        ]
        return sum(hops) / len(hops) if hops else None

    def close(self) -> None:
        self._search.close()

    def __enter__(self) -> "Finder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _rank(hits: Sequence[Hit], wanted: set[str]) -> int | None:
    return next((rank for rank, hit in enumerate(hits, start=1) if hit.id in wanted), None)
