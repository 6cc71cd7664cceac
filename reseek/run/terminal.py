"""The process's own output: sent to a log file while noisy engines run, with the real terminal kept for the display.

Works on file descriptors, so that child processes and C++ code are covered.
"""

import contextlib
import os
import re
import shlex
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from reseek.run.interrupts import unheeded

TERMINATED = 128 + signal.SIGTERM
_BARE = re.compile(r"[\w./@%+-]+", re.ASCII)  # what Hydra reads as it is, without quotes
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def plain(text: str) -> str:
    """Untrusted text for a terminal: controls and invisible characters, escape sequences among them, become U+FFFD."""
    return "".join("\ufffd" if unicodedata.category(char) in _UNSEEN else char for char in text.replace("\n", " "))


def shell_word(key: str, value: object) -> str:
    """An override as one types it in a shell: what means something to Hydra or the shell is quoted."""
    return shlex.quote(override(key, value))


def override(key: str, value: object) -> str:
    """A word that Hydra reads as this value: blanks and signs that mean something to it are quoted."""
    text = str(value)
    if not _BARE.fullmatch(text):
        # Hydra's own form of a string; behind a backslash it reads another quote or backslash as itself.
        text = "'" + re.sub(r"(\\*)'", lambda found: found[1] * 2 + "\\'", re.sub(r"\\+\Z", r"\g<0>\g<0>", text)) + "'"
    return f"{key}={text}"


@contextlib.contextmanager
def output_to(log: Path, verbose: bool) -> Iterator[TextIO]:
    """Send stdout and stderr of this process and of its children to `log`; yields the real terminal."""
    if verbose:
        yield sys.stdout
        return
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            with os.fdopen(os.dup(saved[0]), "w", buffering=1, encoding="utf-8") as terminal:
                yield terminal
        finally:
            for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
                try:
                    stream.flush()
                except OSError:  # a full disk: what did not fit must not appear on the terminal instead
                    with open(os.devnull, "wb") as nothing, contextlib.suppress(OSError):
                        os.dup2(nothing.fileno(), descriptor)
                        stream.flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            os.close(saved[0])
            os.close(saved[1])


def terminate(_signal: int, _frame: object) -> None:
    """A handler of SIGTERM. Raises SystemExit with a shell's code for it."""
    raise SystemExit(TERMINATED)


@contextlib.contextmanager
def terminate_raises(handler: Callable[[int, object], None] = terminate) -> Iterator[None]:
    """Turn SIGTERM into what `handler` raises, SystemExit, so that a stopped command still cleans up."""
    previous = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let no second SIGTERM or Ctrl-C (`timeout` and process managers send several) break into the cleaning up; a
    second Ctrl-C may end it together with the process (`interrupts.watched`)."""
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    new = {signal.SIGTERM: signal.SIG_IGN, signal.SIGINT: signal.SIG_IGN if is_ignored else unheeded}
    previous = {number: signal.signal(number, handler) for number, handler in new.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
