"""The outermost layer: request ids, body size, slashes of the older contract, headers, counting; knows no route.

Pure ASGI, so that a body is counted as it arrives and is never held whole to find out that it is too long.
"""

import re
import time
import uuid
from http import HTTPStatus
from urllib.parse import quote

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.api import problems
from reconciler.api.problems import ApiError
from reconciler.telemetry.metrics import Metrics

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
DRAINED_BYTES_MAX = 32 * 1024 * 1024
"""A spec of several megabytes gets its answer; who sends more than this is cut off."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers send `Origin: null` with our own forms
}

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("reconciler.api")


class Front:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, metrics: Metrics, body_bytes_max: int) -> None:
        """Wrap `app`."""
        self._app = app
        self._metrics = metrics
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        state = scope.setdefault("state", {})
        state["request_id"] = _request_id(scope)
        seen = {"status": int(HTTPStatus.INTERNAL_SERVER_ERROR)}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = int(message["status"])
                _add_headers(message, scope, state["request_id"])
            await send(message)

        try:
            await self._serve(scope, receive, sending)
        finally:
            self._record(scope, seen["status"], time.perf_counter() - started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _lacks_slash(scope):
            query = scope["query_string"].decode("latin-1")
            location = quote(scope["path"]) + "/" + (f"?{query}" if query else "")
            start = {"type": "http.response.start", "status": 301, "headers": [(b"location", location.encode())]}
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > self._body_bytes_max:
            await _drain(receive)
            await problems.respond(Request(scope, receive), self._too_long())(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        read = 0

        async def counting() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._body_bytes_max:
                if message.get("more_body"):
                    await _drain(receive)
                raise self._too_long()
            return message

        return counting

    def _too_long(self) -> ApiError:
        return ApiError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The body is longer than {self._body_bytes_max} bytes, the longest that is read; send less.",
            headers={"Connection": "close"},
        )

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.http_requests.labels(method, route, str(status)).inc()
        self._metrics.http_seconds.labels(method).observe(seconds)
        caller = scope["state"].get("caller")
        quiet = method in ("GET", "HEAD") and status < HTTPStatus.BAD_REQUEST
        (_log.debug if quiet else _log.info)(
            "http_request",
            method=method,
            path=scope["path"],
            status=status,
            milliseconds=round(seconds * 1000, 1),
            caller=caller.key.name if caller else None,
            request_id=scope["state"]["request_id"],
        )


async def _drain(receive: Receive) -> None:
    """Read on and throw away: a client that is still sending sees a reset connection, not the answer."""
    read = 0
    while read < DRAINED_BYTES_MAX:
        message = await receive()
        read += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


def _request_id(scope: Scope) -> str:
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _lacks_slash(scope: Scope) -> bool:
    """Say whether this is a GET of the older contract without its slash: Django's APPEND_SLASH sends it on."""
    path: str = scope["path"]
    return scope["method"] in ("GET", "HEAD") and path.startswith("/api/") and not path.endswith("/")


def _add_headers(message: Message, scope: Scope, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-Id"] = request_id
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if not scope["path"].startswith(("/docs", "/openapi.json", "/console/style.css")):
        headers.setdefault("Cache-Control", "no-store")
