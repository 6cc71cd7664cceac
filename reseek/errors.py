"""The errors a user meets.

`InputError` is for anything the user can mend (a file, a line, a configuration key): its message is one line that
names the place and what to do. Commands print it without a traceback and exit with 2. `SearchFailed`, `ScoringFailed`
and `PolicyFailed` are failures of a service: they end an episode as FAILED and are never turned into a result.
"""

from pydantic import ValidationError


class InputError(Exception):
    """Bad input. The message is one line: the file, line or key, what is wrong, what to do."""


class SearchFailed(Exception):
    """A search back end gave no result after its retries. Never an empty result."""


class PolicyFailed(Exception):
    """A policy's endpoint gave no answer after its retries. Never an empty text."""


class ScoringFailed(Exception):
    """An oracle gave no score after its retries. Never a zero."""


def first_problem(error: ValidationError) -> str:
    """The first problem of a pydantic error as one line: the field and what is wrong with it."""
    problem = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    return f"{field}: {problem['msg']}" if field else problem["msg"]


def one_line(message: str) -> str:
    """A message of several lines (Hydra lists options below each other) as one."""
    return " ".join(part.strip() for part in message.splitlines() if part.strip())
