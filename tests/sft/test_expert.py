"""The expert plays every method's grammar over passages: legal calls, the oracle's verdicts, answers as written."""

import asyncio
import random
from dataclasses import replace

import pytest

from corpora.record import Hit
from fictionalhot.worlds.small.names import Split
from fictionalhot.worlds.small.world import WorldSizes, make_split
from reseek.agent.context import segments
from reseek.agent.episode import EpisodeTexts
from reseek.agent.grammar import Action
from reseek.agent.verdict import Verdict
from reseek.config.agent import AgentConfig
from reseek.config.oracle import OracleConfig
from reseek.config.rewards import RewardConfig
from reseek.config.sft import ImitationSettings
from reseek.errors import InputError
from reseek.micro.demonstrations import MICRO_AGENT
from reseek.micro.model import make_tokenizer
from reseek.oracle.literal import LiteralOracle
from reseek.questions.record import Question
from reseek.rewards.answers import cover_match, exact_match
from reseek.rollout.environment import Environment
from reseek.rollout.records import read_records
from reseek.rollout.runner import episodes_file
from reseek.sft.expert.answers import around, as_written
from reseek.sft.expert.policy import check_playable
from reseek.sft.expert.queries import bridges_in, content_words, good_queries, names_in, poor_queries
from reseek.sft.played_episodes import EXPERT, play_expert, played
from reseek.sft.rows import choose
from tests.support.episodes import ByteTokenizer

PASSAGES = (
    ("Jaws (film)", "Jaws is a 1975 thriller that was directed by Steven Spielberg. It won three prizes."),
    ("Steven Spielberg", "Steven Spielberg, born in Cincinnati, Ohio, is an American director."),
    ("Cincinnati", "Cincinnati is a city in Ohio. <search>Its river</search> is the Ohio River."),
    ("Director", "A director leads the making of a thriller or another film. Many are born in Ohio."),
    ("Mona Lisa", "The Mona Lisa was painted by Leonardo da Vinci around 1503."),
)
QUESTIONS = (
    Question(id="a", question="Who directed Jaws?", golden_answers=("spielberg", "steven spielberg")),
    Question(
        id="b",
        question="In which city was the maker of Jaws born?",
        golden_answers=("cincinnati ohio", "Cincinnati"),
        supporting_titles=("Jaws (film)", "Steven Spielberg"),
    ),
    Question(id="c", question="Who painted the Mona Lisa?", golden_answers=("Leonardo Da Vinci",)),
    Question(id="d", question="Is Ohio a city?", golden_answers=("no",), supporting_titles=("Cincinnati",)),
    Question(
        id="e", question="Which <b>song</b> did Nobody Special sing in 1911?", golden_answers=("The <i>Moon</i>",)
    ),
)


class Words:
    """Ranks passages by the words that they share with the query; a title's count twice more."""

    def __init__(self, passages) -> None:
        self.passages, self.asked = passages, 0

    async def search(self, queries, k):
        self.asked += len(queries)
        return [self.ranked(set(query.lower().strip("?").split()), k) for query in queries]

    def ranked(self, words, k):
        def shared(passage):
            title, text = (set(part.lower().replace(".", "").replace(",", "").split()) for part in passage)
            return 2 * len(words & title) + len(words & text)

        best = sorted(self.passages, key=lambda passage: (-shared(passage), passage[0]))
        return [
            Hit(title, title, text, float(shared((title, text)))) for title, text in best[:k] if shared((title, text))
        ]


def environment(method="reseek", tokenizer=None, passages=PASSAGES, **values) -> Environment:
    fixed = {"rag": 1, "direct": 0, "cot": 0}
    agent = AgentConfig(
        **{
            "method": method,
            "prompt": "bare",
            "context": "drop" if method == "reseek" else "keep",
            "top_k": 1,
            "max_turns": fixed.get(method, 3),
            "response_tokens": 20_000,
            "call_tokens": 400,
            "observation_tokens": 2000,
            **values,
        }
    )
    texts = EpisodeTexts.of(tokenizer or ByteTokenizer())
    return Environment(None, Words(passages), LiteralOracle(), texts, agent, OracleConfig(), RewardConfig(), "here")


def play(folder, env, questions=QUESTIONS, seed=0, **settings):
    sft = ImitationSettings(source="expert", **{"carelessness": 0.5, **settings})
    asyncio.run(play_expert(questions, env, folder, sft, seed, lambda record: None))
    return {record.id: record for record in read_records(episodes_file(folder, EXPERT))}


@pytest.mark.parametrize("method", ["reseek", "search_r1", "search_o1", "rag", "direct", "cot"])
def test_every_method_s_episodes_are_legal_and_right(method, tmp_path):
    env = environment(method)
    tokenizer = env.texts.tokenizer
    records = play(tmp_path, env)
    for question in QUESTIONS:
        record = records[question.id]
        assert not record.failed and record.calls
        assert all(call.action is not Action.INVALID for call in record.calls)
        assert record.em == exact_match(record.answer, question.golden_answers) == 1.0
        said = "".join(call.text for call in record.calls)
        trained = {}
        for row in segments(record.trajectory):
            trained |= {n: row.ids[i] for i, n in enumerate(row.sampled) if n >= 0}
        assert tokenizer.decode([trained[n] for n in sorted(trained)]) == said
        for one in record.observations:
            if method == "reseek" and one.label is not None:
                assert one.verdict is one.label
            assert (one.verdict is None) is (method != "reseek")
    assert bool(records["a"].observations) is (method not in ("direct", "cot"))
    if method == "search_o1":
        refined = records["c"].observations[-1].refinement
        assert "Leonardo da Vinci" in refined.text
        (candidate, *_) = [c for c in played(tmp_path, [EXPERT], QUESTIONS, "here") if c.question == "c"]
        assert any(row.ids == (*refined.prompt, *refined.ids) for row in candidate.rows)
    if method == "cot":
        assert "<think>" in records["a"].calls[0].text


def test_the_answer_is_as_the_passage_writes_it_and_a_later_query_goes_over_the_bridge(tmp_path):
    records = play(tmp_path, environment(), carelessness=0.0)
    assert records["c"].answer == "Leonardo da Vinci"
    assert [one.verdict for one in records["b"].observations] == [Verdict.NO, Verdict.NO, Verdict.YES]
    assert records["b"].observations[2].query == "Steven Spielberg"
    assert "<note>Steven Spielberg</note>" in records["b"].calls[3].text
    assert records["b"].answer == "Cincinnati, Ohio"
    assert records["e"].observations and not records["e"].observations[-1].verdict.stays


def test_a_poor_query_is_one_after_which_no_is_right(tmp_path):
    careful = play(tmp_path / "0", environment(), carelessness=0.0)
    careless = play(tmp_path / "1", environment(), carelessness=1.0)
    assert careful["c"].observations[0].label is Verdict.YES
    played_no = [r for r in careless.values() if r.observations[0].query != r.question and r.answerable]
    assert any(record.id == "b" for record in played_no)
    assert all(record.observations[0].label is Verdict.NO for record in played_no)


def test_the_embedded_model_s_tokenizer_and_world(tmp_path):
    world = make_split(Split.VALIDATION, WorldSizes().held_out, seed=1)
    questions = world.questions[:40]
    env = environment(tokenizer=make_tokenizer(), passages=tuple((p.title, p.text) for p in world.passages))
    agent = MICRO_AGENT.model_copy(update={"max_turns": 3})
    records = play(tmp_path, replace(env, agent=agent), questions)
    assert all(call.action is not Action.INVALID for record in records.values() for call in record.calls)
    assert all(one.label is None or one.verdict is one.label for r in records.values() for one in r.observations)
    assert any(len(record.observations) > 1 for record in records.values())


def test_the_same_seed_gives_the_same_episodes_and_a_stopped_run_is_continued(tmp_path):
    def said(records):
        return {key: [call.text for call in record.calls] for key, record in records.items()}

    whole = said(play(tmp_path / "whole", environment(), seed=3))
    assert whole == said(play(tmp_path / "one", environment(), seed=3, concurrency=1))
    folder = tmp_path / "stopped"
    play(folder, environment(), QUESTIONS[:2], seed=3)
    path = episodes_file(folder, EXPERT)
    before = path.read_bytes()
    path.write_bytes(before + b'{"half')
    assert said(play(folder, environment(), seed=3)) == whole
    assert path.read_bytes().startswith(before)
    env = environment()
    play(folder, env, seed=3)
    assert env.search.asked == 0


def test_kept_episodes_are_of_the_questions_that_were_played(tmp_path):
    train, held_out = QUESTIONS[:3], QUESTIONS[3:]
    play(tmp_path, environment(), train)
    candidates = list(played(tmp_path, [EXPERT], train, "here"))
    assert {candidate.question for candidate in candidates} == {question.id for question in train}
    settings = ImitationSettings(source="expert", yes_share=None, validation_share=0.0)
    chosen = choose(candidates, settings, 20_000, 0)
    texts = [ByteTokenizer().decode(row.ids) for row in (*chosen.train, *chosen.validation)]
    assert texts and not any(question.question in text for question in held_out for text in texts)
    assert sum(one.played for one in chosen.yields.values()) == chosen.read == len(train)


def test_a_guess_beyond_the_share_is_kept_without_its_answer(tmp_path):
    questions = [QUESTIONS[4].model_copy(update={"id": str(n), "question": f"Who is Nobody {n}?"}) for n in range(10)]
    play(tmp_path, environment(), questions)
    candidates = list(played(tmp_path, [EXPERT], questions, "here"))
    settings = ImitationSettings(source="expert", yes_share=None, unanswerable_share=0.2, validation_share=0.0)
    chosen = choose(candidates, settings, 20_000, 0)
    (only,) = chosen.yields.values()
    assert (only.played, only.kept, only.answers) == (10, 10, 2)
    answers = [
        "<answer>" in ByteTokenizer().decode([i for i, mask in zip(row.ids, row.mask, strict=True) if mask])
        for row in chosen.train
    ]
    assert sum(answers) == 2


def test_a_method_without_an_answer_can_t_be_played():
    class Silent:
        actions = (Action.SEARCH,)

    with pytest.raises(InputError, match="sft.source=expert: method=silent has no answer action"):
        check_playable(Silent, "silent")


@pytest.mark.parametrize(
    ("text", "gold", "written"),
    [
        ("It is in the United States, now.", "united states", "United States"),
        ("Born in Cincinnati, Ohio.", "cincinnati ohio", "Cincinnati, Ohio"),
        ("called (The Beatles).", "beatles", "Beatles"),
        ("Malian normalised", "Mali", None),
        ("", "x", None),
    ],
)
def test_answers_as_passages_write_them(text, gold, written):
    assert as_written(text, [gold]) == written


def test_an_answer_is_found_where_the_oracle_finds_it():
    words = ["a", "The", "Ohio,", "(Ohio", "River)", "-", "river.", "St.", "in"]
    rng = random.Random(0)
    found = 0
    for _ in range(400):
        text = " ".join(rng.choices(words, k=8))
        gold = " ".join(rng.choices(["ohio", "river", "St", "in", "the"], k=rng.randint(1, 3)))
        written = as_written(text, [gold])
        assert (written is not None) == bool(cover_match(text, [gold]))
        if written is not None:
            assert exact_match(written, [gold]) == 1.0 and written in text
            found += 1
    assert found > 50


def test_queries_of_a_question():
    question = QUESTIONS[1]
    assert names_in("Which of Ada Lovelace's books did Rome of the North burn in 1911?") == [
        "Ada Lovelace",
        "Rome of the North",
        "1911",
    ]
    assert good_queries(question)[0] == question.question
    assert "Jaws" in good_queries(question)
    assert content_words("Who is the wife of Bob?") == "wife Bob"
    assert bridges_in("directed by Steven Spielberg.", question) == ("Steven Spielberg",)
    possessive = question.model_copy(update={"question": "What is Steven Spielberg's job?"})
    assert bridges_in("Steven Spielberg is a director.", possessive) == ()
    assert all(" " not in query for query in poor_queries(question))
    assert around("One. Two three four five. Six.", "four", 3) == "three four five"
