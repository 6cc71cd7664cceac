"""The construction of the configured retriever."""

from collections.abc import Sequence
from pathlib import Path

from reseek.config.search import SearchSettings
from reseek.registry import ENGINES, configured
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
    """A retriever: this index (BM25 or dense) in this process, or the services at `urls`; with `noise`, made worse on
    purpose; with `cache_entries`, behind a cache of that many answers. `device` is where a dense index's encoder runs.

    Can be pickled and sent to a worker. Raises InputError for a folder that is not an index, or an invalid address.
    """
    from reseek.search.builtin.indexes import in_process, services

    search = services(list(urls), timeout_s, patience_s) if urls else in_process(index, device)
    return _behind_layers(search, noise, seed, cache_entries)


def configured_search(settings: SearchSettings, index: str | Path | None, seed: int) -> Search:
    """The retriever of a run's configuration; `index` is None where services are asked, and the file of passages for an
    engine that is given by its import path (its `load`, if it has one, is called with it)."""
    found = ENGINES.find(settings.name)
    if hasattr(found, "of"):
        search = found.of(settings, index)
    else:
        search = configured(found, settings.options, "search.options")
        if index is not None and hasattr(search, "load"):
            search.load(Path(index))
    return _behind_layers(search, settings.noise, seed, settings.cache_entries)


def _behind_layers(search: Search, noise: float, seed: int, cache_entries: int) -> Search:
    if noise:
        from reseek.search.noisy import NoisySearch

        search = NoisySearch(search, noise, seed)
    if cache_entries:
        from reseek.search.cache import CachedSearch

        search = CachedSearch(search, cache_entries)
    return search
