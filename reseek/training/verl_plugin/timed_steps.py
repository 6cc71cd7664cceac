"""A trainer whose steps are timed part by part: a mixin before `ObservedSteps` in a trainer's bases.

Logged as `timing/<part>` (seconds of a step, `stopwatch.Part`; they add up to `timing/whole`, which runs from one
step's metrics to the next one's) and, within the rollout, `timing/rollout_<wait>` (`stopwatch.Wait`). Invariant: it
reads the clock and changes nothing else.
"""

from collections.abc import Sequence
from typing import Any

import transfer_queue as tq

from reseek.training.monitor.stopwatch import Part, Stopwatch, Wait, split
from reseek.training.verl_plugin.agent_loop import WAITS_FIELD
from reseek.training.verl_plugin.mixin import VerlTrainer

_PARTS = {
    "prepare_step": Part.ROLLOUT,
    "_balance_batch": Part.ADVANTAGES,
    "_compute_old_log_prob": Part.LOG_PROBS,
    "_compute_ref_log_prob": Part.LOG_PROBS,
    "_compute_values": Part.VALUES,
    "_compute_advantage": Part.ADVANTAGES,
    "_update_critic": Part.UPDATE,
    "_update_actor": Part.UPDATE,
    "on_sample_end": Part.SYNC,
    "on_step_end": Part.SYNC,
    "_save_checkpoint": Part.CHECKPOINT,
    "_validate": Part.VALIDATION,
}
"""The part of a step that each of the trainer's methods belongs to."""
_TRANSFERS = ("kv_batch_get", "kv_batch_put", "kv_clear")


class TimedSteps(VerlTrainer):
    """Times itself from the moment when training begins."""

    def on_train_begin(self) -> None:
        super().on_train_begin()
        watch = self._stopwatch = Stopwatch()
        for name, part in _PARTS.items():
            setattr(self, name, watch.timed(part, getattr(self, name)))
        self.replay_buffer.sample = watch.timed(Part.ROLLOUT, self.replay_buffer.sample)
        for name in _TRANSFERS:  # verl and we look them up in the module at each call
            setattr(tq, name, watch.timed(Part.TRANSFER, getattr(tq, name)))

    def _timing(self, extras: Sequence[dict[str, Any]]) -> dict[str, float]:
        """The seconds since the previous step, by part. `extras`: one per session."""
        seconds = self._stopwatch.lap()
        waits = {wait: sum(extra[WAITS_FIELD][wait.value] for extra in extras) for wait in Wait}
        within = split(seconds[Part.ROLLOUT], waits)
        return {
            "timing/whole": sum(seconds.values()),
            **{f"timing/{part.value}": spent for part, spent in seconds.items()},
            **{f"timing/{Part.ROLLOUT.value}_{wait.value}": spent for wait, spent in within.items()},
        }
