"""A configuration group: typed, immutable, without unknown keys; and how one is loaded from plain values."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reseek.errors import InputError, first_problem


class Section(BaseModel):
    """A configuration group: typed, immutable, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Chosen(Section):
    """A class that the configuration adds, and its settings."""

    name: str = Field(min_length=1, description="a registered name, or an import path: package.module:Name")
    options: dict[str, Any] = Field(default_factory=dict, description="its settings: the fields of the class")


S = TypeVar("S", bound=Section)


def load_section(section: type[S], values: Any, group: str) -> S:
    """`values`, a mapping, as a typed section. Raises InputError naming `group.key`, what is wrong with it and, for an
    unknown key, the known ones."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        problem = first_problem(error)
        unknown = sorted(set(values) - set(section.model_fields))
        if unknown:
            raise InputError(
                f"{group}.{unknown[0]}: no such key; known: {', '.join(sorted(section.model_fields))}"
            ) from None
        separator = "" if problem.startswith("Value error") else "."
        raise InputError(f"{group}{separator}{': ' if not separator else ''}{problem}") from None
