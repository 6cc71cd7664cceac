"""What is measured: the quick start and the paper's run, as `reseek train` would compose them.

Invariant: everything that decides how tokens are fed (workers, optimiser steps, forward_tokens, packing) and the
agent's budgets are read from the composed configuration; only the lengths of texts, and the paper's number of
questions, are written here.
"""

from dataclasses import dataclass

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarks.train_tokens.play import Lengths, Workload
from reseek.config.agent import AgentConfig
from reseek.config.composition import register_config
from reseek.config.resolvers import CONF

# Tokens of the embedded world's texts in the micro model's tokenizer, measured: questions 7-16, passages 28-40 with
# their heading (of about 7), the scripted expert's calls 7-15.
_QUICKSTART = Lengths(prompt=(7, 16), call=(7, 15), passage=(21, 33))
# The paper's form: observations that fill the 500 tokens, calls of about 100; the user turn is our instructions' (267
# tokens in SmolLM2's tokenizer with one question).
_PAPER = Lengths(prompt=(260, 290), call=(60, 140), passage=(500, 520))


@dataclass(frozen=True)
class Setup:
    """A batch to play and how its rows are fed. `packs`: verl's use_remove_padding, as configured."""

    name: str
    workload: Workload
    steps: int
    workers: int
    forward_tokens: int
    packs: bool


def read_setups(*, seed: int, paper_questions: int) -> tuple[Setup, Setup]:
    """The quick start with its own batch, and the paper's run with `paper_questions` (even) in place of its 512
    questions, in as many optimiser steps."""
    batch = (f"algo.questions_per_step={paper_questions}", f"algo.mini_batch_questions={paper_questions // 2}")
    return (
        _setup("quick start", (), _QUICKSTART, seed),
        _setup("paper", ("experiment=qwen2.5-7b-grpo", *batch), _PAPER, seed),
    )


def _setup(name: str, overrides: tuple[str, ...], lengths: Lengths, seed: int) -> Setup:
    register_config()
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", overrides=[*overrides, "run.dir=unused"])
    agent = AgentConfig.model_validate(OmegaConf.to_container(config.agent, resolve=True))
    actor = config.actor_rollout_ref.actor
    questions = config.data.train_batch_size
    return Setup(
        name=name,
        workload=Workload(agent, lengths, questions, config.actor_rollout_ref.rollout.n, seed),
        steps=questions // actor.ppo_mini_batch_size,
        workers=config.trainer.nnodes * config.trainer.n_gpus_per_node,
        forward_tokens=actor.ppo_max_token_len_per_gpu,
        packs=bool(config.actor_rollout_ref.model.use_remove_padding),
    )
