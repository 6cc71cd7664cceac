"""What one training step was made of, on disk: every session with its segments, log-probabilities and advantages.

`rollouts/step_<n>.jsonl` in the run's folder, one line a session, written every `run.record_every` steps. Invariant:
what stands here is what the trainer was fed, read back from its own storage; nothing is computed anew. Knows nothing of
verl's storage.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from corpora.atomic import write_text
from reseek.config.agent import ContextPolicy
from reseek.errors import InputError, first_problem
from reseek.questions.record import Question


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SegmentRecord(_Record):
    """One training row. All but `prompt` are over the response; numbers where `mask` is 0 mean nothing. `values` are
    the critic's, where there is one. `verdicts`: each labelled verdict's reward, and the response positions start:end
    of its tokens."""

    prompt: tuple[int, ...]
    response: tuple[int, ...]
    mask: tuple[int, ...]
    rollout_logprobs: tuple[float, ...]
    trainer_logprobs: tuple[float, ...]
    advantages: tuple[float, ...]
    values: tuple[float, ...] | None = None
    verdicts: tuple[tuple[float, int, int], ...] = ()


class SessionRecord(_Record):
    """One trajectory: which question, which of its sessions, what it earned, its segments in order of sampling.
    `other_reward`: what neither answer nor verdicts earned (format, costs). The three add up to the total."""

    step: int
    question: str
    index: int
    session: int
    context: ContextPolicy
    answer_reward: float
    judge_reward: float
    other_reward: float = 0.0
    segments: tuple[SegmentRecord, ...]


@dataclass(frozen=True)
class Row:
    """A row of the trainer's batch, under its key `{uid}_{session}_{index}`. `rewards`: answer, judge, other."""

    key: str
    question: Question
    index: int
    rewards: tuple[float, float, float]
    segment: SegmentRecord


def sessions_of(rows: Sequence[Row], step: int, context: ContextPolicy) -> list[SessionRecord]:
    """The rows of one batch, gathered by session, in the order of questions and sessions. `context` is the configured
    policy, for questions without one of their own."""
    of_session: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in rows:
        session, number = row.key.rsplit("_", 1)
        of_session[session][int(number)] = row
    records = []
    for session, numbered in of_session.items():
        first = numbered[0]
        records.append(
            SessionRecord(
                step=step,
                question=first.question.id,
                index=first.index,
                session=int(session.rsplit("_", 1)[1]),
                context=first.question.context or context,
                answer_reward=first.rewards[0],
                judge_reward=first.rewards[1],
                other_reward=first.rewards[2],
                segments=tuple(numbered[number].segment for number in range(len(numbered))),
            )
        )
    return sorted(records, key=lambda record: (record.index, record.session))


def write_sessions(folder: Path, records: Sequence[SessionRecord]) -> Path:
    """Write the records of one step whole or not at all; an earlier file of that step (the run was killed after it and
    repeats the step) is replaced."""
    path = folder / "rollouts" / f"step_{records[0].step}.jsonl"
    write_text(path, "".join(record.model_dump_json() + "\n" for record in records))
    return path


def read_sessions(path: str | Path) -> list[SessionRecord]:
    """The records of a file. Raises InputError naming file and line."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file of rollouts")
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            records.append(SessionRecord.model_validate_json(line))
        except ValidationError as error:
            raise InputError(f"{path}:{number}: is not a session's record ({first_problem(error)})") from None
    return records
