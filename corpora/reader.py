"""Lucene as a reader: counts, stored passages, and how a passage was indexed.

Invariant: deleted passages are never returned, and counts are Lucene's counts of live passages (SimpleSearcher's count
includes deleted ones). Reading changes no file. Use one thread at a time: pyjnius mixes up the results of two.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from corpora.documents import indexed_text, stored_passage
from corpora.engine import default_analyzer
from corpora.jvm import first_line, java_class, java_error
from corpora.record import Passage
from reseek.errors import InputError

_OWN_WORDS = 32  # how many of a passage's words a search for it uses


class Reader:
    """A Lucene index, open for reading. Close it, or use it in a with block."""

    def __init__(self, folder: str | Path) -> None:
        """Raises InputError if Lucene can't open the folder."""
        try:
            self._reader = java_class("io.anserini.index.IndexReaderUtils").getReader(str(folder))
        except java_error() as error:
            raise InputError(f"{folder}: Lucene can't open it ({first_line(error)})") from None
        self._searcher = java_class("org.apache.lucene.search.IndexSearcher")(self._reader)
        self._stored = self._reader.storedFields()
        self._folder = folder

    @property
    def live(self) -> int:
        """Passages that can be found."""
        return self._reader.numDocs()

    @property
    def deleted(self) -> int:
        """Deleted passages, which can't be found but count in BM25's statistics."""
        return self._reader.numDeletedDocs()

    def has(self, id: str) -> bool:
        return self._searcher.count(_id_query(id)) > 0

    def passage(self, id: str) -> Passage | None:
        """The stored passage of this id."""
        found = self._searcher.search(_id_query(id), 1).scoreDocs
        return self._passage(found[0].doc) if len(found) else None

    def passages(self) -> Iterator[Passage]:
        """Every live passage, in Lucene's order. Raises InputError naming one that can't be read."""
        for number in self.numbers():
            yield self._passage(number)

    def numbers(self) -> Iterator[int]:
        """Lucene's document numbers of the live passages."""
        alive = java_class("org.apache.lucene.index.MultiBits").getLiveDocs(self._reader)
        return (number for number in range(self._reader.maxDoc()) if alive is None or alive.get(number))

    def fields(self, number: int) -> tuple[str | None, str | None, str | None]:
        """The stored fields of a passage: id, raw, contents."""
        document = self._stored.document(number)
        return document.get("id"), document.get("raw"), document.get("contents")

    def found_by_own_words(self, passage: Passage) -> Passage | None:
        """The hit with the passage's id in a BM25 search for the passage's words; None if there is none. A passage
        without a searchable word (stopwords only) is looked up by its id."""
        words = " ".join(f"{passage.title} {passage.text}".split()[:_OWN_WORDS])
        query = java_class("io.anserini.search.query.BagOfWordsQueryGenerator")().buildQuery(
            "contents", default_analyzer(), words
        )
        occur = java_class("org.apache.lucene.search.BooleanClause$Occur")
        both = java_class("org.apache.lucene.search.BooleanQuery$Builder")()
        both.add(query, occur.MUST)
        both.add(_id_query(passage.id), occur.FILTER)
        found = self._searcher.search(both.build(), 2).scoreDocs
        if (
            not len(found)
            and not java_class("io.anserini.analysis.AnalyzerUtils").analyze(default_analyzer(), words).size()
        ):
            return self.passage(passage.id)
        return self._passage(found[0].doc) if len(found) == 1 else None

    def indexed_texts(self, number: int) -> list[str]:
        """The candidates for the indexed text of a stored passage: its contents or, if the collection composed those,
        title and text, or the text alone."""
        _, raw, contents = self.fields(number)
        text = indexed_text(raw, contents)
        if text is not None:
            return [text]
        passage = self._passage(number)
        return [f"{passage.title} {passage.text}", passage.text]

    def indexed_as(self, number: int, text: str) -> bool:
        """Whether exactly this text was indexed under this number with the default analyzer: each term as often as it
        occurs, and the length as Lucene keeps it."""
        leaf, local = self._leaf(number)
        tokens = java_class("io.anserini.analysis.AnalyzerUtils").analyze(default_analyzer(), text).toArray()
        term_class = java_class("org.apache.lucene.index.Term")
        for term, times in Counter(tokens).items():
            postings = leaf.postings(term_class("contents", term))
            if postings is None or postings.advance(local) != local or postings.freq() != times:
                return False
        norms = leaf.getNormValues("contents")
        if norms is None or not norms.advanceExact(local):
            return not tokens
        length = java_class("org.apache.lucene.util.SmallFloat").intToByte4(len(tokens))
        return norms.longValue() % 256 == length % 256

    def fields_of_index(self) -> dict[str, Any]:
        """Lucene's FieldInfo by field name, of any segment that has the field."""
        found: dict[str, Any] = {}
        for _, leaf in self._leaves():
            infos = leaf.getFieldInfos().iterator()
            while infos.hasNext():
                info = infos.next()
                found.setdefault(info.name, info)
        return found

    def created_by(self) -> int:
        """The major version of Lucene that wrote the index first."""
        return min(leaf.getMetaData().getCreatedVersionMajor() for _, leaf in self._leaves())

    def document_frequency(self, term: str) -> int:
        """The document frequency of an indexed term, deleted documents included."""
        return self._reader.docFreq(java_class("org.apache.lucene.index.Term")("contents", term))

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _leaves(self) -> Iterator[tuple[int, Any]]:
        leaves = self._reader.leaves()
        for place in range(leaves.size()):
            context = leaves.get(place)
            yield context.docBase, context.reader()

    def _leaf(self, number: int) -> tuple[Any, int]:
        base, leaf = max((pair for pair in self._leaves() if pair[0] <= number), key=lambda pair: pair[0])
        return leaf, number - base

    def _passage(self, number: int) -> Passage:
        id, raw, contents = self.fields(number)
        try:
            if id is None:
                raise ValueError("has no id")
            return stored_passage(id, raw, contents)
        except ValueError as error:
            raise InputError(f"{self._folder}: document {number} (id {id!r}): {error}") from None


def count_documents(folder: str | Path) -> int:
    """The number of passages that Lucene can find in a folder."""
    with Reader(folder) as reader:
        return reader.live


def _id_query(id: str) -> Any:
    term = java_class("org.apache.lucene.index.Term")("id", id)
    return java_class("org.apache.lucene.search.TermQuery")(term)
