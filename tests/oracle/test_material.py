"""What oracles are trained and calibrated on: the right labels, and no title on both sides."""

import json
import random

import pytest

from corpora.record import Hit
from reseek.agent.prompts import passages
from reseek.config.oracle import PairForm
from reseek.errors import InputError
from reseek.oracle.making.labelled_observations import Good, Shown, make_labelled, read_labelled
from reseek.oracle.making.training_pairs import make_pairs, split_dev, usable
from reseek.questions.record import Question

ARTICLES = {
    "Ada": ["Ada wrote a novel.", "Ada was born in Lund."],
    "Lund": ["Lund is a town in Sweden."],
    "Bob": ["Bob paints in Lund."],
    "Cy": ["Cy sings."],
    "Held": ["Held is held out."],
}


class Everything:
    """Finds passages under a title that is the query, else all of them, those that share words with it first."""

    def __init__(self):
        self.hits = [Hit(f"{t}-{n}", t, text, 1.0) for t, of in ARTICLES.items() for n, text in enumerate(of)]

    async def search(self, queries, k):
        return [self._find(query)[:k] for query in queries]

    def _find(self, query):
        titled = [hit for hit in self.hits if hit.title.lower() == query.lower()]
        words = set(query.lower().split())
        return titled or sorted(self.hits, key=lambda hit: -len(words & set(hit.text.lower().strip(".").split())))


def question(name, text, *golds, titles=()):
    return Question(id=name, question=text, golden_answers=golds, supporting_titles=titles)


BORN = question("born", "Where was Ada born", "Lund", titles=("Ada", "Lund"))
SINGS = question("sings", "Who sings", "Cy", titles=("Cy",))
HELD = question("held", "What is held out", "Held", titles=("Held",))


# Training pairs


def test_supporting_passages_are_positives_and_others_negatives():
    pairs = make_pairs([BORN], Everything(), PairForm.QUESTION_ANSWER, negatives=5, seed=0)
    assert {one.pair.query for one in pairs} == {"Where was Ada born Lund"}
    said = {one.pair.text: one.good for one in pairs}
    # "Ada wrote a novel" stands under a supporting title and holds no answer: neither.
    born, town = "Ada\nAda was born in Lund.", "Lund\nLund is a town in Sweden."
    others = ["Bob\nBob paints in Lund.", "Cy\nCy sings.", "Held\nHeld is held out."]
    assert said == {born: True, town: True} | dict.fromkeys(others, False)


def test_negatives_are_counted_and_the_form_is_kept():
    pairs = make_pairs([BORN, SINGS], Everything(), PairForm.ANSWER, negatives=1, seed=3)
    assert {one.pair.query for one in pairs} == {"Lund", "Cy"}
    positives = sum(one.good for one in pairs)
    assert positives == 3 and abs(len(pairs) - 2 * positives) <= 2
    assert pairs == make_pairs([BORN, SINGS], Everything(), PairForm.ANSWER, negatives=1, seed=3)


def test_nothing_held_out_is_trained_on():
    assert usable([BORN, SINGS, HELD, question("x", "?", "y")], [HELD]) == [BORN, SINGS]
    shares = question("shares", "?", "y", titles=("Other", "the held!"))
    assert usable([shares], [HELD]) == []
    pairs = make_pairs([BORN], Everything(), PairForm.ANSWER, negatives=9, forbidden=frozenset({"held"}), seed=0)
    assert pairs and not any("Held" in one.pair.text for one in pairs)


def test_dev_questions_share_no_title_with_training():
    rng = random.Random(0)
    asked = [question(str(i), "?", "y", titles=tuple(f"t{rng.randrange(60)}" for _ in range(2))) for i in range(80)]
    training, dev = split_dev(asked, 10)
    assert len(dev) == 10 and training
    assert not {t for q in training for t in q.supporting_titles} & {t for q in dev for t in q.supporting_titles}
    assert split_dev(asked[:10], 100)[1] and len(split_dev(asked[:10], 100)[1]) == 2


# Labelled observations


def test_labels_by_title_and_by_answer():
    yes = question("yes", "Does Cy sing", "yes", titles=("Cy",))
    asked = [BORN, yes]
    by_title = make_labelled(asked, Everything(), Good.SUPPORTING, Shown.TOP_K, 1)
    assert [one.question_id for one in by_title] == ["born", "yes"]
    assert by_title[0].observation == 'Doc 1(Title: "Ada") Ada was born in Lund.' and by_title[0].good
    by_answer = make_labelled(asked, Everything(), Good.ANSWER, Shown.PASSAGES, 2)
    assert {one.question_id for one in by_answer} == {"born"}
    said = {one.observation: one.good for one in by_answer}
    assert all(good == ("Lund" in observation) for observation, good in said.items())
    # The supporting passages are among them, found or not, each once.
    assert sum("Lund is a town" in one.observation for one in by_answer) == 1
    assert len(said) == len(by_answer) == 3


def test_an_observation_looks_as_the_agent_sees_it():
    (one,) = make_labelled([SINGS], Everything(), Good.SUPPORTING, Shown.TOP_K, 3)
    found = Everything()._find("Who sings")[:3]
    assert one.observation == one.shown.text == passages(found)
    assert [(hit.title, hit.text) for hit in one.shown.hits] == [(hit.title, hit.text) for hit in found]
    assert one.asked.golden_answers == ("Cy",)


def test_a_users_file(tmp_path):
    file = tmp_path / "judged.jsonl"
    line = {"question": "Who?", "golden_answers": ["Ada"], "observation": "Ada did.", "good": True}
    file.write_text(json.dumps(line) + "\n\n" + json.dumps(line | {"good": False}) + "\n")
    assert [one.good for one in read_labelled(file)] == [True, False]
    assert read_labelled(file)[0].asked.id == "Who?"
    for broken, says in ((line | {"good": "perhaps"}, "good: "), ({"question": "Who?"}, "golden_answers: ")):
        file.write_text(json.dumps(line) + "\n" + json.dumps(broken) + "\n")
        with pytest.raises(InputError, match=f":2: {says}"):
            read_labelled(file)
    with pytest.raises(InputError, match="no such file"):
        read_labelled(tmp_path / "none")
