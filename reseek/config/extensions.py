"""A check of the classes that a configuration names, before anything starts."""

from typing import TYPE_CHECKING

from reseek.errors import InputError
from reseek.registry import ESTIMATORS, ORACLES, TERMS, configured

if TYPE_CHECKING:
    from reseek.config.settings import Settings


def check_extensions(settings: "Settings") -> None:
    """Raises InputError for a class that can't be imported, lacks what is needed, or is given wrong options."""
    for term in settings.rewards.terms:
        TERMS.make(term.name, term.options, "rewards.terms")
    oracle = ORACLES.find(settings.oracle.name)
    if not hasattr(oracle, "of"):
        configured(oracle, settings.oracle.options, "oracle.options")
    algo = getattr(settings, "algo", None)
    if algo is not None:
        estimator = ESTIMATORS.find(algo.estimator)
        if not hasattr(estimator, "of"):
            configured(estimator, algo.options, "algo.options")
        elif algo.options:
            raise InputError(f"algo.options: {algo.estimator} has none; its keys are those of `algo` itself")
