"""Ten thousand malformed and hostile requests: each gets exactly one well-formed reply, and the service lives on.

Requests go pipelined over one connection, so a missing or a doubled reply would shift all that follow.
"""

import asyncio
import http.client
import json
import random
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpora.index import build_index
from corpora.passages import Passage
from reseek.search.http import HttpSearch
from reseek.search.limits import Limits
from tests.support.services import service

pytest.importorskip("jnius_config")
pytestmark = pytest.mark.integration

EXAMPLES, TOGETHER = 500, 20
LIMITS = Limits()

TEXT = st.text(st.characters(exclude_categories=[]), max_size=30)  # lone surrogates, controls and all
HOSTILE = st.sampled_from(
    [
        'title:* AND ("a" OR b~2) -c^9 [x TO y] \\',
        "{{7*7}} ${jndi:ldap://x} ' OR 1=1 --",
        " ".join(f"t{i}" for i in range(1500)),
        "x" * 5000,
        "世" * 2000,
        "a\x00b",
        "\ud83d" * 50,
        "x" * (LIMITS.most_characters + 1),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
VALID = st.fixed_dictionaries(
    {"queries": st.lists(TEXT | HOSTILE | st.just("ada wrote"), max_size=4)},
    optional={"topk": st.none() | st.integers(0, 30), "return_scores": st.booleans(), "more": JSON},
)
WRONG = st.fixed_dictionaries({}, optional={"queries": JSON, "topk": JSON, "return_scores": JSON}) | JSON
LARGE = st.sampled_from(
    [
        {"queries": ["a"] * (LIMITS.most_queries + 1)},
        {"queries": ["a"], "topk": LIMITS.most_topk + 1},
        {"queries": ["a"] * 100, "topk": LIMITS.most_topk},
    ]
)


def written(value):
    """JSON as bytes, in ASCII or in something like UTF-8."""
    return st.sampled_from(
        [json.dumps(value).encode(), json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")]
    )


def damaged(data):
    """Cut, doubled, or with a byte changed."""
    place = st.integers(0, max(0, len(data) - 1))
    return st.one_of(
        place.map(lambda at: data[:at]),
        place.map(lambda at: data[:at] + data),
        st.tuples(place, st.integers(0, 255)).map(
            lambda change: data[: change[0]] + bytes([change[1]]) + data[change[0] + 1 :]
        ),
    )


SOUND = (VALID | WRONG).flatmap(written)
BODY = st.one_of(
    SOUND,
    SOUND,
    VALID.flatmap(written).flatmap(damaged),
    LARGE.flatmap(written),
    st.binary(max_size=40),
    st.sampled_from([b"", b"[" * 50_000, b'{"queries":' * 9999, b"1" * 5000, b'"\\ud800', b"\xef\xbb\xbf{}", b"NaN"]),
)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    passages = [Passage(id=f"p{i}", title="Ada", text=f"ada wrote number {i}") for i in range(50)]
    (folder / "c.jsonl").write_text("".join(passage.model_dump_json() + "\n" for passage in passages))
    build_index(folder / "c.jsonl", folder / "index")
    with service(folder / "index") as one:
        yield one


def hits_of(running):
    [hits] = asyncio.run(HttpSearch([running.url]).search(["ada wrote"], 3))
    return [hit.id for hit in hits]


def replies(running, bodies):
    """The replies to pipelined requests, read until the service closes the connection, which the last one asks for."""
    last = len(bodies) - 1
    with socket.create_connection(("127.0.0.1", running.port), timeout=300) as connection:
        for number, body in enumerate(bodies):
            close = "connection: close\r\n" if number == last else ""
            head = f"POST /retrieve HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n{close}\r\n"
            connection.sendall(head.encode() + body)
        stream = connection.makefile("rb")
        read = [one_reply(stream) for _ in bodies]
        assert stream.read() == b"", "more replies than requests"
    return read


def one_reply(stream):
    """Its status, headers and content."""
    version, status, _ = stream.readline().split(b" ", 2)
    assert version == b"HTTP/1.1"
    headers = http.client.parse_headers(stream)
    return int(status), dict(headers), stream.read(int(headers["content-length"]))


def check(body, status, headers, content):
    assert status in (200, 413, 422), (body[:200], status, content)
    assert headers["content-type"] == "application/json" and int(headers["content-length"]) == len(content)
    answer = json.loads(content)
    if status == 200:
        request = json.loads(body)
        assert len(answer["result"]) == len(request["queries"])
        most = int(request.get("topk") or LIMITS.topk)
        for query, hits in zip(request["queries"], answer["result"], strict=True):
            assert len(hits) <= most
            if query == "ada wrote":
                assert len(hits) == min(most, 50)
    else:
        assert isinstance(answer["detail"], str) and "\n" not in answer["detail"]


def test_ten_thousand_requests_get_one_reply_each(running):
    sent = []
    expected = hits_of(running)
    before = sum(running.requests().values())

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(bodies=st.lists(BODY, min_size=TOGETHER, max_size=TOGETHER))
    def ask(bodies):
        sent.append(len(bodies))
        for body, reply in zip(bodies, replies(running, bodies), strict=True):
            check(body, *reply)

    ask()
    assert sum(sent) >= EXAMPLES * TOGETHER
    outcomes = running.requests()
    assert sum(outcomes.values()) - before == sum(sent)
    assert {"ok", "malformed", "too_large"} == set(outcomes)
    assert hits_of(running) == expected


def garbage(rng):
    """Bytes that are not, or not quite, HTTP."""
    body = json.dumps({"queries": ["ada wrote"]})
    head = "POST /retrieve HTTP/1.1\r\nhost: x\r\n"
    return rng.choice(
        [
            rng.randbytes(rng.randint(1, 300)),
            b"\x16\x03\x01\x02\x00\x01\x00" + rng.randbytes(100),  # TLS
            b"GET / HTTP/9.9\r\n\r\n",
            b"BREW /retrieve HTTP/1.1\r\nhost: x\r\n\r\n",
            b"POST " + b"/x" * rng.randint(1, 9000) + b" HTTP/1.1\r\nhost: x\r\n\r\n",
            f"{head}content-length: -1\r\n\r\n{body}".encode(),
            f"{head}content-length: many\r\n\r\n{body}".encode(),
            f"{head}content-length: {len(body) + 50}\r\n\r\n{body}".encode(),  # and then nothing more
            f"{head}content-length: 5\r\ncontent-length: 6\r\n\r\n{body}".encode(),
            f"{head}transfer-encoding: chunked\r\n\r\nzz\r\n{body}".encode(),
            f"{head}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{body}".encode(),
            f"{head}transfer-encoding: chunked\r\n\r\n5\r\n{body}".encode(),
            f"{head}{'x: y' * 20000}\r\n\r\n".encode(),
            (head + "\r\n" * 3).encode(),
            head[: rng.randint(1, len(head))].encode(),
        ]
    )


def test_what_is_no_http_gets_a_refusal_or_a_closed_connection(running):
    rng = random.Random(6)
    expected = hits_of(running)
    for _ in range(300):
        sent = garbage(rng)
        with socket.create_connection(("127.0.0.1", running.port), timeout=60) as connection:
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)  # nothing more comes
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            except ConnectionError:
                continue
            assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), (sent[:200], answer[:200])
    assert hits_of(running) == expected


def test_a_body_beyond_the_limit_is_not_read_to_its_end(running):
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as connection:
        connection.sendall(b"POST /retrieve HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
        chunk = b" " * 2**20
        try:
            for _ in range(64):
                connection.sendall(chunk)
        except ConnectionError:  # it has stopped listening
            pass
        else:
            assert connection.recv(4096).startswith(b"HTTP/1.1 413")
    assert hits_of(running)
