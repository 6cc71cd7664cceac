"""Prefetching: the next items are made in a thread while the caller works on this one.

Invariant: the caller sees the items, and the exception that ended them, as if it had iterated itself; when it stops
early, so does the thread. It only pays if the caller releases the GIL (calls into Java do).
"""

import threading
from collections.abc import Generator, Iterable
from queue import Full, Queue
from typing import TypeVar

T = TypeVar("T")
_PATIENCE_S = 0.1


def prefetched(items: Iterable[T], ahead: int = 2) -> Generator[T, None, None]:
    """The same items, at most `ahead` of them made in advance, in a thread of their own. Close it to end that
    thread."""
    ready: Queue[tuple[bool, T | BaseException | None]] = Queue(maxsize=ahead)
    stopped = threading.Event()

    def hand_over(more: bool, item: T | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return ready.put((more, item), timeout=_PATIENCE_S)
            except Full:
                continue

    def make() -> None:
        try:
            for item in items:
                hand_over(True, item)
                if stopped.is_set():
                    return
            hand_over(False, None)
        except BaseException as error:
            hand_over(False, error)

    maker = threading.Thread(target=make, name="prefetch", daemon=True)
    maker.start()
    try:
        while True:
            more, item = ready.get()
            if more:
                yield item  # type: ignore[misc]
            elif item is None:
                return
            else:
                raise item  # type: ignore[misc]
    finally:
        stopped.set()
        maker.join()
