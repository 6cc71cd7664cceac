"""Where the seconds of a training step go, part by part.

Invariant: at any moment the clock runs for one part, the innermost that is under way (OTHER where none is; a validation
is one part, whatever happens in it), so that the parts of a lap add up to the time between two laps, nothing twice and
nothing left out. Within ROLLOUT, what
episodes waited for overlaps; `split` shares the wall-clock time out in the ratio of their waits.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from functools import wraps
from typing import Any


class Part(Enum):
    """What a training step does, in the trainer's process."""

    ROLLOUT = "rollout"
    """Waits for the batch's episodes."""
    TRANSFER = "transfer"
    """Reads and writes rows in the transfer queue."""
    LOG_PROBS = "log_probs"
    """Waits for the log-probabilities of trainer and reference model."""
    VALUES = "values"
    """Waits for the critic's values."""
    ADVANTAGES = "advantages"
    """Computes advantages, and lays the rows out."""
    UPDATE = "update"
    """Waits for the optimiser steps of actor and critic."""
    SYNC = "sync"
    """Brings the new weights to the rollout engine, puts it to sleep and wakes it."""
    CHECKPOINT = "checkpoint"
    """Writes a checkpoint."""
    VALIDATION = "validation"
    """Asks the validation questions."""
    OTHER = "other"
    """Everything else: loading questions, metrics, loggers, what verl does in between."""


class Wait(Enum):
    """What an episode waits for."""

    SAMPLING = "sampling"
    """The rollout engine."""
    SEARCH = "search"
    """The retriever."""
    ORACLE = "oracle"
    """The oracle's scores."""
    REWARD = "reward"
    """The reward's computation, without the oracle."""
    REST = "rest"
    """Its own code: parsing, tokenising; and its turn in the worker's event loop."""


class Stopwatch:
    """Runs from its making, in one thread: parts begun in other threads are not counted."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._thread = threading.get_ident()
        self._running = [Part.OTHER]
        self._seconds = dict.fromkeys(Part, 0.0)
        self._since = clock()

    @contextmanager
    def part(self, part: Part) -> Iterator[None]:
        """Let the clock run for `part`; for the part around it again afterwards."""
        if threading.get_ident() != self._thread:
            yield
            return
        self._credit()
        self._running.append(Part.VALIDATION if self._running[-1] is Part.VALIDATION else part)
        try:
            yield
        finally:
            self._credit()
            self._running.pop()

    def timed(self, part: Part, function: Callable) -> Callable:
        """The function, timed as `part`."""

        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self.part(part):
                return function(*args, **kwargs)

        return run

    def lap(self) -> dict[Part, float]:
        """Seconds of each part since the last lap."""
        self._credit()
        seconds, self._seconds = self._seconds, dict.fromkeys(Part, 0.0)
        return seconds

    def _credit(self) -> None:
        now = self._clock()
        self._seconds[self._running[-1]] += now - self._since
        self._since = now


def split(rollout: float, waits: Mapping[Wait, float]) -> dict[Wait, float]:
    """`rollout` seconds in the ratio of the episodes' waits."""
    total = sum(waits.values())
    return {wait: rollout * waits.get(wait, 0.0) / total if total else 0.0 for wait in Wait}
