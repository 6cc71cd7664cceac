"""verl's V1 trainers with sessions of several rows, observed and timed, registered with verl.

Chosen by `algo.schedule`, which conf/train.yaml maps to `trainer.v1.trainer_mode`.
"""

from verl.trainer.ppo.v1.trainer_base import register_trainer
from verl.trainer.ppo.v1.trainer_colocate_async import PPOTrainerColocateAsync
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from reseek.training.verl_plugin.observing import ObservedSteps
from reseek.training.verl_plugin.session_training import SessionTraining
from reseek.training.verl_plugin.timed_steps import TimedSteps


@register_trainer("reseek_sync")
class SyncTrainer(TimedSteps, ObservedSteps, SessionTraining, PPOTrainerSync):
    """Sample a batch, train on it, synchronise the weights."""

    VERL_MODE = "sync"


@register_trainer("reseek_colocate_async")
class ColocateAsyncTrainer(TimedSteps, ObservedSteps, SessionTraining, PPOTrainerColocateAsync):
    """Sampling runs ahead of training and continues across a weight update: an episode may hold tokens of two policies,
    each with the log-probability under the policy that sampled it."""

    VERL_MODE = "colocate_async"
