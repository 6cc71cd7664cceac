"""A circuit breaker: whether a replica that failed lately may be asked again.

Closed, it lets every request pass. After `failures_to_open` failures in a row it opens for a rest; then a single
request passes, the trial, whose failure opens it for twice as long and whose success closes it. Rests are jittered, so
that many clients don't come back at once.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


class Breaker:
    """One replica's. Times are in seconds of `clock`."""

    def __init__(
        self,
        *,
        failures_to_open: int = 3,
        rest_s: float = 0.5,
        longest_rest_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.failures_to_open, self.rest_s, self.longest_rest_s = failures_to_open, rest_s, longest_rest_s
        self._clock, self._chance = clock, chance
        self._failures = self._rests = 0
        self._open_until: float | None = None
        self._trial: Permit | None = None

    @property
    def ready_in(self) -> float:
        """In how many seconds a request may pass; while a trial is under way, a guess."""
        if self._open_until is None:
            return 0.0
        return self.rest_s if self._trial else max(0.0, self._open_until - self._clock())

    def admit(self) -> "Permit | None":
        """A permit for one request, or None while it should rest."""
        if self._open_until is None:
            return Permit(self)
        if self._trial or self._clock() < self._open_until:
            return None
        self._trial = Permit(self)
        return self._trial

    def _ended(self, permit: "Permit", failed: bool | None) -> None:
        on_trial = permit is self._trial
        if on_trial:
            self._trial = None
        if failed is None:
            return
        if not failed:
            self._failures, self._rests, self._open_until = 0, 0, None
            return
        self._failures += 1
        # Failures of requests that were under way when it opened say nothing new.
        if on_trial or (self._open_until is None and self._failures >= self.failures_to_open):
            rest = min(self.longest_rest_s, self.rest_s * 2 ** min(self._rests, 30))
            self._rests += 1
            self._open_until = self._clock() + rest * (0.5 + self._chance())


@dataclass(eq=False, frozen=True)
class Permit:
    """Leave to send one request. Its holder reports exactly one outcome."""

    breaker: Breaker

    def success(self) -> None:
        """The replica answered."""
        self.breaker._ended(self, failed=False)

    def failure(self) -> None:
        """It did not, or not with an answer."""
        self.breaker._ended(self, failed=True)

    def abandon(self) -> None:
        """The request was given up by its caller: nothing was learnt."""
        self.breaker._ended(self, failed=None)
