"""Every documented key of the configuration, read off the typed models: its path, default, type and description."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from reseek.config.section import Section
from reseek.config.settings import EvalSettings, Settings, SftSettings, TrainSettings

COMMANDS: dict[str, tuple[type[Settings], ...]] = {"train": (TrainSettings, SftSettings), "eval": (EvalSettings,)}
"""By the configuration of conf/ that it composes: what a command reads (`train` by its `stage`)."""
REQUIRED = "???"
"""Stands for the default of a key that has none: a preset or the user gives it (OmegaConf's spelling)."""
ANY_NAME = "NAME"
"""The part of a path that the user chooses: a key of a dictionary."""


Model = type[Section]


@dataclass(frozen=True)
class Key:
    """One key. `nested`: the model of what it holds, where that has keys of its own."""

    path: str
    default: Any
    type: str
    description: str
    nested: Model | None = None


def groups_of(command: str) -> dict[str, type[Section]]:
    """The groups that a command reads, by name, as their models."""
    groups: dict[str, type[Section]] = {}
    for settings in COMMANDS[command]:
        for name, field in settings.model_fields.items():
            assert isinstance(field.annotation, type) and issubclass(field.annotation, Section)
            groups[name] = field.annotation
    return groups


def defaults_of(section: type[Section]) -> dict[str, Any]:
    """A model's keys with their defaults as plain values; REQUIRED for those without one."""
    return {name: _default(field) for name, field in section.model_fields.items()}


def keys_of(section: type[Section], prefix: str) -> list[Key]:
    """A model's own keys, in the order of their definition."""
    keys = []
    for name, field in section.model_fields.items():
        path = f"{prefix}.{name}"
        nested = next((kind for kind in _kinds(field.annotation) if _is_section(kind)), None)
        if nested is not None and get_origin(_without_none(field.annotation)) is dict:
            path = f"{path}.{ANY_NAME}"
        keys.append(Key(path, _default(field), _type_name(field), field.description or "", nested))
    return keys


def nested_keys(keys: list[Key]) -> Iterator[Key]:
    """The keys inside of those that hold a model."""
    for key in keys:
        if key.nested is not None:
            yield from keys_of(key.nested, key.path)


def repeated_defaults(values: Mapping[str, Any], section: type[Section]) -> list[str]:
    """The keys that `values` sets to their typed default, and so need not name."""
    defaults = defaults_of(section)
    return [key for key, value in values.items() if key in defaults and defaults[key] == value]


def _default(field: FieldInfo) -> Any:
    return REQUIRED if field.is_required() else to_jsonable_python(field.get_default(call_default_factory=True))


def _without_none(annotation: Any) -> Any:
    parts = [part for part in get_args(annotation) if part is not NoneType]
    return parts[0] if get_origin(annotation) in (Union, UnionType) and len(parts) == 1 else annotation


def _kinds(annotation: Any) -> Iterator[Any]:
    """An annotation and all that it is made of; the items of tuples and lists, which have no path, left out."""
    yield annotation
    if get_origin(annotation) in (Union, UnionType, dict):
        for part in get_args(annotation):
            yield from _kinds(part)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


_NAMES = {float: "number", int: "integer", str: "text", bool: "true or false"}
_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _type_name(field: FieldInfo) -> str:
    """What may be written there: the choices, or a kind of value and its bounds."""
    kind = _without_none(field.annotation)
    named = _kind_name(kind, field)
    for constraint in field.metadata:
        for bound, sign in _BOUNDS.items():
            limit = getattr(constraint, bound, None)
            named += f", {sign} {limit}" if limit is not None else ""
    return f"{named}; or null" if kind is not field.annotation else named


def _kind_name(kind: Any, field: FieldInfo) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(str(value.value) for value in kind)
    if get_origin(kind) in (list, tuple):
        return "list"
    if get_origin(kind) in (Union, UnionType):
        return "; or ".join(_kind_name(part, field) for part in get_args(kind))
    pattern = next((m.pattern for m in field.metadata if getattr(m, "pattern", None)), None)
    if pattern is not None:
        return ", ".join(pattern.strip("^$()").split("|"))
    return _NAMES.get(kind, "group of keys")
