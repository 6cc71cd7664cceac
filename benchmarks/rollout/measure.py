"""The measurement of the strategies side by side.

Invariant: two times are compared only within one repeat, and only after their calls were found to be the planned ones;
the order changes from repeat to repeat, so that drift favours no strategy.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

from benchmarks.rollout.latency import DelayedSearch, Latency
from benchmarks.rollout.strategies import Recorder, asynchronous, engine_limit, turn_synchronous
from benchmarks.rollout.workload import Call, Engine, WorkDiffers, Workload
from reseek.policy import Sample


class Strategy(Enum):
    """The strategies."""

    ASYNCHRONOUS = "asynchronous"
    TURN_SYNCHRONOUS = "turn-synchronous"
    ENGINE_LIMIT = "engine's limit"


@dataclass(frozen=True)
class Taken:
    """The wall-clock and CPU seconds (all threads) of one run. On an idle machine the wall-clock seconds are fewer; if
    they are many more, other processes used the cores."""

    seconds: float
    cpu_seconds: float


class Bench:
    """One engine and one workload. `prepare` is called before each run."""

    def __init__(self, workload: Workload, engine: Engine, prepare: Callable[[], None], in_flight: int) -> None:
        self.workload, self._engine, self._prepare, self._in_flight = workload, engine, prepare, in_flight
        self.calls = _calls_of(workload, in_flight)
        self._planned = Counter(self.calls)

    def warm_up(self, calls: int = 256) -> None:
        """Let the engine do some of the work, unmeasured."""
        self._timed(engine_limit(self.calls[:calls], self._engine))

    def run(self, strategy: Strategy, latency: Latency) -> Taken:
        """One run. Raises WorkDiffers unless it made exactly the planned calls."""
        recorder = Recorder(self._engine)
        if strategy is Strategy.ENGINE_LIMIT:
            work = engine_limit(self.calls, recorder)
        else:
            play = asynchronous if strategy is Strategy.ASYNCHRONOUS else turn_synchronous
            work = play(self.workload, recorder, DelayedSearch(self.workload, latency), self._in_flight)
        taken = self._timed(work)
        if Counter(recorder.calls) != self._planned:
            raise WorkDiffers(f"{strategy.value}, {latency.name}: its calls differ from the planned ones")
        return taken

    def _timed(self, work: Coroutine[None, None, None]) -> Taken:
        self._prepare()

        async def timed() -> Taken:
            started, cpu_started = time.perf_counter(), time.process_time()
            await work
            return Taken(time.perf_counter() - started, time.process_time() - cpu_started)

        return asyncio.run(timed())


@dataclass(frozen=True)
class Pair:
    """A comparison of ours with another strategy: workload, latency and number of repeats."""

    bench: Bench
    other: Strategy
    latency: Latency
    repeats: int


@dataclass(frozen=True)
class Duel:
    """The result of a pair: the times of ours and of the other strategy, once per repeat."""

    workload: Workload
    other: Strategy
    latency: Latency
    ours: tuple[Taken, ...]
    others: tuple[Taken, ...]

    @property
    def speedups(self) -> tuple[float, ...]:
        """Per repeat: how many times as fast as the other strategy ours is."""
        return tuple(other.seconds / own.seconds for own, other in zip(self.ours, self.others, strict=True))

    @property
    def speedup(self) -> float:
        return median(self.speedups)


def measure(pairs: Sequence[Pair], say: Callable[[str], None] = lambda text: None) -> list[Duel]:
    """All pairs, the first repeat of each before the second of any."""
    times: dict[int, list[tuple[Taken, Taken]]] = {number: [] for number in range(len(pairs))}
    for repeat in range(max(pair.repeats for pair in pairs)):
        for number, pair in enumerate(pairs):
            if repeat >= pair.repeats:
                continue
            order = [Strategy.ASYNCHRONOUS, pair.other][:: -1 if repeat % 2 else 1]
            taken = {strategy: pair.bench.run(strategy, pair.latency) for strategy in order}
            ours, others = taken[Strategy.ASYNCHRONOUS], taken[pair.other]
            times[number].append((ours, others))
            both = f"{Strategy.ASYNCHRONOUS.value} {ours.seconds:.2f} s, {pair.other.value} {others.seconds:.2f} s"
            say(f"{repeat + 1}/{pair.repeats} latency {pair.latency.name}: {both}")
    return [
        Duel(pair.bench.workload, pair.other, pair.latency, *zip(*times[number], strict=True))
        for number, pair in enumerate(pairs)
    ]


def _calls_of(workload: Workload, in_flight: int) -> list[Call]:
    """The calls of a workload in the order in which asynchronous episodes make them, found without an engine."""

    class Dry:
        async def sample(self, call: Call) -> Sample:
            await asyncio.sleep(0)  # the other episodes' turn
            return Sample((0,) * call.tokens)

    recorder = Recorder(Dry())
    asyncio.run(asynchronous(workload, recorder, workload, in_flight))
    if (len(recorder.calls), sum(call.tokens for call in recorder.calls)) != (workload.calls, workload.sampled_tokens):
        raise WorkDiffers("the episodes' calls differ from the planned ones")
    return recorder.calls
