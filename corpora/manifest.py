"""The manifest of an index: written last, it proves that the index is complete and says which corpus it holds.

Invariant: a folder with a readable manifest was built to the end; a folder without one is no index, whatever else lies
in it. The corpus is named by its fingerprint (`corpora.passages`), the index's files by size and sha256.

Does not start Java: whether Lucene can open the files is `corpora.index.verify`'s business.
"""

import hashlib
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from corpora.passages import corpus_fingerprint
from reseek.errors import InputError, first_problem

MANIFEST_NAME = "reseek-manifest.json"
FORMAT = 1
# Lucene's lock file is empty, comes back whenever the folder is written to, and says nothing about content.
LOCK_NAME = "write.lock"


class Source(BaseModel):
    """The corpus file of an index as it was read. `fingerprint` identifies it; name, size and mtime only save time."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: int
    mtime_ns: int
    fingerprint: str


class FileRecord(BaseModel):
    """One file of the index."""

    model_config = ConfigDict(frozen=True)

    size: int
    sha256: str


class Manifest(BaseModel):
    """What an index is. `k1` and `b` are BM25's parameters at search time; `created` is ISO 8601 in UTC."""

    model_config = ConfigDict(frozen=True)

    format: int
    passages: int = Field(ge=1)
    source: Source
    analyzer: str
    k1: float
    b: float
    engine: dict[str, str]
    created: str
    files: dict[str, FileRecord] = Field(min_length=1)


def write_manifest(index_dir: Path, manifest: Manifest) -> None:
    """Write the manifest atomically. Call it when everything else in the folder is final."""
    part = index_dir / f".{MANIFEST_NAME}.part"
    part.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    os.replace(part, index_dir / MANIFEST_NAME)


def read_manifest(index_dir: str | Path) -> Manifest:
    """The manifest of an index. Raises InputError where there is none, or one of another format."""
    index_dir = Path(index_dir)
    rebuild = f"build it with: python -m corpora build CORPUS {index_dir}"
    if not index_dir.is_dir():
        raise InputError(f"{index_dir}: no such index; {rebuild}")
    path = index_dir / MANIFEST_NAME
    if not path.is_file():
        raise InputError(f"{index_dir}: has no {MANIFEST_NAME}: not an index of ReSeek, or half-built; {rebuild}")
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path}: is not a manifest of ReSeek ({first_problem(error)}); {rebuild}") from None
    if manifest.format != FORMAT:
        raise InputError(
            f"{path}: is of format {manifest.format}, this version reads format {FORMAT}; {rebuild} --overwrite"
        )
    return manifest


def hash_files(index_dir: Path) -> dict[str, FileRecord]:
    """Size and sha256 of every file of an index, without the manifest and Lucene's lock, by name."""
    return {name: _record(index_dir / name) for name in _names(index_dir)}


def check_files(index_dir: str | Path, *, hashes: bool) -> Manifest:
    """The manifest, after comparing it with the folder: the set of files, their sizes and, where asked, their hashes.

    Sizes cost nothing and find a broken copy; hashes read every byte. Raises InputError naming the first difference.
    """
    index_dir = Path(index_dir)
    manifest = read_manifest(index_dir)
    rebuild = "copy the index again, or rebuild it with --overwrite"
    names = _names(index_dir)
    # A foreign file is no trifle: Lucene opens the newest segments_N that it finds.
    for name in sorted(set(names) ^ set(manifest.files)):
        what = "is missing" if name in manifest.files else "is not part of the index as it was built"
        raise InputError(f"{index_dir / name}: {what}; {rebuild}")
    for name, expected in sorted(manifest.files.items()):
        size = (index_dir / name).stat().st_size
        if size != expected.size:
            raise InputError(f"{index_dir / name}: has {size} bytes, the manifest says {expected.size}; {rebuild}")
        if hashes and _record(index_dir / name) != expected:
            raise InputError(f"{index_dir / name}: its content differs from the manifest's hash; {rebuild}")
    return manifest


def matches(manifest: Manifest, corpus_path: str | Path) -> bool:
    """Whether the index was built from the passages of this corpus file.

    A file of the same name, size and modification time as the one that was indexed is taken as the same, unread (as
    make and rsync do); any other file is read and fingerprinted.
    """
    path = Path(corpus_path)
    if not path.is_file():
        raise InputError(f"{path}: no such corpus file")
    stat, source = path.stat(), manifest.source
    if (path.name, stat.st_size, stat.st_mtime_ns) == (source.name, source.size, source.mtime_ns):
        return True
    return corpus_fingerprint(path) == source.fingerprint


def require_match(index_dir: str | Path, corpus_path: str | Path) -> Manifest:
    """The manifest of an index that holds this corpus; InputError naming both where it holds another."""
    manifest = read_manifest(index_dir)
    if not matches(manifest, corpus_path):
        raise InputError(
            f"{index_dir}: holds another corpus ({manifest.passages:,} passages of {manifest.source.name}) than "
            f"{corpus_path}; rebuild it with: python -m corpora build {corpus_path} {index_dir} --overwrite"
        )
    return manifest


def _names(index_dir: Path) -> list[str]:
    return sorted(path.name for path in index_dir.iterdir() if path.name not in (MANIFEST_NAME, LOCK_NAME))


def _record(path: Path) -> FileRecord:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileRecord(size=file.tell(), sha256=digest)
