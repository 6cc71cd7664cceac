"""The signal handlers of the Java virtual machine, and their restoration after other libraries replaced them.

HotSpot uses SIGSEGV and similar signals for null checks and safepoints. Libraries that are loaded later install
handlers of their own (seen: tvm_ffi, which vLLM loads; Ray), and Java's next null check then ends the process.
Invariant: after `give_back` the handlers are those that were installed when `Handlers` was made.
"""

import ctypes
import signal
import threading

# HotSpot's, on Linux. SIGINT and SIGTERM are Python's (-Xrs).
_SIGNALS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
_ROOM = 256  # more than struct sigaction takes on any system: it is only kept, never read


class Handlers:
    """The present handlers of these signals. Any thread may restore them."""

    def __init__(self) -> None:
        self._sigaction = ctypes.CDLL(None, use_errno=True).sigaction
        self._kept = {number: self._present(number) for number in _SIGNALS}
        self._lock = threading.Lock()

    def give_back(self) -> None:
        """Install these handlers again. Takes microseconds."""
        with self._lock:
            for number, kept in self._kept.items():
                self._sigaction(int(number), kept, None)

    def _present(self, number: signal.Signals) -> ctypes.Array:
        kept = ctypes.create_string_buffer(_ROOM)
        if self._sigaction(int(number), None, kept):
            raise OSError(ctypes.get_errno(), f"the handler of {number.name} can't be read")
        return kept
