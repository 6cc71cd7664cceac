"""The limits of a search service: of one request and of all that wait."""

from dataclasses import dataclass

from reseek.errors import InputError
from reseek.search.query import MAX_CHARACTERS


@dataclass(frozen=True)
class Limits:
    """The defaults let a Search-R1 loop send its whole batch (512 questions x 5 rollouts) as one request."""

    topk: int = 3
    """Passages per query if the request has no `topk`."""
    most_topk: int = 1000
    most_queries: int = 4096
    """The most queries in one request."""
    most_passages: int = 50_000
    """The most passages in one reply: queries x topk."""
    most_characters: int = MAX_CHARACTERS
    """The most characters in one query; what `clean_query` returns is never longer."""
    most_bytes: int = 16 * 2**20
    """The most bytes in one body. 4,096 queries of usual length take less than one MiB."""
    most_waiting: int = 8192
    """The most queries accepted and not yet answered; a request beyond gets 503 with Retry-After."""
    timeout_s: float = 60.0
    """Time from the first byte of a request to its answer; after it the request gets 503 with Retry-After."""
    retry_after_s: int = 1
    """The value of Retry-After."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise InputError(f"{name} = {value}: must be above 0")
        if self.topk > self.most_topk:
            raise InputError(f"topk = {self.topk}: must not exceed most_topk = {self.most_topk}")
        if self.most_queries > self.most_waiting:
            raise InputError(f"most_queries = {self.most_queries}: must not exceed most_waiting = {self.most_waiting}")
