"""Records beside data that say what the data is: read with one-line errors, written whole; and the hashes in them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from corpora.atomic import write_text
from reseek.errors import InputError, first_problem

ARecord = TypeVar("ARecord", bound=BaseModel)
_OBJECT = TypeAdapter(dict[str, Any])
_CHUNK = 2**22


class FileRecord(BaseModel):
    """One file: its bytes and their hash."""

    model_config = ConfigDict(frozen=True)

    size: int
    sha256: str


def hash_file(path: Path, on_bytes: Callable[[int], None] | None = None) -> FileRecord:
    """Size and sha256 of one file. `on_bytes` is called with the bytes read so far."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if on_bytes is not None:
                on_bytes(size)
    return FileRecord(size=size, sha256=digest.hexdigest())


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record as indented JSON (see `corpora.atomic.write_text`)."""
    write_text(path, record.model_dump_json(indent=2) + "\n")


def read_record(path: Path, model: type[ARecord], what: str, advice: str = "") -> ARecord:
    """The record of a file. Raises InputError where the file can't be read or is not `what`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None
    return parsed_record(path, content, model, what, advice)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object of a file. Raises InputError where the file can't be read or holds none."""
    try:
        return _OBJECT.validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None
    except ValidationError as error:  # of bytes that are no text and of a nesting that is too deep, too
        raise InputError(f"{path}: is not a JSON object ({first_problem(error)})") from None


def parsed_record(path: Path, content: bytes, model: type[ARecord], what: str, advice: str = "") -> ARecord:
    """The record that a file was found to hold."""
    todo = f"; {advice}" if advice else ""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise InputError(f"{path}: is not {what} ({first_problem(error)}){todo}") from None
    except InputError as error:  # of a name that no registry knows
        raise InputError(f"{path}: {error}{todo}") from None
