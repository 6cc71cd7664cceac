"""Read the rows of a set from where they are: a hub (through `datasets`), a parquet or JSON file, a release of ours.

Invariant: what can't be read is one line that names the place; nothing is guessed. The hub is reached by `datasets`
alone, which takes a local folder of the same layout as well.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reseek.config.questions import QuestionSource
from reseek.errors import InputError, first_problem, one_line
from reseek.questions.release_manifest import MANIFEST, ReleaseManifest

TABLES = (".parquet", ".json", ".jsonl.gz")
"""File names' ends that are converted; a .jsonl is ours and read as it is."""
QUESTIONS = "questions.jsonl"


def hub_rows(source: QuestionSource) -> Iterator[Mapping[str, Any]]:
    """The rows of a hub's set. Raises InputError where it can't be loaded."""
    from datasets import load_dataset  # seconds
    from datasets.exceptions import DatasetsError

    assert source.hub is not None
    try:
        rows = load_dataset(source.hub, source.config, split=source.split, revision=source.revision)
    except (OSError, ValueError, DatasetsError) as error:
        part = f" (config {source.config})" if source.config else ""
        raise InputError(
            f"{source.hub}{part}, split {source.split}: can't be loaded: {type(error).__name__}: "
            f"{one_line(str(error))[:300]}; or name a file of your own"
        ) from None
    yield from rows


def file_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a parquet file, a JSON list, or gzipped JSON lines."""
    try:
        if path.name.endswith(".parquet"):
            import pyarrow.parquet as parquet

            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches():
                    yield from batch.to_pylist()
        elif path.name.endswith(".json"):
            yield from json.loads(path.read_text(encoding="utf-8"))
        else:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                yield from (json.loads(line) for line in lines if line.strip())
    except (OSError, ValueError, EOFError) as error:  # pyarrow's errors are these
        raise InputError(f"{path}: can't be read: {one_line(str(error))[:200]}") from None


def release_of(folder: Path) -> ReleaseManifest:
    """The manifest of a release, its questions checked against it."""
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder}: is a folder without {MANIFEST}: no release of reseek fictionalhot build")
    try:
        manifest = ReleaseManifest.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error)}") from None
    questions = folder / QUESTIONS
    found = hashlib.sha256(questions.read_bytes()).hexdigest() if questions.is_file() else None
    if found != manifest.files.get(QUESTIONS):
        raise InputError(f"{questions}: does not match {MANIFEST}; make or fetch the release again")
    return manifest
