"""Operations common to Lucene and dense indexes: read the manifest, verify."""

from pathlib import Path

from corpora.dense.manifest import DenseManifest, read_dense_manifest
from corpora.dense.verify import verify_dense
from corpora.index import verify
from corpora.manifest import Kind, Manifest, manifest_content, read_manifest

AnyManifest = Manifest | DenseManifest


def kind_of(index_dir: str | Path) -> Kind:
    """Raises InputError if the folder is not an index."""
    return manifest_content(Path(index_dir))[0]


def read_any_manifest(index_dir: str | Path) -> AnyManifest:
    """The manifest of an index of either kind. Raises InputError if the folder is not an index."""
    return read_dense_manifest(index_dir) if kind_of(index_dir) is Kind.DENSE else read_manifest(index_dir)


def verify_any(index_dir: str | Path, *, passages: bool = False, encoder: str | None = None) -> AnyManifest:
    """`corpora.index.verify` or `corpora.dense.verify.verify_dense`; `encoder` is for the latter."""
    if kind_of(index_dir) is Kind.DENSE:
        return verify_dense(index_dir, passages=passages, encoder=encoder)
    return verify(index_dir, passages=passages)
