"""Each sampled token is trained once, after the ids that the policy was given: compared with a slow replay.

That check is applied to `reseek.agent.context` and, to see that it can fail, to copies with a fault in
them."""

from dataclasses import dataclass, field, replace
from types import ModuleType

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from reseek.agent import context
from reseek.agent.context import NOT_TRAINED, Segment, Source, Trajectory, segments
from tests.support.mutations import Mutation, mutated

P, Y, OBS, H = Source.PROMPT, Source.POLICY, Source.OBSERVATION, Source.HINT


@dataclass
class Replay:
    """The slow reference: keeps the context as a list and writes down the ids before each sampled token."""

    policy: object  # the Source of sampled tokens
    context: list[int] = field(default_factory=list)
    sampled: list[tuple[tuple[int, ...], int, float]] = field(default_factory=list)
    blocks: int = 0  # stretches between edits in which something was sampled
    fresh: bool = True

    def append(self, source, ids, logprobs):
        for i, token in enumerate(ids):
            if source is self.policy:
                self.sampled.append((tuple(self.context), token, logprobs[i]))
                self.blocks += self.fresh
                self.fresh = False
            self.context.append(token)

    def edit(self, start, end, ids):
        self.context = self.context[:start] + list(ids) + self.context[end:]
        self.fresh = True


IDS = st.lists(st.integers(0, 4), max_size=5)  # few ids: positions are told apart by the replay, not by luck


@dataclass(frozen=True)
class History:
    """What happened, as a trajectory and as its slow replay."""

    trajectory: Trajectory
    replay: Replay
    edits: int
    with_logprobs: bool
    prompt_length: int


@st.composite
def histories(draw, module: ModuleType = context):
    """Random appends and legal edits, told to the `Trajectory` of `module`."""
    prompt_source, policy = module.Source.PROMPT, module.Source.POLICY
    replay, edits = Replay(policy), 0
    prompt = draw(IDS)
    trajectory = module.Trajectory().append(prompt_source, prompt)
    replay.append(prompt_source, prompt, None)
    backend_gives = draw(st.sampled_from([st.just(True), st.just(False), st.booleans()]))
    with_logprobs = True
    for _ in range(draw(st.integers(0, 10))):
        if draw(st.integers(0, 2)):
            source, ids = draw(st.sampled_from([*module.Source, policy, policy, policy])), draw(IDS)
            if source is prompt_source and all(event.source is prompt_source for event in trajectory.events):
                prompt = prompt + ids
            logprobs = [draw(st.integers(1, 99)) / -8 for _ in ids] if source is policy else None
            given_logprobs = source is policy and draw(backend_gives)
            with_logprobs = with_logprobs and (given_logprobs or source is not policy)
            trajectory = trajectory.append(source, ids, logprobs if given_logprobs else None)
            replay.append(source, ids, logprobs)
        elif all(getattr(event, "source", None) is prompt_source for event in trajectory.events):
            continue  # nothing but prompt: an edit would make later prompt tokens editable
        else:
            start = draw(st.integers(len(prompt), len(replay.context)))
            end = draw(st.integers(start, len(replay.context)))
            ids = draw(IDS)
            trajectory = trajectory.edit(start, end, ids)
            replay.edit(start, end, ids)
            edits += 1
    return History(trajectory, replay, edits, with_logprobs, len(prompt))


def check(history: History, module: ModuleType = context) -> None:
    """The invariant of `reseek.agent.context`, asserted of the `segments` of `module`."""
    trajectory, replay = history.trajectory, history.replay
    rows = module.segments(trajectory)
    for same in (trajectory, module.Trajectory(trajectory.events)):  # grown event by event, and made of all at once
        assert same.context == tuple(replay.context)
        assert same.prompt_length == history.prompt_length
        assert same.sampled_count == len(replay.sampled)

    order = [number for row in rows for number in row.sampled if number != NOT_TRAINED]
    assert order == list(range(len(replay.sampled)))
    for row in rows:
        assert len(row.ids) == len(row.sampled) == len(row.mask)
        for position, number in enumerate(row.sampled):
            assert row.mask[position] == (number != NOT_TRAINED)
            if number != NOT_TRAINED:
                before, token, logprob = replay.sampled[number]
                assert row.ids[:position] == before
                assert row.ids[position] == token
                if history.with_logprobs:
                    assert row.logprobs[position] == logprob
            elif row.logprobs is not None:
                assert row.logprobs[position] == 0.0
        assert row.sampled[-1] != NOT_TRAINED  # neither empty nor longer than what was seen
        if history.with_logprobs:
            assert len(row.logprobs) == len(row.ids)
        elif replay.sampled:
            assert row.logprobs is None
    assert len(rows) == replay.blocks
    if not history.edits:
        assert len(rows) == bool(replay.sampled)


@given(histories())
def test_every_sampled_token_is_trained_once_in_the_context_in_which_it_was_sampled(history):
    check(history)


FAULTS = [
    Mutation(
        "no fork: an edit does not close the row",
        "close()\n            ids[event.start : event.end] = event.ids",
        "ids[event.start : event.end] = event.ids",
    ),
    Mutation(
        "no fork: what was sampled stays in the same row",
        "            close()\n            ids[event.start : event.end] = event.ids\n"
        "            # After an edit everything in the context is history: trained above or never.\n"
        "            sampled = [NOT_TRAINED] * len(ids)\n            logprobs = [0.0] * len(ids)\n",
        "            ids[event.start : event.end] = event.ids\n"
        "            sampled[event.start : event.end] = [NOT_TRAINED] * length\n"
        "            logprobs[event.start : event.end] = [0.0] * length\n",
    ),
    Mutation(
        "history stays trained after an edit",
        "            sampled = [NOT_TRAINED] * len(ids)\n",
        "            sampled[event.start : event.end] = [NOT_TRAINED] * length\n",
    ),
    Mutation(
        "log-probabilities stay after an edit",
        "            logprobs = [0.0] * len(ids)\n",
        "            logprobs[event.start : event.end] = [0.0] * length\n",
    ),
    Mutation(
        "the edit is left out of the row",
        "            ids[event.start : event.end] = event.ids\n            # After",
        "            # After",
    ),
    Mutation(
        "the edit takes one token too many",
        "            ids[event.start : event.end] = event.ids\n            # After",
        "            ids[event.start : event.end + 1] = event.ids\n            # After",
    ),
    Mutation("the cut comes one token early", "            end = len(ids)\n", "            end = len(ids) - 1\n"),
    Mutation(
        "the cut comes one token late",
        "tuple(ids[:end]), tuple(sampled[:end])",
        "tuple(ids[: end + 1]), tuple(sampled[: end + 1])",
    ),
    Mutation(
        "the cut is behind the first sampled token",
        "            end = len(ids)\n",
        "            end = end or len(ids) - length + 1\n",
    ),
    Mutation(
        "the cut is where the last event ended", "        if trained and length:\n", "        if end or trained:\n"
    ),
    Mutation("the row after an edit begins with the cut of the row before", "            end = 0\n", ""),
    Mutation(
        "rows without a sampled token are emitted",
        "        if end:\n            rows.append(\n                Segment(tuple(ids[:end]), tuple(sampled[:end]), ",
        "        if ids:\n            whole = end or None\n            rows.append(\n"
        "                Segment(tuple(ids[:whole]), tuple(sampled[:whole]), ",
    ),
    Mutation("the last row is forgotten", "    close()\n    return tuple(rows)", "    return tuple(rows)"),
    Mutation(
        "observations are trained",
        "trained = event.source is Source.POLICY",
        "trained = event.source in (Source.POLICY, Source.OBSERVATION)",
    ),
    Mutation(
        "stubs are trained",
        "trained = event.source is Source.POLICY",
        "trained = event.source in (Source.POLICY, Source.STUB)",
    ),
    Mutation("sampled tokens have one number each call", "count += length if trained else 0", "count += trained"),
    Mutation("environment tokens are counted", "count += length if trained else 0", "count += length"),
    Mutation(
        "log-probabilities of one call are enough",
        "with_logprobs = all(",
        "with_logprobs = any(",
    ),
    Mutation(
        "log-probabilities are lost",
        "logprobs.extend(event.logprobs if trained and event.logprobs is not None else [0.0] * length)",
        "logprobs.extend([0.0] * length)",
    ),
    Mutation(
        "the context forgets an edit",
        "(*context[: event.start], *event.ids, *context[event.end :])",
        "(*context, *event.ids)",
    ),
    Mutation("the context loses what follows an edit", ", *context[event.end :])", ")"),
    Mutation("the context is folded from before the last event", "_after(self._folded, event)", "self._folded"),
    Mutation("an edit forgets the sampled tokens", "_Folded(edited, before.sampled_count,", "_Folded(edited, 0,"),
    Mutation(
        "a prompt after the beginning counts as prompt",
        "(0 if begun else length)",
        "(length if event.source is Source.PROMPT else 0)",
    ),
]


def noticed(faulty: ModuleType) -> History:
    """The first history found for which the check fails; raises NoSuchExample where there is none."""

    def fails(history: History) -> bool:
        try:
            check(history, faulty)
        except (AssertionError, IndexError, ValueError):
            return True
        return False

    search = settings(max_examples=300, database=None, derandomize=True, phases=[Phase.generate])
    return find(histories(faulty), fails, settings=search)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_check_notices(fault):
    noticed(mutated(context, fault))


def test_the_check_has_nothing_against_a_faultless_copy():
    with pytest.raises(NoSuchExample):
        noticed(mutated(context, Mutation("another comment", "# After an edit", "# Behind an edit")))


def test_a_no_forks():
    t = Trajectory().append(P, [1, 2]).append(Y, [10, 11], [-1.0, -2.0]).append(OBS, [5, 6, 7]).append(Y, [12], [-3.0])
    t = t.edit(4, 7, [9]).append(Y, [13], [-4.0]).append(H, [8])
    assert t.context == (1, 2, 10, 11, 9, 12, 13, 8)
    assert segments(t) == (
        Segment((1, 2, 10, 11, 5, 6, 7, 12), (-1, -1, 0, 1, -1, -1, -1, 2), (0, 0, -1.0, -2.0, 0, 0, 0, -3.0)),
        Segment((1, 2, 10, 11, 9, 12, 13), (-1, -1, -1, -1, -1, -1, 3), (0, 0, 0, 0, 0, 0, -4.0)),
    )


def test_an_edit_ends_the_prompt():
    t = Trajectory().append(P, [1]).edit(1, 1, [5]).append(P, [2])
    assert t.prompt_length == Trajectory(t.events).prompt_length == 1


def test_what_is_said_after_the_last_sampled_token_is_no_row():
    said = Trajectory().append(P, [1]).append(Y, [2]).append(OBS, [3])
    edited = said.edit(1, 3, [4])
    assert [row.ids for row in segments(edited)] == [(1, 2)]
    assert segments(Trajectory().append(P, [1]).append(OBS, [2]).edit(1, 2)) == ()
    assert segments(Trajectory()) == ()


def test_logprobs_are_whole_or_missing():
    t = Trajectory().append(P, [1]).append(Y, [2], [-1.0])
    assert segments(t)[0].logprobs == (0.0, -1.0)
    assert segments(t.append(Y, [3]))[0].logprobs is None


@pytest.mark.parametrize(("start", "end"), [(0, 3), (1, 3), (1, 1), (3, 2), (2, 5), (5, 5), (-1, 2), (2, -1)])
def test_an_edit_beyond_the_conversation_is_refused(start, end):
    t = Trajectory().append(P, [1]).append(P, [2]).append(Y, [3, 4])
    with pytest.raises(ValueError, match=f"edit of {start}:{end} in a context of 4 tokens, 2 of them prompt"):
        t.edit(start, end, [9])
    assert t.edit(2, 4, [9]).context == (1, 2, 9)
    assert t.edit(4, 4, [9]).context == (1, 2, 3, 4, 9)


def test_each_token_has_its_own_logprob():
    with pytest.raises(ValueError, match="1 log-probabilities for 2 tokens"):
        Trajectory().append(Y, [1, 2], [-0.5])


def test_a_trajectory_never_changes():
    t = Trajectory().append(P, [1]).append(Y, [2])
    t.append(Y, [3]), t.edit(1, 2)
    assert t.context == (1, 2) and len(t.events) == 2
    assert replace(t, events=t.events[:1]).context == (1,) and t == Trajectory(t.events)
