"""Names what goes in and out of a handler: the call, the reply, the refusal, the route.

It knows nothing of resources; every handler is a plain function from a call to a reply.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.simulator.world import World

Json = dict[str, Any]
Query = dict[str, list[str]]


class ApiError(Exception):
    """A refusal with a status and the message body that says why."""

    def __init__(self, status: int, message: str) -> None:
        """Refuse with a status and a message."""
        super().__init__(message)
        self.status = status
        self.message = message


def invalid(message: str) -> ApiError:
    """Refuse input that cannot be accepted (400)."""
    return ApiError(400, message)


def not_found(what: str) -> ApiError:
    """Refuse because something does not exist (404, recorded: webservice/web_service)."""
    return ApiError(404, f"not found: {what}")


def conflict(message: str) -> ApiError:
    """Refuse because of the present state (409)."""
    return ApiError(409, message)


def read_json(raw: bytes) -> object:
    """Read JSON that came over the wire, the way Go does: strict, and half a surrogate pair is U+FFFD.

    Nothing that comes out of here can fail to be written as JSON in UTF-8 again.
    """
    if not raw.strip():
        return {}
    try:
        value: object = json.loads(raw.decode(errors="replace"), parse_constant=_no_number, parse_float=_finite)
        if b"\\ud" in raw.lower():
            whole = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            value = json.loads(whole)
    except (ValueError, RecursionError) as error:
        raise invalid(f"invalid JSON body: {error}") from error
    return value


def _no_number(word: str) -> object:
    raise ValueError(f"{word} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is out of range")
    return number


class Bucket(Enum):
    """The rate limit a route counts in (Render API: section on recorded buckets)."""

    READ = "R"
    WRITE = "W"
    CREATE = "C"
    CREATE_DATA = "C-data"
    SERVICE = "S"
    SUSPEND = "S-docs"
    CRON = "S-cron"
    DOMAIN = "D"
    LOG_STREAM = "L"
    JOB = "J"


@dataclass(slots=True)
class Call:
    """One request, taken apart."""

    world: "World"
    method: str
    path: str
    query: Query
    raw: bytes
    key: str
    headers: dict[bytes, bytes] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)

    def json(self) -> object:
        """Read the body; an empty one is an empty object."""
        return read_json(self.raw)

    def body(self) -> Json:
        """Read the body as an object."""
        value = self.json()
        if not isinstance(value, dict):
            raise invalid("body must be a JSON object")
        return value

    def items(self) -> list[Json]:
        """Read the body as a list of objects; null counts as empty, no body at all does not."""
        value = self.json()
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise invalid("body must be a JSON array of objects")
        return value

    def values(self, name: str) -> list[str]:
        """Read a list parameter, repeated or separated by commas."""
        return [part for value in self.query.get(name, []) for part in value.split(",") if part]

    def value(self, name: str) -> str | None:
        """Read a parameter that is given once."""
        found = self.query.get(name)
        return found[-1] if found and found[-1] != "" else None

    def flag(self, name: str, default: bool) -> bool:
        """Read a boolean parameter."""
        text = self.value(name)
        return default if text is None else text.lower() in ("1", "true", "yes")


@dataclass(slots=True)
class Reply:
    """What to answer: a status and either JSON or nothing at all."""

    status: int = 200
    body: object = None
    empty: bool = False
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def encode(self) -> bytes:
        """Write the body as it goes over the wire."""
        if self.empty:
            return b""
        return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


NO_CONTENT = 204
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
MAX_DIGITS = 15
ACCEPTED = 202


def gone() -> Reply:
    """Answer a delete."""
    return Reply(NO_CONTENT, empty=True)


def accepted() -> Reply:
    """Answer what happens later: 202 without a body (recorded: privateservice/scaling)."""
    return Reply(ACCEPTED, empty=True)


def whole_number(text: str) -> int | None:
    """Read a whole number of a query; None when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path pattern, its handler and its bucket (default: by method)."""

    method: str
    pattern: str
    handler: Handler
    bucket: Bucket | None = None

    def counted_in(self) -> Bucket:
        """Tell the bucket of this route before it is known which service it is about."""
        if self.bucket is not None:
            return self.bucket
        return Bucket.READ if self.method == "GET" else Bucket.WRITE


class Router:
    """Finds the route of a method and path by walking its segments."""

    def __init__(self, routes: list[Route]) -> None:
        """Compile the routes into a tree; a literal segment wins over a parameter."""
        self._root: dict[object, Any] = {}
        for route in routes:
            node, names = self._root, []
            for segment in route.pattern.strip("/").split("/"):
                if segment.startswith("{"):
                    node = node.setdefault("*", {})
                    names.append(segment[1:-1])
                else:
                    node = node.setdefault(segment, {})
            # A tuple can be no path segment, so methods and segments do not collide.
            node[(route.method,)] = (route, names)

    def find(self, method: str, segments: list[str]) -> tuple[Route, dict[str, str]] | None:
        """Find the route and its parameters; None when there is none for the path and method."""
        found = self._walk(self._root, method, segments, 0)
        if found is None:
            return None
        (route, names), captured = found
        return route, dict(zip(names, captured, strict=True))

    def methods(self, segments: list[str]) -> list[str]:
        """Tell which methods a path has; none when there is no such path."""
        found = {method for method in METHODS if self.find(method, segments) is not None}
        return sorted(found | ({"HEAD"} if "GET" in found else set()))

    def _walk(
        self, node: dict[object, Any], method: str, segments: list[str], at: int
    ) -> tuple[tuple[Route, list[str]], list[str]] | None:
        if at == len(segments):
            leaf = node.get((method,))
            return None if leaf is None else (leaf, [])
        literal = node.get(segments[at])
        if literal is not None:
            found = self._walk(literal, method, segments, at + 1)
            if found is not None:
                return found
        wildcard = node.get("*")
        if wildcard is None:
            return None
        found = self._walk(wildcard, method, segments, at + 1)
        return None if found is None else (found[0], [segments[at], *found[1]])
