"""A mark in the folder of an unfinished index that names what is being indexed, so that a killed build can resume.

Invariant: a folder is resumed only by a build of the same file (name, size, modification time), read in the same form
and written by the same engine; it resumes after Lucene's last commit."""

import json
from dataclasses import dataclass
from pathlib import Path

from corpora.jvm import engine_versions
from corpora.passages import Format

NAME = "reseek-building.json"


@dataclass(frozen=True)
class Begun:
    """`content` identifies the build."""

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
        """Whether the folder has this build's mark."""
        mark = folder / NAME
        return mark.is_file() and mark.read_text(encoding="utf-8", errors="replace") == self.content

    def remember(self, folder: Path) -> None:
        """Call it after a commit."""
        (folder / NAME).write_text(self.content, encoding="utf-8")

    def forget(self, folder: Path) -> None:
        """Call it when the index is complete."""
        (folder / NAME).unlink(missing_ok=True)
