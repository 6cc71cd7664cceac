"""Files of episodes: read whole, their tokenizer checked, rightness of rollouts read from what their run paid."""

import random

import pytest

from reseek.config.agent import ContextPolicy
from reseek.config.sft import ImitationSettings
from reseek.errors import InputError
from reseek.questions.record import Question
from reseek.rollout.session_records import SegmentRecord, SessionRecord, write_sessions
from reseek.sft.recorded_episodes import files_of, recorded
from tests.support.evaluations import CharTokenizer
from tests.support.wanderer import wander


class OtherTokenizer(CharTokenizer):
    def decode(self, ids, skip_special_tokens: bool = False) -> str:
        return "".join(chr(number + 1) for number in ids)


def session(number: int, said: str, answer: float, verdict: float) -> SessionRecord:
    ids = tuple(map(ord, said))
    nothing = (0.0,) * len(ids)
    segment = SegmentRecord(
        prompt=(1, 2, 3),
        response=ids,
        mask=(0,) + (1,) * (len(ids) - 1),
        rollout_logprobs=nothing,
        trainer_logprobs=nothing,
        advantages=nothing,
        verdicts=((verdict, 1, 2),),
    )
    return SessionRecord(
        step=1,
        question=f"q{number}",
        index=number,
        session=0,
        context=ContextPolicy.DROP,
        answer_reward=answer,
        judge_reward=verdict,
        segments=(segment,),
    )


@pytest.fixture
def rollouts(tmp_path):
    """A run's folder with one file of rollouts."""
    sessions = [
        session(0, "x<answer>a</answer>", 1.0, 0.3),
        session(1, "x<answer>a</answer>", 0.0, 0.3),
        session(2, "x<answer>a</answer>", 1.0, -0.3),
    ]
    (tmp_path / "config.yaml").write_text("rewards:\n  answer: 1.0\n  match: 0.3\n")
    return write_sessions(tmp_path, sessions)


def settings(*files, **others) -> ImitationSettings:
    return ImitationSettings(source="recorded", files=tuple(map(str, files)), **others)


def test_episodes_of_an_evaluation_come_with_file_and_line(tmp_path):
    records = [wander(seed) for seed in range(5)]
    path = tmp_path / "test.jsonl"
    path.write_text("".join(record.model_dump_json() + "\n" for record in records) + '{"torn')
    found = list(recorded(settings(path), CharTokenizer()))
    assert [candidate.question for candidate in found] == [record.id for record in records]
    assert [candidate.where for candidate in found] == [f"{path}:{number}" for number in range(1, 6)]
    with pytest.raises(InputError, match=rf"{path}:1: was not recorded with the tokenizer of policy.path"):
        list(recorded(settings(path), OtherTokenizer()))


def test_rightness_and_agreement_of_rollouts_are_read_from_their_rewards(rollouts):
    found = list(recorded(settings(rollouts), CharTokenizer()))
    assert [(one.right, one.agreeing) for one in found] == [(True, True), (False, True), (True, False)]
    assert found[0].rows[0].ids[:4] == (1, 2, 3, ord("x")) and found[0].rows[0].mask[:5] == (0, 0, 0, 0, 1)
    with pytest.raises(InputError, match="the tokenizer of policy.path reads no action"):
        list(recorded(settings(rollouts), OtherTokenizer()))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "can't be read without the run's"),
        ("rewards:\n  answer_metric: f1\n", "did not pay for exact matches"),
        ("rewards:\n  match: -0.3\n", "paid wrong verdicts like right ones"),
    ],
)
def test_rollouts_whose_rewards_say_nothing_are_refused(rollouts, config, message):
    path = rollouts.parent.parent / "config.yaml"
    path.unlink() if config is None else path.write_text(config)
    with pytest.raises(InputError, match=message):
        list(recorded(settings(rollouts, agreeing=True), CharTokenizer()))
    assert len(list(recorded(settings(rollouts, right=False), CharTokenizer()))) == 3


def test_a_folder_stands_for_its_files_in_the_order_of_their_numbers(tmp_path):
    for number in random.Random(0).sample(range(1, 12), 11):
        (tmp_path / f"step_{number}.jsonl").touch()
    assert [path.stem for path in files_of([str(tmp_path)])] == [f"step_{number}" for number in range(1, 12)]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), ("", ":1: holds neither"), ("nonsense\n", ":1: holds neither"), ("[1]\n", ":1: holds")],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "file.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        list(recorded(settings(path), CharTokenizer()))


def test_a_question_is_no_episode(tmp_path):
    path = tmp_path / "file.jsonl"
    path.write_text(Question(id="1", question="who?", golden_answers=("a",)).model_dump_json() + "\n")
    with pytest.raises(InputError, match="holds neither"):
        list(recorded(settings(path), CharTokenizer()))
