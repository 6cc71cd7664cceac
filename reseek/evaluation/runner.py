"""Ask a policy sets of questions, a bounded number at once, and append each finished episode to its set's file.

Invariant: a question that has a record of the same conditions is not asked again, unless that record is FAILED; at
most `concurrency` episodes are under way; a record is written whole, right after its episode. A failed search,
endpoint or scoring makes a FAILED record; any other error stops the run (what was written stays).

Knows nothing of configuration files, engines' construction or averages.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reseek.config import AgentConfig, OracleConfig, RewardConfig
from reseek.episode import EpisodeTexts, StopReason, prompt_ids, run_episode
from reseek.errors import InputError, ScoringFailed, SearchFailed
from reseek.evaluation.records import EpisodeRecord, read_records, record_of, whole_lines
from reseek.oracle import Oracle
from reseek.oracle.literal import answer_labels
from reseek.policy import Policy
from reseek.policy.text import TextTokenizer
from reseek.prompts import passages
from reseek.questions import Question
from reseek.reward import cover_match
from reseek.scoring import score_episode
from reseek.search import Search

RECALL_DEPTH = 3  # recall is always measured at least so deep: the paper's top-k


class Asker(Protocol):
    """Who is given the questions: a room in this process, or a pool of replicas."""

    @property
    def conditions(self) -> str:
        """The hash that the records carry."""
        ...

    async def ask(self, set_name: str, question: Question) -> EpisodeRecord: ...


@dataclass(frozen=True)
class Room:
    """An `Asker`: what all episodes of an evaluation share in one process."""

    policy: Policy
    search: Search
    oracle: Oracle
    texts: EpisodeTexts
    agent: AgentConfig
    oracle_config: OracleConfig
    rewards: RewardConfig
    conditions: str

    async def ask(self, set_name: str, question: Question) -> EpisodeRecord:
        return await run_question(set_name, question, self)


def episodes_file(folder: Path, set_name: str) -> Path:
    return folder / "episodes" / f"{set_name}.jsonl"


def open_file(path: Path) -> None:
    """Make sure that the file exists and ends with a whole line: drop what a killed run left half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    whole = len(whole_lines(path))
    if whole < path.stat().st_size:
        os.truncate(path, whole)


def done_records(path: Path, questions: Sequence[Question], conditions: str) -> dict[str, EpisodeRecord]:
    """By id, the records of `questions` that need no new episode. Raises InputError for results of other conditions or
    of a question that has since changed."""
    wanted = {question.id: question for question in questions}
    done: dict[str, EpisodeRecord] = {}
    for record in read_records(path) if path.is_file() else ():
        if record.conditions != conditions:
            raise InputError(f"{path}: holds results of other conditions; name another run.dir")
        question = wanted.get(record.id)
        if question is None:  # asked under a larger limit
            continue
        asked = (record.question, record.golden_answers, record.context)
        if asked != (question.question, question.golden_answers, question.context):
            raise InputError(f"{path}: question {record.id!r} has changed since it was asked; name another run.dir")
        if not record.failed:
            done[record.id] = record
    return done


async def run_sets(
    sets: Mapping[str, Sequence[Question]],
    asker: Asker,
    folder: Path,
    concurrency: int,
    on_record: Callable[[EpisodeRecord], None] = lambda record: None,
) -> dict[str, list[EpisodeRecord]]:
    """One record per question, in the questions' order; `on_record` hears of each, those of an earlier run included.

    The sets share the places: a slow episode of one does not keep the next one waiting.
    """
    found: dict[str, dict[str, EpisodeRecord]] = {}
    for name, questions in sets.items():
        open_file(episodes_file(folder, name))
        found[name] = done_records(episodes_file(folder, name), questions, asker.conditions)
        for record in found[name].values():
            on_record(record)
    todo = iter([(name, q) for name, questions in sets.items() for q in questions if q.id not in found[name]])

    async def work() -> None:
        for name, question in todo:  # all workers take from one iterator
            record = await asker.ask(name, question)
            _append(episodes_file(folder, name), record)
            found[name][question.id] = record
            on_record(record)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None  # the others are cancellations or the same failure again
    return {name: [found[name][question.id] for question in questions] for name, questions in sets.items()}


async def run_question(set_name: str, question: Question, room: Room) -> EpisodeRecord:
    """One question: its episode, its reward, and how well the corpus answers the bare question."""
    depth = max(room.agent.top_k, RECALL_DEPTH)
    agent = question.agent(room.agent)
    episode = await run_episode(
        prompt_ids(room.texts.tokenizer, agent, question.question),
        policy=room.policy,
        search=room.search,
        texts=room.texts,
        agent=agent,
        question=question.question,
    )
    reward, rank, error = None, None, None
    try:
        if episode.stop is not StopReason.FAILED:
            rank = await answer_rank(question, room.search, depth)
            reward = await score_episode(episode, question, room.oracle, room.oracle_config, room.rewards)
    except (SearchFailed, ScoringFailed) as failure:
        error = f"{type(failure).__name__}: {failure}"
    return record_of(
        episode,
        reward,
        question,
        set_name=set_name,
        conditions=room.conditions,
        answerable=answer_labels(question),
        answer_rank=rank,
        answer_depth=depth,
        error=error,
        text_of=room.texts.tokenizer.decode if isinstance(room.texts.tokenizer, TextTokenizer) else None,
    )


async def answer_rank(question: Question, search: Search, depth: int) -> int | None:
    """The rank of the first passage that holds a gold answer, read as the policy would read it, with the question
    itself as the query; None where none of the first `depth` does."""
    (hits,) = await search.search([question.question], depth)
    for rank, hit in enumerate(hits, start=1):
        if cover_match(passages([hit]), question.golden_answers):
            return rank
    return None


def _append(path: Path, record: EpisodeRecord) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(record.model_dump_json() + "\n")
