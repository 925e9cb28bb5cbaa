"""Serves a simulated world over HTTP: the API, its control plane and the tenants' own addresses.

It also does to connections what faults ask for: hold them, drop them, cut them in the middle of a body.
"""

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reconciler.simulator import api, control, delivery, tenants
from reconciler.simulator.assembly import make_api
from reconciler.simulator.config import SimulatorConfig
from reconciler.simulator.faults import Rule
from reconciler.simulator.wire import NO_CONTENT, Json

LOGGER = logging.getLogger(__name__)
COLLECT_AFTER = (20_000, 20, 20)
"""When the cycle collector runs: rarely, for answers are made of small objects without cycles."""
TRANSPORT = "simulator.transport"
TICK_REAL_S = 0.05
SAVE_EVERY_TICKS = 4
HOLD_REAL_S = 30.0
HOLD_LOOK_REAL_S = 0.01
SLOWEST_BYTES_PER_S = 0.001
STOP_REAL_S = 1
BACKLOG = 512
LOOPBACK = ("127.", "::1", "testclient")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Protocol(HttpToolsProtocol):
    """HTTP that lets the application reach its connection, to break it."""

    def on_message_begin(self) -> None:
        """Hand the connection on with the request."""
        super().on_message_begin()
        extended: MutableMapping[str, Any] = self.scope  # type: ignore[assignment]
        extended[TRANSPORT] = self.transport


class App:
    """The ASGI application of a simulator."""

    def __init__(self, config: SimulatorConfig) -> None:
        """Make or continue a world and serve it."""
        self.api = make_api(config)
        self.world = self.api.world
        self.control = control.Control(self.api)
        self.courier = delivery.Courier(self.world)
        self._ticker: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._ticker = asyncio.create_task(self._tick())
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _stop(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        await self.courier.stop()
        self.close()

    def close(self) -> None:
        """Write everything down and close the state file."""
        self.world.flush()
        self.world.save_clock(final=True)
        if self.world.store is not None:
            self.world.store.close()
            self.world.store = None

    async def _tick(self) -> None:
        """Let due things happen and webhooks go out when nobody calls; keep the saved time fresh."""
        ticks = 0
        while True:
            await asyncio.sleep(TICK_REAL_S)
            ticks += 1
            try:
                self.world.settle()
                self.courier.send_due()
                self.world.flush()
                if ticks % SAVE_EVERY_TICKS == 0 and not self.world.clock.frozen:
                    self.world.save_clock()
            except Exception:
                # One bad step must not stop time for the rest; it is reported and tried again.
                LOGGER.exception("tick failed")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0].lower()
        # As it was sent: an escaped slash in a name must not become one of the path's own.
        path: str = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        if tenants.concerns(self.world, host):
            self.world.settle()
            await _send_json(send, *tenants.answer(self.world, host))
        elif path.startswith("/_sim"):
            await self._serve_control(scope, receive, send)
        elif path.startswith(api.PREFIX + "/"):
            request = api.Request(
                scope["method"], path, scope["query_string"].decode("latin-1"), headers, await _body(receive)
            )
            late = self.api.late(request)
            if late is not None:
                await self._hold_back(late)
            await self._deliver(self.api.handle(request), scope, receive, send)
        else:
            await _send_json(send, 404, {"message": f"not found: {path}"})

    async def _serve_control(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is not None and not str(client[0]).startswith(LOOPBACK):
            await _send_json(send, 403, {"message": "the control plane answers to this machine only"})
            return
        query = scope["query_string"].decode("latin-1")
        status, shown = self.control.handle(scope["method"], scope["path"], query, await _body(receive))
        await _send_json(send, status, shown)

    async def _deliver(self, answer: api.Answer, scope: Scope, receive: Receive, send: Send) -> None:
        await self._delay(answer.rule("latency"))
        held = answer.rule("timeout_before") or answer.rule("timeout_after")
        if held is not None:
            await asyncio.sleep(held.number("hold_s", HOLD_REAL_S))
            await _cut(scope, receive, reset=False)
            return
        headers = answer.headers
        if answer.status != NO_CONTENT:
            headers = [*headers, (b"content-length", str(len(answer.body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        slow = answer.rule("slow_body")
        if slow is not None:
            await _drip(answer.body, slow.number("bytes_per_s", 1.0), receive, send)
            return
        if answer.rule("reset") is not None:
            half = answer.body[: len(answer.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await _cut(scope, receive, reset=True)
            return
        await send({"type": "http.response.body", "body": answer.body})

    async def _hold_back(self, rule: Rule) -> None:
        """Make a call wait before it is looked at; a frozen clock is not stepped, others move it."""
        await asyncio.sleep(rule.number("latency_s", 0.0))
        until_ns = self.world.in_s(rule.number("sim_latency_s", 0.0))
        while self.world.now_ns() < until_ns:  # noqa: ASYNC110 - time itself raises no event
            await asyncio.sleep(HOLD_LOOK_REAL_S)

    async def _delay(self, rule: Rule | None) -> None:
        """Make an answer wait, in real seconds or until the simulated clock has moved."""
        if rule is None:
            return
        await asyncio.sleep(rule.number("latency_s", 0.0))
        simulated = rule.number("sim_latency_s", 0.0)
        if simulated and self.world.clock.frozen:
            self.world.clock.step(simulated)
        elif simulated:
            await asyncio.sleep(simulated / self.world.clock.speed)


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def _send_json(send: Send, status: int, shown: Json | list[Json]) -> None:
    body = json.dumps(shown).encode() + b"\n"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _drip(body: bytes, bytes_per_s: float, receive: Receive, send: Send) -> None:
    """Send a body byte by byte, until its end or until the other side has had enough."""
    left = asyncio.ensure_future(receive())  # the request was read: all that can come is the end of the connection
    try:
        for at in range(len(body)):
            await send({"type": "http.response.body", "body": body[at : at + 1], "more_body": True})
            done, _ = await asyncio.wait({left}, timeout=1.0 / max(bytes_per_s, SLOWEST_BYTES_PER_S))
            if done:
                return
        await send({"type": "http.response.body", "body": b""})
    finally:
        left.cancel()


async def _cut(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """Close the connection without a (whole) answer; a reset is heard as such by the other side."""
    transport = scope.get(TRANSPORT)
    if transport is None:
        raise ConnectionAbortedError("connection cut by a fault rule")
    if reset:
        await asyncio.sleep(0.01)  # lets the half body leave before the connection breaks
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await receive()


def build_app(config: SimulatorConfig) -> App:
    """Make the ASGI application of a simulator."""
    return App(config)


class Server(uvicorn.Server):
    """A server that ends quietly on a signal, and on the end of its standard input if that is wanted."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGTERM and SIGINT, and end well: the signal is not raised again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        originals = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in originals.items():
                signal.signal(number, handler)

    def watch_parent(self) -> None:
        """End when the process that holds the other end of standard input is gone."""

        def wait() -> None:
            while os.read(sys.stdin.fileno(), 4_096):
                pass
            self.should_exit = True

        threading.Thread(target=wait, name="parent-watch", daemon=True).start()


def make_server(app: App, config: SimulatorConfig) -> Server:
    """Make the server of an application; `run` of it blocks until `should_exit` is set."""
    options = uvicorn.Config(
        app, host=config.host, port=config.port, http=Protocol, ws="none", lifespan="on", access_log=False,
        log_level="warning", date_header=False, server_header=False, backlog=BACKLOG,
        timeout_graceful_shutdown=STOP_REAL_S, timeout_keep_alive=75,
    )  # fmt: skip
    return Server(options)


def listen(config: SimulatorConfig) -> socket.socket:
    """Take the address to serve on; OSError says that it cannot be had."""
    family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((config.host, config.port), family=family, backlog=BACKLOG)


def serve(config: SimulatorConfig, listener: socket.socket) -> None:
    """Serve until a signal comes, or the parent goes if that is wanted."""
    server = make_server(build_app(config), config)
    gc.freeze()  # a workspace of thousands of objects stays: a full collection through it would stall every answer
    gc.set_threshold(*COLLECT_AFTER)
    if config.exit_with_parent:
        server.watch_parent()
    server.run(sockets=[listener])
