"""The training part of an episode's record: its place in the batch, and what each sampled token was trained with.

`rollouts/step_<n>.jsonl` in a training run's folder holds the episodes of one step as such records, written every
`run.record_every` steps. Invariant: the numbers are those that the trainer was fed, read back from its own storage; an
episode whose rows there hold other tokens than its record is refused.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora.atomic import write_text
from reseek.agent.context import NOT_TRAINED, Segment, segments
from reseek.config.agent import Context
from reseek.rollout.records import EpisodeRecord, TrainingRecord


@dataclass(frozen=True)
class TrainedSegment:
    """One training row. All but `prompt` are over the response; numbers where `mask` is 0 mean nothing. `values`: the
    critic's, if there is one. `verdicts`: each labelled verdict's reward, and the response positions start:end of its
    tokens."""

    prompt: tuple[int, ...]
    response: tuple[int, ...]
    mask: tuple[int, ...]
    rollout_logprobs: tuple[float, ...]
    trainer_logprobs: tuple[float, ...]
    advantages: tuple[float, ...]
    values: tuple[float, ...] | None = None
    verdicts: tuple[tuple[float, int, int], ...] = ()


@dataclass(frozen=True)
class Row:
    """A row of the trainer's batch, under its key `{uid}_{session}_{segment}`. `index`: the question's place in its
    file. `rewards`: answer, judge, other. `record`: the episode's record as JSON."""

    key: str
    index: int
    rewards: tuple[float, float, float]
    record: str
    segment: TrainedSegment


def training_records(rows: Sequence[Row], step: int, context: Context) -> list[EpisodeRecord]:
    """The episodes of one batch, ordered by question and session. `context`: the configured policy, for questions
    without one of their own. Raises RuntimeError if the trainer was fed other tokens than an episode's."""
    of_session: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in rows:
        session, number = row.key.rsplit("_", 1)
        of_session[session][int(number)] = row
    ordered = []
    for session, numbered in of_session.items():
        first = numbered[0]
        record = EpisodeRecord.model_validate_json(first.record)
        fed = [numbered[number].segment for number in range(len(numbered))]
        training = TrainingRecord(
            step=step,
            index=first.index,
            session=int(session.rsplit("_", 1)[1]),
            context=record.context or context,
            answer_reward=first.rewards[0],
            judge_reward=first.rewards[1],
            other_reward=first.rewards[2],
            **_per_token(record, fed),
        )
        named = record.model_copy(update={"set": f"step_{step}", "training": training})
        ordered.append((training.index, training.session, named))
    return [named for _, _, named in sorted(ordered, key=lambda one: one[:2])]


def _per_token(record: EpisodeRecord, fed: Sequence[TrainedSegment]) -> dict[str, object]:
    """The trainer's numbers of each sampled token, in order of sampling, and the verdicts by sampled tokens."""
    made, prompt = segments(record.trajectory), record.trajectory.prompt_length
    if [(one.ids, one.mask[prompt:]) for one in made] != [((*f.prompt, *f.response), f.mask) for f in fed]:
        raise RuntimeError(f"question {record.id}: the trainer was fed other tokens than the episode's")

    def trained(name: str) -> tuple[float, ...]:
        return tuple(n for f in fed for n, mask in zip(getattr(f, name), f.mask, strict=True) if mask)

    verdicts = [
        (reward, segment.sampled[prompt + start], segment.sampled[prompt + start] + end - start)
        for segment, f in zip(made, fed, strict=True)
        for reward, start, end in f.verdicts
    ]
    return {
        "advantages": trained("advantages"),
        "trainer_logprobs": trained("trainer_logprobs"),
        "values": trained("values") if fed[0].values is not None else None,
        "verdicts": tuple(verdicts),
    }


def trained_segments(record: EpisodeRecord) -> tuple[TrainedSegment, ...]:
    """The training rows of a recorded rollout, as the trainer was fed them."""
    training, prompt = record.training, record.trajectory.prompt_length
    assert training is not None

    def over(segment: Segment, numbers: Sequence[float]) -> tuple[float, ...]:
        return tuple(0.0 if n == NOT_TRAINED else numbers[n] for n in segment.sampled[prompt:])

    return tuple(
        TrainedSegment(
            prompt=segment.ids[:prompt],
            response=segment.ids[prompt:],
            mask=segment.mask[prompt:],
            rollout_logprobs=() if segment.logprobs is None else segment.logprobs[prompt:],
            trainer_logprobs=over(segment, training.trainer_logprobs),
            advantages=over(segment, training.advantages),
            values=None if training.values is None else over(segment, training.values),
            verdicts=tuple(
                (reward, segment.sampled.index(first) - prompt, segment.sampled.index(first) - prompt + end - first)
                for reward, first, end in training.verdicts
                if first in segment.sampled
            ),
        )
        for segment in segments(record.trajectory)
    )


def write_rollouts(folder: Path, records: Sequence[EpisodeRecord]) -> Path:
    """Write the records of one step completely or not at all. They replace an earlier file of that step (from a run
    that was killed after it and repeats the step)."""
    path = folder / "rollouts" / f"{records[0].set}.jsonl"
    write_text(path, "".join(record.model_dump_json() + "\n" for record in records))
    return path
