"""Connections that send nothing take nobody's place, and at the end no accepted request goes without its reply."""

import asyncio
import socket

import pytest

from reseek.search.connections import Room, most_connections
from tests.support import serving

pytestmark = pytest.mark.integration

ASKED = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def app(scope, receive, send):
    """Replies after as many milliseconds as the path says."""
    assert scope["type"] == "http"
    await asyncio.sleep(float(scope["path"].strip("/") or 0) / 1000)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def served(room: Room):
    return serving.served(app, room)


async def opened(address, sent: bytes = b""):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    return reader, writer


async def asked(address, path: int = 0) -> bytes:
    """The reply to one request on a connection of its own."""
    reader, writer = await opened(address, ASKED.replace(b"/", b"/%d" % path, 1))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        return head.split()[1] + b" " + await reader.readexactly(2)
    finally:
        writer.close()


async def ended(reader) -> bytes:
    """What still comes before the server closes."""
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""


@pytest.mark.parametrize("sent", [b"", b"POST /retr", ASKED[:-2]])
def test_a_header_that_is_not_sent_to_its_end_in_time_closes_its_connection(sent):
    async def tried():
        async with served(Room(8, header_s=0.1)) as (_, address):
            reader, _writer = await opened(address, sent)
            assert await ended(reader) == b""
            assert await asked(address) == b"200 ok"

    asyncio.run(tried())


def test_nor_does_the_header_after_a_reply():
    async def tried():
        async with served(Room(8, header_s=0.1)) as (_, address):
            reader, writer = await opened(address, ASKED)
            await reader.readuntil(b"ok")
            await asyncio.sleep(0.3)  # an idle connection is kept
            writer.write(ASKED)
            await reader.readuntil(b"ok")
            writer.write(b"GET /")
            assert await ended(reader) == b""

    asyncio.run(tried())


def test_connections_without_a_request_make_room_for_those_with_one():
    async def tried():
        room = Room(6, header_s=60)
        async with served(room) as (_, address):
            held = [await opened(address, b"POST /retr") for _ in range(20)]
            assert await asyncio.gather(*(asked(address, 50) for _ in range(5))) == [b"200 ok"] * 5
            assert len(room.everybody) <= 6
            assert await ended(held[0][0]) == b""

    asyncio.run(tried())


def test_where_every_connection_is_being_answered_the_next_is_told_to_come_again():
    async def tried():
        async with served(Room(3)) as (_, address):
            busy = [asyncio.create_task(asked(address, 1500)) for _ in range(3)]
            await asyncio.sleep(0.1)
            reader, _writer = await opened(address)
            assert (await ended(reader)).startswith(b"HTTP/1.1 503 ")
            assert await asyncio.gather(*busy) == [b"200 ok"] * 3

    asyncio.run(tried())


def test_a_reply_that_takes_too_long_is_given_up():
    async def tried():
        async with served(Room(8, request_s=0.1)) as (_, address):
            reader, _writer = await opened(address, ASKED.replace(b"/", b"/600", 1))
            assert await ended(reader) == b""

    asyncio.run(tried())


def test_at_the_end_every_connection_that_was_accepted_gets_its_reply():
    """Also those that only the kernel has accepted, and a request that comes a moment later."""

    async def tried():
        async with served(Room(200)) as (server, address):
            idle_reader, idle = await opened(address, ASKED)
            await idle_reader.readuntil(b"ok")
            late_reader, late = await opened(address)
            under_way = [asyncio.create_task(asked(address, 100)) for _ in range(10)]
            await asyncio.sleep(0.05)
            unseen = [socket.create_connection(address) for _ in range(40)]  # this loop has not run since
            for one in unseen:
                one.sendall(ASKED)
            ending = asyncio.create_task(server.shutdown([server.servers[0].sockets[0]._sock]))
            await asyncio.sleep(0.02)
            late.write(ASKED)
            idle.write(ASKED)
            assert await asyncio.gather(*under_way) == [b"200 ok"] * 10
            assert (await ended(late_reader)).endswith(b"ok") and (await ended(idle_reader)).endswith(b"ok")
            await ending
            server.started = False  # it has shut down
            for one in unseen:
                with one:
                    assert one.recv(4096).startswith(b"HTTP/1.1 200 ")

    asyncio.run(tried())


@pytest.mark.parametrize(("files", "most"), [(256, 128), (1024, 512), (10**6, 4096), (4, 8)])
def test_connections_leave_half_of_the_files_to_the_index(files, most):
    assert most_connections(files) == most
