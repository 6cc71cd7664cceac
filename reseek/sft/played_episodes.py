"""Candidates that are played now: an expert's script, or the policy's own samples. Each episode is written to the run's
`episodes/` as `reseek eval` writes it, before anything is trained.

Invariant: who plays changes nothing else: the episode code, the records and the scoring are the evaluation's. A run
that was stopped plays only what has no record yet, and a sample's random numbers depend on the run's seed, the
sample's number and the context alone.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from corpora.atomic import append_line
from reseek.config.sft import EpisodeSource, ImitationSettings
from reseek.micro.expert import ScriptedPolicy
from reseek.policy import SeededPolicy
from reseek.questions.record import Question
from reseek.rollout.environment import Environment
from reseek.rollout.records import EpisodeRecord, read_records
from reseek.rollout.runner import done_records, episodes_file, open_file, run_sets
from reseek.sft.expert.policy import ExpertPolicy
from reseek.sft.rows import Candidate, candidate_of_record, expert_candidate

SCRIPTED, EXPERT = EpisodeSource.SCRIPTED.value, EpisodeSource.EXPERT.value
_SEEDS_APART = 1_000_003  # between two samples of a run, so that run.seed=1 is not run.seed=0 moved by one


def sample_name(number: int) -> str:
    """The set under which the episodes of the sample with this number stand."""
    return f"sample_{number}"


async def play_expert(
    questions: Sequence[Question],
    environment: Environment,
    folder: Path,
    settings: ImitationSettings,
    seed: int,
    on_record: Callable[[EpisodeRecord], None],
) -> None:
    """One episode per question, in the questions' order, of the expert that `settings.source` names (scripted or
    expert). `environment.policy` is not asked."""
    name, environment_of = settings.source.value, _EXPERTS[settings.source]
    path = episodes_file(folder, name)
    open_file(path)
    done = done_records(path, questions, environment.conditions)
    for record in done.values():
        on_record(record)
    todo = [question for question in questions if question.id not in done]
    for start in range(0, len(todo), settings.concurrency):
        batch = todo[start : start + settings.concurrency]
        played = (environment_of(question, environment, settings, seed).record(name, question) for question in batch)
        for record in await asyncio.gather(*played):
            append_line(path, record.model_dump_json())
            on_record(record)


def _scripted(question: Question, environment: Environment, settings: ImitationSettings, seed: int) -> Environment:
    """The environment in which the expert of generated questions plays this one."""
    rng = random.Random(f"scripted {seed} {question.id}")
    expert = ScriptedPolicy(environment.texts.tokenizer, question, rng, settings.carelessness, settings.laziness)
    return replace(environment, policy=expert, search=expert.watching(environment.search))


def _knowing(question: Question, environment: Environment, settings: ImitationSettings, seed: int) -> Environment:
    """The environment in which the expert that knows the gold answers plays this question."""
    rng = random.Random(f"expert {seed} {question.id}")
    return replace(environment, policy=ExpertPolicy(environment, question, rng, settings.carelessness))


_EXPERTS = {EpisodeSource.SCRIPTED: _scripted, EpisodeSource.EXPERT: _knowing}


async def play_samples(
    questions: Sequence[Question],
    environment: Environment,
    policy: SeededPolicy,
    folder: Path,
    settings: ImitationSettings,
    seed: int,
    on_record: Callable[[EpisodeRecord], None],
) -> None:
    """`settings.samples` episodes per question of `policy`, the environment's; one sample after the other."""
    for number in range(settings.samples):
        policy.seed = seed + _SEEDS_APART * number
        await run_sets({sample_name(number): questions}, environment, folder, settings.concurrency, on_record)


def played(
    folder: Path, names: Sequence[str], questions: Sequence[Question], conditions: str
) -> Iterator[Candidate | None]:
    """The candidates of the sets `names`, in the order of questions, then samples; None for a FAILED episode."""
    found: list[dict[str, tuple[EpisodeRecord, str]]] = []
    for name in names:
        path = episodes_file(folder, name)
        of_set = {}
        for number, record in enumerate(read_records(path), start=1):
            if record.conditions == conditions:
                of_set[record.id] = record, f"{path}:{number}"  # a FAILED one may have been played again
        found.append(of_set)
    of = expert_candidate if list(names) == [EXPERT] else candidate_of_record
    for question in questions:
        for of_set in found:
            if question.id in of_set:
                yield of(*of_set[question.id])
