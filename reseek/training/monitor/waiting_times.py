"""Timing wrappers around an episode's policy, retriever and oracle: how long the episode waited for each.

Invariant: what they wrap behaves as without them.
"""

import time
from collections.abc import Sequence

from corpora.record import Hit
from reseek.agent.observation import Observation
from reseek.oracle import Oracle
from reseek.policy import Policy, Sample
from reseek.questions.record import Question
from reseek.search import Search
from reseek.training.monitor.stopwatch import Wait


class Waits:
    """The seconds of one episode by what they went to, from its making to `done`."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(Wait, 0.0)
        self._began = time.perf_counter()

    def add(self, wait: Wait, since: float) -> None:
        self.seconds[wait] += time.perf_counter() - since

    def scored(self, seconds: float) -> None:
        """The scoring took this long; what of it was not the oracle's is the reward's."""
        self.seconds[Wait.REWARD] += max(0.0, seconds - self.seconds[Wait.ORACLE])

    def done(self) -> dict[str, float]:
        """The seconds by the waits' names, to travel with the episode; the rest is what nothing else was."""
        whole = time.perf_counter() - self._began
        self.seconds[Wait.REST] = max(0.0, whole - sum(self.seconds.values()))
        return {wait.value: seconds for wait, seconds in self.seconds.items()}


class TimedPolicy:
    """A Policy."""

    def __init__(self, policy: Policy, waits: Waits) -> None:
        self.policy, self.waits = policy, waits

    async def sample(self, context_ids: Sequence[int], *, stop: Sequence[str], max_tokens: int) -> Sample:
        since = time.perf_counter()
        try:
            return await self.policy.sample(context_ids, stop=stop, max_tokens=max_tokens)
        finally:
            self.waits.add(Wait.SAMPLING, since)


class TimedSearch:
    """A Search."""

    def __init__(self, search: Search, waits: Waits) -> None:
        self.inner, self.waits = search, waits

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        since = time.perf_counter()
        try:
            return await self.inner.search(queries, k)
        finally:
            self.waits.add(Wait.SEARCH, since)

    def close(self) -> None:
        self.inner.close()


class TimedOracle:
    """An Oracle."""

    def __init__(self, oracle: Oracle, waits: Waits) -> None:
        self.oracle, self.waits = oracle, waits

    async def score(self, question: Question, observations: Sequence[Observation]) -> list[float | None]:
        since = time.perf_counter()
        try:
            return await self.oracle.score(question, observations)
        finally:
            self.waits.add(Wait.ORACLE, since)
