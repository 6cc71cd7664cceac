"""`algo`: how rewards become updates of the policy. `conf/train.yaml` maps its keys to verl's."""

from enum import Enum
from typing import Any

from pydantic import Field

from reseek.config.section import Section


class Credit(Enum):
    """Which tokens a verdict's reward reaches."""

    TRAJECTORY = "trajectory"
    """All of the episode's: answer and verdicts are one number."""
    STEP = "step"
    """The answer's reward reaches all tokens, a verdict's its own tokens only."""


class Control(Enum):
    """What is taken from a training run on purpose, to see what it was good for."""

    NONE = "none"
    """Nothing."""
    PERMUTED_REWARDS = "permuted_rewards"
    """Rewards are shuffled among the sessions of each question: nothing can be learnt from them."""


class Schedule(Enum):
    """When sampling and training take turns (reseek/training/verl_plugin/trainer.py)."""

    SYNC = "sync"
    """Sample a whole batch with the newest weights, then train on it."""
    COLOCATE_ASYNC = "colocate_async"
    """Sampling runs one batch ahead and continues across weight updates, on the same GPUs."""


class AlgoSettings(Section):
    """`algo`: how the policy is updated. Defaults are the paper's GRPO."""

    estimator: str = Field(
        "grpo",
        description="how rewards become advantages: grpo (normalised over the sessions of a question), reinforce "
        "(minus the mean of its other sessions), ppo (a critic and GAE), or an import path: package.module:Name",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="settings of an estimator given by its path")
    credit: Credit = Field(Credit.TRAJECTORY, description="trajectory, or step: what a verdict's reward reaches")
    control: Control = Field(Control.NONE, description="none, or permuted_rewards")
    schedule: Schedule = Field(Schedule.SYNC, description="sync or colocate_async")
    questions_per_step: int = Field(512, ge=1, description="questions in one rollout batch")
    sessions_per_question: int = Field(5, ge=1, description="episodes per question: GRPO's group")
    mini_batch_questions: int = Field(256, ge=1, description="questions per optimiser step")
    learning_rate: float = Field(1e-6, ge=0, description="of the policy, after the warm-up")
    critic_learning_rate: float = Field(1e-5, ge=0, description="ppo only")
    gamma: float = Field(1.0, gt=0, le=1, description="ppo only: discount per sampled token")
    lam: float = Field(1.0, ge=0, le=1, description="ppo only: GAE's lambda")
    warmup_ratio: float = Field(0.0, ge=0, le=1, description="share of steps in which the learning rate rises")
    kl_loss: float = Field(0.001, ge=0, description="weight of the KL loss to the start policy; 0: no reference model")
    clip: float = Field(0.2, gt=0, description="PPO's clip range")
    temperature: float = Field(1.0, gt=0, description="of rollouts")
    steps: int | None = Field(None, ge=1, description="training steps; null: `epochs` over the questions")
    epochs: int = Field(1, ge=1, description="passes over the training questions, where `steps` is null")
    validate_every: int = Field(50, description="steps between validations; -1: only first and last, if any")
    validate_first: bool = Field(True, description="validate before the first step")
    save_every: int = Field(50, description="steps between checkpoints; -1: none; the best is kept: best.json")
