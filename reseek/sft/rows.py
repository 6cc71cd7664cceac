"""Episodes as rows to imitate, and which of them are kept.

Invariant: an episode's rows are `context.segments` of its trajectory, ids and mask, exactly as `training.agent_loop`
hands them to RL: the agent's tokens are trained once each, in the context in which they were said, and nothing else is.
An expert's refinements, which RL can't train, are rows of their own, and a guess of its may go untrained.
A row is trained whole or not at all; each episode that is read is kept or counted under the reason why not.

Pure.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from reseek.agent.context import segments
from reseek.config.sft import EpisodeSource, ImitationSettings, TooLong
from reseek.errors import InputError
from reseek.rollout.records import EpisodeRecord
from reseek.rollout.training_row import Row
from reseek.sft.balance import balanced, trained_guesses
from reseek.sft.outcomes import Outcome, outcome_of


@dataclass(frozen=True)
class Candidate:
    """An episode that may be imitated. `question` names its question; `agreeing`: no labelled verdict, given or
    missing, disagrees with the oracle. `where`: the file and line it came from. Of an expert's episode also its
    outcome, its rows without the last answer, and whether that answer is trained."""

    question: str
    rows: tuple[Row, ...]
    right: bool
    agreeing: bool
    where: str
    outcome: Outcome | None = None
    rows_without_answer: tuple[Row, ...] = ()
    answers: bool = True


class Reason(Enum):
    """Why an episode, or one of its rows, is not trained."""

    FAILED = "failed"
    """Its search or its scoring failed: nobody knows what it was worth."""
    WRONG = "wrong"
    """Its answer does not match exactly (`sft.right`)."""
    DISAGREEING = "disagreeing"
    """A verdict disagrees with the oracle (`sft.agreeing`)."""
    DUPLICATE = "duplicate"
    """The same tokens were kept before."""
    ENOUGH = "enough"
    """Its question has `sft.most_per_question` episodes already."""
    UNBALANCED = "unbalanced"
    """An expert's episode beyond the balance of Yes and No (`sft.yes_share`)."""
    GUESSED = "guessed"
    """An expert's episode of which only the answer could be trained, a guess beyond `sft.unanswerable_share`."""
    ROW_TOO_LONG = "row_too_long"
    """A row, not an episode: it has more than `sft.max_tokens` tokens."""


@dataclass(frozen=True)
class Chosen:
    """What is trained, what is kept back to measure the loss, how many episodes were read and kept, and how many
    episodes (or rows) were left out for each reason. `yields`: by outcome of an expert's episodes."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    read: int
    kept: int
    left_out: dict[Reason, int]
    yields: dict[str, "Yield"] = field(default_factory=dict)


@dataclass(frozen=True)
class Yield:
    """Episodes of one outcome: how many were played, how many are kept, and of how many of these the last answer is
    trained."""

    played: int
    kept: int
    answers: int


def candidate_of_record(record: EpisodeRecord, where: str) -> Candidate | None:
    """An evaluation's episode or a training rollout; None for a FAILED one. Raises InputError without token
    ids."""
    if record.failed:
        return None
    rows = tuple(Row(segment.ids, segment.mask) for segment in segments(record.trajectory))
    if not rows:
        raise InputError(f"{where}: holds no sampled token ids (episodes of a text endpoint): nothing to train on")
    agreeing = all(observation.right is not False for observation in record.observations)
    return Candidate(record.id, rows, record.em == 1.0, agreeing, where)


def expert_candidate(record: EpisodeRecord, where: str) -> Candidate | None:
    """An expert's episode; None for a FAILED one. Its refinements are rows too: a prompt, and what was said to it."""
    found = candidate_of_record(record, where)
    if found is None:
        return None
    refinements = (one.refinement for one in record.observations if one.refinement is not None)
    refined = tuple(Row((*one.prompt, *one.ids), (0,) * len(one.prompt) + (1,) * len(one.ids)) for one in refinements)
    answered = range(record.calls[-1].start, record.calls[-1].end)
    unanswered = (
        Row(
            row.ids,
            tuple(
                int(bool(mask) and number not in answered) for mask, number in zip(row.mask, row.sampled, strict=True)
            ),
        )
        for row in segments(record.trajectory)
    )
    left = tuple(row for row in unanswered if any(row.mask))
    return replace(
        found,
        rows=(*found.rows, *refined),
        outcome=outcome_of(record),
        rows_without_answer=(*left, *refined) if left else (),
    )


def choose(candidates: Iterable[Candidate | None], settings: ImitationSettings, max_tokens: int, seed: int) -> Chosen:
    """What `settings` keep of the candidates (None: a FAILED episode). Raises InputError for a row that is too long,
    where such rows are refused.

    Questions, not rows, are kept back for validation: no row of theirs is trained. At least one is, where a share of
    them is wanted and there are two.
    """
    left_out: Counter[Reason] = Counter()
    accepted: list[Candidate] = []
    episodes_of: Counter[str] = Counter()
    seen: set[tuple[Row, ...]] = set()
    played: Counter[str] = Counter()
    read = 0
    for candidate in candidates:
        read += 1
        if candidate is not None and candidate.outcome is not None:
            played[candidate.outcome.name] += 1
        reason = _reason(candidate, settings, seen, episodes_of)
        if candidate is None or reason is not None:
            assert reason is not None
            left_out[reason] += 1
            continue
        seen.add(candidate.rows)
        episodes_of[candidate.question] += 1
        accepted.append(candidate)
    kept = _expert_s(accepted, settings, seed, left_out) if settings.source is EpisodeSource.EXPERT else accepted
    rows_of: dict[str, list[Row]] = {}
    for candidate in kept:
        fitting = [row for row in candidate.rows if _fits(row, candidate, settings, max_tokens)]
        left_out[Reason.ROW_TOO_LONG] += len(candidate.rows) - len(fitting)
        rows_of.setdefault(candidate.question, []).extend(fitting)
    back = _kept_back(list(rows_of), settings.validation_share, seed)
    return Chosen(
        tuple(row for question, rows in rows_of.items() if question not in back for row in rows),
        tuple(row for question, rows in rows_of.items() if question in back for row in rows),
        read,
        len(kept),
        {reason: left_out[reason] for reason in Reason},
        _yields(played, kept),
    )


def _expert_s(
    accepted: Sequence[Candidate], settings: ImitationSettings, seed: int, left_out: Counter[Reason]
) -> list[Candidate]:
    """What is kept of an expert's episodes, Yes and No balanced; guesses beyond their share lose their last answer."""
    outcomes = [candidate.outcome or Outcome((), False) for candidate in accepted]
    share = settings.yes_share
    chosen = range(len(accepted)) if share is None else sorted(balanced(outcomes, share, seed))
    left_out[Reason.UNBALANCED] += len(accepted) - len(chosen)
    guesses = [index for index in chosen if outcomes[index].guessed]
    whole = all(accepted[index].rows_without_answer for index in guesses)
    answering = trained_guesses(guesses, len(chosen) - len(guesses), settings.unanswerable_share, whole, seed)
    kept = []
    for index in chosen:
        candidate = accepted[index]
        if outcomes[index].guessed and index not in answering:
            if not candidate.rows_without_answer:
                left_out[Reason.GUESSED] += 1
                continue
            candidate = replace(candidate, rows=candidate.rows_without_answer, answers=False)
        kept.append(candidate)
    return kept


def _yields(played: Counter[str], kept: Sequence[Candidate]) -> dict[str, Yield]:
    named = [(candidate.outcome.name, candidate) for candidate in kept if candidate.outcome is not None]
    of = Counter(name for name, _ in named)
    answers = Counter(name for name, candidate in named if candidate.answers)
    return {name: Yield(count, of[name], answers[name]) for name, count in sorted(played.items())}


def _reason(
    candidate: Candidate | None, settings: ImitationSettings, seen: set[tuple[Row, ...]], episodes_of: Counter[str]
) -> Reason | None:
    if candidate is None:
        return Reason.FAILED
    if settings.right and not candidate.right:
        return Reason.WRONG
    if settings.agreeing and not candidate.agreeing:
        return Reason.DISAGREEING
    if candidate.rows in seen:
        return Reason.DUPLICATE
    if settings.most_per_question is not None and episodes_of[candidate.question] >= settings.most_per_question:
        return Reason.ENOUGH
    return None


def _fits(row: Row, candidate: Candidate, settings: ImitationSettings, max_tokens: int) -> bool:
    if len(row.ids) <= max_tokens:
        return True
    if settings.too_long is TooLong.DROP:
        return False
    raise InputError(
        f"{candidate.where}: a row of question {candidate.question!r} has {len(row.ids)} tokens, more than "
        f"sft.max_tokens allows ({max_tokens}); raise it, or leave such rows out with sft.too_long=drop"
    )


def _kept_back(questions: Sequence[str], share: float, seed: int) -> frozenset[str]:
    if share == 0 or len(questions) < 2:
        return frozenset()
    count = min(max(1, round(share * len(questions))), len(questions) - 1)
    return frozenset(random.Random(f"validation {seed}").sample(sorted(questions), count))
