"""Makes authenticated calls to Render's API: gates, limits, errors and repeated reads; it knows no resources.

A read is repeated up to three times, with jitter, when it got no answer or a 5xx; every try asks the gate anew, so
that repeating cannot break a rate limit. A write is sent once: whether to repeat it is the engine's decision.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote, urlsplit

import tenacity
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from reconciler.core.errors import Invalid, Problem, Refused, Unavailable, shown
from reconciler.core.kinds import Bucket
from reconciler.core.values import Json, Sensitive
from reconciler.ports import Clock, Limits
from reconciler.render import failures, limits
from reconciler.render.clock import RenderClock
from reconciler.render.transport import Answer, Query, Timeouts, Transport, TransportError

M = TypeVar("M", bound=BaseModel)
PROBLEMS_SHOWN = 3
UNREAD = object()


_LATEST_S: ContextVar[float | None] = ContextVar("latest_s", default=None)


@contextmanager
def leaving_by(latest_s: float | None) -> Iterator[None]:
    """Let writes leave by then (the event loop's time) or not at all, whatever is read before them."""
    token = _LATEST_S.set(latest_s)
    try:
        yield
    finally:
        _LATEST_S.reset(token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How Render's API is reached. All times are real seconds; longer for writes, whose outcome should be known."""

    base_url: str = "https://api.render.com/v1"
    write_timeout_s: float = 30.0
    read_timeout_s: float = 15.0
    connect_timeout_s: float = 10.0
    write_start_s: float = 2.0
    """A write whose first byte leaves later is not sent: it was granted for now."""
    probe_timeout_s: float = 10.0
    read_tries: int = 3
    read_deadline_s: float = 60.0
    """No new try of a read begins after this."""
    retry_wait_s: float = 0.5
    """First upper bound of the random wait between tries; doubles."""
    max_connections: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What others want to know or decide about calls.

    `read_gate` is awaited before every GET, retries too, and may wait or raise Throttled. `learned(bucket, live_id,
    limits)` and `on_request(method, path template, status or 0, seconds)` are called soon after every answer, in
    the loop, never in the way of the reply: an exception in them goes to the loop's exception handler.
    """

    read_gate: Callable[[], Awaitable[None]] | None = None
    learned: Callable[[Bucket, str, Limits], None] | None = None
    on_request: Callable[[str, str, int, float], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A 2xx answer, and how to read it; reading raises Unknown after a write and Unavailable after a read."""

    method: str
    what: str
    answer: Answer
    limits: Limits | None
    body: object = UNREAD
    """The body as JSON, once it was read."""

    @property
    def request_id(self) -> str:
        """Render's own id of the request."""
        return failures.request_id(self.answer)

    def json(self) -> object:
        """Read the body as JSON."""
        if self.body is not UNREAD:
            return self.body
        with suppress(ValueError):
            return from_json(self.answer.body)
        try:  # what the fast reader refuses, halves of surrogate pairs among it, may still be JSON
            return json.loads(self.answer.body)
        except (ValueError, RecursionError) as error:
            # no part of the body: it may hold secrets
            why = f"not JSON at byte {error.pos}" if isinstance(error, json.JSONDecodeError) else "not JSON"
        raise failures.unreadable(self.answer, self.method, self.what, why)

    def parse(self, model: type[M]) -> M:
        """Read the body as one object."""
        return self._validate(model, self.json())

    def items(self, model: type[M], key: str = "") -> list[tuple[M, str]]:
        """Read the body as a list of objects with their cursors; a change may answer null for an empty list.

        A read may not: no empty list was ever seen to be null, and what a list lacks is held to be absent.
        With a key each object is wrapped as {key: ..., "cursor": ...}; without, the list is bare (Render API 1.3).
        """
        body = self.json()
        if body is None and failures.is_write(self.method):
            return []
        if not isinstance(body, list):
            raise failures.unreadable(self.answer, self.method, self.what, "a list was expected")
        read: list[tuple[M, str]] = []
        for at, item in enumerate(body):
            inner = item.get(key) if key and isinstance(item, dict) else item
            cursor = item.get("cursor") if key and isinstance(item, dict) else ""
            read.append((self._validate(model, inner, at), cursor if isinstance(cursor, str) else ""))
        return read

    def _validate(self, model: type[M], body: object, at: int | None = None) -> M:
        try:
            return model.model_validate(body)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            prefix = [] if at is None else [f"[{at}]"]
            why = "; ".join(
                f"{'.'.join([*prefix, *(str(part) for part in problem['loc'])]) or 'body'}: {problem['type']}"
                for problem in found[:PROBLEMS_SHOWN]
            )
        raise failures.unreadable(self.answer, self.method, self.what, why)


def path(*segments: str) -> str:
    """Join segments to a path, each quoted; Refused when one could change which path it is."""
    for segment in segments:
        if segment in {"", ".", ".."}:
            raise Refused(f"cannot address {'/'.join(map(shown, segments))} at Render: a name or id in it is unusable")
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def template(of: str) -> str:
    """Answer a path with `{id}` and `{name}` for what differs between objects: every second segment."""
    parts = of.strip("/").split("/")
    names = {1: "{id}"}
    return "/" + "/".join(names.get(at, "{name}") if at % 2 else part for at, part in enumerate(parts))


class Calls:
    """The calls of one API key."""

    def __init__(
        self, settings: Settings, api_key: Sensitive, clock: Clock, hooks: Hooks, transport: Transport
    ) -> None:
        """Check key and address; Invalid when they cannot be sent at all."""
        key = api_key.reveal()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise Invalid([Problem(path="RENDER_API_KEY", message="is empty or not one line of plain characters")])
        if urlsplit(settings.base_url).scheme not in {"http", "https"} or not urlsplit(settings.base_url).hostname:
            wrong = Problem(path="RENDER_API_URL", message="is not an http(s) URL", value=shown(settings.base_url))
            raise Invalid([wrong])
        self._settings = settings
        self._base = settings.base_url.rstrip("/")
        self._key = key
        self._clock = clock
        self._hooks = hooks
        self._transport = transport

    async def read(self, where: str, query: Query | None = None) -> Result:
        """GET, tried again on silence and 5xx."""
        result: Result | None = None
        settings = self._settings
        async for attempt in tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(settings.read_tries) | tenacity.stop_after_delay(settings.read_deadline_s),
            wait=tenacity.wait_random_exponential(multiplier=settings.retry_wait_s, max=5 * settings.retry_wait_s),
            retry=tenacity.retry_if_exception_type(Unavailable),
            reraise=True,
        ):
            with attempt:
                if self._hooks.read_gate is not None:
                    await self._hooks.read_gate()
                result = await self._once("GET", where, query=query)
                result = replace(result, body=result.json())
        assert result is not None
        return result

    async def write(self, method: str, where: str, body: Json = None, *, secrets: Iterable[str] = ()) -> Result:
        """Send a change, once, as soon as `leaving_by` says. `secrets` are removed from any error's message."""
        latest_s = _LATEST_S.get()
        if latest_s is None:
            latest_s = asyncio.get_running_loop().time() + self._settings.write_start_s
        return await self._once(method, where, body=body, secrets=secrets, latest_s=latest_s)

    async def _once(
        self, method: str, where: str, *, query: Query | None = None, body: Json = None, secrets: Iterable[str] = (),
        latest_s: float | None = None,
    ) -> Result:  # fmt: skip
        settings, what = self._settings, template(where)
        writes = failures.is_write(method)
        read_s = settings.write_timeout_s if writes else settings.read_timeout_s
        headers = {"authorization": f"Bearer {self._key}", "accept": "application/json"}
        if writes and body is not None:
            headers["content-type"] = "application/json"
        failure: TransportError
        try:
            answer = await self._transport.request(
                method,
                self._base + where,
                timeouts=Timeouts(
                    connect_s=settings.connect_timeout_s,
                    read_s=read_s,
                    total_s=2 * read_s,
                    latest_s=latest_s,
                ),
                query=query,
                headers=headers,
                body=None if body is None else json.dumps(body).encode(),
            )
        except TransportError as error:
            failure = error
        else:
            return self._judge(method, where, answer, secrets)
        self._tell(method, what, 0, 0.0)
        raise failures.no_answer(failure, method, what)

    def _judge(self, method: str, where: str, answer: Answer, secrets: Iterable[str]) -> Result:
        """Learn from the headers, then answer the result or raise what the status means."""
        what = template(where)
        bucket, live_id = limits.bucket_of(method, where)
        self._tell(method, what, answer.status, answer.seconds)
        now = self._now(answer)
        found = limits.limits_of(answer.headers, now)
        if found is not None and self._hooks.learned is not None:
            asyncio.get_running_loop().call_soon(self._hooks.learned, bucket, live_id, found)
        if answer.status not in failures.SUCCESS:
            raise failures.refusal(answer, method, what, bucket, {self._key, *secrets}, now)
        return Result(method=method, what=what, answer=answer, limits=found)

    def _now(self, answer: Answer) -> datetime:
        """Set the clock by an answer that is Render's own (a proxy's has no limit headers), and read it."""
        date = limits.date_of(answer.headers)
        if date is not None and isinstance(self._clock, RenderClock) and "ratelimit-limit" in answer.headers:
            self._clock.correct(date, sent_at=answer.sent_at, seconds=answer.seconds)
        return self._clock.now()

    def _tell(self, method: str, what: str, status: int, seconds: float) -> None:
        if self._hooks.on_request is not None:
            asyncio.get_running_loop().call_soon(self._hooks.on_request, method, what, status, seconds)
