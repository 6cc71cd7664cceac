"""How commands meet their user: bad input ends with one line on stderr and exit code 2, never with a traceback.

Wraps a Hydra main. Errors that are not the user's keep their traceback.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reseek.errors import InputError, one_line
from reseek.run.variables import QUIET_THREADS

_is_command = False


def run_command(command: Callable[[], None]) -> None:
    """Run a Hydra-decorated main; a mistake in its configuration ends with one line, as in `user_errors`."""
    global _is_command
    _is_command = True
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing its own page of text
    if not Path("/dev/nvidiactl").exists():
        # verl settles on a platform when it is first imported, which composing its configuration does.
        os.environ.setdefault("VERL_PLATFORM", "cpu")
    for name, value in QUIET_THREADS.items():  # torch comes with verl, and OpenMP reads them when it is loaded
        os.environ.setdefault(name, value)
    with user_errors():
        command()


@contextmanager
def user_errors() -> Iterator[None]:
    """End the command with one line on stderr and exit code 2 for a mistake in configuration or input.

    Wanted inside a Hydra main too: an exception that leaves it makes Hydra print a line of its own.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except (InputError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        sys.exit(2)


def require_platform(device: str) -> None:
    """Start this command again in an environment where verl chooses `device` (cpu or cuda), unless it has already.

    Only a command may start itself again: any other program that has imported verl for another platform gets an error.
    """
    if (os.environ.get("VERL_PLATFORM") == "cpu") == (device == "cpu"):
        return
    if not _is_command:
        raise RuntimeError(f"VERL_PLATFORM does not fit cluster.device={device}: set it before verl is first imported")
    os.environ["VERL_PLATFORM"] = "cpu" if device == "cpu" else "nvidia"
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.argv])


