"""A check of the classes that a configuration names, before anything starts."""

from reseek.config.algo import AlgoSettings
from reseek.config.oracle import OracleConfig
from reseek.config.rewards import RewardConfig
from reseek.errors import InputError
from reseek.registry import ESTIMATORS, ORACLES, TERMS, configured


def check_extensions(rewards: RewardConfig, oracle: OracleConfig, algo: AlgoSettings | None) -> None:
    """Raises InputError for a class that can't be imported, lacks what is needed, or is given wrong options."""
    for term in rewards.terms:
        TERMS.make(term.name, term.options, "rewards.terms")
    made = ORACLES.find(oracle.name)
    if not hasattr(made, "of"):
        configured(made, oracle.options, "oracle.options")
    if algo is not None:
        estimator = ESTIMATORS.find(algo.estimator)
        if not hasattr(estimator, "of"):
            configured(estimator, algo.options, "algo.options")
        elif algo.options:
            raise InputError(f"algo.options: {algo.estimator} has none; its keys are those of `algo` itself")
