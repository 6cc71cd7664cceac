"""The client against replicas that fail in every way: the right hits or SearchFailed, never an empty result."""

import asyncio
import pickle
import time

import pytest

from reseek.errors import InputError, SearchFailed
from reseek.search.http import QUERIES_PER_REQUEST, HttpSearch
from tests.support.replicas import ANSWER, DRIP, DROP, HANG, Replica, Says, always, gathered, script
from tests.support.searches import found

pytestmark = pytest.mark.integration

BUSY = Says(503, b'{"detail": "64 queries are waiting"}', ("retry-after: 0.2",))


def run(*behaviours, ask, **options):
    """`ask(search, replicas)` with a client of replicas that behave so, in one event loop."""

    async def main():
        replicas = [Replica(behave) for behave in behaviours]
        for replica in replicas:
            await replica.__aenter__()
        search = HttpSearch([replica.url for replica in replicas], **{"timeout_s": 5, "patience_s": 20} | options)
        try:
            return await ask(search, replicas)
        finally:
            search.close()
            await asyncio.sleep(0)
            for replica in replicas:
                await replica.__aexit__()

    return asyncio.run(main())


def failure(*behaviours, patience_s=0.5, **options):
    """The message with which a search ends."""

    async def ask(search, replicas):
        with pytest.raises(SearchFailed) as caught:
            await search.search(["ada"], 2)
        return str(caught.value), sum(len(replica.requests) for replica in replicas)

    return run(*behaviours, ask=ask, patience_s=patience_s, **{"timeout_s": 0.2} | options)


def test_it_asks_as_search_r1_does():
    async def ask(search, replicas):
        assert await search.search(["ada  bob", "", "cyd", "ada bob"], 2) == [
            found("ada bob", 2),
            [],
            found("cyd", 2),
            found("ada bob", 2),
        ]
        assert await search.search(["", " "], 2) == [[], []] and await search.search([], 2) == []
        return replicas[0].requests

    assert run(always(ANSWER), ask=ask) == [{"queries": ["ada bob", "cyd"], "topk": 2, "return_scores": True}]


def test_a_long_batch_is_asked_in_parts():
    queries = [f"q{i}" for i in range(2 * QUERIES_PER_REQUEST + 1)]

    async def ask(search, replicas):
        assert await search.search(queries, 1) == [found(query, 1) for query in queries]
        return sorted(len(request["queries"]) for request in replicas[0].requests)

    assert run(always(ANSWER), ask=ask) == [1, QUERIES_PER_REQUEST, QUERIES_PER_REQUEST]


@pytest.mark.parametrize(
    "fault",
    [
        DROP,
        Says(500),
        Says(502, b"<html>bad gateway"),
        Says(408),
        Says(200, b"<html>"),
        Says(200, b'{"result": []}'),
        Says(200, b'{"result": [null]}'),
        BUSY,
        Says(503),
        Says(429, b"", ("retry-after: Wed, 21 Oct 2015 07:28:00 GMT",)),
    ],
    ids=str,
)
def test_a_fault_is_tried_again(fault):
    async def ask(search, replicas):
        assert await search.search(["ada"], 2) == [found("ada", 2)]
        return len(replicas[0].requests)

    assert run(script(fault, fault, ANSWER), ask=ask) == 3


def test_another_replica_is_asked_at_once():
    async def ask(search, replicas):
        started = time.monotonic()
        answers = await gathered(search, [f"q{i}" for i in range(40)])
        assert answers == [[found(f"q{i}", 2)] for i in range(40)]
        return time.monotonic() - started, [len(replica.requests) for replica in replicas]

    seconds, (dropped, answered) = run(always(DROP), always(ANSWER), ask=ask)
    assert seconds < 10 and answered == 40 and dropped >= 1


@pytest.mark.parametrize("hang", [HANG, DRIP])
def test_a_hanging_replica_costs_one_timeout(hang):
    async def ask(search, replicas):
        started = time.monotonic()
        answers = await gathered(search, [f"q{i}" for i in range(20)])
        assert answers == [[found(f"q{i}", 2)] for i in range(20)]
        first = time.monotonic() - started
        asked = len(replicas[0].requests)
        started = time.monotonic()
        for i in range(20):
            assert await search.search([f"r{i}"], 2) == [found(f"r{i}", 2)]
        # It rests now: only a trial now and then still meets it.
        return first, time.monotonic() - started, asked, len(replicas[0].requests) - asked

    first, then, asked, trials = run(always(hang), always(ANSWER), ask=ask, timeout_s=1)
    assert 1 <= first < 10 and asked >= 3
    assert trials <= 3 and then < 10


def test_a_replica_that_comes_back_is_used_again():
    async def ask(search, replicas):
        for i in range(12):
            await search.search([f"q{i}"], 1)
        started = time.monotonic()
        while len(replicas[0].requests) < 4 and time.monotonic() - started < 20:  # until it has answered once
            await asyncio.sleep(0.2)
            await search.search([f"trial {time.monotonic()}"], 1)
        before = len(replicas[0].requests)
        answers = await gathered(search, [f"q{i}" for i in range(40)])
        assert all(not isinstance(answer, Exception) for answer in answers)
        return len(replicas[0].requests) - before

    assert run(script(DROP, DROP, DROP, ANSWER), always(ANSWER), ask=ask) >= 10


def test_busy_replicas_lose_nothing():
    """Every other reply asks for time: all queries are answered, and the replica is never taken for dead."""

    async def ask(search, replicas):
        started = time.monotonic()
        answers = await gathered(search, [f"q{i}" for i in range(30)])
        assert answers == [[found(f"q{i}", 2)] for i in range(30)]
        assert all(replica.breaker.ready_in == 0 for replica in search._replicas.all)
        return time.monotonic() - started

    assert run(lambda number: BUSY if number % 2 else ANSWER, ask=ask) >= 0.2


def test_retry_after_is_honoured():
    async def ask(search, replicas):
        started = time.monotonic()
        await search.search(["ada"], 1)
        return time.monotonic() - started

    assert run(script(Says(503, b"", ("retry-after: 1",)), ANSWER), ask=ask) >= 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (HANG, "no reply within 0.2 s"),
        (DROP, "RemoteProtocolError"),
        (Says(500, b'{"detail": "why"}'), 'status 500: {"detail": "why"}'),
        (BUSY, "64 queries are waiting"),
        (Says(200, b'{"result": [[], []]}'), "answers 2 queries of 1"),
    ],
    ids=str,
)
def test_after_its_patience_a_search_fails_and_says_why(fault, told):
    message, requests = failure(always(fault), always(fault))
    assert message.startswith("no answer in 0.5 s of trying: http://127.0.0.1:") and told in message
    assert "\n" not in message and requests >= 2


def test_no_service_listens():
    async def ask():
        search = HttpSearch(["http://127.0.0.1:9"], timeout_s=0.5, patience_s=1)
        with pytest.raises(SearchFailed, match="http://127.0.0.1:9/retrieve: Connect"):
            await search.search(["ada"], 1)

    asyncio.run(ask())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422, 301])
def test_a_refusal_is_not_repeated(status):
    message, requests = failure(always(Says(status, b'{"detail": "why"}')), patience_s=20)
    assert f"refuses the request: status {status}: " in message and requests == 1


def test_a_cancelled_search_leaves_nothing_behind():
    async def ask(search, replicas):
        task = asyncio.create_task(search.search(["ada"], 1))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        return search._replicas.all[0].under_way, await search.search(["bob"], 1)

    assert run(script(HANG, ANSWER), ask=ask) == (0, [found("bob", 1)])


def test_the_least_busy_replica_is_asked_first():
    async def ask(search, replicas):
        hanging = [asyncio.create_task(search.search([f"h{i}"], 1)) for i in range(2)]
        await asyncio.sleep(0.2)
        assert [len(replica.requests) for replica in replicas] == [1, 1]
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)

    run(always(HANG), always(HANG), ask=ask)


def test_it_travels_and_lives_through_event_loops():
    async def ask(search, replicas):
        assert await search.search(["ada"], 1) == [found("ada", 1)]
        arrived = pickle.loads(pickle.dumps(search))
        assert arrived.urls == search.urls

        def elsewhere():
            return [asyncio.run(one.search(["bob"], 1)) for one in (arrived, search, search)]

        assert await asyncio.to_thread(elsewhere) == [[found("bob", 1)]] * 3
        search.close()
        assert await search.search(["cyd"], 1) == [found("cyd", 1)]  # opens again

    run(always(ANSWER), ask=ask)


@pytest.mark.parametrize(
    ("urls", "problem"),
    [
        ([], "at least one address"),
        ("http://host:1", "at least one address"),
        (["host:8000"], "is not an address"),
        (["ftp://host"], "is not an address"),
        ([""], "is not an address"),
        (["http://host:eight"], "is not an address"),
    ],
)
def test_addresses_are_checked_before_anything_starts(urls, problem):
    with pytest.raises(InputError, match=problem):
        HttpSearch(urls)


def test_where_requests_go():
    search = HttpSearch(["http://a:1", "http://b:2/", "https://c/retrieve", "http://d/wiki/retrieve/"])
    paths = ["http://a:1/retrieve", "http://b:2/retrieve", "https://c/retrieve", "http://d/wiki/retrieve"]
    assert search.urls == paths
    with pytest.raises(InputError, match="timeout_s"):
        HttpSearch(["http://a"], timeout_s=0)


def test_what_is_no_request_is_refused():
    search = HttpSearch(["http://127.0.0.1:9"])
    for queries, k in (("bare", 1), (["a"], 0), ([None], 1)):
        with pytest.raises(ValueError):
            asyncio.run(search.search(queries, k))
