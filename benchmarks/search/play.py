"""The clients: each sends one query at a time until all queries are sent, and measures the replies.

Invariant: every query is sent once and its answer checked; a wrong answer is an error, not a slow one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from reseek.search.wire import encode_request

K = 3
Ask = Callable[[str], Awaitable[None]]


async def play(asks: Sequence[Ask], queries: Sequence[str]) -> dict:
    """One client per `ask`. Queries per second, latencies in milliseconds, CPU seconds of this process."""
    todo, latencies = iter(queries), []

    async def client(ask: Ask) -> None:
        for query in todo:
            started = time.perf_counter()
            await ask(query)
            latencies.append(time.perf_counter() - started)

    started, busy = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client(ask) for ask in asks))
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    latencies.sort()
    return {
        "qps": len(queries) / seconds,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[int(len(latencies) * 0.99)],
        "cpu_s": busy,
        "seconds": seconds,
    }


class Connection:
    """The cheapest possible client: a socket kept open, a request written, a reply read to its length and looked
    at. On two cores a convenient client would be most of what is measured."""

    def __init__(self, url: str) -> None:
        self.host, self.port = urlsplit(url).hostname, urlsplit(url).port

    async def open(self) -> "Connection":
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=2**20)
        return self

    async def ask(self, query: str) -> None:
        body = encode_request([query], K)
        head = b"POST /retrieve HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.writer.write(head % len(body) + body)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        reply = await self.reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200 ") or not reply.startswith(b'{"result":'):
            raise RuntimeError(f"not an answer: {head[:60]!r} {reply[:200]!r}")

    def close(self) -> None:
        self.writer.close()
