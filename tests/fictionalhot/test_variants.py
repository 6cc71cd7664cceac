"""The variants of a name: one key, found in a text, and one new name; and answers that fit what is asked."""

import random
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpora.record import Passage
from fictionalhot.builder.audit import Base, audit_item
from fictionalhot.builder.prove import World, prove
from fictionalhot.builder.seeds import Pages, make_seed
from fictionalhot.items.answers import answer_type
from fictionalhot.items.records import Reason, Rejected
from fictionalhot.items.variants import variant_key, variants_in
from fictionalhot.offline.fictionalise import Offline
from fictionalhot.offline.invent import Inventor
from fictionalhot.offline.lexicon import Lexicon
from fictionalhot.offline.renaming import Renamer
from reseek.questions.record import Question
from tests.support.fiction import LEXICON, PASSAGES

PAIRS = [
    ("712 Fifth Avenue", "712 5th Avenue"),
    ("Pier Thirteen", "Pier 13"),
    ("Kestrel War II", "Kestrel War Two"),
    ("J. K. Langdale", "J.K. Langdale"),
    ("V. I. Langdale", "V.I. Langdale"),
    ("A. I. Langdale", "A.I. Langdale"),
    ("Tarrant & Crowhurst", "Tarrant and Crowhurst"),
    ("The Drumlins of Wells", "Drumlins of Wells"),
    ("Inés Valderrama", "Ines Valderrama"),
    ("St. Edith Hall", "St Edith Hall"),
    ("Langdale's Row", "Langdale Row"),
    ("Salt-Road Film", "Salt Road Film"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_variants_have_one_key_and_are_found_as_each_other(one, other):
    assert variant_key(one) == variant_key(other)
    text = f"It is near {other}, and {other} is old; {other}ish is not it."
    assert [text[b:e] for b, e in variants_in(one, text)][:2] == [other, other]
    assert len(variants_in(one, text)) == 2


@pytest.mark.parametrize(("one", "other"), [("Fifth Avenue", "Sixth Avenue"), ("Pier 13", "Pier 131"), ("Ann", "Anna")])
def test_different_names_have_different_keys(one, other):
    assert variant_key(one) != variant_key(other) and not variants_in(one, f"It is near {other}.")


@given(st.text(max_size=30), st.text(max_size=60))
@example("I:V", "")
def test_any_text_has_a_key_and_places_within_it(name, text):
    assert variant_key(variant_key(name)) == variant_key(name)
    assert all(0 <= begin < end <= len(text) for begin, end in variants_in(name, text) if name.strip())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Beyonsé", "Beyonse"),
        ("McDunnel", "Mcdunnel"),
        ("O'Brannig", "OBrannig"),
        ("A.B.C.", "ABC"),
        ("Hawkley", "HAWKLEY"),
    ],
)
def test_a_word_and_its_variants_become_variants_of_one_new_word(one, other):
    text = f"He met {one} in May. Then he met {other} in June."
    made = Renamer(LEXICON, Inventor(random.Random(0), lambda word: word in LEXICON), -30)
    made.learn([text], [])
    first, second = re.fullmatch(r"He met (\S+) in May\. Then he met (\S+) in June\.", made.rewrite(text).text).groups()
    assert variant_key(first) == variant_key(second) and first not in (one, other)


@pytest.mark.parametrize("order", [("Hawk", "Hawks"), ("Hawks", "Hawk")])
def test_a_plural_is_the_new_singulars_plural_whichever_is_read_first(order):
    text = f"He met the {order[0]} Vimley Lodd and the {order[1]}."
    made = Renamer(LEXICON, Inventor(random.Random(0), lambda word: word in LEXICON), -30)
    made.learn([text], [])
    named = {pair.real: pair.fictional for pair in made.entities}
    assert named["Hawks"] == named["Hawk"] + "s"


def test_a_persons_initials_are_kept_with_spaces_and_without():
    text = "The book by J. K. Langdale sold well. A book by J.K. Langdale did not."
    made = Renamer(LEXICON, Inventor(random.Random(0), lambda word: word in LEXICON), -30)
    made.learn([text], [])
    assert re.fullmatch(r"The book by J\. K\. (\w+) sold well\. A book by J\.K\. \1 did not\.", made.rewrite(text).text)


TOWERS = (
    ("712 Fifth Avenue", "712 Fifth Avenue is a tower of 650 ft. The tower 712 5th Avenue is on Fifth Avenue."),
    ("Crowhurst Tower", "Crowhurst Tower is a tower of 348 ft near Tarrant Square."),
)


def towers(question, *golden):
    passages = [Passage(id=title, title=title, text=text) for title, text in TOWERS]
    asked = Question(id="q", question=question, golden_answers=golden, supporting_titles=tuple(t for t, _ in TOWERS))
    return make_seed("q", "tiny", asked, Pages(passages))


@pytest.mark.parametrize("named", ["712 Fifth Avenue", "712 5th Avenue"])
@pytest.mark.parametrize("golden", ["712 Fifth Avenue", "712 5th Avenue"])
def test_the_answer_of_a_choice_is_one_of_its_choices_as_named(named, golden):
    seed = towers(f"Which tower is taller, {named} or Crowhurst Tower?", golden)
    draft = Offline(LEXICON, 0).document(seed, [])
    assert draft.fiction.golden_answers[0] in draft.fiction.question
    assert all("Fifth" not in page.text and "5th" not in page.text for page in draft.documents)
    assert prove(draft, seed, World(LEXICON, set())).failure is None


UNFIT = [
    ("Which tower is taller, 712 Fifth Avenue or Crowhurst Tower?", "Tarrant Square"),
    ("Which tower is taller, 712 Fifth Avenue or Crowhurst Tower?", "348"),
    ("Why is 712 Fifth Avenue near Crowhurst Tower?", "348"),
    ("why did Harbour Lights open", "1934"),
    ("Where was Harbour Lights shot?", "1934"),
]


@pytest.mark.parametrize(("question", "answer"), UNFIT)
def test_an_answer_of_another_sort_than_is_asked_for_is_rejected(question, answer):
    with pytest.raises(Rejected) as error:
        if answer == "1934":
            titles = (PASSAGES[0].title,)
            asked = Question(id="q", question=question, golden_answers=(answer,), supporting_titles=titles)
            make_seed("q", "tiny", asked, Pages(PASSAGES))
        else:
            towers(question, answer)
    assert error.value.reason is Reason.ANSWER_UNFIT


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("Since 2015", "year"),
        ("around 1872", "year"),
        ("In May 1990", "date"),
        ("The Drumlins", "name"),
        ("A team", "phrase"),
    ],
)
def test_a_small_word_before_an_answer_says_nothing_of_its_type(answer, kind):
    assert answer_type(answer).value == kind


def test_the_audit_refuses_an_answer_that_is_none_of_the_choices_and_a_time_for_a_reason():
    seed = towers("Which tower is taller, 712 Fifth Avenue or Crowhurst Tower?", "712 Fifth Avenue")
    draft = Offline(LEXICON, 0).document(seed, [])
    item = {"seed": seed.model_dump(mode="json"), "draft": draft.model_dump(mode="json")}
    base = Base([])
    unfit = {v.what for v in audit_item(item, base) if v.check == "e"}
    assert not {what for what in unfit if "choices" in what or "why" in what}
    item["draft"]["fiction"]["golden_answers"] = ["Somewhere Else"]
    assert any("none of the choices" in v.what for v in audit_item(item, base) if v.check == "e")
    item["seed"]["question"], item["draft"]["fiction"]["golden_answers"] = "Why is it so tall?", ["1921"]
    assert any("does not say why" in v.what for v in audit_item(item, base) if v.check == "e")


def test_a_page_of_the_same_name_as_a_hop_is_no_distractor():
    passages = [
        Passage(id="a", title="Harbour Lights (1934 film)", text=PASSAGES[0].text),
        Passage(id="b", title="Oswin Tarrant", text=PASSAGES[1].text),
    ]
    asked = Question(
        id="q",
        question="Where was the director of the film Harbour Lights born?",
        golden_answers=("Gloucester",),
        supporting_titles=tuple(p.title for p in passages),
    )
    seed = make_seed("q", "tiny", asked, Pages(passages))
    remake = Passage(id="r", title="Harbour Lights (1961 film)", text="Harbour Lights was directed by Ann Wimsett.")
    lexicon = Lexicon.of([*PASSAGES, remake])
    assert {page.source.id for page in Offline(lexicon, 0).document(seed, [remake]).documents} == {"a", "b"}
