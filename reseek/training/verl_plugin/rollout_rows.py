"""The training rows of one step as rollout records: what the trainer was fed, read back from verl's storage."""

from typing import Any

from reseek.questions.record import Question
from reseek.rollout.session_records import Row, SegmentRecord
from reseek.training.verl_plugin.agent_loop import CREDIT_FIELD
from reseek.training.verl_plugin.batch import fields_of, padding_of, plain

_TENSORS = ("prompts", "responses", "response_mask", "rollout_log_probs", "old_log_probs", "advantages")


def rollout_rows(batch: Any, *, values: bool) -> list[Row]:
    """The batch's rows without its padding. `values`: whether a critic estimated them."""
    tensors = [*_TENSORS, *(["values"] if values else [])]
    real = [key for key, padding in zip(batch.keys, padding_of(batch), strict=True) if not padding]
    data = fields_of(batch, [*tensors, "question", "index", "extra_fields"], real)
    columns = zip(*(data[name].unbind() for name in tensors), strict=True)
    rows = []
    for key, columns_of_row, question, index, extra in zip(
        real, columns, data["question"], data["index"], data["extra_fields"], strict=True
    ):
        credit = plain(extra)[CREDIT_FIELD]
        rows.append(
            Row(
                key,
                Question.model_validate_json(plain(question)),
                int(plain(index)),
                (credit["answer"], credit["judge"], credit["outcome"] - credit["answer"]),
                SegmentRecord(
                    **dict(zip(SegmentRecord.model_fields, (t.tolist() for t in columns_of_row), strict=False)),
                    verdicts=credit["verdicts"],
                ),
            )
        )
    return rows
