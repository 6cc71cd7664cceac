"""Build and check the Lucene index of a corpus.

Invariant: a folder under the index's name holds every passage of the corpus exactly once, or it does not come to be.
The index grows in a sibling folder (`.NAME.building-...`) and takes its name in one rename after its manifest is
written; counts are compared at each batch and again on the finished index, because Anserini drops a document that it
can't index without an error. Texts stream through in batches; only the ids stay in memory (about 100 bytes each).

Does not know how an index is searched (`reseek.search.lucene`).
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from corpora.documents import ANALYZER, add_passages, count_documents, open_indexer
from corpora.jvm import HEAP_VARIABLE, engine_versions, first_line, java_error
from corpora.manifest import (
    FORMAT,
    LOCK_NAME,
    MANIFEST_NAME,
    Manifest,
    Source,
    check_files,
    hash_files,
    require_match,
    write_manifest,
)
from corpora.passages import Fingerprint, Passage, numbered_passages
from corpora.progress import PatientBar
from reseek.errors import InputError

BATCH = 2000


def build_index(
    corpus_path: str | Path,
    index_dir: str | Path,
    *,
    k1: float = 0.9,
    b: float = 0.4,
    threads: int = 2,
    overwrite: bool = False,
    progress: Callable[[int, str], None] | None = None,
) -> Manifest:
    """Index a corpus; the folder appears only when it is complete. Returns its manifest.

    `progress` is told (bytes of the corpus file read, a note); without it a bar shows on stderr after five seconds.
    Raises InputError for a bad line, a repeated id, an empty corpus, a parameter out of range, or a folder that is in
    the way: `overwrite` replaces an index of ReSeek (until the new one is complete the old one stays), nothing else.
    """
    corpus_path, index_dir = Path(corpus_path), Path(index_dir)
    _check_parameters(k1, b, threads)
    if not corpus_path.is_file():
        raise InputError(f"{corpus_path}: no such corpus file")
    _check_target(index_dir, overwrite)
    building = _building_folder(index_dir)
    try:
        before = corpus_path.stat()
        try:
            count, fingerprint = _fill(corpus_path, building, threads, progress)
        except java_error() as error:
            raise InputError(
                f"{index_dir}: Lucene could not write the index ({first_line(error)}); check the disk's free space, "
                f"and the heap ({HEAP_VARIABLE}) where memory ran out"
            ) from None
        after = corpus_path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise InputError(f"{corpus_path}: changed while it was being indexed; build again")
        (building / LOCK_NAME).unlink(missing_ok=True)
        manifest = Manifest(
            format=FORMAT,
            passages=count,
            source=Source(
                name=corpus_path.name, size=before.st_size, mtime_ns=before.st_mtime_ns, fingerprint=fingerprint
            ),
            analyzer=ANALYZER,
            k1=k1,
            b=b,
            engine=engine_versions(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            files=hash_files(building),
        )
        write_manifest(building, manifest)
        _move_into_place(building, index_dir)
    finally:
        shutil.rmtree(building, ignore_errors=True)  # gone by now where all went well
    return manifest


def ensure_index(corpus_path: str | Path, index_dir: str | Path, *, k1: float = 0.9, b: float = 0.4) -> Manifest:
    """The manifest of the index of this corpus with these BM25 parameters, built now if the folder is absent or empty.

    Raises InputError where the folder holds the index of another corpus, other parameters, a broken one, or something
    else.
    """
    index_dir = Path(index_dir)
    if not index_dir.exists() or _is_empty(index_dir):
        return build_index(corpus_path, index_dir, k1=k1, b=b)
    check_files(index_dir, hashes=False)
    manifest = require_match(index_dir, corpus_path)
    if (manifest.k1, manifest.b) != (k1, b):
        raise InputError(
            f"{index_dir}: its manifest says k1={manifest.k1:g}, b={manifest.b:g}, asked for are k1={k1:g}, b={b:g}; "
            "ask for the former or build another index"
        )
    return manifest


def verify(index_dir: str | Path) -> Manifest:
    """Check every file's hash and Lucene's count against the manifest. Raises InputError at the first difference."""
    manifest = check_files(index_dir, hashes=True)
    count = count_documents(index_dir)
    if count != manifest.passages:
        raise InputError(
            f"{index_dir}: Lucene counts {count} passages, the manifest says {manifest.passages}; "
            "rebuild it with --overwrite"
        )
    return manifest


def _fill(
    corpus_path: Path, folder: Path, threads: int, progress: Callable[[int, str], None] | None
) -> tuple[int, str]:
    """Write every passage into the folder: (how many, the fingerprint)."""
    seen: set[str] = set()
    fingerprint = Fingerprint()
    with PatientBar(f"indexing {corpus_path.name}", corpus_path.stat().st_size) as bar:
        report = progress or bar
        numbered = numbered_passages(corpus_path, on_bytes=lambda done: report(done, f"{len(seen):,} passages"))
        indexer = open_indexer(folder, threads=threads)
        try:
            for batch in _batches(numbered, BATCH):
                for number, passage in batch:
                    if passage.id in seen:
                        first = next(n for n, other in numbered_passages(corpus_path) if other.id == passage.id)
                        raise InputError(
                            f"{corpus_path}:{number}: id {passage.id!r} stands already on line {first}; ids must differ"
                        )
                    seen.add(passage.id)
                    fingerprint.add(passage)
                taken = add_passages(indexer, (passage for _, passage in batch))
                _check_count(f"{corpus_path}, lines {batch[0][0]}-{batch[-1][0]}", taken, len(batch))
        finally:
            indexer.close()
    if not seen:
        raise InputError(f"{corpus_path}: holds no passage")
    _check_count(f"{corpus_path}, the finished index", count_documents(folder), len(seen))
    return len(seen), fingerprint.hexdigest()


def _check_count(place: str, taken: int, given: int) -> None:
    if taken != given:
        raise InputError(f"{place}: Lucene took {taken} of {given} passages; is the disk full? Nothing was kept")


def _batches(items: Iterator[tuple[int, Passage]], size: int) -> Iterator[list[tuple[int, Passage]]]:
    while batch := list(islice(items, size)):
        yield batch


def _check_parameters(k1: float, b: float, threads: int) -> None:
    if not 0 <= k1 < float("inf"):
        raise InputError(f"k1 = {k1}: must be a number from 0 upwards (0.9 is usual)")
    if not 0 <= b <= 1:
        raise InputError(f"b = {b}: must lie between 0 and 1 (0.4 is usual)")
    if threads < 1:
        raise InputError(f"threads = {threads}: must be at least 1")


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _check_target(index_dir: Path, overwrite: bool) -> None:
    if not index_dir.exists() or _is_empty(index_dir):
        return
    if not overwrite:
        raise InputError(f"{index_dir}: exists already; choose another folder, or replace the index with --overwrite")
    if not (index_dir / MANIFEST_NAME).is_file():
        raise InputError(f"{index_dir}: is not an index of ReSeek and will not be overwritten; choose another folder")


def _building_folder(index_dir: Path) -> Path:
    """A fresh sibling of the index: the same disk, so that the last step is a rename."""
    target = Path(os.path.abspath(index_dir))
    building = target.with_name(f".{target.name}.building-{uuid.uuid4().hex[:12]}")
    try:
        building.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{index_dir}: can't be created ({error.strerror}); choose another folder") from None
    return building


def _move_into_place(building: Path, index_dir: Path) -> None:
    """One rename. An old index steps aside first and is deleted last."""
    index_dir = Path(os.path.abspath(index_dir))  # "." can't be renamed
    old = building.with_name(building.name.replace(".building-", ".replaced-"))
    if index_dir.exists() and not _is_empty(index_dir):
        os.rename(index_dir, old)
    try:
        os.rename(building, index_dir)
    except OSError as error:
        if old.exists() and not index_dir.exists():
            os.rename(old, index_dir)
        raise InputError(
            f"{index_dir}: could not be put in place ({error.strerror}); is another build running?"
        ) from None
    shutil.rmtree(old, ignore_errors=True)
