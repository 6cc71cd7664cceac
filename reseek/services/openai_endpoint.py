"""A client of an OpenAI-compatible endpoint: the key, a bounded rate, and retries with growing, jittered pauses.

The key is OPENAI_API_KEY; a local server (`base_url`) needs none. Retries are made here: the client's own would hide
failed attempts and ignore the rate.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from openai import AsyncOpenAI
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from reseek.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How an endpoint is asked. `first_wait_s` and `longest_wait_s` bound the pauses between attempts; `transient` are
    the errors after which a request is tried again."""

    attempts: int
    first_wait_s: float
    longest_wait_s: float
    timeout_s: float
    requests_per_minute: float | None
    transient: tuple[type[Exception], ...]


class OpenAiEndpoint:
    """One endpoint. Belongs to the event loop in which it is first asked."""

    def __init__(self, base_url: str | None, patience: Patience, *, key: str) -> None:
        """Raises InputError without a key; `key` is the option or setting that names a local server."""
        secret = os.environ.get("OPENAI_API_KEY", "none" if base_url else "")
        if not secret:
            raise InputError(f"OPENAI_API_KEY: is not set; set it, or name a local server {key}")
        self.client = AsyncOpenAI(api_key=secret, base_url=base_url, max_retries=0, timeout=patience.timeout_s)
        self._patience = patience
        self._next = 0.0

    async def ask(self, once: Callable[[], Awaitable[T]]) -> T:
        """The result of `once`, called as often as the patience allows. Raises its last error."""
        patience = self._patience
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(patience.transient),
            stop=stop_after_attempt(patience.attempts),
            wait=wait_random_exponential(multiplier=patience.first_wait_s, max=patience.longest_wait_s),
            reraise=True,
        ):
            with attempt:
                await self._turn()
                return await once()
        raise AssertionError("unreachable")

    async def close(self) -> None:
        await self.client.close()

    async def _turn(self) -> None:
        """Wait until the rate allows another request."""
        if self._patience.requests_per_minute is None:
            return
        now, gap = time.monotonic(), 60.0 / self._patience.requests_per_minute
        mine = max(self._next, now)
        self._next = mine + gap
        await asyncio.sleep(mine - now)
