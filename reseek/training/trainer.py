"""verl's synchronous V1 trainer, with our metrics and a sign of life at every phase.

Registered with verl as `reseek_sync` (`trainer.v1.trainer_mode`). Training itself is verl's; what differs: advantages
are computed over sessions and through forks (`credit`); a rollout batch makes the configured number of optimiser steps,
each of whole sessions, whatever the number of forks (`layout`); metrics of episodes are over sessions, not rows; the
replay buffer is polled every 0.2 s instead of every 2 s. Knows nothing of episodes beyond counts and credits.
"""

from typing import Any

import numpy as np
import torch
import transfer_queue as tq
from tensordict import TensorDict
from verl.trainer.ppo.padding_utils import upsample_batch_to_divisible_size
from verl.trainer.ppo.v1.trainer_base import register_trainer
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils.metric import reduce_metrics
from verl.utils.py_functional import rename_dict

from reseek.stats import STATS_KEYS, EpisodeStats, summarise
from reseek.training.agent_loop import CREDIT_FIELD, STATS_PREFIX
from reseek.training.board import post
from reseek.training.credit_rows import credit_rows, estimator_of
from reseek.training.layout import lay_out

POLL_SECONDS = 0.2


@register_trainer("reseek_sync")
class ReSeekTrainer(PPOTrainerSync):
    @property
    def trainer_mode(self) -> str:
        """verl branches on this name: for all of its own code we are the synchronous trainer."""
        return "sync"

    @trainer_mode.setter
    def trainer_mode(self, _name: str) -> None:
        return None

    def _build_replay_buffer(self):
        buffer = super()._build_replay_buffer()
        buffer.poll_interval = POLL_SECONDS
        return buffer

    def on_init_end(self) -> None:
        self._say("first weight sync")
        super().on_init_end()
        self._say("ready")

    def on_step_begin(self) -> None:
        self._say("rollout")
        super().on_step_begin()

    def _balance_batch(self, batch, metrics, *args, **kwargs):
        """In place of verl's: lay the rows out by session, so that forks change neither the number of optimiser steps
        nor which trajectories share one; count the sessions that are missing because their episode failed."""
        expected = self.config.data.train_batch_size * self.config.actor_rollout_ref.rollout.n
        sessions = [key.rsplit("_", 1)[0] for key in batch.keys]
        if not sessions:
            raise RuntimeError(f"all {expected} episodes of step {self.global_steps} failed: their errors stand above")
        metrics["episodes/failed"] = expected - len(set(sessions))
        workers = max(self.actor_rollout_wg._query_dispatch_info("actor")) + 1
        layout = lay_out(sessions, [tag["seq_len"] for tag in batch.tags], self.optimiser_steps, workers)
        batch = upsample_batch_to_divisible_size(batch, len(layout.order), self.tokenizer.eos_token_id)
        batch.reorder(list(layout.order))
        metrics["batch/rows"], metrics["batch/padding_rows"] = layout.real, layout.padding
        return batch

    def _compute_advantage(self, batch, metrics):
        """verl's own first (KL in the reward, rollout correction and their metrics), then our advantages over it."""
        batch = super()._compute_advantage(batch, metrics)
        fields = ["response_mask", "extra_fields", *(["values"] if self.use_critic else [])]
        data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=fields)
        masks = data["response_mask"].unbind()
        values = data["values"].unbind() if self.use_critic else None
        credits = [getattr(extra, "data", extra).get(CREDIT_FIELD) for extra in data["extra_fields"]]
        padding = [tag.get("is_padding", False) for tag in batch.tags]
        advantages, returns = credit_rows(
            estimator_of(self.config.algo), batch.keys, masks, values, credits, padding, whiten=self.use_critic
        )
        output = TensorDict(
            {
                "advantages": torch.nested.as_nested_tensor(advantages, layout=torch.jagged),
                "returns": torch.nested.as_nested_tensor(returns, layout=torch.jagged),
            },
            batch_size=len(batch),
        )
        return tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=output)

    def _compute_old_log_prob(self, batch, metrics):
        self._say("log-probabilities")
        return super()._compute_old_log_prob(batch, metrics)

    @property
    def optimiser_steps(self) -> int:
        """Optimiser steps per rollout batch, as configured: in questions, so forks do not change it."""
        return self.config.data.train_batch_size // self.config.actor_rollout_ref.actor.ppo_mini_batch_size

    def _update_actor(self, batch, metrics):
        """verl's update (trainer_base.py, without distillation), with mini-batches cut as `optimiser_steps` parts."""
        self._say("update")
        actor = self.config.actor_rollout_ref.actor
        batch.extra_info.update(
            {
                **self._mini_batches(batch, actor),
                "calculate_entropy": actor.calculate_entropy or actor.entropy_coeff != 0.0,
                "distillation_use_topk": False,
                "distillation_only": False,
            }
        )
        output = rename_dict(self.actor_rollout_wg.update_actor(batch)["metrics"], "actor/")
        output["perf/mfu/actor"] = output.pop("actor/mfu")
        metrics.update(reduce_metrics(output))
        return batch

    def _update_critic(self, batch, metrics):
        """As `_update_actor`, for the critic."""
        self._say("critic update")
        batch.extra_info.update(self._mini_batches(batch, self.config.critic))
        output = rename_dict(self.critic_wg.train_mini_batch(batch).get()["metrics"], "critic/")
        output["perf/mfu/critic"] = output.pop("critic/mfu")
        metrics.update(reduce_metrics(output))
        return batch

    def _mini_batches(self, batch, model) -> dict[str, Any]:
        rows = len(batch) // self.optimiser_steps
        return {
            "global_batch_size": rows,
            "mini_batch_size": rows,
            "epochs": model.ppo_epochs,
            "seed": model.data_loader_seed,
            "dataloader_kwargs": {"shuffle": model.shuffle},
            "temperature": self.config.actor_rollout_ref.rollout.temperature,
        }

    def _save_checkpoint(self) -> None:
        self._say("checkpoint")
        super()._save_checkpoint()

    def on_step_end(self) -> None:
        self._say("weight sync")
        super().on_step_end()

    def on_validate_begin(self) -> None:
        self._say("validation")
        super().on_validate_begin()

    def _val_metrics_update(self, data_sources, sample_uids, reward_extra_infos_dict, *args, **kwargs):
        """verl's validation metrics, and ours over all validation episodes as `validation/*`."""
        metrics = super()._val_metrics_update(data_sources, sample_uids, reward_extra_infos_dict, *args, **kwargs)
        columns = {key: reward_extra_infos_dict[f"{STATS_PREFIX}{key}"] for key in STATS_KEYS}
        rows = zip(*columns.values(), strict=True)
        ours = _named("validation", [EpisodeStats(*row) for row in rows])
        metrics.update(ours)
        self._say("validated", ours)
        return metrics

    def _compute_metrics(self, batch, metrics, timing_raw, global_steps, epoch) -> None:
        super()._compute_metrics(batch, metrics, timing_raw, global_steps, epoch)
        metrics.update(_named("episodes", self._episode_stats(batch)))
        self._say("step", {key: float(value) for key, value in metrics.items() if np.isscalar(value)})

    def _episode_stats(self, batch) -> list[EpisodeStats]:
        """One record per session of the batch: forks give a session several rows, padding gives rows without one."""
        position_of_session: dict[str, int] = {}
        for position, (key, tag) in enumerate(zip(batch.keys, batch.tags, strict=True)):
            if not tag.get("is_padding", False):
                position_of_session[key.rsplit("_", 1)[0]] = position
        keys = [batch.keys[position] for position in position_of_session.values()]
        data = tq.kv_batch_get(keys=keys, partition_id=batch.partition_id, select_fields=["extra_fields"])
        # The storage back end decides the container: an array, a NonTensorStack or a list of wrapped values.
        return [_stats(getattr(extra, "data", extra)["reward_extra_info"]) for extra in data["extra_fields"]]

    def _say(self, phase: str, metrics: dict[str, float] | None = None) -> None:
        post(phase, getattr(self, "global_steps", 0), metrics, getattr(self, "total_training_steps", 0))


def _stats(info: dict[str, Any]) -> EpisodeStats:
    return EpisodeStats(**{key: info[f"{STATS_PREFIX}{key}"] for key in STATS_KEYS})


def _named(prefix: str, stats: list[EpisodeStats]) -> dict[str, float]:
    """The summary under a prefix, without the ratios over nothing (loggers know no None)."""
    return {f"{prefix}/{key}": value for key, value in summarise(stats).items() if value is not None}
