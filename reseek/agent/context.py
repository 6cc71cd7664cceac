"""A trajectory as an immutable record over token ids, and the segments it is trained in.

A trajectory is a list of events: tokens appended to the context, and edits that replace a stretch of it (what a No
does). Folding the events gives the context at any moment; cutting at the edits gives the segments.

Invariant: each sampled token is trained in exactly one segment, and that segment's ids before the token are the ids the
policy was given when it sampled the token. Environment tokens are never trained; a trajectory without an edit is one
segment; a segment without a newly sampled token is never emitted.

Knows nothing of text, tags, verdicts, rewards or tensors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

NOT_TRAINED = -1


class Source(Enum):
    """Who put tokens into the context."""

    PROMPT = "prompt"
    """The user turn: instructions and question."""
    POLICY = "policy"
    """Sampled by the policy: the only tokens that are ever trained."""
    OBSERVATION = "observation"
    """An `<information>` block."""
    STUB = "stub"
    """What stands where an observation was dropped."""
    HINT = "hint"
    """Said after text without a legal action."""
    NOTICE = "notice"
    """Said when the budget is spent: only an answer is left."""


@dataclass(frozen=True)
class Append:
    """`ids` were put at the end of the context. `logprobs` only for POLICY, and only where the back end gave them."""

    source: Source
    ids: tuple[int, ...]
    logprobs: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Edit:
    """Context positions `start`:`end` (at that moment) were replaced by `ids`. What follows was sampled after it."""

    start: int
    end: int
    ids: tuple[int, ...] = ()


Event = Append | Edit


@dataclass(frozen=True)
class Segment:
    """One training row. `sampled[i]` is the number of the trajectory's sampled token (0, 1, ... in order of sampling)
    that is trained at position i, NOT_TRAINED elsewhere. `logprobs[i]` is 0.0 where nothing is trained."""

    ids: tuple[int, ...]
    sampled: tuple[int, ...]
    logprobs: tuple[float, ...] | None

    @property
    def mask(self) -> tuple[int, ...]:
        """1 where a token is trained, 0 elsewhere."""
        return tuple(int(number != NOT_TRAINED) for number in self.sampled)


@dataclass(frozen=True)
class Trajectory:
    """The events of one episode, in order. Grows by `append` and `edit`, which return a new trajectory."""

    events: tuple[Event, ...] = ()

    def append(self, source: Source, ids: Sequence[int], logprobs: Sequence[float] | None = None) -> "Trajectory":
        if logprobs is not None and len(logprobs) != len(ids):
            raise ValueError(f"{len(logprobs)} log-probabilities for {len(ids)} tokens")
        event = Append(source, tuple(ids), None if logprobs is None else tuple(logprobs))
        return Trajectory((*self.events, event))

    def edit(self, start: int, end: int, ids: Sequence[int] = ()) -> "Trajectory":
        if not self.prompt_length <= start <= end <= len(self.context):
            raise ValueError(
                f"edit of {start}:{end} in a context of {len(self.context)} tokens, {self.prompt_length} of them prompt"
            )
        return Trajectory((*self.events, Edit(start, end, tuple(ids))))

    @property
    def context(self) -> tuple[int, ...]:
        """The token ids the policy is given next."""
        context: list[int] = []
        for event in self.events:
            if isinstance(event, Append):
                context.extend(event.ids)
            else:
                context[event.start : event.end] = event.ids
        return tuple(context)

    @property
    def sampled_count(self) -> int:
        return sum(len(e.ids) for e in self.events if isinstance(e, Append) and e.source is Source.POLICY)

    @property
    def prompt_length(self) -> int:
        """Tokens of the leading PROMPT events: the part that every segment shares."""
        length = 0
        for event in self.events:
            if not (isinstance(event, Append) and event.source is Source.PROMPT):
                break
            length += len(event.ids)
        return length


def segments(trajectory: Trajectory) -> tuple[Segment, ...]:
    """The training rows of a trajectory, in order of sampling. See the module's invariant."""
    rows: list[Segment] = []
    ids: list[int] = []
    sampled: list[int] = []
    logprobs: list[float] = []
    count = 0
    with_logprobs = all(
        e.logprobs is not None for e in trajectory.events if isinstance(e, Append) and e.source is Source.POLICY
    )

    def close() -> None:
        if any(number != NOT_TRAINED for number in sampled):
            # What stands behind the last sampled token was seen by no sampling of this segment: leave it out.
            end = max(i for i, number in enumerate(sampled) if number != NOT_TRAINED) + 1
            rows.append(
                Segment(tuple(ids[:end]), tuple(sampled[:end]), tuple(logprobs[:end]) if with_logprobs else None)
            )

    for event in trajectory.events:
        length = len(event.ids)
        if isinstance(event, Edit):
            close()
            ids[event.start : event.end] = event.ids
            # After an edit everything in the context is history: trained above or never.
            sampled = [NOT_TRAINED] * len(ids)
            logprobs = [0.0] * len(ids)
            continue
        ids.extend(event.ids)
        trained = event.source is Source.POLICY
        sampled.extend(range(count, count + length) if trained else [NOT_TRAINED] * length)
        logprobs.extend(event.logprobs if trained and event.logprobs is not None else [0.0] * length)
        count += length if trained else 0
    close()
    return tuple(rows)
