"""A cache of the vectors of unfinished builds: a folder with one file per shard of passages, named by content.

Invariant: a shard's file holds the vectors of exactly these texts by exactly this encoder, since its name is the hash
of both; it appears complete or not at all. So it may be shared between builds, corpora and machines, and deleted at any
time.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from corpora.atomic import new_file
from corpora.dense.manifest import EncoderRecord
from reseek.errors import InputError


class Shards:
    """A folder of shards; with `folder` None nothing is kept."""

    def __init__(self, folder: Path | None, encoder: EncoderRecord) -> None:
        """Raises InputError if the folder can't be made."""
        self._folder, self._encoder = folder, encoder
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"{folder}: can't be used as the folder of shards ({error.strerror})") from None

    def get(self, texts_N: Sequence[str], make: Callable[[], np.ndarray]) -> np.ndarray:
        """The vectors (N, D) of these texts: from the cache, else made by `make` and cached."""
        if self._folder is None:
            return make()
        path = self._folder / f"{self._key(texts_N)}.npy"
        if path.exists():
            return self._kept(path, len(texts_N))
        vectors_ND = make()
        with new_file(path) as draft, draft.open("wb") as file:
            np.save(file, vectors_ND)
        return vectors_ND

    def _kept(self, path: Path, rows: int) -> np.ndarray:
        try:
            vectors_ND = np.load(path)
            if vectors_ND.shape != (rows, self._encoder.dimensions) or vectors_ND.dtype != np.float32:
                raise ValueError(f"holds {vectors_ND.shape} of {vectors_ND.dtype}")
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: is not a shard of vectors ({error}); delete it and build again") from None
        return vectors_ND

    def _key(self, texts_N: Sequence[str]) -> str:
        encoder = self._encoder
        digest = hashlib.sha256(f"{encoder.sha256} {encoder.similarity} {encoder.max_length}".encode())
        for text in (encoder.passage_prefix, *texts_N):
            content = text.encode()
            digest.update(len(content).to_bytes(8, "little"))
            digest.update(content)
        return digest.hexdigest()
