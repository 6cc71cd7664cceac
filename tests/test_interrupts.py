"""Tests that send SIGINT work where the tests themselves ignore it."""

import subprocess
import sys

from tests.support.interrupts import interruptible

INTERRUPTED = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('not interrupted')"]


def test_interruptible_commands_heed_an_ignored_signal():
    def run(command):
        shell = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
        return subprocess.run(shell, capture_output=True, text=True, check=False)

    assert run(INTERRUPTED).stdout == "not interrupted\n"
    done = run(interruptible(INTERRUPTED))
    assert done.returncode != 0 and done.stdout == "" and "KeyboardInterrupt" in done.stderr
