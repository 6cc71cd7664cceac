"""The LLM judge against a local endpoint: asked once per answer, kept, and a failure is never a verdict."""

import json

import pytest

from reseek.evaluation.judged import FILE, read_judged
from reseek.evaluation.llm_judge import main
from reseek.evaluation.results import read_evaluation
from reseek.program.user_errors import user_errors
from tests.support.judging import Endpoint
from tests.support.reports import SETS, make_run

pytestmark = pytest.mark.integration


def judge(run, endpoint, cache):
    main(run, "m", endpoint.url, cache, 4)
    return read_judged(run)


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", SETS).folder


def lenient(messages):
    """Right where the answer, or "france", which no exact match knows, is in the prompt."""
    prompt = messages[0]["content"]
    assert "-----\nparis\n-----" in prompt and "{{" not in prompt
    return 200, json.dumps({"correct": "- Rome" in prompt})


def test_answers_are_judged_once_and_kept(run, tmp_path, capsys):
    with Endpoint(lenient) as endpoint:
        made = judge(run, endpoint, tmp_path / "cache")
        asked = len(endpoint.asked)
        assert made.sets["hotpotqa"] == {"q0": True, "q1": False}  # the FAILED one is left out
        assert made.share("nq") == 0.0 and made.share("hotpotqa") == 0.5
        assert "hotpotqa: exact match 0.000, m 0.500" in capsys.readouterr().out
        assert judge(run, endpoint, tmp_path / "cache") == made and len(endpoint.asked) == asked
    assert read_evaluation(run).judged == made


def test_an_answer_in_another_form_is_asked_for_again_then_refused(run, tmp_path, capsys):
    with Endpoint(lambda messages: (200, "I think so." if len(messages) == 1 else '{"correct": true}')) as endpoint:
        assert set(judge(run, endpoint, tmp_path / "cache").sets["nq"].values()) == {True}
    (run / FILE).unlink()
    with Endpoint(lambda messages: (200, "I think so.")) as endpoint, pytest.raises(SystemExit) as ended, user_errors():
        judge(run, endpoint, tmp_path / "other")
    assert ended.value.code == 2 and "reply is malformed" in capsys.readouterr().err and not (run / FILE).exists()


def test_an_endpoint_that_refuses_ends_the_command(run, tmp_path, capsys):
    with Endpoint(lambda messages: (400, "")) as endpoint, pytest.raises(SystemExit) as ended, user_errors():
        judge(run, endpoint, tmp_path / "cache")
    assert ended.value.code == 2 and "BadRequest" in capsys.readouterr().err and not (run / FILE).exists()
