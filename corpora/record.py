"""The record of a passage, and the fingerprint of a set of passages.

Invariant: a fingerprint depends only on the content of a corpus: the same passages have the same fingerprint in any
order, file or index, so a version made by adding and removing passages has the fingerprint of one built from scratch.
Accidental collisions are practically impossible; deliberate ones are not prevented. All functions are pure.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

# Lucene refuses a term above 32,766 bytes, and an id is one term.
Id = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"\S")]
NonBlank = Annotated[str, StringConstraints(pattern=r"\S")]


class Passage(BaseModel):
    """One passage of a corpus. `title` may be empty, `id` and `text` may not. Other fields of a file are ignored."""

    model_config = ConfigDict(frozen=True)

    id: Id
    title: str
    text: NonBlank


class Fingerprint:
    """The content hash of a set of passages: the sum, modulo 2^256, of the sha256 of each (id, title, text)."""

    def __init__(self, hexdigest: str = "0") -> None:
        """Of no passage, or of those of another fingerprint."""
        self._sum = int(hexdigest, 16)

    def add(self, passage: Passage) -> None:
        self._sum = (self._sum + _hash(passage)) % 2**256

    def remove(self, passage: Passage) -> None:
        """The inverse of `add`, for a passage that is in the set."""
        self._sum = (self._sum - _hash(passage)) % 2**256

    def hexdigest(self) -> str:
        return f"{self._sum:064x}"


def changed_fingerprint(before: str, added: str, removed: str) -> str:
    """The fingerprint of `before` after adding and removing whole sets of passages."""
    return f"{(int(before, 16) + int(added, 16) - int(removed, 16)) % 2**256:064x}"


def _hash(passage: Passage) -> int:
    # A JSON array is unambiguous for any strings.
    record = json.dumps([passage.id, passage.title, passage.text], ensure_ascii=False, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(record.encode("utf-8", "surrogatepass")).digest())


@dataclass(frozen=True)
class Hit:
    """One retrieved passage. `score` is the retriever's own, comparable within one query only."""

    id: str
    title: str
    text: str
    score: float
