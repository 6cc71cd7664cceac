"""Export of an index's passages to a corpus file.

Invariant: an index built from the file has the fingerprint of the exported index. The file appears complete or not at
all.
"""

import gzip
from pathlib import Path

from corpora.atomic import new_file
from corpora.engine import writing
from corpora.manifest import check_files
from corpora.progress import PatientBar
from corpora.reader import Reader
from reseek.errors import InputError

_REPORT_EVERY = 1000


def export_passages(index: str | Path, out: str | Path) -> int:
    """Write every passage as a line of id, title, text; gzipped if the name ends in .gz. Returns how many."""
    out = Path(out)
    check_files(index, hashes=False)
    if out.exists():
        raise InputError(f"{out}: already exists; choose another name")
    with (
        writing(out),
        Reader(index) as reader,
        PatientBar(f"writing {out.name}", reader.live) as bar,
        new_file(out) as draft,
        gzip.open(draft, "wb") if out.suffix == ".gz" else draft.open("wb") as file,
    ):
        number = 0
        for number, passage in enumerate(reader.passages(), start=1):
            file.write(passage.model_dump_json().encode() + b"\n")
            if number % _REPORT_EVERY == 0:
                bar(number, f"{number:,} passages")
    return number
