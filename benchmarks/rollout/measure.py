"""Run the strategies side by side and compare what they took.

Invariant: two times are compared only within one repeat, where they lie side by side, and only after the calls behind
them were found to be the same; who goes first changes from repeat to repeat, so that drift favours nobody. Knows
nothing of tables.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

from benchmarks.rollout.latency import NO_LATENCY, DelayedSearch, Latency
from benchmarks.rollout.strategies import Recorder, asynchronous, engine_limit, turn_synchronous
from benchmarks.rollout.workload import Call, Engine, WorkDiffers, Workload


class Strategy(Enum):
    """Who is measured."""

    ASYNCHRONOUS = "asynchronous episodes"
    TURN_SYNCHRONOUS = "turn-synchronous loop"
    ENGINE_LIMIT = "engine's limit"


@dataclass(frozen=True)
class Schedule:
    """How often ours runs beside the turn-synchronous loop, under each of `latencies`, and beside the engine's limit,
    always without latency."""

    latencies: tuple[Latency, ...]
    repeats: int
    limit_repeats: int


@dataclass(frozen=True)
class Duel:
    """Seconds of the asynchronous episodes and of another strategy, side by side, once per repeat."""

    other: Strategy
    latency: Latency
    ours: tuple[float, ...]
    others: tuple[float, ...]

    @property
    def speedups(self) -> tuple[float, ...]:
        """Per repeat: how many times as fast as the other strategy ours is."""
        return tuple(other / own for own, other in zip(self.ours, self.others, strict=True))

    @property
    def speedup(self) -> float:
        return median(self.speedups)


class Bench:
    """One engine and one workload, for all measurements. `prepare` is called before each run."""

    def __init__(self, workload: Workload, engine: Engine, prepare: Callable[[], None], in_flight: int) -> None:
        self._workload, self._engine, self._prepare, self._in_flight = workload, engine, prepare, in_flight
        self._known: list[Call] = []

    def warm_up(self) -> list[Call]:
        """Run the episodes once without latency, and keep their calls in the order in which they came."""
        recorder = Recorder(self._engine)
        self._timed(asynchronous(self._workload, recorder, self._workload, self._in_flight))
        calls = recorder.calls
        if (len(calls), sum(call.tokens for call in calls)) != (self._workload.calls, self._workload.sampled_tokens):
            raise WorkDiffers("the episodes made other calls than were planned")
        self._known = calls
        return calls

    def seconds(self, strategy: Strategy, latency: Latency) -> float:
        """One run. Raises WorkDiffers unless it made the very calls that `warm_up` made."""
        recorder = Recorder(self._engine)
        search = DelayedSearch(self._workload, latency)
        if strategy is Strategy.ENGINE_LIMIT:
            run = engine_limit(self._known, recorder)
        else:
            play = asynchronous if strategy is Strategy.ASYNCHRONOUS else turn_synchronous
            run = play(self._workload, recorder, search, self._in_flight)
        taken = self._timed(run)
        if Counter(recorder.calls) != Counter(self._known):
            raise WorkDiffers(f"{strategy.value}, {latency.name}: made other calls than the first run")
        return taken

    def _timed(self, run: Coroutine[None, None, None]) -> float:
        self._prepare()

        async def timed() -> float:
            started = time.perf_counter()
            await run
            return time.perf_counter() - started

        return asyncio.run(timed())


def measure(bench: Bench, schedule: Schedule, say: Callable[[str], None] = lambda text: None) -> list[Duel]:
    """All duels of a schedule, the engine's limit first."""
    pairs = [(Strategy.ENGINE_LIMIT, NO_LATENCY, schedule.limit_repeats)]
    pairs += [(Strategy.TURN_SYNCHRONOUS, latency, schedule.repeats) for latency in schedule.latencies]
    times: dict[tuple[Strategy, Latency], list[tuple[float, float]]] = {pair[:2]: [] for pair in pairs}
    for number in range(max(schedule.repeats, schedule.limit_repeats)):
        for other, latency, repeats in pairs:
            if number >= repeats:
                continue
            order = [Strategy.ASYNCHRONOUS, other]
            taken = {strategy: bench.seconds(strategy, latency) for strategy in order[:: -1 if number % 2 else 1]}
            times[other, latency].append((taken[Strategy.ASYNCHRONOUS], taken[other]))
            say(
                f"{number + 1}/{repeats} {latency.name}: {Strategy.ASYNCHRONOUS.value}"
                f" {taken[Strategy.ASYNCHRONOUS]:.2f} s, {other.value} {taken[other]:.2f} s"
            )
    return [_duel(other, latency, times[other, latency]) for other, latency, _ in pairs]


def _duel(other: Strategy, latency: Latency, times: Sequence[tuple[float, float]]) -> Duel:
    return Duel(other, latency, tuple(ours for ours, _ in times), tuple(others for _, others in times))
