"""The settings with which a run's folder was begun, compared with those that are to resume it.

A resumed run continues its model, optimiser and order of questions. Under other settings it would mix two runs, and its
configuration and result would name one that never was. Invariant: a folder is resumed only where every setting that
decides what is learnt is the one in its `config.yaml`; FREE may change. What has a path is compared by content
(weights, questions, passages), since a path may change with the machine.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml
from omegaconf import DictConfig, OmegaConf

from corpora.atomic import write_json
from corpora.manifest_file import read_object
from reseek.config.oracle import NO_VERDICT
from reseek.config.policy import PolicySource
from reseek.config.section import load_section
from reseek.config.settings import Settings
from reseek.errors import InputError
from reseek.policy.fingerprint import model_fingerprint
from reseek.preparation.prepare import Prepared
from reseek.questions.provenance import SetManifest, read_manifests
from reseek.run.terminal import plain

FREE = (
    "algo.steps",
    "algo.epochs",
    "algo.validate_every",
    "algo.validate_first",
    "algo.save_every",
    "questions.validation",
    "questions.validation_limit",
    "questions.sets",
    "questions.folder",
    "questions.split",
    *(f"run.{key}" for key in ("name", "dir", "cache", "watchdog_s", "preflight", "record_every", "take_over")),
    *(f"run.{key}" for key in ("follow_links", "trust_checkpoint", "check_only", "verbose", "loggers")),
    "cluster",
    "watch",
    "search.urls",
    "search.device",
    "search.timeout_s",
    "search.patience_s",
    "search.cache_entries",
    *(f"oracle.{key}" for key in sorted(NO_VERDICT)),
)
"""What may change from one command to the next in a folder: how long, how often, where, and what is logged."""

_BY_CONTENT = ("policy.path", "corpus.path", "corpus.index", "questions.train", "questions.mix", "agent.protocol")
_OF_THE_PLAN = "sft"
"""reseek/sft/plan.py compares these, once there is a plan."""
_VERLS = re.compile(
    r"algorithm\.|critic\.|reward\.|actor_rollout_ref\.(actor\.|model\.lora|rollout\.(top_|do_sample|ignore_eos|repeti))"
)
_VERLS_FREE = re.compile(r"micro_batch|max_token_len|offload|profiler|checkpoint|prefetch|chunk|_target_|num_workers")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
INPUTS = "inputs.json"


def check_same(folder: Path, config: DictConfig, settings: Settings, prepared: Prepared | None) -> None:
    """Raises InputError, naming the first key that differs, where the folder was begun with settings that decide
    otherwise what is learnt. A folder without `config.yaml` says nothing."""
    written = _written(folder)
    if written is None:
        return
    earlier, now = _decisive(folder, written, type(settings)), _flat(settings.model_dump(mode="json"))
    for key in sorted(earlier.keys() | now.keys()):
        was_written = key.partition(".")[0] in written
        if was_written and not _is_free(key) and earlier.get(key) != now.get(key):
            _refuse(folder, key, earlier.get(key), now.get(key))
    theirs = _flat(written)
    for key, value in sorted(_verls_own(config)):
        if key in theirs and theirs[key] != value:
            _refuse(folder, key, theirs[key], value)
    _check_content(folder, settings, prepared)


def write_inputs(folder: Path, settings: Settings, prepared: Prepared) -> None:
    """Record what the paths of a run lead to: the policy's weights and the corpus. (Questions: `questions.json`.)"""
    write_json(folder / INPUTS, _inputs(settings, prepared))


def _inputs(settings: Settings, prepared: Prepared) -> dict[str, str | None]:
    is_given = settings.policy.source is PolicySource.PATH  # an embedded one is decided by its keys
    weights = model_fingerprint(Path(prepared.model)) if is_given else None
    corpus = prepared.searched.fingerprint if prepared.searched else prepared.passages
    return {"policy.path": weights or (prepared.model if is_given else None), "corpus": corpus}


def _check_content(folder: Path, settings: Settings, prepared: Prepared | None) -> None:
    if prepared is None:
        return
    if (folder / INPUTS).is_file():
        known = read_object(folder / INPUTS)
        for key, value in _inputs(settings, prepared).items():
            if None not in (value, known.get(key)) and known[key] != value:
                _refuse(folder, key, known[key], value)
    was, now = (_training_questions(found) for found in (read_manifests(folder), prepared.manifests))
    if None not in (was, now) and was != now:
        _refuse(folder, "questions.train", was, now)


def _training_questions(manifests: tuple[SetManifest, ...]) -> str | None:
    return next((manifest.sha256[:16] for manifest in manifests if manifest.name == "train"), None)


def _refuse(folder: Path, key: str, was: Any, now: Any) -> NoReturn:
    raise InputError(
        f"run.dir={folder}: holds a run of other settings ({plain(key)} was {plain(str(was))[:80]}, is now "
        f"{plain(str(now))[:80]}); name another folder"
    )


def _written(folder: Path) -> dict[str, Any] | None:
    path = folder / "config.yaml"
    try:
        text = path.read_text(encoding="utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, _LOADER)):  # ours have none
            raise ValueError("aliases: a short text of them can mean an endless one")
        found = yaml.load(text, _LOADER)  # noqa: S506  (a safe one)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        raise InputError(f"{path}: can't be read as a configuration; name another run.dir") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: is not a configuration; name another run.dir")
    return {str(group): values for group, values in found.items()}


def _decisive(folder: Path, written: Mapping[str, Any], command: type[Settings]) -> dict[str, Any]:
    """The settings that were written, with today's defaults for keys that a later version added."""
    sections = {}
    for group, field in command.model_fields.items():
        values = written.get(group)
        if isinstance(values, dict):
            assert isinstance(field.annotation, type)
            # The training file that was made of a mix is written beside it.
            kept = {key: value for key, value in values.items() if group != "questions" or key not in ("train", "mix")}
            try:
                sections[group] = load_section(field.annotation, kept, group).model_dump(mode="json")
            except InputError as error:
                raise InputError(f"{folder / 'config.yaml'}: {error}; name another run.dir") from None
    return _flat(sections)


def _is_free(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}.") for free in (*FREE, *_BY_CONTENT, _OF_THE_PLAN))


def _verls_own(config: DictConfig) -> Iterator[tuple[str, Any]]:
    """verl's keys that decide what is learnt and that no key of ours sets."""
    plainly, resolved = (_flat(OmegaConf.to_container(config, resolve=resolve)) for resolve in (False, True))
    for key, value in resolved.items():
        source = plainly.get(key, "${")
        if _VERLS.match(key) and not _VERLS_FREE.search(key) and not (isinstance(source, str) and "${" in source):
            yield key, value


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, dict) or not values:
        return {prefix.rstrip("."): values}
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.")
    return flat
