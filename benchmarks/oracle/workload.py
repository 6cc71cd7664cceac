"""The oracle's workload in a GRPO step: questions x sessions, each session with the observations that it judged.

The sessions of a question search alike: a session's first query is, half the time, the question itself; every other one
is drawn from a few variants (a supporting title, the question without some of its words), earlier ones more often.
Retrieval is real: BM25's best passages, formatted as the agent sees them. So observations repeat within a group, and
different observations share passages.

Invariant: the same questions, index and seed give the same workload.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from reseek.agent.observation import Observation
from reseek.agent.prompts import passages
from reseek.questions.record import Question
from reseek.search import Search

_WAYS = 6
_KEPT_WORDS = 0.7


@dataclass(frozen=True)
class Session:
    """One episode's part: the question and its observations, in order."""

    question: Question
    observations: tuple[Observation, ...]


def make_workload(
    questions: Sequence[Question], search: Search, *, sessions: int, turns: int, top_k: int, seed: int
) -> list[Session]:
    """`sessions` per question, each of 1 to `turns` searches."""
    rng = random.Random(f"workload {seed}")
    asked = [(q, _queries(ways, rng.randint(1, turns), rng)) for q in questions for ways in [_ways(q, rng)]
             for _ in range(sessions)]  # fmt: skip
    distinct = list(dict.fromkeys(query for _, queries in asked for query in queries))
    found = asyncio.run(search.search(distinct, top_k))
    shown = {query: Observation(tuple(hits), passages(hits)) for query, hits in zip(distinct, found, strict=True)}
    return [Session(question, tuple(shown[query] for query in queries)) for question, queries in asked]


def _ways(question: Question, rng: random.Random) -> list[str]:
    """The queries that sessions of this question draw from, likeliest first."""
    words = question.question.split()
    ways = [question.question, *question.supporting_titles]
    while len(ways) < _WAYS:
        ways.append(" ".join(word for word in words if rng.random() < _KEPT_WORDS) or words[0])
    return ways[:_WAYS]


def _queries(ways: list[str], count: int, rng: random.Random) -> list[str]:
    weights = [1 / (1 + rank) for rank in range(len(ways))]
    first = ways[0] if rng.random() < 0.5 else rng.choices(ways, weights)[0]
    return [first, *rng.choices(ways, weights, k=count - 1)]
