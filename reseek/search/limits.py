"""What a search service takes: the bounds of one request and of all that wait."""

from dataclasses import dataclass

from reseek.errors import InputError
from reseek.search.query import MAX_CHARACTERS


@dataclass(frozen=True)
class Limits:
    """The defaults let a Search-R1 loop send its whole batch (512 questions x 5 rollouts) as one request."""

    topk: int = 3
    """Passages per query where a request does not say."""
    most_topk: int = 1000
    most_queries: int = 4096
    """In one request."""
    most_passages: int = 50_000
    """In one reply: queries x topk."""
    most_characters: int = MAX_CHARACTERS
    """In one query; what `clean_query` leaves is never longer."""
    most_bytes: int = 16 * 2**20
    """In one body. 4,096 queries of usual length are below one MiB."""
    most_waiting: int = 8192
    """Queries accepted and not yet answered; a request beyond is told to come again."""
    timeout_s: float = 60.0
    """From the first byte of a request to its answer; then it is told to come again."""
    retry_after_s: int = 1
    """What a request that is told to come again reads in Retry-After."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise InputError(f"{name} = {value}: must be above 0")
        if self.topk > self.most_topk:
            raise InputError(f"topk = {self.topk}: is above most_topk = {self.most_topk}")
        if self.most_queries > self.most_waiting:
            raise InputError(f"most_queries = {self.most_queries}: is above most_waiting = {self.most_waiting}")
