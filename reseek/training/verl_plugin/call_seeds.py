"""The seed of every sampled call, from its place in the run: a resumed step samples what it would have sampled.

Invariant: a seed depends on the run's seed, the step, the question's index, the session and the call's number only;
not on which worker runs the episode, in which order episodes end, or what was killed before.
"""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Stream:
    """One episode's source of seeds. `question` is the question's index in the training file."""

    run: int
    step: int
    question: int
    session: int

    def seed(self, call: int) -> int:
        """63 bits for the episode's call number `call` (0, 1, ...)."""
        text = f"{self.run}|{self.step}|{self.question}|{self.session}|{call}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
