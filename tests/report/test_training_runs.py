"""A training run in the report and the viewer: its rollouts as trajectories, with the trainer's numbers per token."""

import json

import pytest

from reseek.config.agent import ContextPolicy
from reseek.errors import InputError
from reseek.report.runs import Training, read_run
from reseek.report.trajectories import TokenTexts, body, probabilities
from reseek.report.view import tokenizer_of, viewer
from reseek.rollout.training_record import training_records, write_rollouts
from tests.support.evaluations import CharTokenizer
from tests.support.rollouts import wandered_rows
from tests.support.wanderer import wander


@pytest.fixture
def run(tmp_path) -> Training:
    """A run of two recorded steps, each of two sessions of one question."""
    (tmp_path / "metrics.jsonl").write_text('{"phase": "step", "step": 2}\n')
    for step in (2, 10):
        made = [wandered_rows(step, f"u_{session}", 4) for session in range(2)]
        write_rollouts(tmp_path, training_records([row for rows, _ in made for row in rows], step, ContextPolicy.DROP))
    found = read_run(tmp_path)
    assert isinstance(found, Training)
    return found


def test_rollouts_are_read_by_step_and_sessions_told_apart(run):
    assert list(run.records) == ["step_2", "step_10"]
    question = run.records["step_2"][0].asked.id.removesuffix(" #1")
    assert [record.id for record in run.records["step_2"]] == [f"{question} #1", f"{question} #2"]
    assert all(record.set == name for name, records in run.records.items() for record in records)


def test_each_token_has_both_engines_log_probabilities_and_its_advantage(run):
    (record, _) = run.records["step_2"]
    tokens = [token for call in probabilities(record, TokenTexts(CharTokenizer())) for token in call]
    logprobs = [lp for event in record.events if event.kind == "append" for lp in event.logprobs or ()]
    assert "".join(text for text, *_ in tokens) == "".join(call.text for call in record.calls)
    assert [token[1] for token in tokens] == [round(number, 5) for number in logprobs]
    assert [token[2] for token in tokens] == [round(number, 5) for number in record.training.trainer_logprobs]
    assert [token[3] for token in tokens] == [round(number, 4) for number in record.training.advantages]
    assert body(record)["training"][:3] == [2, 5, 1]


def test_the_page_holds_every_rollout(run):
    page = viewer([run], [None], "training")
    assert '"sets":["step_2","step_10"]' in page.replace(" ", "")
    assert page.count('"training": [') + page.count('"training":[') == 4
    assert tokenizer_of(run) is None


def test_a_run_without_rollouts_says_how_to_record_them(tmp_path):
    from reseek.report.view import main

    (tmp_path / "metrics.jsonl").write_text('{"phase": "step", "step": 1}\n')

    with pytest.raises(InputError, match="run.record_every=1"):
        main([tmp_path])


def test_an_imitation_s_episodes_are_shown(tmp_path):
    """A run of `reseek sft` keeps the episodes that it played, as an evaluation does."""
    (tmp_path / "metrics.jsonl").write_text('{"phase": "step", "step": 1}\n')
    (tmp_path / "episodes").mkdir()
    record = wander(0)
    (tmp_path / "episodes" / f"{record.set}.jsonl").write_text(record.model_dump_json() + "\n")
    found = read_run(tmp_path)
    assert found.records == {record.set: [record]}
    assert f'"sets":["{record.set}"]' in viewer([found], [None], "imitation").replace(" ", "")


def test_older_rollouts_are_refused_in_one_line(run):
    (run.folder / "rollouts" / "step_2.jsonl").write_text(json.dumps({"step": 2, "segments": []}) + "\n")
    with pytest.raises(InputError, match="rollout of an older version"):
        read_run(run.folder).records  # noqa: B018
