"""Carries one HTTP request to its end, whoever still waits for it; it knows neither Render nor retries.

The only module that imports httpx. Cancellation is dangerous there: a request that is cancelled can leave its
connection in the pool for ever, and nobody learns whether a write happened. So every request is a task of this
transport, callers wait through a shield, and only httpx's own timeouts end it.
"""

import asyncio
import importlib.util
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpx

from reconciler import __name__ as PRODUCT

Query = Mapping[str, str]
WEDGED_AFTER = 3
"""Pool timeouts in a row after which the pool counts as wedged and is replaced."""
KEEPALIVE_S = 3.0
"""Idle connections are dropped before the other side does it (many servers: after 5 s): a write that meets a
connection just being closed would be one whose outcome nobody knows."""
if importlib.util.find_spec("sniffio") is None:
    # httpcore imports it with every request; where it is not installed, each time along the whole import path.
    sys.modules["sniffio"] = None  # type: ignore[assignment]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Real seconds. `read_s` bounds each silence of the server, `total_s` the whole answer."""

    connect_s: float = 10.0
    read_s: float = 15.0
    pool_s: float = 15.0
    total_s: float = 60.0
    latest_s: float | None = None
    """If its first byte cannot leave by then (the event loop's time), for this process slept, it is not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. Headers are lower-case; a repeated header is joined with commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float
    sent_at: float
    """Machine time (epoch seconds) when the request left; the answer was complete `seconds` later."""


class _Late(Exception):
    """The first byte would leave too late."""


class TransportError(Exception):
    """No complete answer; `sent` says whether bytes of the request may have reached the server.

    The message is a phrase of ours: httpx's own can hold headers and bodies.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        """Keep whether anything may have been sent."""
        self.sent = sent
        super().__init__(message)


NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    _Late,
)


def _extensions(server_name: str, latest_s: float | None) -> dict[str, object]:
    """Say below httpx what it has no words for: the TLS name, and until when the first byte may leave."""
    chosen: dict[str, object] = {"sni_hostname": server_name} if server_name else {}
    if latest_s is None:
        return chosen
    loop = asyncio.get_running_loop()

    async def begins(event: str, _: object) -> None:
        if event.endswith("send_request_headers.started") and loop.time() > latest_s:
            raise _Late

    return chosen | {"trace": begins}


class Transport:
    """An HTTP client of one kind of peer. Close it once; a request after that fails as not sent."""

    def __init__(
        self, *, max_connections: int = 20, body_max_bytes: int = 64 * 1024 * 1024, peer: str = "the server"
    ) -> None:
        """Prepare; connections are opened when they are needed. `peer` names the other side in messages."""
        self._max_connections = max_connections
        self._body_max_bytes = body_max_bytes
        self._peer = peer
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._retired: set[asyncio.Task[None]] = set()
        self._pool_timeouts = 0
        self._closed = False
        self.rebuilds = 0
        """How often a wedged pool was replaced."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        timeouts: Timeouts,
        query: Query | None = None,
        headers: Query | None = None,
        body: bytes | None = None,
        read_body: bool = True,
        server_name: str = "",
    ) -> Answer:
        """Send one request and wait for the whole answer, following no redirect.

        A cancelled caller leaves; the request goes on to its end. `server_name` is the TLS name where the URL
        holds an address. Raises TransportError.
        """
        if self._closed:
            raise TransportError("the client is closed: the process is stopping", sent=False)
        try:
            client = self._client(url)
            request = client.build_request(
                method,
                url,
                params=dict(query) if query else None,
                headers=dict(headers or {}),
                content=body,
                timeout=httpx.Timeout(timeouts.read_s, connect=timeouts.connect_s, pool=timeouts.pool_s),
                extensions=_extensions(server_name, timeouts.latest_s),
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise TransportError(f"{self._peer} cannot be asked: bad address", sent=False) from error
        task = asyncio.create_task(self._carry(client, request, timeouts, read_body), name=f"{method} {url}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def close(self, grace_s: float = 30.0) -> None:
        """Let requests on the wire end (at most `grace_s` real seconds), then close every connection."""
        self._closed = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        leftover = [*self._tasks, *self._retired]
        for task in leftover:
            task.cancel()
        await asyncio.gather(*leftover, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _client(self, url: str) -> httpx.AsyncClient:
        """Answer the client for a URL: proxies of the environment never stand between us and our own machine."""
        parts = urlsplit(url)
        if parts.port == 0:  # reading the port refuses what is none, which httpx would meet too late
            raise ValueError("no port")
        local = parts.hostname in LOOPBACK
        client = self._clients.get(local)
        if client is None:
            client = self._clients[local] = httpx.AsyncClient(
                limits=httpx.Limits(
                    max_connections=self._max_connections,
                    max_keepalive_connections=self._max_connections,
                    keepalive_expiry=KEEPALIVE_S,
                ),
                headers={"user-agent": PRODUCT},
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # no server may mark us
                follow_redirects=False,
                trust_env=not local,
            )
        return client

    def _done(self, task: asyncio.Task[Answer]) -> None:
        """Forget a finished request; its error belongs to the caller, or to nobody if that one has left."""
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    async def _carry(
        self, client: httpx.AsyncClient, request: httpx.Request, timeouts: Timeouts, read_body: bool
    ) -> Answer:
        started, sent_at = time.monotonic(), time.time()
        failure: TransportError
        try:
            response = await client.send(request, stream=True)
            try:
                body = await self._read(response, started + timeouts.total_s) if read_body else b""
            finally:
                await response.aclose()
        except Exception as error:  # below httpx others raise too; whatever it is, bytes may have left
            failure = self._explain(client, error, time.monotonic() - started)
        else:
            self._pool_timeouts = 0
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(
                status=response.status_code,
                headers=headers,
                body=body,
                seconds=time.monotonic() - started,
                sent_at=sent_at,
            )
        raise failure  # outside of the handler: httpx's error holds the request with its headers

    async def _read(self, response: httpx.Response, deadline: float) -> bytes:
        """Collect the body; a server that drips or floods is cut off between two pieces, never in one."""
        pieces: list[bytes] = []
        size = 0
        chunks: AsyncIterator[bytes] = response.aiter_bytes()
        async for chunk in chunks:
            pieces.append(chunk)
            size += len(chunk)
            if size > self._body_max_bytes:
                raise httpx.ReadError(f"answer longer than {self._body_max_bytes} bytes")
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("answer not complete in time")
        return b"".join(pieces)

    def _explain(self, client: httpx.AsyncClient, error: Exception, seconds: float) -> TransportError:
        sent = not isinstance(error, NOTHING_SENT)
        if isinstance(error, httpx.PoolTimeout):
            self._pool_timeouts += 1
            if self._pool_timeouts >= WEDGED_AFTER:
                self._replace(client)
            return TransportError(f"no free connection to {self._peer} for {seconds:.0f} s", sent=False)
        self._pool_timeouts = 0
        if isinstance(error, _Late):
            return TransportError(f"{self._peer} was not asked: too late after {seconds:.0f} s", sent=False)
        what = type(error).__name__
        if isinstance(error, httpx.TimeoutException):
            return TransportError(f"{self._peer} did not answer within {seconds:.0f} s ({what})", sent=sent)
        if not sent:
            return TransportError(f"{self._peer} cannot be reached ({what})", sent=False)
        return TransportError(
            f"the connection to {self._peer} broke before its answer was complete ({what})", sent=True
        )

    def _replace(self, client: httpx.AsyncClient) -> None:
        """Put a fresh pool in place of a wedged one; requests still on the old one may end first."""
        self._pool_timeouts = 0
        for local, current in list(self._clients.items()):
            if current is client:
                del self._clients[local]
                self.rebuilds += 1
                task = asyncio.create_task(self._retire(client, set(self._tasks)))
                self._retired.add(task)
                task.add_done_callback(self._retired.discard)

    async def _retire(self, client: httpx.AsyncClient, running: set[asyncio.Task[Answer]]) -> None:
        if running:
            await asyncio.wait(running, timeout=Timeouts().total_s)
        await client.aclose()
