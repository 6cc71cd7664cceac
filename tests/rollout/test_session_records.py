"""Rows of a batch become sessions on disk and come back as they were."""

import json
import random

import pytest

from reseek.config.agent import ContextPolicy
from reseek.errors import InputError
from reseek.questions.record import Question
from reseek.rollout.session_records import Row, SegmentRecord, read_sessions, sessions_of, write_sessions


def segment(seed: int) -> SegmentRecord:
    rng = random.Random(seed)
    numbers = tuple(rng.uniform(-3, 0) for _ in range(3))
    return SegmentRecord(
        prompt=(1, 2),
        response=(seed, 4, 5),
        mask=(0, 1, 1),
        rollout_logprobs=numbers,
        trainer_logprobs=numbers,
        advantages=numbers,
    )


def question(number: int, context: ContextPolicy | None = None) -> Question:
    return Question(id=f"q{number}", question="who?", golden_answers=("a",), context=context)


def rows() -> list[Row]:
    strict = question(7, ContextPolicy.STRICT)
    return [
        Row("u_1_0", strict, 7, (1.0, 0.3, -0.2), segment(1)),
        Row("v-w_0_0", question(2), 2, (0.0, -0.3, 0.0), segment(2)),
        Row("u_0_1", strict, 7, (0.0, 0.0, 0.0), segment(3)),
        Row("u_0_0", strict, 7, (0.0, 0.0, 0.0), segment(4)),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_sessions_come_in_the_order_of_questions_whatever_the_rows_order(seed):
    shuffled = rows()
    random.Random(seed).shuffle(shuffled)
    records = sessions_of(shuffled, 3, ContextPolicy.DROP)
    assert [(r.question, r.session, r.context.value, len(r.segments)) for r in records] == [
        ("q2", 0, "drop", 1),
        ("q7", 0, "strict", 2),
        ("q7", 1, "strict", 1),
    ]
    assert [s.response[0] for s in records[1].segments] == [4, 3]
    assert (records[2].answer_reward, records[2].judge_reward, records[2].other_reward) == (1.0, 0.3, -0.2)
    assert records[2].step == 3


def test_what_is_written_comes_back(tmp_path):
    records = sessions_of(rows(), 3, ContextPolicy.KEEP)
    path = write_sessions(tmp_path, records)
    assert path == tmp_path / "rollouts" / "step_3.jsonl"
    assert read_sessions(path) == records
    write_sessions(tmp_path, records[:1])  # the step was made again
    assert read_sessions(path) == records[:1]


def test_records_of_earlier_versions_are_read(tmp_path):
    (record, *_) = sessions_of(rows(), 3, ContextPolicy.KEEP)
    old = record.model_dump(mode="json", exclude={"other_reward": True, "segments": {"__all__": {"verdicts"}}})
    path = tmp_path / "step_3.jsonl"
    path.write_text(json.dumps(old) + "\n")
    assert read_sessions(path) == [record]


def test_a_broken_line_is_named(tmp_path):
    path = write_sessions(tmp_path, sessions_of(rows(), 3, ContextPolicy.KEEP))
    path.write_text(path.read_text() + '{"step": 3}\n')
    with pytest.raises(InputError, match=r"step_3.jsonl:4: is not a session's record \(question: "):
        read_sessions(path)
    with pytest.raises(InputError, match="no such file"):
        read_sessions(tmp_path / "none.jsonl")
