"""The passages of an index as a corpus file: the way back.

Invariant: building an index of the file gives the fingerprint of the index that it came from. The file appears whole or
not at all.
"""

import gzip
import os
from pathlib import Path

from corpora.engine import writing
from corpora.manifest import check_files
from corpora.progress import PatientBar
from corpora.reader import Reader
from reseek.errors import InputError

_REPORT_EVERY = 1000


def export_passages(index: str | Path, out: str | Path) -> int:
    """Write every passage as a line of id, title, text; gzipped where the name ends in .gz. Returns how many."""
    out = Path(out)
    check_files(index, hashes=False)
    if out.exists():
        raise InputError(f"{out}: exists already; choose another name")
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with writing(out), Reader(index) as reader, PatientBar(f"writing {out.name}", reader.live) as bar:
            number = 0
            with gzip.open(part, "wb") if out.suffix == ".gz" else part.open("wb") as file:
                for number, passage in enumerate(reader.passages(), start=1):
                    file.write(passage.model_dump_json().encode() + b"\n")
                    if number % _REPORT_EVERY == 0:
                        bar(number, f"{number:,} passages")
            os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return number
