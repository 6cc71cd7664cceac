"""Answers by their form and place; seeds out of questions; a sample that gives every stratum its turn."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fictionalhot.builder.sample import sample
from fictionalhot.builder.seeds import Pages, read_seeds
from fictionalhot.items.answers import answer_type, find_answer, states
from fictionalhot.items.records import AnswerType, Reason
from reseek.errors import InputError
from tests.support.fiction import PASSAGES, QUESTIONS, seeds

TYPES = [
    ("yes", AnswerType.YES_NO),
    ("1957", AnswerType.YEAR),
    ("the 1960s", AnswerType.NUMBER),
    ("3 May 1899", AnswerType.DATE),
    ("May 1899", AnswerType.DATE),
    ("Sir Mordaunt Martin, 2nd Baronet", AnswerType.NAME),
    ("The Salt Road", AnswerType.NAME),
    ("4,350", AnswerType.NUMBER),
    ("The painter", AnswerType.PHRASE),
]


@pytest.mark.parametrize(("answer", "kind"), TYPES)
def test_the_type_of_an_answer_is_told_by_its_form(answer, kind):
    assert answer_type(answer) is kind


FOUND = [
    ("the salt road", "He read The Salt Road.", ["Salt Road"]),
    ("US", "In the U.S. and in us.", ["U.S", "us"]),
    ("1542", "It has 1,542 people.", []),
    ("1542", "Built in 1542, it has 15420 stones.", ["1542"]),
    ("today", "to day", []),
    ("4350", "4,350 people", ["4,350"]),
    ("Art", "The Arts", []),
    ("", "anything", []),
]


@pytest.mark.parametrize(("answer", "text", "found"), FOUND)
def test_an_answer_is_found_at_word_boundaries(answer, text, found):
    assert [text[begin:end] for begin, end in find_answer(answer, text)] == found
    assert states(text, (answer,)) == bool(found)


@given(st.permutations(seeds()), st.integers(0, 12), st.integers(0, 3))
def test_a_sample_does_not_depend_on_order_and_is_a_prefix_of_a_larger_one(shuffled, count, seed):
    chosen = sample(shuffled, count, seed)
    assert chosen == sample(seeds(), count, seed) == sample(seeds(), 100, seed)[:count]
    assert len({one.id for one in chosen}) == min(count, 10)


def test_another_seed_is_another_sample():
    assert len({tuple(seed.id for seed in sample(seeds(), 10, n)) for n in range(6)}) > 1


def test_every_stratum_has_its_turn():
    strata = Counter((seed.source, len(seed.hops), seed.answer_type) for seed in seeds())
    first = [(seed.source, len(seed.hops), seed.answer_type) for seed in sample(seeds(), len(strata), 0)]
    assert set(first) == set(strata) and len(strata) > 2


def test_questions_become_seeds_or_rejections(tmp_path):
    lost = QUESTIONS[0].model_copy(update={"id": "lost", "supporting_titles": ("Nowhere",)})
    bare = QUESTIONS[0].model_copy(update={"id": "bare", "supporting_titles": ()})
    path = tmp_path / "tiny.test.jsonl"
    path.write_text("".join(question.model_dump_json() + "\n" for question in (*QUESTIONS, lost, bare)))
    made, rejected = read_seeds([path], Pages(PASSAGES))
    assert made == seeds()
    assert {r.id: (r.stage, r.reason) for r in rejected} == {
        "tiny/lost": ("sample", Reason.PASSAGES_UNKNOWN),
        "tiny/bare": ("sample", Reason.PASSAGES_UNKNOWN),
    }
    with pytest.raises(InputError, match="no such question file"):
        read_seeds([tmp_path / "none.jsonl"], Pages(PASSAGES))
