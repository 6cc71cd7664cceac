"""A check of the classes that a configuration names, before anything starts."""

from typing import TYPE_CHECKING

from reseek.registry import TERMS

if TYPE_CHECKING:
    from reseek.config.settings import Settings


def check_extensions(settings: "Settings") -> None:
    """Raises InputError for a class that can't be imported, lacks what is needed, or is given wrong options."""
    for term in settings.rewards.terms:
        TERMS.make(term.name, term.options, "rewards.terms")
