"""A verdict's reward stands on the verdict's own tokens, in the one row that trains them."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from reseek.config import AgentConfig, OracleConfig, RewardConfig
from reseek.context import segments
from reseek.episode import token_span
from reseek.oracle.literal import LiteralOracle
from reseek.questions import Question
from reseek.scoring import score_episode
from reseek.training.positions import verdict_credits
from tests.support.episodes import TOKENIZER, Memory, Script, play, spoken

QUESTION = Question(id="1", question="who?", golden_answers=("Mira",))
WORLD = Memory({"good": ["It was Mira."], "bad": ["It was raining."]})
GOOD, BAD = "<search>good</search>", "<search>bad</search>"
YES, NO = "<judge>Yes</judge>", "<judge>No</judge>"
ANSWER = "<answer>Mira</answer>"


def credited(*said: str, context: str = "drop") -> list[list[tuple[float, str]]]:
    """Per segment: each credited reward with the text of the tokens it stands on."""
    episode = play(Script(*said), WORLD, AgentConfig(prompt="bare", max_turns=4, context=context))
    rewards = RewardConfig(match=0.3, wrong_yes=-0.6, wrong_no=-0.2)
    reward = asyncio.run(score_episode(episode, QUESTION, LiteralOracle(), OracleConfig(threshold=0.5), rewards))
    rows = segments(episode.trajectory)
    prompt = episode.trajectory.prompt_length
    found = []
    for row, credits in zip(rows, verdict_credits(episode, reward, rows), strict=True):
        assert all(row.mask[prompt + start : prompt + end] == (1,) * (end - start) for _, start, end in credits)
        found.append([(r, TOKENIZER.decode(row.ids[prompt + start : prompt + end])) for r, start, end in credits])
    return found


def test_verdicts_around_a_fork():
    assert credited(BAD, f"hm <think>no</think>{NO}", GOOD, f"{YES} ", ANSWER) == [
        [(0.3, "<judge>No</judge>")],
        [(0.3, "<judge>Yes</judge>")],
    ]


def test_wrong_verdicts_and_two_in_one_segment():
    assert credited(BAD, YES, GOOD, f"why not: {NO}", ANSWER) == [
        [(-0.6, "<judge>Yes</judge>"), (-0.2, "<judge>No</judge>")],
        [],
    ]


def test_without_forks_all_stand_in_one_row():
    assert credited(BAD, NO, GOOD, YES, ANSWER, context="keep") == [[(0.3, NO), (0.3, YES)]]


def test_under_strict_each_search_has_its_row():
    assert credited(BAD, NO, GOOD, YES, ANSWER, context="strict") == [[(0.3, NO)], [(0.3, YES)]]


def test_a_missing_verdict_stands_on_the_action_taken_instead():
    assert credited(GOOD, f"so {BAD}", YES, ANSWER) == [[(-0.2, BAD), (-0.6, YES)]]
    assert credited(GOOD, "nothing legal", ANSWER) == [[(-0.2, ANSWER)]]


@given(st.text(max_size=12), st.text(max_size=6), st.text(max_size=6))
def test_a_token_span_covers_the_tag_and_nothing_else(before, inside, after):
    ids = spoken(f"{before}<{inside}>{after}")
    first, last = token_span(TOKENIZER, ids, len(before), len(before) + len(inside) + 2)
    assert TOKENIZER.decode(ids[first:last]) == f"<{inside}>"
