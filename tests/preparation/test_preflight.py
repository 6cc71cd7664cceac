"""The checks before the first worker starts: what passes, what is refused, and which keys the error names."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseek.agent.episode import prompt_ids
from reseek.config.agent import AgentConfig
from reseek.config.algo import AlgoSettings
from reseek.config.run import ClusterSettings
from reseek.errors import InputError
from reseek.micro.model import make_tokenizer
from reseek.preparation.preflight import check_algo, check_budgets, check_forward, check_model, check_prompts
from reseek.questions.record import Question
from tests.support.episodes import TOKENIZER


def stopped(check, *args) -> str:
    with pytest.raises(InputError) as caught:
        check(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Budgets

AGENT = AgentConfig(max_turns=2, observation_tokens=30, call_tokens=40, prompt_tokens=50, response_tokens=100)


def test_budgets_that_just_fit():
    check_budgets(AGENT, 50, 100, 150)
    check_budgets(AGENT, 500, 1000, 1500)


def test_a_response_without_room_for_its_turns():
    tight = AGENT.model_copy(update={"response_tokens": 99})
    message = stopped(check_budgets, tight, 50, 100, 150)
    assert message.startswith("agent.response_tokens=99: too small for agent.max_turns=2 x ")
    assert "agent.call_tokens=40 = 100" in message


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ((49, 100, 150), "data.max_prompt_length=49: agent.prompt_tokens=50 "),
        ((50, 99, 150), "data.max_response_length=99: agent.response_tokens=100 "),
        ((50, 100, 149), "agent.prompt_tokens=50 + agent.response_tokens=100 = 150: more than "),
    ],
)
def test_budgets_beyond_the_trainers_tensors(limits, says):
    assert stopped(check_budgets, AGENT, *limits).startswith(says)


# Batches


def batches(**values) -> AlgoSettings:
    sizes = {"questions_per_step": 8, "sessions_per_question": 2, "mini_batch_questions": 4, "learning_rate": 0.1}
    return AlgoSettings(**{**sizes, **values})


def machines(**values) -> ClusterSettings:
    return ClusterSettings(**{"forward_tokens": 150, **values})


def test_batches_that_divide():
    check_algo(batches(), machines(), 8)
    check_algo(batches(), machines(nodes=2, gpus_per_node=2), 100)
    check_algo(batches(estimator="ppo", sessions_per_question=1), machines(), 8)


@pytest.mark.parametrize(
    ("algo", "cluster", "questions", "says"),
    [
        ({"mini_batch_questions": 3}, {}, 8, "algo.mini_batch_questions=3: must divide algo.questions_per_step=8"),
        ({"mini_batch_questions": 16}, {}, 99, "algo.mini_batch_questions=16: must divide algo.questions_per_step=8"),
        ({"sessions_per_question": 1}, {}, 8, "algo.sessions_per_question=1: algo.estimator=grpo "),
        (
            {"mini_batch_questions": 2},
            {"nodes": 2, "gpus_per_node": 4},
            8,
            "algo.mini_batch_questions=2 x algo.sessions_per_question=2 = 4: must be divisible by the 8 workers",
        ),
        ({}, {}, 7, "algo.questions_per_step=8: questions.train holds only 7 questions"),
    ],
)
def test_batches_that_do_not(algo, cluster, questions, says):
    assert stopped(check_algo, batches(**algo), machines(**cluster), questions).startswith(says)


# The longest row


def test_a_forward_pass_holds_the_longest_row():
    check_forward(AGENT, machines(forward_tokens=150))
    message = stopped(check_forward, AGENT, machines(forward_tokens=149))
    assert message.startswith("cluster.forward_tokens=149: must hold one row ") and message.endswith("= 150")


# The model's positions


def test_the_context_against_the_models_positions(tmp_path: Path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"max_position_embeddings": 150}))
    check_model(AGENT, str(tmp_path))
    config.write_text(json.dumps({"max_position_embeddings": 149}))
    message = stopped(check_model, AGENT, str(tmp_path))
    assert "= 150: more than the 149 positions" in message and str(tmp_path) in message


def test_a_model_that_does_not_say(tmp_path: Path):
    check_model(AGENT, "some/hub-id")
    (tmp_path / "config.json").write_text("{}")
    check_model(AGENT, str(tmp_path))


# Prompts


def questions(*texts: str) -> list[Question]:
    return [Question(id=f"q{i}", question=text, golden_answers=("x",)) for i, text in enumerate(texts)]


def length(agent: AgentConfig, text: str) -> int:
    return len(prompt_ids(TOKENIZER, agent, text))


@pytest.mark.parametrize("style", ["bare", "full"])
def test_the_first_prompt_that_is_too_long_is_named(style):
    asked = questions("who?", "who is it that wrote it?", "who is that, and why, and where does the harbour lie?")
    budget = length(AgentConfig(prompt=style), asked[1].question)
    check_prompts(AgentConfig(prompt=style, prompt_tokens=budget), TOKENIZER, asked[:2], Path("f.jsonl"))
    message = stopped(check_prompts, AgentConfig(prompt=style, prompt_tokens=budget), TOKENIZER, asked, Path("f.jsonl"))
    longest = length(AgentConfig(prompt=style), asked[2].question)
    assert message.startswith(f"agent.prompt_tokens={budget}: the user turn of question 'q2' of f.jsonl has {longest} ")
    message = stopped(check_prompts, AgentConfig(prompt=style, prompt_tokens=5), TOKENIZER, asked, Path("f.jsonl"))
    assert "'q0'" in message


@pytest.mark.parametrize("place", [0, 1, 98, 99])
def test_one_long_question_among_many_is_found(place):
    asked = questions(*["who?"] * place, "who " * 20 + "?", *["who?"] * (99 - place))
    budget = length(AgentConfig(prompt="bare"), asked[place].question)
    check_prompts(AgentConfig(prompt="bare", prompt_tokens=budget), TOKENIZER, asked, Path("f.jsonl"))
    tight = AgentConfig(prompt="bare", prompt_tokens=budget - 1)
    assert f"'q{place}'" in stopped(check_prompts, tight, TOKENIZER, asked, Path("f.jsonl"))


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=40), st.integers(20, 80))
def test_the_short_cut_finds_what_checking_each_prompt_would(texts, budget):
    agent = AgentConfig(prompt="bare", prompt_tokens=budget)
    asked = questions(*texts)
    too_long = [question.id for question in asked if length(agent, question.question) > budget]
    if too_long:
        assert repr(too_long[0]) in stopped(check_prompts, agent, TOKENIZER, asked, Path("f.jsonl"))
    else:
        check_prompts(agent, TOKENIZER, asked, Path("f.jsonl"))


TURN = "{% for message in messages %}<|user|>{{ message['content']CHANGED }}\n{% endfor %}<|assistant|>"


def templated(template: str):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.parametrize("style", ["bare", "full"])
@pytest.mark.parametrize("template", ["", "<|user|><|assistant|>", TURN.replace("CHANGED", "[:5]")])
def test_a_template_that_loses_the_question_is_refused(style, template):
    asked = questions("where does the harbour lie?")
    agent = AgentConfig(prompt=style, prompt_tokens=4096, response_tokens=4096)
    message = stopped(check_prompts, agent, templated(template), asked, Path("f.jsonl"))
    assert message.startswith("policy.chat_template: the template of ") and "loses the question ('q0' " in message


@pytest.mark.parametrize("change", ["", " | trim", ".lower()"])
def test_a_template_may_strip_the_question_and_change_its_case(change):
    asked = questions("  Where does the  harbour lie? ")
    agent = AgentConfig(prompt="bare", prompt_tokens=4096, response_tokens=4096)
    check_prompts(agent, templated(TURN.replace("CHANGED", change)), asked, Path("f.jsonl"))
