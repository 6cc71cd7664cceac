"""verl's V1 trainers with sessions of several rows: `SessionTraining` over each of them, timed, registered with verl.

Chosen by `algo.schedule` (conf/train.yaml maps it to `trainer.v1.trainer_mode`). Knows nothing but the names.
"""

from verl.trainer.ppo.v1.trainer_base import register_trainer
from verl.trainer.ppo.v1.trainer_colocate_async import PPOTrainerColocateAsync
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from reseek.training.verl_plugin.session_training import SessionTraining
from reseek.training.verl_plugin.timed_steps import TimedSteps


@register_trainer("reseek_sync")
class SyncTrainer(TimedSteps, SessionTraining, PPOTrainerSync):
    """Sample a batch, train on it, synchronise the weights."""

    VERL_MODE = "sync"


@register_trainer("reseek_colocate_async")
class ColocateAsyncTrainer(TimedSteps, SessionTraining, PPOTrainerColocateAsync):
    """Sampling runs ahead of training and goes on across a weight update: an episode may hold tokens of two policies,
    each with the log-probability under the policy that sampled it."""

    VERL_MODE = "colocate_async"
