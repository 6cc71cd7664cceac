"""Recall and unanswerable share against counts that read every passage for every question."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.manifest import Kind
from corpora.record import Passage
from reseek.agent.prompts import passages as shown
from reseek.config.evaluation import EvaluationSettings
from reseek.config.questions import DataSource
from reseek.config.run import RunSettings
from reseek.config.search import CorpusSettings
from reseek.config.settings import EvalSettings
from reseek.errors import InputError
from reseek.evaluation.metrics import recall_at, set_result, unanswerable_share
from reseek.evaluation.unanswerable import FILE, find_unanswerable, read_unanswerable, unanswerable
from reseek.preparation.prepare import Prepared
from reseek.questions.record import Question
from reseek.rewards.answers import normalise_answer
from reseek.search.facts import CorpusFacts
from tests.support.evaluations import PASSAGES, environment, question

WORDS = st.sampled_from("mali Mali, the a of new york york's paris Paris. 1902 yes or river".split())
TEXT = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
QUESTIONS = st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=2)), min_size=1, max_size=6)


def stands_in(answers, text) -> bool:
    words = normalise_answer(text).split()
    for answer in answers:
        gold = normalise_answer(answer).split()
        if gold and any(words[i : i + len(gold)] == gold for i in range(len(words))):
            return True
    return False


@given(QUESTIONS, st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_unanswerable_equals_reading_every_passage_for_every_question(asked, corpus):
    questions = [Question(id=str(n), question=f"{q}?", golden_answers=tuple(g)) for n, (q, g) in enumerate(asked)]
    passages = [Passage(id=str(n), title=title, text=text) for n, (title, text) in enumerate(corpus)]
    brute = [
        q.id
        for q in questions
        if q.answerable and not any(stands_in(q.golden_answers, f"{p.title}\n{p.text}") for p in passages)
    ]
    half = len(questions) // 2
    found = find_unanswerable(passages, {"one": questions[:half], "two": questions[half:]})
    assert found["one"] + found["two"] == brute


def test_recall_and_share_equal_a_brute_force_count():
    asked = [
        question(0, "France", "Paris"),
        question(1, "Spain and France", "Paris"),
        question(2, "Italy", "Rome"),
        question(3, "Spain", "Madrid"),
        question(4, "France", "yes"),
    ]
    here = environment(top_k=1)
    records = [asyncio.run(here.record("s", one)) for one in asked]
    labelled = [one for one in asked if one.answerable]
    for k in (1, 2, 3):
        hits = [asyncio.run(here.search.search([one.question], 3))[0][:k] for one in labelled]
        brute = [stands_in(one.golden_answers, shown(of)) for one, of in zip(labelled, hits, strict=True)]
        assert recall_at(records, k) == sum(brute) / len(brute)
    corpus = [Passage(id=title, title=title, text=text) for title, text in PASSAGES.items()]
    left = find_unanswerable(corpus, {"s": asked})["s"]
    texts = [f"{one.title} {one.text}" for one in corpus]
    brute = [not any(stands_in(one.golden_answers, text) for text in texts) for one in labelled]
    assert unanswerable_share(records, left) == sum(brute) / len(brute) == pytest.approx(0.25)
    assert set_result(records, 1, 0, left).unanswerable == 0.25 and set_result(records, 1, 0).unanswerable is None


def test_without_a_lucene_index_the_corpus_file_is_read_and_damaged_results_are_not_taken(tmp_path):
    corpus = tmp_path / "passages.jsonl"
    corpus.write_text(Passage(id="1", title="France", text="Its capital is Paris.").model_dump_json() + "\n")
    settings = EvalSettings.model_construct(
        run=RunSettings.model_construct(cache=str(tmp_path / "cache")),
        corpus=CorpusSettings(source=DataSource.JSONL, path=str(corpus)),
        evaluation=EvaluationSettings(),
    )
    searched = CorpusFacts(retriever=Kind.DENSE, fingerprint="f", passages=1, source="passages.jsonl")
    prepared = Prepared(model="m", index=tmp_path, searched=searched, train=None, validation=None, sets={})
    asked = {"s": [question(0, "France", "Paris"), question(1, "Italy", "Rome")]}
    assert unanswerable(settings, prepared, asked) == {"s": [asked["s"][1].id]}
    (kept,) = (tmp_path / "cache" / "unanswerable").glob("*.json")
    for damage in (b"", b"{", b"[]", b'{"s": "q1"}', b'{"s": [1]}', b'{"s": ["\xff"]}', b"[" * 100_000):
        kept.write_bytes(damage)
        assert unanswerable(settings, prepared, asked) == {"s": [asked["s"][1].id]}
        assert read_unanswerable(tmp_path) is None
        (tmp_path / FILE).write_bytes(damage)
        with pytest.raises(InputError, match=rf"{FILE}: holds no ids of questions by set .*; delete it"):
            read_unanswerable(tmp_path)
        (tmp_path / FILE).unlink()
