"""How a passage lies in Lucene: the stored form, and Anserini's indexer and reader of it.

Invariant: `passage_of` is the inverse of `document_of` for every title and text, so a hit's own stored document gives
the passage back and no second lookup is needed. Anserini drops a document that it can't index without an error: only
the counts that these functions return tell.

Knows nothing of corpus files, manifests or how a finished index comes to be (`corpora.index`).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from corpora.jvm import java_class
from corpora.passages import Passage

# Whoever appends to an index must pass the very flags of the base: with others the appended documents vanish silently.
STORING_FLAGS = ("-storeRaw",)
# Anserini's default for English: Porter stemming, its own short list of stopwords.
ANALYZER = "io.anserini.analysis.DefaultEnglishAnalyzer (stemmer porter, default stopwords)"
WRITE_BUFFER_MB = 256  # Anserini's own default, 4096, is more than the heap


def count_documents(index_dir: str | Path) -> int:
    """How many documents Lucene sees in a folder."""
    searcher = java_class("io.anserini.search.SimpleSearcher")(str(index_dir))
    try:
        return searcher.get_total_num_docs()
    finally:
        searcher.close()


def open_indexer(index_dir: str | Path, *, threads: int = 2, append: bool = False) -> Any:
    """Anserini's SimpleIndexer on a folder, with the storing flags that every index of ReSeek has. Close it."""
    arguments = ["-input", "", "-collection", "JsonCollection", "-index", str(index_dir), "-threads", str(threads)]
    arguments += ["-memoryBuffer", str(WRITE_BUFFER_MB), *STORING_FLAGS, *(["-append"] if append else [])]
    return java_class("io.anserini.index.SimpleIndexer")(arguments)


def add_passages(indexer: Any, passages: Iterable[Passage]) -> int:
    """Add one batch of passages; returns how many Lucene took, which the caller compares with how many it gave."""
    return indexer.addRawDocuments([document_of(passage) for passage in passages])


def document_of(passage: Passage) -> str:
    """The stored form of a passage: Anserini indexes `contents`; the title's own copy tells where the text begins."""
    contents = f"{passage.title}\n{passage.text}"
    return json.dumps({"id": passage.id, "title": passage.title, "contents": contents})


def passage_of(raw: str) -> Passage:
    """The passage of a stored document: the inverse of `document_of`."""
    document = json.loads(raw)
    title, contents = document["title"], document["contents"]
    return Passage.model_construct(id=document["id"], title=title, text=contents[len(title) + 1 :])
