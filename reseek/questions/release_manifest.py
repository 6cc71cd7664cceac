"""The manifest of a FictionalHot release, as its builder writes it and a reader of its questions checks it."""

from reseek.frozen import Record

MANIFEST = "manifest.json"


class ReleaseManifest(Record):
    """`manifest.json`."""

    format: int
    name: str
    proof_level: str
    """`extractive`: (a), (b), (d), (e). `reader`: (c) as well."""
    backend: str
    seed: int
    items: int
    documents: int
    base_fingerprint: str
    corpus_fingerprint: str
    """Of base and documents together: what an evaluation's index must have."""
    files: dict[str, str]
    """sha256 by file name."""
