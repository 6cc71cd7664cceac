"""A recorded episode played again with the other verdict: the same tokens up to it, then the policy's own words.

The byte tokenizer gives the policy's tokens other ids than it would give their text: re-tokenising shows at once.
"""

import asyncio
from types import SimpleNamespace

import pytest

from reseek.agent.context import Append, Edit, Source
from reseek.agent.episode import StopReason
from reseek.agent.grammar import parse
from reseek.agent.verdict import Verdict
from reseek.config.agent import AgentConfig
from reseek.config.oracle import OracleConfig
from reseek.config.rewards import RewardConfig
from reseek.evaluation.counterfactual import jobs_of, replay_steps
from reseek.evaluation.counterfactual_records import Effect, count_flips, flips_file, read_flips
from reseek.evaluation.replay import NotReplayed, replay, with_verdict
from reseek.oracle.literal import LiteralOracle
from reseek.questions.record import Question
from reseek.rewards.reward import judge_one
from reseek.rewards.terms import Finished, reward_of
from reseek.rollout.environment import Environment
from reseek.rollout.records import record_of
from tests.support.episodes import SPOKEN, TEXTS, TOKENIZER, Memory, Script, play, spoken
from tests.support.evaluations import ScriptedPolicy, environment, question
from tests.support.reports import make_run

AGENT = AgentConfig(prompt="bare", max_turns=3, top_k=1)
FOUND = {"a": ["about a"], "b": ["about b"]}


def recorded(*said, context="drop"):
    agent = AGENT.model_copy(update={"context": context}) if context else AGENT
    agent = AgentConfig(**{**AGENT.model_dump(), "context": context})
    episode = play(Script(*said), Memory(FOUND), agent)
    verdicts = [o.verdict for o in episode.observations if o.verdict is not None]
    judged = tuple(judge_one(verdict, 1.0, 0.5, RewardConfig()) for verdict in verdicts)
    reward = reward_of(Finished(episode.answer, ("x",), judged), RewardConfig())
    asked = Question(id="q", question="who?", golden_answers=("x",))
    record = record_of(episode, reward, asked, set_name="s", conditions="c", answer_rank=None, answer_depth=3)
    return record, agent


def again(record, agent, index, verdict, live, search=None):
    search = search or Memory(FOUND)
    labels = OracleConfig(threshold=0.5)
    here = Environment(live, search, LiteralOracle(), TEXTS, agent, labels, RewardConfig())
    return asyncio.run(replay(record, index, verdict, here))


def sampled(trajectory):
    return [e.ids for e in trajectory.events if isinstance(e, Append) and e.source is Source.POLICY]


def test_the_other_verdict_and_nothing_else():
    record, agent = recorded(
        "<search>a</search>",
        "<note>é n</note><judge>No</judge>",
        "<search>b</search>",
        "<judge>Yes</judge>",
        "<answer>y</answer>",
    )
    live = Script("<answer>x</answer>")
    episode = again(record, agent, 0, Verdict.YES, live)
    before, after = record.trajectory, episode.trajectory
    assert sampled(after)[0] == sampled(before)[0]
    kept = spoken("<note>é n</note><judge>")
    assert sampled(after)[1] == (*kept, *b"Yes</judge>")  # the policy's own tokens, then ours
    assert not any(isinstance(event, Edit) for event in after.events) and episode.answer == "x"
    assert [o.verdict for o in episode.observations] == [Verdict.YES]
    # The live policy was given the recorded context, its tokens as they were, with the observation kept.
    assert live.contexts[0] == (*before.context[: before.prompt_length], *live.contexts[0][before.prompt_length :])
    assert TOKENIZER.decode(live.contexts[0]).endswith("about a</information>\n<note>é n</note><judge>Yes</judge>")
    assert any(token >= SPOKEN for token in live.contexts[0])


def test_a_yes_becomes_a_drop_at_a_later_step():
    record, agent = recorded(
        "<search>a</search>", "<judge>Yes</judge>", "<search>b</search>", "<judge>Yes</judge>", "<answer>x</answer>"
    )
    live = Script("<search>a</search>", "<judge>No</judge>", "<answer>z</answer>")
    episode = again(record, agent, 1, Verdict.NO, live)
    assert [o.verdict for o in episode.observations] == [Verdict.YES, Verdict.NO, Verdict.NO]
    seen = TOKENIZER.decode(live.contexts[0])
    assert "about a" in seen and "about b" not in seen and seen.endswith("<judge>No</judge>")


def test_the_same_verdict_replays_the_episode():
    record, agent = recorded("<search>a</search>", "hm <judge>No</judge>", "<answer>x</answer>", context="strict")
    episode = again(record, agent, 0, Verdict.NO, Script("<answer>x</answer>"))
    assert [e.ids for e in episode.trajectory.events] == [e.ids for e in record.trajectory.events]


def test_what_can_not_be_replayed_says_so():
    record, agent = recorded("<search>a</search>", "<judge>Yes</judge>", "<answer>x</answer>")
    with pytest.raises(NotReplayed, match="no longer brings"):
        again(record, agent, 0, Verdict.NO, Script(), Memory({"a": ["changed"]}))
    missing, agent = recorded("<search>a</search>", "<answer>x</answer>")
    with pytest.raises(NotReplayed, match="no verdict"):
        again(missing, agent, 0, Verdict.NO, Script())
    with pytest.raises(NotReplayed):
        with_verdict(TOKENIZER, spoken("<search>a</search>"), Verdict.NO)


def test_a_token_that_holds_tag_and_word_is_split():
    words = ["x", "<judge", ">N", "o</judge>"]
    merged = SimpleNamespace(
        decode=lambda ids, **_: "".join(words[i] if i < 10 else chr(i) for i in ids),
        encode=lambda text, **_: [ord(char) for char in text],
    )
    made = with_verdict(merged, (0, 1, 2, 3), Verdict.YES)
    assert made[:2] == (0, 1) and merged.decode(made) == "x<judge>Yes</judge>"
    assert parse(merged.decode(made)).verdict is Verdict.YES


class Follows(ScriptedPolicy):
    """Answers from its context: the capital if it is there, else a guess."""

    def say(self, context):
        said = super().say(context)
        kept = context.rpartition("<information>")[2]
        if "answer" not in said:
            return said
        return "<answer>paris</answer>" if "Paris" in kept else "<answer>london</answer>"


def test_steps_are_replayed_counted_and_taken_up_again(tmp_path):
    asked = [question(0, "France", "Paris"), question(1, "Spain", "Madrid"), question(2, "Italy", "Rome")]
    run = make_run(tmp_path, {"nq": asked}, Follows())
    records = run.records["nq"]
    jobs = jobs_of(records, tmp_path, controls=1)
    assert len(jobs) == 4
    here = environment(Follows())

    def go(jobs):
        asyncio.run(replay_steps(jobs, tmp_path, here, concurrency=2))

    go(jobs[:2])
    left = jobs_of(records, tmp_path, controls=1)
    assert len(left) == 2
    go(left)
    assert jobs_of(records, tmp_path, controls=1) == []
    flips = read_flips(flips_file(tmp_path, "nq"))
    by_id = {flip.id: flip for flip in flips if not flip.control}
    assert by_id["q0"].effect is Effect.WORSE and by_id["q0"].answer == "london"  # its Yes was what answered it
    assert by_id["q1"].effect is Effect.SAME and by_id["q1"].stop is StopReason.ANSWERED
    counted = count_flips(flips)
    assert (counted.steps, counted.not_replayed, counted.controls, counted.controls_changed) == (3, 0, 1, 0)
    assert counted.effects[Effect.WORSE] == 1 and counted.change.difference == pytest.approx(-1 / 3)
    assert sum(counted.share(effect) for effect in Effect) == pytest.approx(1.0)
