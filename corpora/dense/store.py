"""Passages by row, read from disk: a file of JSON lines, and where each line starts.

Invariant: row i is the i-th passage that was written; its vector is row i of the faiss file. The passages stay on disk,
whatever their number; of each, a writer keeps eight bytes in memory.
"""

import json
import mmap
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from corpora.dense.manifest import OFFSETS_NAME, PASSAGES_NAME
from corpora.record import Passage


class PassageWriter:
    """Writes the two files of a new index; use it in a with block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._starts = array("q", [0])
        self._file = (folder / PASSAGES_NAME).open("wb")

    def __len__(self) -> int:
        return len(self._starts) - 1

    def add(self, passage: Passage) -> None:
        line = passage.model_dump_json().encode() + b"\n"
        self._file.write(line)
        self._starts.append(self._starts[-1] + len(line))

    def __enter__(self) -> "PassageWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        np.save(self._folder / OFFSETS_NAME, np.frombuffer(self._starts, dtype=np.int64))


class PassageStore:
    """The passages of an index, open for reading by any thread. Close it, or use it in a with block."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError or ValueError for files that no writer of this module made."""
        self._starts = np.load(folder / OFFSETS_NAME, mmap_mode="r")
        with (folder / PASSAGES_NAME).open("rb") as file:
            self._lines = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if not len(self._starts) or self._starts[-1] != len(self._lines):
            raise ValueError(f"{OFFSETS_NAME} does not belong to {PASSAGES_NAME}")

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, row: int) -> Passage:
        if not 0 <= row < len(self):
            raise IndexError(row)
        return Passage.model_construct(**json.loads(self._lines[self._starts[row] : self._starts[row + 1]]))

    def __iter__(self) -> Iterator[Passage]:
        return (self[row] for row in range(len(self)))

    def close(self) -> None:
        self._lines.close()

    def __enter__(self) -> "PassageStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
