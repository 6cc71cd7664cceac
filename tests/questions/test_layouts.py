"""Rows of FlashRAG and Search-R1 as questions: nothing invented, nothing lost in silence."""

import pytest

from reseek.errors import InputError
from reseek.questions.layouts import convert
from tests.support.hub import FACTS, row, verl


def ids(*rows, **options) -> list[str]:
    return [question.id for question in convert(rows, "set", **options).questions]


def test_flashrags_rows():
    made = convert([row("a", " who? ", [" Ada", "Ada ", "A. L."], metadata=FACTS), row(7, "where?", ["Rome"])], "set")
    first, second = made.questions
    assert (first.question, first.golden_answers) == ("who?", ("Ada", "A. L."))
    assert first.supporting_titles == ("Film", "Director")
    assert (second.id, second.supporting_titles, made.left_out, made.blank_answers) == ("7", (), 0, 0)


def test_search_r1s_rows_carry_their_set_before_their_id_unless_one_is_asked_for():
    rows = [row("test_0", "q", ["a"], **verl(source, "test", 0)) for source in ("nq", "popqa")]
    assert ids(*rows) == ["nq/test_0", "popqa/test_0"]
    assert ids(*rows, only="popqa") == ["test_0"]
    with pytest.raises(InputError, match=r"data_source is 'musique' \(there are: nq, popqa\)"):
        ids(*rows, only="musique")


def test_the_answers_can_stand_in_the_ground_truth_alone():
    bare = {"id": "1", "question": "q", "reward_model": {"ground_truth": {"target": ["a", "b"]}}}
    assert convert([bare], "set").questions[0].golden_answers == ("a", "b")
    assert convert([{"question": "q", "golden_answers": "a"}], "set").questions[0].model_dump()["id"] == "set_0"


def test_what_is_blank_is_left_out_and_counted():
    rows = [row("a", "q", ["x", " ", ""]), row("b", " ", ["x"]), row("c", "q", [""]), row("d", "q", [])]
    made = convert(rows, "set")
    assert [question.id for question in made.questions] == ["a"]
    assert (made.left_out, made.blank_answers) == (3, 3)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"id": "1", "golden_answers": ["a"]}], r"row 0: has no field question \(it has: golden_answers, id\)"),
        ([row("1", "q", ["a"]), {"id": "2", "question": "q"}], "row 1: has neither golden_answers nor"),
        ([row("1", "q", ["a"])] * 2, "row 1: duplicate id '1'"),
        (["id", "question"], "row 0: must be a JSON object"),
        ([], "holds no row with a question and an answer"),
    ],
)
def test_rows_of_no_layout_are_refused(rows, says):
    with pytest.raises(InputError, match=says):
        convert(rows, "set")
