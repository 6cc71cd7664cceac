"""Lucene as a writer, through Anserini: add passages, delete them, merge segments.

Invariant: what a block wrote is committed when it ends and rolled back when it raises. Anserini loses some documents
silently, which the caller must detect or prevent: it drops a document that it can't index (compare the counts), it
drops an append whose storing flags differ from the base's (take the flags from the base's manifest), and an id added
again is stored twice (ask `corpora.reader.Reader.has` first).
"""

import contextlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from corpora.documents import document_of
from corpora.jvm import HEAP_VARIABLE, first_line, is_java_error, java_class, java_error
from corpora.manifest import Storing
from corpora.record import Passage
from reseek.errors import InputError

# Anserini's default for English: Porter stemming, its own short list of stopwords.
ANALYZER = "io.anserini.analysis.DefaultEnglishAnalyzer (stemmer porter, default stopwords)"
WRITE_BUFFER_MB = 256  # Anserini's own default, 4096, is more than the heap
BATCH = 2000
_FLAGS = ("raw", "contents", "positions", "docvectors")


class LuceneFailed(Exception):
    """Lucene can't write any more, for lack of disk or memory. The message is Java's."""


@contextlib.contextmanager
def writing(place: str | Path) -> Iterator[None]:
    """Turn failures of the disk, Lucene and its memory into an InputError that names the index."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{place}: could not be written ({error.strerror or error}); check the disk's free space and your "
            "permissions; nothing was kept"
        ) from None
    except Exception as error:
        if not isinstance(error, LuceneFailed) and not is_java_error(error):
            raise
        raise InputError(
            f"{place}: Lucene could not write the index ({first_line(error)}); check the disk's free space, and the "
            f"heap ({HEAP_VARIABLE}) where memory ran out; nothing was kept"
        ) from None


@contextlib.contextmanager
def indexer(
    folder: Path, *, storing: Storing, threads: int, append: bool = False, merging: bool = True
) -> Iterator[Any]:
    """Anserini's SimpleIndexer on a folder: committed at the end; if the block raises, rolled back to the last commit.

    Without `merging` no segments are merged: those of a base stay shared and new passages get segments of their own.
    """
    flags = [f"-store{name[0].upper()}{name[1:]}" for name in _FLAGS if getattr(storing, name)]
    arguments = ["-input", "", "-collection", "JsonCollection", "-index", str(folder), "-threads", str(threads)]
    arguments += ["-memoryBuffer", str(WRITE_BUFFER_MB), *flags, *(["-append"] if append else [])]
    made = java_class("io.anserini.index.SimpleIndexer")(arguments)
    try:
        if not merging:
            made.writer.getConfig().setMergePolicy(java_class("org.apache.lucene.index.NoMergePolicy").INSTANCE)
        yield made
        made.writer.commit()  # close() would swallow its error
    except BaseException:
        with contextlib.suppress(java_error()):
            made.writer.rollback()
        raise
    made.close()


def add_passages(made: Any, passages: Iterable[Passage]) -> int:
    """As `add_documents`, for passages."""
    return add_documents(made, [document_of(passage) for passage in passages])


def add_documents(made: Any, documents: list[str]) -> int:
    """Add one batch of stored forms (`document_of`); returns how many Lucene indexed, which the caller compares with
    the batch's size. Raises LuceneFailed if Lucene can't write any more."""
    taken = made.addRawDocuments(documents)
    tragedy = made.writer.getTragicException()  # Anserini only counts it and continues
    if tragedy is not None:
        raise LuceneFailed(tragedy.toString())
    return taken


def delete_passages(folder: Path, ids: Iterable[str]) -> None:
    """Mark passages as deleted. Segments with no other passage are dropped; no segment is rewritten."""
    with _writer(folder, java_class("org.apache.lucene.index.NoMergePolicy").INSTANCE) as writer:
        for batch in batched(ids, BATCH):
            terms = java_class("java.util.ArrayList")()
            for id in batch:
                terms.add(java_class("org.apache.lucene.index.Term")("id", id).bytes())
            writer.deleteDocuments(java_class("org.apache.lucene.search.TermInSetQuery")("id", terms))


def merge_deletes(folder: Path) -> None:
    """Rewrite every segment with deleted passages, so that they leave the statistics too."""
    policy = java_class("org.apache.lucene.index.TieredMergePolicy")()
    policy.setForceMergeDeletesPctAllowed(0.0)
    with _writer(folder, policy) as writer:
        writer.forceMergeDeletes(True)


def default_analyzer() -> Any:
    """The analyzer of every index and query (see ANALYZER)."""
    return java_class("io.anserini.index.IndexCollection").DEFAULT_ANALYZER


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


@contextlib.contextmanager
def _writer(folder: Path, policy: Any) -> Iterator[Any]:
    config = java_class("org.apache.lucene.index.IndexWriterConfig")(default_analyzer())
    config.setMergePolicy(policy)
    config.setUseCompoundFile(False)
    directory = java_class("org.apache.lucene.store.FSDirectory").open(java_class("java.io.File")(str(folder)).toPath())
    writer = java_class("org.apache.lucene.index.IndexWriter")(directory, config)
    try:
        yield writer
        writer.commit()
    except BaseException:
        with contextlib.suppress(java_error()):
            writer.rollback()
        raise
    writer.close()
    directory.close()
