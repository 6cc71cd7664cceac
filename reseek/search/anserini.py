"""Anserini's searcher for Python: takes a batch of queries and returns one JSON text.

Why text: each object passed from Java costs up to 20 microseconds under the interpreter's lock, which for three hits is
a third of the search itself; Jackson, which is in the same jar, serialises the whole batch at once.

Invariant: one Python thread at a time is in Java. pyjnius keeps the object of a call in the method's descriptor, which
all threads share: two threads in Java at once get each other's results or crash the process (seen with 1.7.0).
"""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpora.documents import stored_passage
from corpora.jvm import hold_signals, java_class, java_error
from corpora.record import Hit

_in_java = threading.Lock()


class Searcher:
    """An open index. Every method may be called from any thread; they wait for each other while in Java."""

    def __init__(self, index_dir: Path, k1: float, b: float) -> None:
        """Raises `corpora.jvm.java_error()` if Lucene can't open the index."""
        failure = java_error()  # starts Java, under a lock of its own
        with _in_java:
            self._failure = failure
            self._searcher = java_class("io.anserini.search.SimpleSearcher")(str(index_dir))
            self._searcher.set_bm25(k1, b)
            self._as_list = java_class("java.util.Arrays").asList
            self._write = _field_writer().writeValueAsString

    def search(self, queries: Sequence[str], k: int, threads: int) -> list[list[Hit]]:
        """The hits of distinct queries, searched by `threads` Java threads. Raises `java_error()`."""
        names = [str(number) for number in range(len(queries))]  # Anserini keeps one result per name
        with _in_java:
            hold_signals()
            try:
                found = self._searcher.batch_search(
                    self._as_list(*queries), self._as_list(*names), k, min(threads, len(queries))
                )
            except self._failure:  # the exception has the number of failures, not the reason
                for query in queries:
                    self._searcher.search(query, k)
                raise
            text = self._write(found)
        hits = json.loads(text)
        return [[_hit(scored) for scored in hits[name]] for name in names]

    def close(self) -> None:
        with _in_java:
            self._searcher.close()


def _field_writer() -> Any:
    """Jackson, configured to write the plain fields of Anserini's and Lucene's records, which are not beans."""
    writer = java_class("com.fasterxml.jackson.databind.ObjectMapper")()
    what = java_class("com.fasterxml.jackson.annotation.PropertyAccessor")
    visible = java_class("com.fasterxml.jackson.annotation.JsonAutoDetect$Visibility")
    writer.setVisibility(what.ALL, visible.NONE)
    writer.setVisibility(what.FIELD, visible.ANY)
    # How each field was indexed is not needed and would be most of the text.
    loader = java_class("java.lang.ClassLoader").getSystemClassLoader()
    kind = loader.loadClass("org.apache.lucene.index.IndexableFieldType")
    writer.configOverride(kind).setIsIgnoredType(java_class("java.lang.Boolean")(True))
    return writer


def _hit(scored: dict[str, Any]) -> Hit:
    stored = {field["name"]: field["fieldsData"] for field in scored["lucene_document"]["fields"]}
    passage = stored_passage(scored["docid"], stored.get("raw"), stored.get("contents"))
    return Hit(id=passage.id, title=passage.title, text=passage.text, score=scored["score"])
