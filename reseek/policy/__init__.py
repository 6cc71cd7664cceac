"""Who speaks: policies behind one small protocol, on token ids.

A policy continues a context and says with which log-probabilities it sampled. It knows nothing of actions, searches
or rewards: stop strings are given to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Sample:
    """What one call sampled. `logprobs[i]` belongs to `ids[i]`; None where the back end gives none."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.logprobs is not None and len(self.logprobs) != len(self.ids):
            raise ValueError(f"{len(self.logprobs)} log-probabilities for {len(self.ids)} tokens")


class Policy(Protocol):
    async def sample(self, context_ids: Sequence[int], *, stop: Sequence[str], max_tokens: int) -> Sample:
        """Continue `context_ids` by at most `max_tokens` (>= 1) tokens, ending with the token that completes one of
        `stop` (kept whole) or with the end-of-sequence token."""
        ...


class SeededPolicy(Policy, Protocol):
    """A policy whose samples are drawn by a seed that may be set between episodes."""

    seed: int


class Tokenizer(Protocol):
    """The few things an episode needs of a tokenizer; transformers' fast tokenizers have them."""

    def encode(self, text: str, add_special_tokens: bool = ...) -> list[int]: ...

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = ...) -> str: ...
