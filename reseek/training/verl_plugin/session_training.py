"""What verl's V1 trainers do differently when a session is several rows: a mixin for any of them (see `trainer`).

Training itself is verl's. What differs: advantages are computed over sessions and through forks (`credit`); a rollout
batch makes the configured number of optimiser steps, each of whole sessions, whatever the number of forks (`layout`);
rows come in the order of questions, sessions and segments, so that a repeated step adds up the same numbers in the same
order; metrics of episodes are over sessions; a policy that never acts is refused before step 1; the replay buffer is
polled every 0.2 s instead of every 2 s. Invariant, checked at every step: as many tokens are trained as were sampled.

Knows nothing of episodes beyond counts and credits, or of when weights are synchronised.
"""

import logging
import uuid
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transfer_queue as tq
from omegaconf import OmegaConf
from tensordict import NonTensorData, TensorDict
from verl.trainer.ppo.padding_utils import upsample_batch_to_divisible_size
from verl.utils import tensordict_utils
from verl.utils.dataset.rl_dataset import collate_fn
from verl.utils.metric import reduce_metrics
from verl.utils.py_functional import rename_dict

from reseek.config.agent import ContextPolicy
from reseek.config.oracle import OracleConfig
from reseek.config.run import Preflight, WatchSettings
from reseek.oracle.making.calibration_card import calibration_of
from reseek.questions.record import Question
from reseek.rollout.session_records import Row, SegmentRecord, sessions_of, write_sessions
from reseek.rollout.stats import STATS_KEYS, EpisodeStats, summarise
from reseek.training.checkpoints import keep_best
from reseek.training.credit.batch_layout import lay_out
from reseek.training.credit.rows import credit_rows, estimator_of
from reseek.training.monitor import legal_actions
from reseek.training.monitor.collapse import Signs, Watch, history_of
from reseek.training.monitor.exactness import probability_gaps
from reseek.training.monitor.failed_sessions import check_share
from reseek.training.monitor.reports import WARNING, post, take_unscored
from reseek.training.verl_plugin.agent_loop import CREDIT_FIELD, STATS_PREFIX

POLL_SECONDS = 0.2
_log = logging.getLogger(__name__)


class SessionTraining:
    """To be put before one of verl's trainers in a class's bases, which names that trainer's mode in `VERL_MODE`."""

    VERL_MODE: str

    @property
    def trainer_mode(self) -> str:
        """verl branches on this name: for all of its own code we are the trainer that we extend."""
        return self.VERL_MODE

    @trainer_mode.setter
    def trainer_mode(self, _name: str) -> None:
        return None

    def _build_replay_buffer(self):
        buffer = super()._build_replay_buffer()
        buffer.poll_interval = POLL_SECONDS
        buffer.sample = self._saying_why(buffer.sample)
        return buffer

    def _saying_why(self, sample):
        """verl's sampling refuses a batch of which no session is left; where their scoring failed, say so."""

        def sampled(*args, **kwargs):
            try:
                return sample(*args, **kwargs)
            except RuntimeError:
                causes = take_unscored()
                check_share(causes, len(causes), self.global_steps, self._oracle.most_failed)
                raise

        return sampled

    def on_init_end(self) -> None:
        self._say("first weight sync")
        super().on_init_end()
        self._say("ready")

    def on_train_begin(self) -> None:
        if self.global_steps == 1:
            self._first_look()
        bounds = WatchSettings.model_validate(OmegaConf.to_container(self.config.watch))
        self._watch = Watch(bounds, history_of(self._folder / "metrics.jsonl"))
        super().on_train_begin()

    def _first_look(self) -> None:
        """Play a few training questions once; complain (`run.preflight`) if no call holds a legal action. Leaves the
        order of the questions and the seeds of step 1 as they are."""
        self._say("preflight")
        count = min(legal_actions.EPISODES, len(self.train_dataset))
        columns = collate_fn([self.train_dataset[number] for number in range(count)])
        columns["uid"] = np.array([str(uuid.uuid4()) for _ in range(count)], dtype=object)
        columns["__rollout_n__"] = np.ones(count, dtype=np.int64)
        prompts = tensordict_utils.get_tensordict(columns)
        tensordict_utils.assign_non_tensor_data(prompts, "global_steps", 0)
        tags = [{"is_prompt": True, "status": "pending", "global_steps": self.global_steps}] * count
        tq.kv_batch_put(keys=list(columns["uid"]), partition_id="train", tags=tags)
        self.agent_loop_manager.generate_sequences(prompts)
        batch, _ = self.replay_buffer.sample(
            global_steps=self.global_steps, partition_id="train", batch_size=count
        )
        said = ""
        if batch.keys:
            data = tq.kv_batch_get(keys=batch.keys[:1], partition_id="train", select_fields=["responses"])
            said = self.tokenizer.decode(data["responses"][0].tolist())
        complaint = legal_actions.complaint([_stats(extra) for extra in self._session_extras(batch)], said)
        tq.kv_clear(keys=batch.keys, partition_id="train")
        unscored = take_unscored()
        check_share(unscored, count, self.global_steps, self._oracle.most_failed)
        if complaint and Preflight(self.config.run.preflight) is Preflight.ABORT:
            raise legal_actions.PreflightFailed(complaint)
        if complaint:
            self._warn(complaint)

    def on_step_begin(self) -> None:
        self._say("rollout")
        super().on_step_begin()

    def _balance_batch(self, batch, metrics, *args, **kwargs):
        """In place of verl's: lay the rows out by session, so that forks change neither the number of optimiser steps
        nor which trajectories share one; count the sessions that are missing because their episode failed."""
        expected = self.config.data.train_batch_size * self.config.actor_rollout_ref.rollout.n
        unscored = take_unscored()
        metrics["episodes/scoring_failed"] = len(unscored)
        check_share(unscored, expected, self.global_steps, self._oracle.most_failed)
        if not batch.keys:
            raise RuntimeError(f"all {expected} episodes of step {self.global_steps} failed: their errors stand above")
        self._in_order_of_questions(batch)
        sessions = [key.rsplit("_", 1)[0] for key in batch.keys]
        metrics["episodes/failed"] = expected - len(set(sessions))
        workers = max(self.actor_rollout_wg._query_dispatch_info("actor")) + 1
        layout = lay_out(sessions, [tag["seq_len"] for tag in batch.tags], self.optimiser_steps, workers)
        batch = upsample_batch_to_divisible_size(batch, len(layout.order), self.tokenizer.eos_token_id)
        batch.reorder(list(layout.order))
        metrics["batch/rows"], metrics["batch/padding_rows"] = layout.real, layout.padding
        metrics["tokens/fed"] = sum(tag["seq_len"] for tag in batch.tags)
        return batch

    def _in_order_of_questions(self, batch) -> None:
        data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["index"])
        questions = [int(_plain(index)) for index in data["index"]]
        places = [tuple(map(int, key.rsplit("_", 2)[1:])) for key in batch.keys]
        batch.reorder(sorted(range(len(questions)), key=lambda row: (questions[row], *places[row])))

    def _compute_advantage(self, batch, metrics):
        """verl's own first (KL in the reward, rollout correction and their metrics), then our advantages over it."""
        batch = super()._compute_advantage(batch, metrics)
        fields = ["response_mask", "extra_fields", *(["values"] if self.use_critic else [])]
        data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=fields)
        masks = data["response_mask"].unbind()
        values = data["values"].unbind() if self.use_critic else None
        extras = [_plain(extra) for extra in data["extra_fields"]]
        credits = [extra.get(CREDIT_FIELD) for extra in extras]
        padding = _padding(batch)
        self._count_tokens(batch.keys, masks, extras, padding, metrics)
        estimator = estimator_of(self.config.algo, f"{self.config.run.seed} {self.global_steps}")
        advantages, returns = credit_rows(
            estimator, batch.keys, masks, values, credits, padding, whiten=self.use_critic
        )
        output = TensorDict(
            {
                "advantages": torch.nested.as_nested_tensor(advantages, layout=torch.jagged),
                "returns": torch.nested.as_nested_tensor(returns, layout=torch.jagged),
            },
            batch_size=len(batch),
        )
        return tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=output)

    def _count_tokens(self, keys, masks, extras, padding, metrics) -> None:
        rows = [row for row in range(len(keys)) if not padding[row]]
        sampled = {keys[row].rsplit("_", 1)[0]: _stats(extras[row]).sampled_tokens for row in rows}
        metrics["tokens/sampled"] = sum(sampled.values())
        metrics["tokens/trained"] = sum(int(masks[row].sum()) for row in rows)
        if metrics["tokens/trained"] != metrics["tokens/sampled"]:
            raise RuntimeError(
                f"step {self.global_steps}: {metrics['tokens/sampled']} tokens were sampled, "
                f"{metrics['tokens/trained']} would be trained: rows were cut or lost on their way to the trainer"
            )

    def _compute_old_log_prob(self, batch, metrics):
        self._say("log-probabilities")
        batch = super()._compute_old_log_prob(batch, metrics)
        fields = ["response_mask", "rollout_log_probs", "old_log_probs"]
        data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=fields)
        metrics.update(probability_gaps(batch.keys, *(data[field].unbind() for field in fields), _padding(batch)))
        return batch

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
        ours = _named("validation", summarise([EpisodeStats(*row) for row in rows]))
        ours["validation/scoring_failed"] = len(take_unscored())
        if "validation/em" in ours:
            questions = int(ours["validation/episodes"])
            best = keep_best(self._folder, self.global_steps, ours["validation/em"], questions)
            ours |= {"validation/best_em": best.em, "validation/best_step": best.step} if best else {}
        metrics.update(ours)
        self._say("validated", ours)
        return metrics

    def _compute_metrics(self, batch, metrics, timing_raw, global_steps, epoch) -> None:
        super()._compute_metrics(batch, metrics, timing_raw, global_steps, epoch)
        extras = self._session_extras(batch)
        summary = summarise([_stats(extra) for extra in extras])
        metrics.update(_named("episodes", summary))
        metrics.update(self._timing(extras))
        metrics.update(self._oracle_metrics)
        self._look(Signs.of(summary), metrics)
        every = self.config.run.record_every
        if every and global_steps % every == 0:
            self._record(batch)
        self._say("step", {key: float(value) for key, value in metrics.items() if np.isscalar(value)})

    def _look(self, signs: Signs, metrics: dict[str, Any]) -> None:
        """Say what the watch sees; end the run after this step where it says so (`watch.stop`)."""
        seen = self._watch.look(signs)
        metrics.update(seen.metrics)
        for warning in seen.warnings:
            self._warn(warning)
        if seen.stop:
            self._warn(f"the run ends after step {self.global_steps}: watch.stop=collapse")
            self.total_training_steps = self.global_steps  # the condition of verl's loop

    def _timing(self, _extras: list[dict[str, Any]]) -> dict[str, float]:
        """Where the step's seconds went: nobody looked at the clock (see `timed_steps`)."""
        return {}

    def _session_extras(self, batch) -> list[dict[str, Any]]:
        """What each session of the batch said beside its rows: forks give a session several rows, padding gives rows
        without one."""
        position_of_session: dict[str, int] = {}
        for position, (key, tag) in enumerate(zip(batch.keys, batch.tags, strict=True)):
            if not tag.get("is_padding", False):
                position_of_session[key.rsplit("_", 1)[0]] = position
        keys = [batch.keys[position] for position in position_of_session.values()]
        if not keys:
            return []
        data = tq.kv_batch_get(keys=keys, partition_id=batch.partition_id, select_fields=["extra_fields"])
        return [_plain(extra) for extra in data["extra_fields"]]

    @cached_property
    def _oracle(self) -> OracleConfig:
        return OracleConfig.model_validate(OmegaConf.to_container(self.config.oracle, resolve=True))

    @cached_property
    def _oracle_metrics(self) -> dict[str, float]:
        """How good this run's labels are, where its oracle was calibrated."""
        card = calibration_of(self._oracle)
        if card is None:
            return {}
        return {"oracle/error_rate": card.error_rate, "oracle/labelled_share": card.labelled_share}

    def _record(self, batch) -> None:
        """Write what this step was made of: see `rollouts`."""
        tensors = ["prompts", "responses", "response_mask", "rollout_log_probs", "old_log_probs", "advantages"]
        tensors += ["values"] if self.use_critic else []
        fields = [*tensors, "question", "index", "extra_fields"]
        real = [key for key, padding in zip(batch.keys, _padding(batch), strict=True) if not padding]
        data = tq.kv_batch_get(keys=real, partition_id=batch.partition_id, select_fields=fields)
        columns = zip(*(data[name].unbind() for name in tensors), strict=True)
        rows = []
        for key, columns_of_row, question, index, extra in zip(
            real, columns, data["question"], data["index"], data["extra_fields"], strict=True
        ):
            credit = _plain(extra)[CREDIT_FIELD]
            rows.append(
                Row(
                    key,
                    Question.model_validate_json(_plain(question)),
                    int(_plain(index)),
                    (credit["answer"], credit["judge"], credit["outcome"] - credit["answer"]),
                    SegmentRecord(
                        **dict(zip(SegmentRecord.model_fields, (t.tolist() for t in columns_of_row), strict=False)),
                        verdicts=credit["verdicts"],
                    ),
                )
            )
        configured = ContextPolicy(self.config.agent.context)
        write_sessions(self._folder, sessions_of(rows, self.global_steps, configured))

    @property
    def _folder(self) -> Path:
        return Path(self.config.run.dir)

    def _warn(self, line: str) -> None:
        self._say(WARNING + line)
        _log.warning(line)

    def _say(self, phase: str, metrics: dict[str, float] | None = None) -> None:
        post(phase, getattr(self, "global_steps", 0), metrics, getattr(self, "total_training_steps", 0))


def _plain(value: Any) -> Any:
    """The value itself: the storage back end decides whether it comes bare or wrapped."""
    return value.data if isinstance(value, NonTensorData) else value


def _padding(batch) -> list[bool]:
    return [tag.get("is_padding", False) for tag in batch.tags]


def _stats(extra: dict[str, Any]) -> EpisodeStats:
    info = extra["reward_extra_info"]
    return EpisodeStats(**{key: info[f"{STATS_PREFIX}{key}"] for key in STATS_KEYS})


def _named(prefix: str, summary: dict[str, float | None]) -> dict[str, float]:
    """The summary under a prefix, without the ratios over nothing (loggers know no None)."""
    return {f"{prefix}/{key}": value for key, value in summary.items() if value is not None}
