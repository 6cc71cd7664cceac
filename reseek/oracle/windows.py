"""The windows into which a local model's tokenizer cuts a long text, so that each fits beside the query."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from reseek.errors import ScoringFailed
from reseek.oracle.pairs import windows

LEAST_ROOM = 8
"""A query that leaves fewer tokens than this for the text is an error."""


class TokenWindows:
    """Windows of at most `limit` tokens, or `window_tokens` if that is fewer, special tokens and the query's included
    if a pair goes through the model as one sequence (`joint`)."""

    def __init__(self, tokenizer: Any, limit: int, *, joint: bool, window_tokens: int | None, overlap: int) -> None:
        self.limit, self.window_tokens, self.overlap, self.joint = limit, window_tokens, overlap, joint
        self._tokenizer = tokenizer
        self._specials = tokenizer.num_special_tokens_to_add(pair=joint)
        # The same passages and answers recur often.
        self._tokens = lru_cache(maxsize=1 << 16)(lambda text: len(self._spans(text)))
        self._cut = lru_cache(maxsize=1 << 12)(self._windows)

    def cut(self, query: str, text: str) -> list[str]:
        """As `Model.cut`."""
        query_tokens = self._tokens(query)
        room = self.limit - self._specials - (query_tokens if self.joint else 0)
        if room < LEAST_ROOM or query_tokens + self._specials > self.limit:
            raise ScoringFailed(
                f"a query of {query_tokens} tokens leaves no room for text, of {self.limit} in all: {query[:60]!r}"
            )
        size = min(room, self.window_tokens or room)
        return [text] if self._tokens(text) <= size else list(self._cut(text, size))

    def _windows(self, text: str, size: int) -> tuple[str, ...]:
        return tuple(windows(text, size, min(self.overlap, size // 2), self._spans))

    def _spans(self, text: str) -> Sequence[tuple[int, int]]:
        # verbose=False: it would warn of texts that are too long for the model; they are cut next.
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return encoded["offset_mapping"]
