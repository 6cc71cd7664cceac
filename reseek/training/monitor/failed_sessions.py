"""The limit on sessions without a score: above it a run stops instead of training on the rest.

A session whose scoring failed does not exist for training (`agent_loop`); one such session is an accident, many are a
cause to be mended. Pure: where the failures are gathered is `board`'s business.
"""

from collections import Counter
from collections.abc import Sequence


class ScoringStopped(RuntimeError):
    """More of a step's sessions than `oracle.most_failed` had no score. The message names the commonest cause."""


def check_share(causes: Sequence[str], sessions: int, step: int, most_failed: float) -> None:
    """Raise ScoringStopped where `causes`, one per failed session, are more than that share of the step's sessions."""
    if len(causes) <= most_failed * sessions:
        return
    ((cause, times),) = Counter(causes).most_common(1)
    raise ScoringStopped(
        f"scoring failed for {len(causes)} of {sessions} sessions of step {step}, more than oracle.most_failed="
        f"{most_failed:g} allows; {times} of them: {cause}"
    )
