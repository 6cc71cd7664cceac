"""The service's application over a retriever in memory: every request gets one well-formed reply."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest

from reseek.errors import InputError
from reseek.search.app import make_app
from reseek.search.limits import Limits
from reseek.search.making import make_search
from reseek.search.wire import decode_reply
from tests.support.searches import Echo, found

SMALL = Limits(
    most_topk=9, most_queries=4, most_passages=20, most_characters=50, most_bytes=500, most_waiting=6, timeout_s=0.5
)


@asynccontextmanager
async def application(echo, limits, ready=True):
    app = make_app(echo, corpus={"fingerprint": "f", "passages": 7}, limits=limits)
    if ready:
        await app.state.desk.warm_up()
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


def talk(dialogue, *, echo=None, limits=SMALL, ready=True):
    async def main():
        async with application(echo or Echo(), limits, ready) as client:
            return await dialogue(client)

    return asyncio.run(main())


def post(body, **options):
    """The reply to one request."""
    content = body if isinstance(body, bytes) else json.dumps(body)

    async def dialogue(client):
        return await client.post("/retrieve", content=content)

    return talk(dialogue, **options)


async def counted(client):
    """Requests by outcome, without zeros; and the other counters."""
    lines = [line.rsplit(" ", 1) for line in (await client.get("/metrics")).text.splitlines() if line[0] != "#"]
    values = {name.removeprefix("reseek_search_"): float(value) for name, value in lines}
    outcomes = {
        name.partition('"')[2].rstrip('"}'): value
        for name, value in values.items()
        if name.startswith("requests_total") and value
    }
    return outcomes, values


def test_it_answers_as_search_r1_does():
    reply = post({"queries": ["ada bob", "the"], "topk": 2, "return_scores": True})
    assert reply.status_code == 200 and reply.headers["content-type"] == "application/json"
    assert decode_reply(reply.content, 2, 2) == [found("ada bob", 2), found("the", 2)]
    assert post({"queries": [], "return_scores": True}).json() == {"result": []}
    [[document]] = post({"queries": ["ada"]}).json()["result"]
    assert document == {"id": "p-ada", "title": "ada", "text": "about ada", "contents": '"ada"\nabout ada'}


@pytest.mark.parametrize("topk", [None, 0])
def test_topk_has_a_default(topk):
    echo = Echo()
    assert post({"queries": ["ada"], "topk": topk}, echo=echo).status_code == 200
    assert echo.calls[-1] == (["ada"], 3)


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"", 422, "the body is not JSON (Expecting value)"),
        (b"{\xff", 422, "the body is not JSON"),
        ([], 422, "the body is not a JSON object with queries and topk"),
        ({"queries": ["a", 3]}, 422, "queries.1: Input should be a valid string"),
        ({"queries": ["a"], "topk": -1}, 422, "topk: "),
        ({"queries": ["a"], "topk": 10}, 413, "10 passages per query (topk): at most 9 are served"),
        ({"queries": ["a"] * 5}, 413, "5 queries: at most 4 are served"),
        ({"queries": ["a"] * 3, "topk": 8}, 413, "24 passages in one reply (queries x topk): at most 20 are served"),
        ({"queries": ["a" * 51]}, 413, "51 characters in a query: at most 50 are served"),
        ({"queries": ["a"] * 4, "more": "x" * 500}, 413, "the body is larger than 500 bytes"),
    ],
    ids=repr,
)
def test_what_is_no_request_gets_one_line(body, status, detail):
    reply = post(body)
    assert reply.status_code == status and detail in reply.json()["detail"] and "\n" not in reply.json()["detail"]


def test_other_paths_and_methods():
    async def dialogue(client):
        return [
            (await client.request(method, path)).status_code
            for method, path in (("GET", "/retrieve"), ("POST", "/"), ("POST", "/healthz"), ("GET", "/docs"))
        ]

    assert talk(dialogue) == [405, 404, 405, 200]


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("broken", 503, "the search failed: the index is broken"),
        ("mistake", 500, "bug in the search service: KeyError"),
    ],
)
def test_a_failure_inside_is_never_an_empty_result(query, status, detail):
    reply = post({"queries": ["ada", query]})
    assert reply.status_code == status and detail in reply.json()["detail"]
    assert reply.headers.get("retry-after") == ("1" if status == 503 else None)


def test_it_is_ready_when_the_index_has_answered():
    async def dialogue(client):
        before = [await client.get("/healthz"), await client.post("/retrieve", json={"queries": ["a"]})]
        assert [reply.status_code for reply in before] == [503, 503] and before[1].headers["retry-after"]
        assert before[0].json()["status"] == "starting"
        await client._transport.app.state.desk.warm_up()
        after = await client.get("/healthz")
        return after.status_code, after.json()

    body = {"status": "ready", "corpus": {"fingerprint": "f", "passages": 7}, "waiting": 0}
    assert talk(dialogue, ready=False) == (200, body)


def test_a_full_queue_says_come_again():
    echo = Echo()

    async def dialogue(client):
        echo.gate = asyncio.Event()
        waiting = [asyncio.create_task(client.post("/retrieve", json={"queries": ["ada"] * 3})) for _ in range(2)]
        await asyncio.sleep(0.05)
        beyond = await client.post("/retrieve", json={"queries": ["bob"]})
        assert beyond.status_code == 503 and beyond.headers["retry-after"] == "1"
        assert beyond.json()["detail"] == "6 queries are waiting"
        assert (await client.get("/healthz")).json()["waiting"] == 6
        echo.gate.set()
        assert [reply.status_code for reply in await asyncio.gather(*waiting)] == [200, 200]
        again = await client.post("/retrieve", json={"queries": ["bob"]})
        outcomes, values = await counted(client)
        return again.status_code, outcomes, values["waiting_queries"], values["batch_queries_sum"]

    # 6 queries, the one that came again, and the warm-up's
    assert talk(dialogue, echo=echo, limits=Limits(most_queries=4, most_waiting=6)) == (200, {"ok": 3, "busy": 1}, 0, 8)


def test_a_retriever_that_hangs_is_told_as_such_and_holds_no_place():
    echo = Echo()

    async def dialogue(client):
        echo.gate = asyncio.Event()
        late = await asyncio.gather(*(client.post("/retrieve", json={"queries": [f"q{i}"]}) for i in range(6)))
        assert {reply.status_code for reply in late} == {503} and late[0].json()["detail"] == "no answer within 0.5 s"
        assert (await client.get("/healthz")).json()["waiting"] == 0
        echo.gate.set()
        return (await client.post("/retrieve", json={"queries": ["ada"]})).status_code, (await counted(client))[0]

    assert talk(dialogue, echo=echo) == (200, {"ok": 1, "timeout": 6})


def test_many_at_once_are_searched_together():
    echo = Echo()

    async def dialogue(client):
        replies = await asyncio.gather(
            *(client.post("/retrieve", json={"queries": [f"q{i}"], "return_scores": True}) for i in range(200))
        )
        return [decode_reply(reply.content, 1, 3) for reply in replies]

    assert talk(dialogue, echo=echo, limits=Limits()) == [[found(f"q{i}", 3)] for i in range(200)]
    assert len(echo.calls) < 50


def test_it_closes_the_retriever_at_its_end():
    echo = Echo()
    talk(lambda client: client.get("/healthz"), echo=echo)
    assert echo.closed


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"topk": 0}, "topk = 0"),
        ({"topk": 2000}, "topk = 2000: must not exceed most_topk = 1000"),
        ({"most_waiting": 100}, "most_queries = 4096: must not exceed most_waiting = 100"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, problem):
    with pytest.raises(InputError, match=problem):
        Limits(**limits)


def test_the_chain_is_built_as_configured():
    search = make_search(urls=["http://a"], noise=0.5, seed=1, cache_entries=9)
    names = []
    while search is not None:
        names.append(type(search).__name__)
        search = getattr(search, "inner", None)
    assert names == ["CachedSearch", "NoisySearch", "BatchingSearch", "HttpSearch"]
    with pytest.raises(InputError, match="no such index"):
        make_search("nowhere")
    with pytest.raises(ValueError, match="an index or urls"):
        make_search()
