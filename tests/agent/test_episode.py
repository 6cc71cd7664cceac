"""The state machine, with a policy that follows a script and a search in memory.

`play` checks at the end of every episode here that each sampled token is trained once, behind the very ids that the
policy had been given; the byte tokenizer gives the policy's words ids of their own, so that tokenising
them again would show.
"""

import pytest

from reseek.agent.context import Append, Source, segments
from reseek.agent.episode import StopReason, prompt_ids
from reseek.agent.grammar import Action
from reseek.agent.verdict import Verdict
from reseek.config.agent import AgentConfig, ContextPolicy, TurnUnit
from tests.support.episodes import TOKENIZER, Memory, spoken
from tests.support.scripted import (
    ACTION,
    DROP,
    HINT,
    JUNK,
    KEEP,
    NO,
    NOTICE,
    START,
    STRICT,
    STUB,
    WORLD,
    YES,
    A,
    S,
    block,
    run,
)

# The user turn and the plain course of an episode


def test_the_user_turn_is_one_chat_turn_and_all_else_is_raw():
    _, policy = run(A)
    assert policy.contexts == [START]


def test_instructions_name_the_question_and_the_budget():
    text = TOKENIZER.decode(prompt_ids(TOKENIZER, AgentConfig(max_turns=7), "who {?}"))
    assert "Question: who {?}<|im_end|>" in text and "at most 7 searches" in text


def test_search_judge_answer():
    episode, policy = run(S, f"<think>t</think>{YES}", A)
    after_search = START + spoken(S) + block("one")
    assert policy.contexts == [START, after_search, after_search + spoken(f"<think>t</think>{YES}")]
    assert (episode.stop, episode.answer, episode.error) == (StopReason.ANSWERED, "a", None)
    (observation,) = episode.observations
    assert (observation.query, observation.verdict) == ("q", Verdict.YES)
    assert (observation.search_call, observation.verdict_call) == (0, 1)
    assert observation.text == 'Doc 1(Title: "T1") one'
    assert [hit.text for hit in observation.hits] == ["one"]
    assert [call.parsed.action for call in episode.calls] == [Action.SEARCH, Action.JUDGE, Action.ANSWER]
    assert len(segments(episode.trajectory)) == 1
    assert episode.seconds >= 0


def test_the_search_is_asked_for_top_k_and_gives_them_best_first():
    search = Memory({"r": ["one", "two", "three"]})
    _, policy = run("<search> r\n</search>", YES, A, search=search, top_k=2)
    assert search.asked == [("r", 2)]
    assert policy.contexts[1] == START + spoken("<search> r\n</search>") + block("one", "two")


def test_nothing_found_is_said():
    episode, policy = run("<search>unknown</search>", YES, A)
    assert policy.contexts[1] == START + spoken("<search>unknown</search>") + block()
    assert episode.observations[0].hits == () and episode.observations[0].text == "No passage was found."


def test_environment_tokens_are_recorded_by_their_source():
    episode, _ = run(S, NO, JUNK, S, YES, A, max_turns=3)
    sources = [event.source if isinstance(event, Append) else None for event in episode.trajectory.events]
    y = Source.POLICY
    assert sources == [
        Source.PROMPT, y, Source.OBSERVATION, y, None, y, Source.HINT, y, Source.OBSERVATION, y, Source.NOTICE, y
    ]  # fmt: skip


# After a verdict


def test_drop_leaves_the_policys_words_and_a_stub():
    note = f"<note>n</note>{NO}"
    episode, policy = run(S, note, A)
    assert policy.contexts[2] == START + spoken(S) + STUB + spoken(note)
    assert episode.observations[0].verdict is Verdict.NO
    assert [row.ids for row in segments(episode.trajectory)] == [
        START + spoken(S) + block("one") + spoken(note),
        START + spoken(S) + STUB + spoken(note) + spoken(A),
    ]


def test_strict_is_byte_identical_to_before_the_search():
    episode, policy = run(S, f"<note>n</note>{NO}", "<search>r</search>", YES, A, context="strict")
    assert policy.contexts[2] == policy.contexts[0] == START
    assert policy.contexts[4] == START + spoken("<search>r</search>") + block("two", "three") + spoken(YES)
    assert len(segments(episode.trajectory)) == 2


def test_strict_keeps_what_came_before_the_search():
    _, policy = run(S, YES, "<search>r</search>", NO, A, context="strict")
    assert policy.contexts[4] == policy.contexts[2] == START + spoken(S) + block("one") + spoken(YES)


def test_strict_drops_a_hint_between_observation_and_verdict_but_not_one_before_the_search():
    _, policy = run(JUNK, S, JUNK, NO, A, context="strict")
    assert policy.contexts[4] == policy.contexts[1] == START + spoken(JUNK) + HINT


def test_drop_keeps_a_hint_between_observation_and_verdict():
    _, policy = run(S, JUNK, NO, A)
    assert policy.contexts[3] == START + spoken(S) + STUB + spoken(JUNK) + HINT + spoken(NO)


def test_keep_edits_nothing():
    episode, policy = run(S, NO, A, context="keep")
    assert policy.contexts[2] == START + spoken(S) + block("one") + spoken(NO)
    assert episode.observations[0].verdict is Verdict.NO
    assert len(segments(episode.trajectory)) == 1


@pytest.mark.parametrize("context", ContextPolicy)
def test_a_yes_edits_nothing(context):
    _, policy = run(S, YES, A, context=context)
    assert policy.contexts[2] == START + spoken(S) + block("one") + spoken(YES)


def test_a_second_no_drops_the_second_observation():
    r = "<search>r</search>"
    _, policy = run(S, NO, r, NO, A)
    assert policy.contexts[4] == START + spoken(S) + STUB + spoken(NO) + spoken(r) + STUB + spoken(NO)


@pytest.mark.parametrize("context", ContextPolicy)
@pytest.mark.parametrize("then", [A, "<search>r</search>"])
def test_a_missing_verdict_keeps_the_observation(context, then):
    rest = () if then is A else (YES, A)
    episode, policy = run(S, then, *rest, context=context)
    first = episode.observations[0]
    assert (first.verdict, first.verdict_call, first.search_call) == (Verdict.MISSING, None, 0)
    if rest:
        assert policy.contexts[2] == START + spoken(S) + block("one") + spoken(then) + block("two", "three")
        assert episode.observations[1].verdict is Verdict.YES
        assert (episode.observations[1].search_call, episode.observations[1].verdict_call) == (1, 2)
    assert episode.stop is StopReason.ANSWERED


def test_an_unjudged_observation_at_the_end_has_no_verdict():
    episode, _ = run(S, JUNK, JUNK)
    assert episode.observations[0].verdict is None and episode.observations[0].verdict_call is None


# Invalid


def test_a_hint_follows_text_without_a_legal_action():
    episode, policy = run(JUNK, A)
    assert policy.contexts[1] == START + spoken(JUNK) + HINT
    assert (episode.stop, episode.answer) == (StopReason.ANSWERED, "a")


@pytest.mark.parametrize("first", [JUNK, YES, "<search></search>", "<information>x</information>" + A, ""])
def test_two_in_a_row_end_the_episode(first):
    episode, policy = run(first, JUNK)
    assert (episode.stop, episode.answer) == (StopReason.INVALID, None)
    assert episode.trajectory.context == START + spoken(first) + HINT + spoken(JUNK)


def test_a_legal_action_in_between_starts_the_count_again():
    episode, _ = run(JUNK, S, JUNK, YES, JUNK, A, max_turns=9)
    assert episode.stop is StopReason.ANSWERED


def test_a_verdict_without_an_observation_is_invalid():
    episode, policy = run(S, NO, NO, A)
    assert policy.contexts[3][-len(HINT) :] == HINT
    assert [o.verdict for o in episode.observations] == [Verdict.NO]
    assert run(YES, NO)[0].stop is StopReason.INVALID


@pytest.mark.parametrize("unit", TurnUnit)
def test_an_invalid_text_costs_a_turn(unit):
    search = Memory(WORLD)
    said = {TurnUnit.SEARCH: (JUNK, A), ACTION: (JUNK,)}[unit]
    episode, policy = run(*said, search=search, max_turns=1, turn_unit=unit)
    if unit is TurnUnit.SEARCH:
        assert policy.contexts[1] == START + spoken(JUNK) + HINT + NOTICE
    else:
        assert episode.stop is StopReason.NO_ANSWER


# Budgets of turns


def test_no_turns_is_closed_book():
    search = Memory(WORLD)
    episode, policy = run(A, max_turns=0, search=search)
    assert policy.contexts == [START + NOTICE]
    assert (episode.stop, episode.answer) == (StopReason.ANSWERED, "a")
    episode, _ = run(S, max_turns=0, search=search)
    assert (episode.stop, episode.answer, search.asked) == (StopReason.NO_ANSWER, None, [])


def test_after_the_last_verdict_only_an_answer_is_left():
    episode, policy = run(S, NO, A, max_turns=1)
    assert policy.contexts[2] == START + spoken(S) + STUB + spoken(NO) + NOTICE
    assert (episode.stop, episode.answer) == (StopReason.ANSWERED, "a")


@pytest.mark.parametrize("last", [S, JUNK, YES, "<answer> </answer>"])
def test_a_forced_answer_that_does_not_come(last):
    search = Memory(WORLD)
    episode, _ = run(S, YES, last, max_turns=1, search=search)
    assert (episode.stop, episode.answer, len(search.asked)) == (StopReason.NO_ANSWER, None, 1)
    assert episode.trajectory.context[-len(spoken(last)) :] == spoken(last)


def test_the_last_observation_can_be_answered_without_a_notice():
    episode, policy = run(S, A, max_turns=1)
    assert episode.stop is StopReason.ANSWERED and episode.observations[0].verdict is Verdict.MISSING
    assert policy.contexts[1] == START + spoken(S) + block("one")


def test_a_search_beyond_the_budget_is_not_made():
    search = Memory(WORLD)
    episode, policy = run(S, "<search>r</search>", A, max_turns=1, search=search)
    assert search.asked == [("q", 3)]
    assert policy.contexts[2] == START + spoken(S) + block("one") + spoken("<search>r</search>") + NOTICE
    assert [o.verdict for o in episode.observations] == [Verdict.MISSING]
    assert episode.stop is StopReason.ANSWERED


def test_by_actions_searches_and_answers_cost_and_verdicts_are_free():
    episode, policy = run(S, YES, A, max_turns=2, turn_unit="action")
    assert (episode.stop, episode.answer) == (StopReason.ANSWERED, "a")
    assert policy.contexts[2] == START + spoken(S) + block("one") + spoken(YES)


def test_by_actions_there_is_no_answer_call():
    search = Memory(WORLD)
    episode, _ = run(S, YES, "<search>r</search>", max_turns=2, turn_unit="action", search=search)
    assert (episode.stop, episode.answer) == (StopReason.NO_ANSWER, None)
    assert run(A, max_turns=1, turn_unit="action")[0].answer == "a"
    assert run(S, max_turns=1, turn_unit="action")[0].stop is StopReason.NO_ANSWER


def test_by_actions_an_answer_beyond_the_budget_does_not_count():
    # SEARCH and the invalid text spend both turns; a verdict would be free, the answer costs a third.
    episode, _ = run(S, JUNK, A, max_turns=2, turn_unit="action")
    assert (episode.stop, episode.answer) == (StopReason.NO_ANSWER, None)


def test_by_actions_the_verdict_of_a_spent_budget_is_still_heard():
    episode, _ = run(S, JUNK, NO, max_turns=2, turn_unit="action")
    assert episode.stop is StopReason.NO_ANSWER
    assert [o.verdict for o in episode.observations] == [Verdict.NO]


# Strict repeats


def test_a_dropped_query_that_comes_again_leads_to_the_answer_call():
    search = Memory(WORLD)
    episode, policy = run(S, NO, "<think>t</think><search> q </search>", A, context="strict", search=search)
    assert (episode.stop, episode.answer) == (StopReason.REPEATED, "a")
    assert policy.contexts[3] == START + spoken("<think>t</think><search> q </search>") + NOTICE
    assert len(search.asked) == 1
    assert len(episode.observations) == 1


def test_repeated_without_an_answer_is_still_repeated():
    episode, _ = run(S, NO, S, JUNK, context="strict")
    assert (episode.stop, episode.answer) == (StopReason.REPEATED, None)


@pytest.mark.parametrize(("context", "verdict"), [(DROP, NO), (KEEP, NO), (STRICT, YES)])
def test_only_a_dropped_query_under_strict_is_a_repeat(context, verdict):
    search = Memory(WORLD)
    episode, _ = run(S, verdict, S, YES, A, context=context, search=search)
    assert (episode.stop, len(search.asked)) == (StopReason.ANSWERED, 2)
