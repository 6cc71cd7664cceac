"""Which corpus is searched, and how: the facts that stand beside every number.

Invariant: two retrievers with equal facts find the same passages, wherever they run; services that say different things
are never taken for one. Knows nothing of runs.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from corpora.dense.manifest import DenseManifest
from corpora.manifest import Kind, Manifest
from reseek.errors import InputError
from reseek.search.wire import WireError, decode_reply, encode_request


class CorpusFacts(BaseModel):
    """`fingerprint` is of the passages (docs/corpora.md); `k1` and `b` are BM25's, `encoder` and `faiss` a dense
    retriever's."""

    model_config = ConfigDict(frozen=True)

    retriever: Kind
    fingerprint: str
    passages: int
    source: str
    k1: float | None = None
    b: float | None = None
    encoder: dict[str, Any] | None = None
    faiss: dict[str, Any] | None = None
    engine: dict[str, str] = {}


def facts_of(manifest: Manifest | DenseManifest) -> CorpusFacts:
    """What a search in this index searches."""
    return CorpusFacts.model_validate(manifest.facts())


def ask_services(urls: Sequence[str], timeout_s: float) -> CorpusFacts | None:
    """The facts that all services at `urls` (addresses of `POST /retrieve`) agree on; None where one of them searches
    but can't tell in what, as Search-R1's can't.

    Raises InputError for an address where nothing answers, a service that is not ready, and services that differ.
    """
    with httpx.Client(timeout=timeout_s, trust_env=False) as client:
        asked = {url: _ask(client, url) for url in urls}
    told = {url: facts for url, facts in asked.items() if facts is not None}
    if len(told) < len(asked):
        return None
    (first, facts), *others = told.items()
    for url, other in others:
        if difference := _difference(facts, other):
            raise InputError(f"search.urls: {first} and {url} search in different ways: {difference}")
    return facts


def _ask(client: httpx.Client, url: str) -> CorpusFacts | None:
    health = urlsplit(url)._replace(path="/healthz", query="").geturl()
    response = _answer(client, url, client.build_request("GET", health))
    try:
        told: Any = response.json()
        if response.status_code == 503 and told["status"] == "starting":
            raise InputError(f"search.urls: {url}: its index is still being opened; try again soon")
        return CorpusFacts.model_validate(told["corpus"])
    except (ValueError, KeyError, TypeError, ValidationError):
        pass  # not one of ours
    headers = {"content-type": "application/json"}
    asked = client.build_request("POST", url, content=encode_request(["warm up"], 1), headers=headers)
    response = _answer(client, url, asked)
    try:
        response.raise_for_status()
        decode_reply(response.content, 1, 1)
    except (httpx.HTTPStatusError, WireError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"search.urls: {url}: does not answer a search as Search-R1's servers do: {reason}") from None
    return None


def _answer(client: httpx.Client, url: str, request: httpx.Request) -> httpx.Response:
    try:
        return client.send(request)
    except httpx.HTTPError as error:
        raise InputError(f"search.urls: {url}: nothing answers ({type(error).__name__}); is it running?") from None


def _difference(one: CorpusFacts, other: CorpusFacts) -> str | None:
    # Names are of files and folders, which each machine has its own of.
    apart: Any = {"source": True, "engine": True, "encoder": {"name"}}
    here, there = (facts.model_dump(mode="json", exclude=apart) for facts in (one, other))
    return next((f"{key} {value} and {there[key]}" for key, value in here.items() if value != there[key]), None)
