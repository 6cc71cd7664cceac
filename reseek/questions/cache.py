"""Each set as a JSONL file of ours: in place where it is one, else converted once and kept in the cache.

Invariant: a folder of the cache that holds a manifest is complete (it is moved there whole), and its questions are
those of the source it is named after. A file that changed is converted again; a hub's set is kept until its folder is
deleted.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from corpora.atomic import new_folder, write_text
from reseek.config.questions import QuestionSource
from reseek.errors import InputError
from reseek.questions.layouts import Converted, convert
from reseek.questions.provenance import SetManifest, file_facts
from reseek.questions.record import Question, read_questions
from reseek.questions.sources import QUESTIONS, TABLES, file_rows, hub_rows, release_of

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class KnownSet:
    """A question file that exists, and what is known of it."""

    path: Path
    manifest: SetManifest


def ensure_set(name: str, source: QuestionSource, cache: Path) -> KnownSet:
    """The set's file. Raises InputError naming the place for what is not there or can't be read."""
    if source.hub is not None:
        where = f"{source.hub} {source.config}" if source.config else source.hub
        manifest = _manifest(name, f"hub {where}", source)
        return _kept(cache, manifest, _key(source), lambda: convert(hub_rows(source), name, source.only))
    assert source.path is not None
    path = Path(source.path).resolve()
    if path.is_dir():
        release = release_of(path)
        rows, digest = file_facts(path / QUESTIONS)
        said = f"release {release.name} (proof level {release.proof_level})"
        manifest = SetManifest(name=name, source=said, rows=rows, sha256=digest, corpus=release.corpus_fingerprint)
        return KnownSet(path / QUESTIONS, manifest)
    if not path.is_file():
        raise InputError(f"{path}: no such question file")
    rows, digest = file_facts(path)
    manifest = _manifest(name, f"file {path}", source)
    if not path.name.endswith(TABLES):
        return KnownSet(path, manifest.model_copy(update={"rows": rows, "sha256": digest}))

    def converted() -> Converted:
        try:
            return convert(file_rows(path), name, source.only)
        except InputError as error:
            raise InputError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None

    return _kept(cache, manifest, f"{_key(source)} {digest}", converted)


def ensure_mix(name: str, parts: Mapping[str, QuestionSource], cache: Path) -> KnownSet:
    """The questions of several sets in one file, one set after the other; ids say which set."""
    known = {part: ensure_set(part, source, cache) for part, source in parts.items()}
    manifests = tuple(one.manifest for one in known.values())
    key = " ".join(f"{part}={one.manifest.sha256}" for part, one in known.items())
    mix = _manifest(name, f"mix of {' and '.join(known)}", None).model_copy(update={"parts": manifests})

    def mixed() -> Converted:
        questions = (
            question.model_copy(update={"id": f"{part}/{question.id}"})
            for part, one in known.items()
            for question in read_questions(one.path)
        )
        return Converted(tuple(questions), 0, 0)

    return _kept(cache, mix, key, mixed)


def _manifest(name: str, said: str, source: QuestionSource | None) -> SetManifest:
    split = source.split if source is not None and source.hub is not None else None
    said = f"{said}, data_source {source.only}" if source is not None and source.only else said
    return SetManifest(
        name=name, source=said, split=split, revision=source.revision if source else None, rows=0, sha256=""
    )


def _key(source: QuestionSource) -> str:
    return source.model_dump_json()


def _kept(cache: Path, manifest: SetManifest, key: str, make) -> KnownSet:
    """The converted set of the cache, made if it is not there."""
    folder = cache / "questions" / f"{manifest.name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    path = folder / QUESTIONS
    if (folder / _MANIFEST).is_file():
        try:
            known = SetManifest.model_validate_json((folder / _MANIFEST).read_text(encoding="utf-8"))
        except ValidationError:
            raise InputError(f"{folder / _MANIFEST}: is not a manifest; delete the folder to rebuild it") from None
        if path.is_file() and file_facts(path) == (known.rows, known.sha256):
            return KnownSet(path, known)
        raise InputError(
            f"{path}: does not match {_MANIFEST} (row count or sha256 differs); delete the folder to rebuild it"
        )
    made: Converted = make()
    try:
        with new_folder(folder) as building:
            _write(building / QUESTIONS, made.questions)
            rows, digest = file_facts(building / QUESTIONS)
            facts = {"rows": rows, "sha256": digest, "left_out": made.left_out, "blank_answers": made.blank_answers}
            manifest = manifest.model_copy(update=facts)
            write_text(building / _MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    except OSError:  # another run was faster, with the same source
        if not (folder / _MANIFEST).is_file():
            raise
    return KnownSet(path, manifest)


def _write(path: Path, questions: Sequence[Question]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(question.model_dump_json(exclude_defaults=True) + "\n" for question in questions)
