"""Candidates out of files: the episodes of an evaluation (`episodes/*.jsonl`) and the rollouts of a training run
(`rollouts/step_<n>.jsonl`).

Invariant: the token ids of a file are trained only by a policy whose tokenizer made them: the words that the tokenizer
reads in the first episodes must be those that were recorded.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from reseek.config.sft import ImitationSettings
from reseek.errors import InputError
from reseek.policy import Tokenizer
from reseek.rollout.records import EpisodeRecord, read_records, whole_lines
from reseek.sft.rows import Candidate, candidate_of_record

_LOOKED_AT = 20  # episodes of a file whose words are compared


def recorded(settings: ImitationSettings, tokenizer: Tokenizer) -> Iterator[Candidate | None]:
    """The candidates of `sft.files`, file by file; None for a FAILED episode. Raises InputError naming file and
    line."""
    for path in files_of(settings.files):
        _check_first_line(path)
        yield from _of_records(path, tokenizer)


def files_of(named: Sequence[str]) -> list[Path]:
    """The files that are named, a folder's *.jsonl in the order of their names and numbers."""
    found: list[Path] = []
    for name in named:
        path = Path(name).resolve()
        if not path.exists():
            raise InputError(f"sft.files: {path}: no such file")
        inside = sorted(path.glob("*.jsonl"), key=lambda file: (len(file.name), file.name)) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"sft.files: {path}: holds no *.jsonl; name a run's episodes or rollouts folder")
        found += inside
    return found


def _check_first_line(path: Path) -> None:
    try:
        first = json.loads(whole_lines(path).partition(b"\n")[0] or b"{}")
    except ValueError:
        first = None
    if not isinstance(first, dict) or not {"segments", "events"} & first.keys():
        raise InputError(f"{path}:1: holds neither an episode of reseek eval nor a session of reseek train's rollouts")


def _of_records(path: Path, tokenizer: Tokenizer) -> Iterator[Candidate | None]:
    for number, record in enumerate(read_records(path), start=1):
        where = f"{path}:{number}"
        if record.speaks_text:
            raise InputError(f"{where}: holds an endpoint's text and no token ids; there is nothing to train on")
        candidate = candidate_of_record(record, where)
        if number <= _LOOKED_AT and candidate is not None:
            _check_words(record, where, tokenizer)
        yield candidate


def _check_words(record: EpisodeRecord, where: str, tokenizer: Tokenizer) -> None:
    said = [event.ids for event in record.events if event.kind == "append" and event.source.value == "policy"]
    sampled = [number for ids in said for number in ids]
    for call in record.calls:
        if tokenizer.decode(sampled[call.start : call.end], skip_special_tokens=False) != call.text:
            raise InputError(f"{where}: was not recorded with the tokenizer of policy.path; name the policy that was")
