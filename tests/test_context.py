"""Each sampled token is trained once, behind the ids that the policy had been given: against a slow replay."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseek.context import NOT_TRAINED, Segment, Source, Trajectory, segments

P, Y, OBS, H = Source.PROMPT, Source.POLICY, Source.OBSERVATION, Source.HINT


@dataclass
class Replay:
    """The slow reference: keeps the context as a list and writes down what stood before each sampled token."""

    context: list[int] = field(default_factory=list)
    sampled: list[tuple[tuple[int, ...], int, float]] = field(default_factory=list)
    blocks: int = 0  # stretches between edits in which something was sampled
    fresh: bool = True

    def append(self, source, ids, logprobs):
        for i, token in enumerate(ids):
            if source is Source.POLICY:
                self.sampled.append((tuple(self.context), token, logprobs[i]))
                self.blocks += self.fresh
                self.fresh = False
            self.context.append(token)

    def edit(self, start, end, ids):
        self.context = self.context[:start] + list(ids) + self.context[end:]
        self.fresh = True


IDS = st.lists(st.integers(0, 4), max_size=5)  # few ids: positions are told apart by the replay, not by luck


@st.composite
def histories(draw):
    """A trajectory of random appends and legal edits, its replay, and the number of edits."""
    replay, edits = Replay(), 0
    prompt = draw(IDS)
    trajectory = Trajectory().append(P, prompt)
    replay.append(P, prompt, None)
    with_logprobs = draw(st.booleans())
    for _ in range(draw(st.integers(0, 10))):
        if draw(st.integers(0, 2)):
            source, ids = draw(st.sampled_from([*Source, Y, Y, Y])), draw(IDS)
            if source is P and all(event.source is P for event in trajectory.events):
                prompt = prompt + ids
            logprobs = [draw(st.integers(1, 99)) / -8 for _ in ids] if source is Y else None
            trajectory = trajectory.append(source, ids, logprobs if with_logprobs else None)
            replay.append(source, ids, logprobs)
        elif all(getattr(event, "source", None) is P for event in trajectory.events):
            continue  # nothing but prompt: an edit would make later prompt tokens editable
        else:
            start = draw(st.integers(len(prompt), len(replay.context)))
            end = draw(st.integers(start, len(replay.context)))
            ids = draw(IDS)
            trajectory = trajectory.edit(start, end, ids)
            replay.edit(start, end, ids)
            edits += 1
    return trajectory, replay, edits, with_logprobs, len(prompt)


@settings(deadline=None)
@given(histories())
def test_every_sampled_token_is_trained_once_in_the_context_in_which_it_was_sampled(history):
    trajectory, replay, edits, with_logprobs, prompt_length = history
    rows = segments(trajectory)
    assert trajectory.context == tuple(replay.context)
    assert trajectory.prompt_length == prompt_length
    assert trajectory.sampled_count == len(replay.sampled)

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
                if with_logprobs:
                    assert row.logprobs[position] == logprob
            elif row.logprobs is not None:
                assert row.logprobs[position] == 0.0
        assert row.sampled[-1] != NOT_TRAINED  # neither empty nor longer than what was seen
        if with_logprobs:
            assert len(row.logprobs) == len(row.ids)
        elif replay.sampled:
            assert row.logprobs is None
    assert len(rows) == replay.blocks
    if not edits:
        assert len(rows) == bool(replay.sampled)


def test_a_no_forks():
    t = Trajectory().append(P, [1, 2]).append(Y, [10, 11], [-1.0, -2.0]).append(OBS, [5, 6, 7]).append(Y, [12], [-3.0])
    t = t.edit(4, 7, [9]).append(Y, [13], [-4.0]).append(H, [8])
    assert t.context == (1, 2, 10, 11, 9, 12, 13, 8)
    assert segments(t) == (
        Segment((1, 2, 10, 11, 5, 6, 7, 12), (-1, -1, 0, 1, -1, -1, -1, 2), (0, 0, -1.0, -2.0, 0, 0, 0, -3.0)),
        Segment((1, 2, 10, 11, 9, 12, 13), (-1, -1, -1, -1, -1, -1, 3), (0, 0, 0, 0, 0, 0, -4.0)),
    )


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
