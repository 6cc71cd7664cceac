"""The construction of the configured retriever."""

from collections.abc import Sequence
from pathlib import Path

from reseek.config.search import SearchSettings
from reseek.search import Search


def make_search(
    index: str | Path | None = None,
    *,
    urls: Sequence[str] = (),
    timeout_s: float = 10.0,
    patience_s: float = 120.0,
    noise: float = 0.0,
    seed: int = 0,
    cache_entries: int = 0,
    device: str = "cpu",
) -> Search:
    """The configured retriever: this index (BM25 or dense) in this process, or the services at `urls`; with `noise`,
    deliberately degraded; with `cache_entries`, behind a cache of that many answers. `device` is where a dense index's
    encoder runs.

    Can be pickled and sent to a worker. Raises InputError for an invalid index or address.
    """
    from reseek.search.batching import BatchingSearch

    search: Search
    if urls:
        from reseek.search.http import REQUESTS_AT_ONCE, HttpSearch, NoAnswer

        remote = HttpSearch(urls, timeout_s=timeout_s, patience_s=patience_s)
        search = BatchingSearch(remote, at_once=REQUESTS_AT_ONCE, final=(NoAnswer,))
    elif index is not None:
        from reseek.search.open_index import open_index

        opened = open_index(index, device=device)
        search = BatchingSearch(opened, at_once=opened.calls_at_once)
    else:
        raise ValueError("make_search needs an index or urls")
    if noise:
        from reseek.search.noisy import NoisySearch

        search = NoisySearch(search, noise, seed)
    if cache_entries:
        from reseek.search.cache import CachedSearch

        search = CachedSearch(search, cache_entries)
    return search


def configured_search(settings: SearchSettings, index: str | Path | None, seed: int) -> Search:
    """`make_search` with a run's configuration `search`; `index` is None if services are used."""
    return make_search(
        index,
        urls=settings.urls,
        timeout_s=settings.timeout_s,
        patience_s=settings.patience_s,
        noise=settings.noise,
        seed=seed,
        cache_entries=settings.cache_entries,
        device=settings.device,
    )
