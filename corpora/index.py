"""The index of a corpus: built if missing, else checked.

Invariant: `ensure_index` and `ensure_dense` return the manifest of a complete index of that corpus with those
parameters.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from corpora.build import build_index
from corpora.dense.build import DenseSpec, build_dense
from corpora.dense.manifest import DenseManifest, check_dense_files
from corpora.dense.models import model_folder, model_hash
from corpora.engine import BATCH
from corpora.index_folder import BeingMade, InTheWay, is_empty
from corpora.manifest import Manifest, OldFormat, check_chain, check_files, read_manifest, require_match
from corpora.progress import PatientBar
from corpora.reader import Reader
from corpora.record import Fingerprint
from reseek.errors import InputError

__all__ = ["build_index", "ensure_dense", "ensure_index", "require_bm25", "verify"]

_WAIT_S = 0.5


def ensure_index(corpus_path: str | Path, index_dir: str | Path, *, k1: float = 0.9, b: float = 0.4) -> Manifest:
    """The manifest of the index of this corpus with these BM25 parameters, built now if the folder is absent or empty,
    or holds one in an older version's format.

    If another process is building it, waits for that. Raises InputError if the folder holds the index of another
    corpus or with other parameters, a broken one, or something else.
    """
    index_dir = Path(index_dir)
    _built(index_dir, lambda old: build_index(corpus_path, index_dir, k1=k1, b=b, overwrite=old))
    manifest = check_files(index_dir, hashes=False)
    require_match(index_dir, manifest, corpus_path)
    require_bm25(index_dir, manifest, k1, b)
    return manifest


def ensure_dense(corpus_path: str | Path, index_dir: str | Path, spec: DenseSpec) -> DenseManifest:
    """As `ensure_index`, for the dense index of this corpus that `spec` describes: the same encoder (by its hash) and
    faiss type, and the prefixes and length that it names."""
    index_dir = Path(index_dir)
    _built(index_dir, lambda old: build_dense(corpus_path, index_dir, spec, overwrite=old))
    manifest = check_dense_files(index_dir, hashes=False)
    require_match(index_dir, manifest, corpus_path)
    made = manifest.encoder
    for what, found, wanted in (
        ("encoder", made.sha256, model_hash(model_folder(spec.encoder))),
        ("query prefix", made.query_prefix, spec.query_prefix),
        ("passage prefix", made.passage_prefix, spec.passage_prefix),
        ("longest passage in tokens", made.max_length, spec.max_length),
        ("faiss type", manifest.faiss.type, spec.faiss),
    ):
        if wanted is not None and found != wanted:
            shown = (made.name, spec.encoder) if what == "encoder" else (repr(found), repr(wanted))
            raise InputError(
                f"{index_dir}: {what} is {shown[0]} in its manifest but {shown[1]} was requested; request the "
                "former or build another index"
            )
    return manifest


def _built(index_dir: Path, build: Callable[[bool], object]) -> None:
    """Build the index in the folder, or wait for the process that is building it. `build` receives whether it replaces
    an older version's index."""
    told, old = False, _is_old(index_dir)
    if old:
        print(f"{index_dir}: was made by an older version of ReSeek; rebuilding it", file=sys.stderr)
    while old or not index_dir.exists() or is_empty(index_dir):
        try:
            build(old)
            return
        except BeingMade:
            if not told:
                print(f"{index_dir}: waiting for the process that is building it", file=sys.stderr)
            told = True
            time.sleep(_WAIT_S)
            old = _is_old(index_dir)
        except InTheWay:  # finished by another process in the meantime
            if old or not index_dir.exists():
                raise


def require_bm25(index_dir: Path, manifest: Manifest, k1: float, b: float) -> None:
    """InputError if the index was made with other parameters."""
    if (manifest.k1, manifest.b) != (k1, b):
        raise InputError(
            f"{index_dir}: its manifest has k1={manifest.k1:g}, b={manifest.b:g}, but k1={k1:g}, b={b:g} was "
            "requested; request the former or build another index"
        )


def verify(index_dir: str | Path, *, passages: bool = False) -> Manifest:
    """Check a Lucene index: every file's hash, Lucene's counts and the chain of versions against the manifest; with
    `passages` also read every stored passage and compare the fingerprint. Raises InputError at the first difference."""
    index_dir = Path(index_dir)
    with PatientBar(f"hashing {index_dir.name}", sum(path.stat().st_size for path in index_dir.glob("*"))) as bar:
        manifest = check_files(index_dir, hashes=True, on_bytes=bar)
    check_chain(index_dir, manifest)
    rebuild = "rebuild it with --overwrite"
    with Reader(index_dir) as reader:
        for what, found, said in (
            ("passages", reader.live, manifest.passages),
            ("deleted passages", reader.deleted, manifest.deleted),
        ):
            if found != said:
                raise InputError(f"{index_dir}: Lucene counts {found} {what}, the manifest says {said}; {rebuild}")
        if passages and _stored_fingerprint(reader, f"reading {index_dir.name}") != manifest.source.fingerprint:
            raise InputError(f"{index_dir}: the stored passages do not match the manifest; {rebuild}")
    return manifest


def _stored_fingerprint(reader: Reader, title: str) -> str:
    """The fingerprint of an index's stored passages."""
    fingerprint = Fingerprint()
    with PatientBar(title, reader.live) as bar:
        for number, passage in enumerate(reader.passages(), start=1):
            fingerprint.add(passage)
            if number % BATCH == 0:
                bar(number, f"{number:,} passages")
    return fingerprint.hexdigest()


def _is_old(index_dir: Path) -> bool:
    try:
        read_manifest(index_dir)
    except OldFormat:
        return True
    except InputError:
        return False
    return False
