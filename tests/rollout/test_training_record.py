"""Rows of a batch become the episodes' records on disk and come back as the trainer was fed them."""

import dataclasses
import random

import pytest

from reseek.config.agent import ContextPolicy
from reseek.errors import InputError
from reseek.rollout.records import read_records
from reseek.rollout.training_record import trained_segments, training_records, write_rollouts
from tests.support.rollouts import wandered_rows

PLACES = (("u_1", 7), ("v-w_0", 2), ("u_0", 7))


def batch(seed: int = 0):
    made = [wandered_rows(seed + number, key, index) for number, (key, index) in enumerate(PLACES)]
    return [row for rows, _ in made for row in rows], [record for _, record in made]


@pytest.mark.parametrize("seed", range(5))
def test_episodes_come_in_the_order_of_questions_whatever_the_rows_order(seed):
    rows, (first, second, third) = batch(3 * seed)
    random.Random(seed).shuffle(rows)
    records = training_records(rows, 3, ContextPolicy.STRICT)
    assert [(r.training.index, r.training.session) for r in records] == [(2, 0), (7, 0), (7, 1)]
    assert [(r.set, r.training.step, r.training.context) for r in records] == [("step_3", 3, ContextPolicy.STRICT)] * 3
    bare = [record.model_copy(update={"set": "s", "training": None}) for record in records]
    assert bare == [second, third, first]
    for record in records:
        parts = record.training.answer_reward, record.training.judge_reward, record.training.other_reward
        assert sum(parts) == pytest.approx(record.reward)


def test_a_record_gives_back_what_the_trainer_was_fed():
    forked, verdicts = 0, 0
    for seed in range(40):
        rows, _ = wandered_rows(seed, "u_0", 1, context="drop")
        (record,) = training_records(rows, 1, ContextPolicy.DROP)
        back = trained_segments(record)
        for row, segment in zip(rows, back, strict=True):
            fed = row.segment
            assert (segment.prompt, segment.response, segment.mask) == (fed.prompt, fed.response, fed.mask)
            assert segment.verdicts == fed.verdicts
            for name in ("rollout_logprobs", "trainer_logprobs", "advantages", "values"):
                masked = tuple(n if mask else 0.0 for n, mask in zip(getattr(fed, name), fed.mask, strict=True))
                assert getattr(segment, name) == masked
            verdicts += len(fed.verdicts)
        assert len(record.training.advantages) == record.stats.sampled_tokens
        forked += len(rows) > 1
    assert forked > 5 and verdicts > 10


def test_other_tokens_than_the_episodes_are_refused():
    rows, _ = wandered_rows(0, "u_0", 1)
    other = dataclasses.replace(rows[0].segment, response=(*rows[0].segment.response[:-1], 5))
    with pytest.raises(RuntimeError, match="was fed other tokens"):
        training_records([dataclasses.replace(rows[0], segment=other), *rows[1:]], 1, ContextPolicy.DROP)


def test_what_is_written_comes_back(tmp_path):
    records = training_records(batch()[0], 3, ContextPolicy.KEEP)
    path = write_rollouts(tmp_path, records)
    assert path == tmp_path / "rollouts" / "step_3.jsonl"
    assert read_records(path) == records
    write_rollouts(tmp_path, records[:1])  # the step was made again
    assert read_records(path) == records[:1]


def test_rollouts_of_older_versions_are_refused_in_one_line(tmp_path):
    path = tmp_path / "step_3.jsonl"
    path.write_text('{"step": 3, "question": "q", "segments": [{"prompt": [1], "response": [2], "mask": [1]}]}\n')
    with pytest.raises(InputError, match=r"step_3.jsonl:1: is a rollout of an older version") as refused:
        read_records(path)
    assert "\n" not in str(refused.value) and "run.record_every" in str(refused.value)
