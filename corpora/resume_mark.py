"""A mark in the folder of an index that grows: what is being indexed there, so that a killed build can go on.

Invariant: a folder is gone on with only by a build of the same file (name, size, time of change), read in the same
form and written by the same engine; how far it came is what Lucene has committed. Knows nothing of locks
(`corpora.index_folder`). """

import json
from dataclasses import dataclass
from pathlib import Path

from corpora.jvm import engine_versions
from corpora.passages import Format

NAME = "reseek-building.json"


@dataclass(frozen=True)
class Begun:
    """`content` tells one build from another."""

    content: str

    @classmethod
    def of(cls, corpus: Path, form: Format | None) -> "Begun":
        stat = corpus.stat()
        told = {
            "name": corpus.name,
            "size": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
            "format": form and form.value,
            "engine": engine_versions(),
        }
        return cls(json.dumps(told, sort_keys=True))

    def fits(self, folder: Path) -> bool:
        """Whether this build's mark stands there."""
        mark = folder / NAME
        return mark.is_file() and mark.read_text(encoding="utf-8", errors="replace") == self.content

    def remember(self, folder: Path) -> None:
        """Call it after a commit."""
        (folder / NAME).write_text(self.content, encoding="utf-8")

    def forget(self, folder: Path) -> None:
        """Call it when the index is whole."""
        (folder / NAME).unlink(missing_ok=True)
