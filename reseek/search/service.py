"""The search service as a process: `reseek corpus serve INDEX`. `reseek.search.app` answers its requests.

Invariant: when the service is ended (SIGTERM, Ctrl-C) it accepts nothing new and answers every request it has accepted:
those of connections that only the kernel has accepted so far, too. A bad index or a port in use ends it with one line
before it serves anything.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from reseek.errors import InputError, SearchFailed
from reseek.search.app import make_app
from reseek.search.connections import Connection, Room, accept_all, most_connections
from reseek.search.facts import facts_of
from reseek.search.limits import Limits
from reseek.search.open_index import IndexSearch, open_index
from reseek.services.bearer import token_of

_BACKLOG = 2048
# Longer than clients keep an idle connection, so that never the server closes one that a client is about to use.
_KEEP_ALIVE_S = 75
# At the end: a client that has just connected gets this long to send its request.
_LINGER_S = 0.5
_LONGEST_LINGER_S = 3.0
_DEFAULT = Limits()


class _Server(uvicorn.Server):
    """uvicorn's server, except that a signal ends it without failure (uvicorn would raise the signal again at the end)
    and without a reset connection. A signal that the process was started to ignore (`nohup`, a background job) remains
    ignored."""

    def __init__(self, config: uvicorn.Config, room: Room) -> None:
        super().__init__(config)
        self.room = room

    @property
    def interrupted(self) -> bool:
        return signal.SIGINT in self._captured_signals

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        signals = [sign for sign in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(sign) != signal.SIG_IGN]
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.room.ending = True
        loop = asyncio.get_running_loop()
        taken = [one for listening in sockets or [] for one in accept_all(listening)]
        for server in self.servers:
            server.close()
        for one in taken:
            await loop.connect_accepted_socket(self._connection, one)
        for connection in self.room.everybody:
            if connection.busy:
                connection.cycle.keep_alive = False
        ends = loop.time() + _LONGEST_LINGER_S
        await asyncio.sleep(_LINGER_S if self.room.waiting else 0.0)
        while not self.room.quiet() and loop.time() < ends:
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)

    def _connection(self) -> asyncio.Protocol:
        state = self.lifespan.state
        return self.config.http_protocol_class(config=self.config, server_state=self.server_state, app_state=state)  # type: ignore[call-arg]


def serve(
    search: IndexSearch,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits = _DEFAULT,
    token: str | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; port 0 takes a free one. Prints a line with the address when the index answers,
    and one on who may ask. `token` is asked of every client; None: of none.

    Raises InputError if the address can't be used, SearchFailed if the index does not answer, KeyboardInterrupt for a
    SIGINT before it has answered.
    """
    with _listen(host, port) as listening:
        corpus = facts_of(search.manifest).model_dump(exclude_none=True)
        app = make_app(search, corpus=corpus, limits=limits, at_once=search.calls_at_once, token=token)
        room = Room(most_connections(), request_s=2 * limits.timeout_s + 30)
        config = uvicorn.Config(
            app,
            http=partial(Connection, room),  # type: ignore[arg-type]  # uvicorn calls it as it calls a class
            ws="none",
            backlog=_BACKLOG,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=int(limits.timeout_s) + 1,
        )
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:  # uvloop if installed
            server = _Server(config, room)
            served = runner.run(_serve(search, listening, app, server, _who_may_ask(token)))
        if server.interrupted and not served:
            raise KeyboardInterrupt


def _who_may_ask(token: str | None) -> str:
    if token is None:
        return "no authentication: whoever reaches this address can search (--token asks clients for a token)"
    return "clients must send the token: Authorization: Bearer ..."


async def _serve(
    search: IndexSearch, listening: socket.socket, app: FastAPI, server: _Server, who_may_ask: str
) -> bool:
    """Returns whether the index has answered before the end."""
    served = False
    serving = asyncio.get_running_loop().create_task(server.serve(sockets=[listening]))
    try:
        await app.state.desk.warm_up()  # until then /healthz says 503
        while not (server.started or serving.done()):
            await asyncio.sleep(0.01)
        if not server.should_exit:
            host, port = listening.getsockname()[:2]
            host = f"[{host}]" if ":" in host else host
            print(f"http://{host}:{port} serves {search.manifest.passages:,} passages\n{who_may_ask}", flush=True)
            served = True
    except SearchFailed:
        server.should_exit = True
        raise
    finally:
        await serving
    return served


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # asyncio sets TCP_NODELAY only if the protocol is named: otherwise a reply waits 40 ms for the previous one.
        listening = socket.socket(family, kind, protocol or socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise InputError(
            f"{host}:{port}: can't listen on this address ({error.strerror}); choose another --port"
        ) from None
    return listening


def serve_index(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="the folder that `reseek corpus build` made")],
    host: Annotated[str, typer.Option(help="the address to listen on; 0.0.0.0: all of this machine")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one")] = 8000,
    topk: Annotated[int, typer.Option(min=1, help="passages per query unless a request says")] = _DEFAULT.topk,
    threads: Annotated[int | None, typer.Option(min=1, help="threads of the search engine; default: its own")] = None,
    device: Annotated[str, typer.Option(help="where a dense index's encoder runs: cpu, cuda, cuda:1")] = "cpu",
    encoder: Annotated[
        str | None, typer.Option(help="path of a dense index's encoder here (default: as in its manifest)")
    ] = None,
    most_waiting: Annotated[
        int, typer.Option(min=1, help="queries that may wait; a request beyond that gets 503 and Retry-After")
    ] = _DEFAULT.most_waiting,
    token: Annotated[
        str | None,
        typer.Option(metavar="VARIABLE", help="environment variable with a token that clients must send"),
    ] = None,
) -> None:
    """Serve a corpus to other machines over HTTP.

    One machine needs no service: search runs in the process that runs the episodes. Several machines share one, or
    several replicas of one:

        reseek corpus serve indexes/wiki --host 0.0.0.0 --port 8000

        reseek train search=http 'search.urls=[http://node1:8000,http://node2:8000]' ...

    It has no authentication unless --token names the environment variable of a bearer token: then clients need
    search.token=VARIABLE. It speaks no TLS: put a proxy before it on a network that you don't trust.

    It speaks Search-R1's protocol, so a Search-R1 loop can ask it (retriever.url="http://node1:8000/retrieve"):

        curl localhost:8000/retrieve -H 'content-type: application/json' \\
             -d '{"queries": ["who wrote Hamlet"], "topk": 3, "return_scores": true}'

    GET /healthz answers 200 when the index does, /metrics is for Prometheus, /docs describes all of it. SIGTERM ends
    the service after it has answered every request it has accepted. RESEEK_JVM_HEAP sets Java's memory (2g by default).
    """
    most_queries = min(_DEFAULT.most_queries, most_waiting)
    limits = Limits(topk=topk, most_waiting=most_waiting, most_queries=most_queries)
    asked_for = None if token is None else token_of(token, "--token")
    search = open_index(index, device=device, encoder=encoder, threads=threads)
    serve(search, host=host, port=port, limits=limits, token=asked_for)
