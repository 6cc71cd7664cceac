"""Which episodes are imitated, and as which rows: nothing is cut, nothing leaks into validation, all is counted."""

import pytest

from reseek.agent.context import segments
from reseek.config.sft import ImitationSettings
from reseek.errors import InputError
from reseek.sft.rows import Candidate, Reason, Row, candidate_of_record, choose
from tests.support.wanderer import wander

ALL = {"right": False, "validation_share": 0.0}


def candidate(question: str, first: int, *, right: bool = True, agreeing: bool = True, tokens: int = 3) -> Candidate:
    return Candidate(question, (Row((first,) * tokens, (0,) + (1,) * (tokens - 1)),), right, agreeing, "file:1")


def chosen(candidates, max_tokens: int = 10, seed: int = 0, **settings):
    return choose(candidates, ImitationSettings(**{"validation_share": 0.0, **settings}), max_tokens, seed)


def test_rows_are_the_segments_of_the_episode():
    forked = 0
    for seed in range(60):
        record = wander(seed)
        found = candidate_of_record(record, "here")
        rows = segments(record.trajectory)
        assert [(row.ids, row.mask) for row in found.rows] == [(row.ids, row.mask) for row in rows]
        assert sum(sum(row.mask) for row in found.rows) == record.trajectory.sampled_count
        assert found.right is (record.em == 1.0)
        forked += len(rows) > 1
    assert forked > 5


def test_agreeing_means_every_labelled_verdict():
    records = [wander(seed) for seed in range(60)]
    agreeing = [candidate_of_record(record, "here").agreeing for record in records]
    right = [all(o.reward is None or o.reward > 0 for o in record.observations) for record in records]
    assert agreeing == right
    assert True in agreeing and False in agreeing


def test_each_episode_is_kept_or_counted_under_its_reason():
    found = chosen(
        [
            None,
            candidate("a", 1),
            candidate("a", 1),
            candidate("a", 2),
            candidate("a", 3),
            candidate("b", 4, right=False),
            candidate("b", 5, agreeing=False),
        ],
        agreeing=True,
        most_per_question=2,
    )
    assert [row.ids[0] for row in found.train] == [1, 2]
    assert (found.read, found.kept) == (7, 2)
    one_each = {Reason.FAILED, Reason.DUPLICATE, Reason.ENOUGH, Reason.WRONG, Reason.DISAGREEING}
    assert found.left_out == {reason: int(reason in one_each) for reason in Reason}


def test_a_row_that_is_too_long_is_refused_or_counted_and_never_cut():
    episodes = [candidate("a", 1, tokens=11), candidate("b", 2, tokens=10)]
    with pytest.raises(InputError, match=r"file:1: a row of question 'a' has 11 tokens.*sft.max_tokens.*too_long=drop"):
        chosen(episodes)
    found = chosen(episodes, too_long="drop")
    assert [len(row.ids) for row in found.train] == [10]
    assert found.left_out[Reason.ROW_TOO_LONG] == 1


def test_questions_not_rows_are_kept_back():
    episodes = [candidate(f"q{number // 4}", number) for number in range(80)]
    found = chosen(episodes, validation_share=0.1)
    assert len(found.validation) == 8 and len(found.train) == 72
    assert {row.ids[0] // 4 for row in found.validation}.isdisjoint(row.ids[0] // 4 for row in found.train)
    assert found == chosen(episodes, validation_share=0.1) != chosen(episodes, validation_share=0.1, seed=1)
    assert len(chosen(episodes[:4], validation_share=0.5).train) == 4  # one question alone is trained
    assert len(chosen(episodes[:8], validation_share=0.99).train) == 4


def test_an_episode_without_token_ids_is_refused():
    record = wander(0)
    with pytest.raises(InputError, match="here: holds no sampled token ids"):
        candidate_of_record(record.model_copy(update={"events": record.events[:1]}), "here")
