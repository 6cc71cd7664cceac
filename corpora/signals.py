"""The signals that the Java virtual machine lives by, kept in its hands.

HotSpot turns SIGSEGV and its kin into null checks and safepoints. Libraries that are loaded later put handlers of their
own in its place without asking (seen: tvm_ffi, which vLLM loads; Ray), and Java's next null check then ends the
process. Invariant: after `give_back` the handlers are those that stood when `Handlers` was made.

Knows nothing of Java: only of handlers.
"""

import ctypes
import signal
import threading

# HotSpot's, on Linux. SIGINT and SIGTERM are Python's (-Xrs).
_SIGNALS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
_ROOM = 256  # more than struct sigaction takes anywhere: it is only kept, never read


class Handlers:
    """The present handlers of these signals. Any thread may give them back."""

    def __init__(self) -> None:
        self._sigaction = ctypes.CDLL(None, use_errno=True).sigaction
        self._kept = {number: self._present(number) for number in _SIGNALS}
        self._lock = threading.Lock()

    def give_back(self) -> None:
        """Make them the handlers again. Takes microseconds."""
        with self._lock:
            for number, kept in self._kept.items():
                self._sigaction(int(number), kept, None)

    def _present(self, number: signal.Signals) -> ctypes.Array:
        kept = ctypes.create_string_buffer(_ROOM)
        if self._sigaction(int(number), None, kept):
            raise OSError(ctypes.get_errno(), f"the handler of {number.name} can't be read")
        return kept
