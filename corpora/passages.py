"""Passages: the record, its JSONL form, and the fingerprint of a corpus.

One passage a line (`id`, `title`, `text`), plain or gzipped, told apart by content and not by the file's name. Reading
streams: one line is in memory at a time. The fingerprint is a hash of the passages themselves, in order; compression,
field order, extra fields and blank lines don't change it.

Does not know whether ids repeat (that needs memory: `corpora.index` checks it) nor how passages are indexed.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from reseek.errors import InputError, first_problem

GZIP_MAGIC = b"\x1f\x8b"
UTF8_BOM = b"\xef\xbb\xbf"
REPORT_EVERY = 1000

# Lucene refuses a term above 32,766 bytes, and an id is one term.
Id = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"\S")]
NonBlank = Annotated[str, StringConstraints(pattern=r"\S")]


class Passage(BaseModel):
    """One passage of a corpus. `title` may be empty, `id` and `text` may not. Other fields of the file are ignored."""

    model_config = ConfigDict(frozen=True)

    id: Id
    title: str
    text: NonBlank


def read_passages(path: str | Path, *, on_bytes: Callable[[int], None] | None = None) -> Iterator[Passage]:
    """The passages of a JSONL or JSONL.gz file, in its order.

    `on_bytes` is told now and then how many bytes of the file (as it lies on disk) have been read. Raises InputError
    naming file and line for a missing file, a line that is not a passage, or a damaged gzip stream; an empty file
    gives nothing.
    """
    for _, passage in numbered_passages(path, on_bytes=on_bytes):
        yield passage


def numbered_passages(
    path: str | Path, *, on_bytes: Callable[[int], None] | None = None
) -> Iterator[tuple[int, Passage]]:
    """Like `read_passages`, each passage with its line number (from 1)."""
    path = Path(path)
    with _open(path) as raw:
        for number, line in _lines(path, raw):
            try:
                passage = Passage.model_validate_json(line)
            except ValidationError as error:
                problem = first_problem(error).replace(" at line 1 column ", " at column ")
                raise InputError(
                    f"{path}:{number}: {problem}; a line is an object with strings id, title and text"
                ) from None
            if on_bytes is not None and number % REPORT_EVERY == 0:
                on_bytes(raw.tell())
            yield number, passage


def _open(path: Path) -> BinaryIO:
    if not path.is_file():
        raise InputError(f"{path}: no such corpus file")
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None


def _lines(path: Path, raw: BinaryIO) -> Iterator[tuple[int, bytes]]:
    gzipped = raw.read(2) == GZIP_MAGIC
    raw.seek(0)
    number = 0
    try:
        # Bytes, not text: only \n ends a line, and a byte that is not UTF-8 is reported with the line it stands on.
        for number, line in enumerate(gzip.GzipFile(fileobj=raw) if gzipped else raw, start=1):
            line = line.removeprefix(UTF8_BOM) if number == 1 else line
            if not line.isspace() and line:
                yield number, line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: the gzip stream breaks after line {number} ({error}); fetch it again") from None


class Fingerprint:
    """The content hash of a corpus, fed passage by passage: sha256 over the canonical (id, title, text) in order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, passage: Passage) -> None:
        # A JSON array a line: unambiguous whatever the strings hold.
        record = json.dumps([passage.id, passage.title, passage.text], ensure_ascii=False, separators=(",", ":"))
        self._hash.update(record.encode("utf-8") + b"\n")

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def corpus_fingerprint(path: str | Path) -> str:
    """The fingerprint of a corpus file, streamed. Raises InputError as `read_passages` does."""
    fingerprint = Fingerprint()
    for passage in read_passages(path):
        fingerprint.add(passage)
    return fingerprint.hexdigest()
