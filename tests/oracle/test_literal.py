"""The oracles that read."""

import asyncio

import pytest

from corpora.record import Hit
from reseek.agent.observation import Observation
from reseek.oracle.literal import LiteralOracle, SupportingOracle
from reseek.questions.record import Question
from tests.support.observations import said, shown


def question(text: str, *golds: str, titles: tuple[str, ...] = ()) -> Question:
    return Question(id="1", question=text, golden_answers=golds, supporting_titles=titles)


def score(oracle, asked: Question, *seen: Observation | str) -> list[float | None]:
    return asyncio.run(oracle.score(asked, [said(one) if isinstance(one, str) else one for one in seen]))


def titled(*titles: str, text: str = "Some text.") -> Observation:
    """An observation of passages with these titles, as the policy sees it."""
    return shown(*(Hit(title, title, text, 1.0) for title in titles))


# Literal


def test_literal_looks_for_any_alias_at_token_boundaries():
    asked = question("Who wrote it?", "Mira Tolden", "M. Tolden")
    assert score(
        LiteralOracle(),
        asked,
        "written by MIRA TOLDEN.",
        "the M Tolden papers",
        'Doc 1(Title: "Mira Tolden") An author.',
        "Mira Toldenberg wrote it",
        "Mira and Tolden",
        "Tolden, Mira",
        "",
    ) == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_literal_needs_the_whole_number():
    assert score(LiteralOracle(), question("When?", "19"), "in 1998", "in 19 days", "1.9") == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "golds"),
    [
        ("Is it far?", ("yes",)),
        ("Is it far?", ("No.",)),
        ("Is it far?", ("Yes", "no")),
        ("Which is older, Alpha or Beta Corp?", ("Beta Corp",)),
        ("Which is older, the alpha or beta?", ("The Alpha!",)),
        ("Which is older, alpha or beta?", ("Alpha the Great", "alpha")),
    ],
)
def test_an_answer_that_any_passage_may_hold_gives_no_label(text, golds):
    asked = question(text, *golds)
    assert not asked.answerable
    assert score(LiteralOracle(), asked, "yes no alpha beta corp", "nothing") == [None, None]


@pytest.mark.parametrize(
    ("text", "golds"),
    [("Who sang No?", ("No Doubt",)), ("Who?", ("yes", "Yes (band)")), ("Is alphabet one?", ("alpha",))],
)
def test_other_answers_do(text, golds):
    assert question(text, *golds).answerable
    assert score(LiteralOracle(), question(text, *golds), golds[-1], "nothing") == [1.0, 0.0]


# Supporting


def test_supporting_knows_a_passage_by_its_title():
    asked = question("Who?", "x", titles=("Silent Harbour", "Mira Tolden"))
    assert score(
        SupportingOracle(),
        asked,
        titled("Mira Tolden"),
        titled("Other", "Another", "Silent Harbour"),
        titled("Other", text="Mira Tolden wrote Silent Harbour."),
        titled("Tolden"),
        "No passage was found.",
    ) == [1.0, 1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("rank", [1, 2, 9, 10, 12])
def test_supporting_finds_every_rank(rank):
    titles = [f"Other {i}" for i in range(1, rank)] + ["Silent Harbour"]
    assert score(SupportingOracle(), question("Who?", "x", titles=("Silent Harbour",)), titled(*titles)) == [1.0]


@pytest.mark.parametrize("title", ["Paris Hilton", "Paris (Texas)", "Paris, Texas", "Greater Paris"])
def test_supporting_takes_no_title_for_a_longer_one(title):
    asked = question("Who?", "x", titles=("Paris",))
    assert score(SupportingOracle(), asked, titled("Paris"), titled(title)) == [1.0, 0.0]


def test_supporting_is_lenient_about_case_and_punctuation():
    asked = question("Who?", "x", titles=("St. John's (city)",))
    assert score(SupportingOracle(), asked, titled("st johns city")) == [1.0]


def test_supporting_labels_yes_and_no_too_but_nothing_without_titles():
    assert score(SupportingOracle(), question("Is it?", "yes", titles=("T",)), titled("T"), titled("U")) == [1.0, 0.0]
    assert score(SupportingOracle(), question("Who?", "x"), titled("T"), "x") == [None, None]


@pytest.mark.parametrize("title", ['Say ("Hi") now', "A\nB", 'x") y', "[1] <b> (c)", "A\u200bB", "\uff11\uff12"])
def test_supporting_recognises_any_true_title(title):
    asked = question("Who?", "x", titles=(title,))
    assert score(SupportingOracle(), asked, titled("Other", title), titled("Other")) == [1.0, 0.0]
