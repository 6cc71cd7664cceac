"""`reseek eval`: compose the configuration, check it, evaluate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reseek.program.help_pages import EVAL, HELP, show
from reseek.program.hydra_command import run_hydra

if TYPE_CHECKING:
    from omegaconf import DictConfig


def evaluate(words: Sequence[str]) -> None:
    """Evaluate a search agent with the overrides in `words`."""
    if HELP & set(words):
        return show(EVAL)
    run_hydra("eval", "eval", words, _evaluate)


def _evaluate(config: "DictConfig") -> None:
    from reseek.evaluation.launch import evaluate

    folder = evaluate(config)
    print("all checks passed" if config.run.check_only else f"done: {folder}")
