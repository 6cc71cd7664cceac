"""Take over a Lucene index that Anserini or pyserini made: check what it holds, then give it a manifest.

Invariant: an adopted index answers as one built here would: every stored document is a passage that can be read back,
ids are unique, and texts were indexed by the analyzer that queries will use (checked term by term on passages
spread over the index). The index's own files are not changed; without `into` one file, the manifest, is added to its
folder. Every check is on content, whichever program made the index.
"""

from pathlib import Path

from corpora.build import check_parameters, finished_files, now
from corpora.engine import ANALYZER, writing
from corpora.hard_links import link_files
from corpora.ids import SeenIds, first_repeat
from corpora.index_folder import building
from corpora.jvm import engine_versions
from corpora.manifest import FORMAT, MANIFEST_NAME, Manifest, Source, Storing, hash_files, index_files, write_manifest
from corpora.progress import PatientBar
from corpora.reader import Reader
from corpora.record import Fingerprint
from reseek.errors import InputError

SAMPLE = 200  # passages whose terms are compared
REPORT_EVERY = 2000


def adopt(
    index: str | Path, *, into: str | Path | None = None, k1: float = 0.9, b: float = 0.4, overwrite: bool = False
) -> Manifest:
    """Check an index that others made and write its manifest, in its own folder or, with hard links, in a new one.

    Every stored passage is read once (about 20,000 a second). Raises InputError naming what the index lacks, before
    anything is written.
    """
    index = Path(index)
    check_parameters(k1, b, 1)
    _check_folder(index)
    with Reader(index) as reader:
        if not reader.live:
            raise InputError(f"{index}: contains no passage")
        storing = _storing(index, reader)
        _check_analyzer(index, reader)
        fingerprint = _check_passages(index, reader)
        manifest = {
            "format": FORMAT,
            "passages": reader.live,
            "deleted": reader.deleted,
            "source": Source(name=index.resolve().name, fingerprint=fingerprint),
            "analyzer": ANALYZER,
            "k1": k1,
            "b": b,
            "storing": storing,
            "engine": engine_versions(),
            "created": now(),
        }
    if into is None:
        with writing(index):
            made = Manifest(**manifest, files=_hashed(index))
            write_manifest(index, made)
        return made
    with building(into, overwrite=overwrite) as place, writing(into):
        link_files(index, place.folder, index_files(index))
        made = Manifest(**manifest, files=finished_files(place.folder))
        write_manifest(place.folder, made)
        place.place()
    return made


def _check_folder(index: Path) -> None:
    if not index.is_dir():
        raise InputError(f"{index}: no such folder")
    if (index / MANIFEST_NAME).exists():
        raise InputError(f"{index}: already has a {MANIFEST_NAME}; see: reseek corpus info {index}")
    if not any(index.glob("segments_*")):
        raise InputError(f"{index}: is not a Lucene index (no file segments_N); name the folder that contains one")
    if folders := sorted(path.name for path in index.iterdir() if path.is_dir()):
        raise InputError(f"{index}: contains a folder ({folders[0]}); an index must be in a folder of its own")


def _storing(index: Path, reader: Reader) -> Storing:
    fields = reader.fields_of_index()
    for name in ("id", "contents"):
        if name not in fields or fields[name].getIndexOptions().toString() == "NONE":
            raise InputError(f"{index}: has no indexed field {name}; only indexes made by Anserini can be adopted")
    _, raw, contents = reader.fields(next(reader.numbers()))
    if raw is None and contents is None:
        raise InputError(
            f"{index}: stores no text, so no passage could be shown; use an index made with -storeRaw "
            "(wikipedia-dpr-100w, not wikipedia-dpr-100w-slim)"
        )
    return Storing(
        raw=raw is not None,
        contents=contents is not None,
        positions="POSITIONS" in fields["contents"].getIndexOptions().toString(),
        docvectors=fields["contents"].hasVectors(),
        lucene=reader.created_by(),
    )


def _check_analyzer(index: Path, reader: Reader) -> None:
    every = max(1, reader.live // SAMPLE)
    for place, number in enumerate(reader.numbers()):
        if place % every == 0 and not any(reader.indexed_as(number, text) for text in reader.indexed_texts(number)):
            id, _, _ = reader.fields(number)
            raise InputError(
                f"{index}: document {id!r} was not indexed with {ANALYZER}, which every query here uses; index the "
                "passages again with: reseek corpus build"
            )


def _check_passages(index: Path, reader: Reader) -> str:
    """Read every passage; returns their fingerprint."""
    seen, fingerprint = SeenIds(), Fingerprint()
    with PatientBar(f"reading {index.name}", reader.live) as bar:
        for number, passage in enumerate(reader.passages(), start=1):
            seen.add(passage.id)
            fingerprint.add(passage)
            if number % REPORT_EVERY == 0:
                bar(number, f"{number:,} passages")
    if suspects := seen.suspects():
        ids = enumerate((passage.id for passage in reader.passages()), start=1)
        if found := first_repeat(ids, suspects):
            raise InputError(f"{index}: duplicate id {found[2]!r}; index the passages again, each id once")
    return fingerprint.hexdigest()


def _hashed(index: Path):
    with PatientBar("hashing", sum((index / name).stat().st_size for name in index_files(index))) as bar:
        return hash_files(index, on_bytes=bar)
