"""The training rows of one step: what the trainer was fed, read back from verl's storage."""

from typing import Any

from reseek.rollout.training_record import Row, TrainedSegment
from reseek.training.verl_plugin.agent_loop import CREDIT_FIELD, RECORD_FIELD
from reseek.training.verl_plugin.batch import fields_of, padding_of, plain

# In the order of `TrainedSegment`'s fields.
_TENSORS = ("prompts", "responses", "response_mask", "rollout_log_probs", "old_log_probs", "advantages")


def rollout_rows(batch: Any, *, values: bool) -> list[Row]:
    """The batch's rows without its padding. `values`: whether a critic estimated them."""
    tensors = [*_TENSORS, *(["values"] if values else [])]
    real = [key for key, padding in zip(batch.keys, padding_of(batch), strict=True) if not padding]
    data = fields_of(batch, [*tensors, "index", "extra_fields"], real)
    columns = zip(*(data[name].unbind() for name in tensors), strict=True)
    rows = []
    for key, columns_of_row, index, extra in zip(real, columns, data["index"], data["extra_fields"], strict=True):
        extra = plain(extra)
        credit = extra[CREDIT_FIELD]
        rows.append(
            Row(
                key,
                int(plain(index)),
                (credit["answer"], credit["judge"], credit["outcome"] - credit["answer"]),
                extra[RECORD_FIELD],
                TrainedSegment(
                    *(tuple(column.tolist()) for column in columns_of_row),
                    verdicts=tuple(tuple(verdict) for verdict in credit["verdicts"]),  # type: ignore[misc]  # a keyword
                ),
            )
        )
    return rows
