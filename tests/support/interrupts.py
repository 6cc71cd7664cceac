"""Commands that react to Ctrl-C (SIGINT) whatever started the tests: a background job of a shell script ignores it, and
every process inherits that, whereupon Python does not raise KeyboardInterrupt."""

import sys
from collections.abc import Sequence

_PROGRAM = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


def interruptible(command: Sequence[str]) -> list[str]:
    """`command` (its program as a path) in the same process, with SIGINT's default action."""
    return [sys.executable, "-c", _PROGRAM, *command]
