"""Takes one API request from headers to answer: who calls, whether it fits the limits, what it does, what is kept.

It knows nothing of sockets; faults that need one are handed back with the answer.
"""

import json
import logging
import re
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, unquote

from reconciler.simulator import corrupt, faults, limits, models, protection, times
from reconciler.simulator.wire import ApiError, Bucket, Call, Query, Reply, Route, Router
from reconciler.simulator.world import World

LOGGER = logging.getLogger(__name__)
BEARER = "bearer "
REFUSED, UNAUTHORIZED, UNPAID, MISSING, NO_METHOD, NOT_ACCEPTABLE, THROTTLED = 400, 401, 402, 404, 405, 406, 429
JSON_RANGES = frozenset({"application/json", "application/*", "*/*"})
CHANGES = frozenset({"POST", "PUT", "PATCH"})
UNPAID_WORDS = "This account is suspended: an invoice is unpaid. Add a card at https://dashboard.render.com/billing"
SKEW_S = 600.0
PREFIX = "/v1"


@dataclass(slots=True)
class Request:
    """What came over the wire."""

    method: str
    path: str
    query_string: str
    headers: dict[bytes, bytes]
    raw: bytes


@dataclass(slots=True)
class Answer:
    """What goes back over the wire, and the faults that strike it there."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    rules: list[faults.Rule] = field(default_factory=list)

    def rule(self, fault: str) -> faults.Rule | None:
        """Find the rule of a fault that struck."""
        return next((rule for rule in self.rules if rule.fault == fault), None)


class Api:
    """The API of one world."""

    def __init__(self, world: World, routes: list[Route]) -> None:
        """Answer from a world by these routes."""
        self.world = world
        self.router = Router(routes)
        self._requests = 0
        self.corruption = corrupt.Corruption(world, self.read)

    def handle(self, request: Request) -> Answer:
        """Answer a request."""
        self.world.settle()
        segments = _segments(request.path)
        if request.method == "HEAD":
            request.method = "GET"  # the server leaves the body out
        found = self.router.find(request.method, segments)
        bucket, subject = _bucket(request.method, found)
        key, occasion = _key(request.headers), self._occasion(request)
        halved = bool(self.world.faults.on_call(occasion, "limits_halved"))
        verdict = self.world.limits.take(key, bucket, subject, self.world.now_ns(), self.world.settings, halved=halved)
        answer = self._answer(request, found, key, verdict, occasion)
        skew_s = sum(rule.number("by_s", SKEW_S) for rule in self.world.faults.on_call(occasion, "clock_skew"))
        answer.headers += self._common_headers(_told(answer, verdict), skew_s)
        counted = f"{request.method} {bucket.value} {answer.status}"
        self.world.requests[counted] = self.world.requests.get(counted, 0) + 1
        self.world.flush()
        return answer

    def late(self, request: Request) -> faults.Rule | None:
        """Find the rule that has a call wait before it is looked at."""
        return next(iter(self.world.faults.on_call(self._occasion(request), "late_effect")), None)

    def _occasion(self, request: Request) -> faults.Occasion:
        """Show a call to the rules; what it is about is only looked for when one asks."""
        return faults.Occasion(request.method, request.path, lambda: self._subject(request))

    def _subject(self, request: Request) -> tuple[str, str]:
        world, parts = self.world, _segments(request.path)
        if len(parts) == 1:
            return "", _name_in(request.raw) if request.method == "POST" else ""
        item = world.resource(parts[1]) or world.projects.get(parts[1]) or world.environments.get(parts[1])
        return parts[1], item.name if item is not None else ""

    def _answer(
        self,
        request: Request,
        found: tuple[Route, dict[str, str]] | None,
        key: str,
        verdict: limits.Verdict,
        occasion: faults.Occasion,
    ) -> Answer:
        world = self.world
        if not key or (world.config.api_keys and key not in world.config.api_keys):
            return _refusal(UNAUTHORIZED, "Unauthorized")
        if not verdict.allowed:
            world.throttled += 1
            return _refusal(THROTTLED, "rate limit exceeded")
        query = parse_qs(request.query_string, keep_blank_values=True)
        refusal = self._refused(request, query, occasion)
        if refusal is not None:
            return refusal
        before = world.faults.on_call(occasion, *faults.BEFORE)
        injected = next((rule for rule in before if rule.fault == "status"), None)
        refused = injected if injected is not None and not injected.params.get("after") else None
        if refused is not None or any(rule.fault == "timeout_before" for rule in before):
            answer = _injected(refused) if refused is not None else _refusal(MISSING, "")
            answer.rules = before
            return answer
        if found is None:
            return self._unroutable(request)
        if not _accepts_json(request.headers):
            return _refusal(NOT_ACCEPTABLE, "Accept must allow application/json")
        call = Call(world, request.method, request.path, query, request.raw, key, request.headers, found[1])
        self.corruption.before(request.method, request.path)
        reply = self._run(found[0], call)
        if injected is not None:
            answer = _injected(injected)
            answer.rules = before
            return answer
        after = world.faults.on_call(occasion, *faults.AFTER)
        body = self.corruption.spoil(call, reply, after)  # may change the status too
        answer = Answer(reply.status, list(reply.headers), body, before + after)
        if not reply.empty:
            answer.headers.append((b"content-type", b"application/json; charset=utf-8"))
        return answer

    def _unroutable(self, request: Request) -> Answer:
        """Refuse a path that does not exist, or lacks the method."""
        methods = self.router.methods(_segments(request.path))
        if not methods:
            return _refusal(MISSING, f"not found: {request.path}")
        answer = _refusal(NO_METHOD, f"method not allowed: {request.method} {request.path}")
        answer.headers.append((b"allow", ", ".join(methods).encode()))
        return answer

    def _refused(self, request: Request, query: Query, occasion: faults.Occasion) -> Answer | None:
        """Refuse what a rule refuses on one condition: changes of a suspended account, pages behind an old cursor."""
        if request.method in CHANGES:
            for rule in self.world.faults.on_call(occasion, "billing_suspended"):
                return _refusal(UNPAID, str(rule.params.get("message", UNPAID_WORDS)))
        if any(query.get("cursor", [])) and self.world.faults.on_call(occasion, "cursor_expired"):
            return _refusal(REFUSED, "invalid cursor: expired")
        return None

    def _run(self, route: Route, call: Call) -> Reply:
        try:
            protection.check(call, route)
            reply = route.handler(call)
        except ApiError as error:
            return Reply(error.status, {"message": error.message})
        except Exception:
            # A defect of the simulator, not of the caller: say so and keep serving.
            LOGGER.exception("handler failed: %s %s", call.method, call.path)
            return Reply(500, {"message": "internal error of the simulator"})
        if call.method != "GET":
            self.note_write(call.method, call.path, reply.status, call.key)
        return reply

    def read(self, path: str) -> tuple[int, bytes]:
        """Read a path the way a GET would, counted nowhere."""
        found = self.router.find("GET", _segments(path))
        if found is None:
            return MISSING, b""
        call = Call(self.world, "GET", path, {}, b"", "", {}, found[1])
        try:
            reply = found[0].handler(call)
        except ApiError as error:
            return error.status, json.dumps({"message": error.message}).encode() + b"\n"
        return reply.status, reply.encode()

    def note_write(self, method: str, path: str, status: int, cause: str) -> None:
        """Remember an accepted change for the truth."""
        world = self.world
        world.write_seq += 1
        write = models.Write(
            id=f"wrt-{world.write_seq:012d}", seq=world.write_seq, at_ns=world.now_ns(), method=method,
            path=path, status=status, cause=cause, affected=world.changed_ids(),
        )  # fmt: skip
        world.add_write(write)

    def _common_headers(self, verdict: limits.Verdict | None, skew_s: float) -> list[tuple[bytes, bytes]]:
        self._requests += 1
        return [
            *(verdict.headers(self.world.settings.retry_after) if verdict is not None else ()),
            (b"date", times.http_date(self.world.in_s(skew_s))),
            (b"render-request-id", b"simulator/%06d" % self._requests),
            (b"vary", b"Origin"),
            (b"x-content-type-options", b"nosniff"),
        ]


def _segments(path: str) -> list[str]:
    return [unquote(part) for part in path[len(PREFIX) :].strip("/").split("/")]


def _accepts_json(headers: dict[bytes, bytes]) -> bool:
    """Tell whether the caller takes what this API answers; without the header everything is welcome."""
    wanted = headers.get(b"accept", b"").decode("latin-1").lower()
    if not wanted.strip():
        return True
    for item in wanted.split(","):
        kind, _, rest = item.partition(";")
        refused = re.search(r"\bq=0(\.0*)?\s*(;|$)", rest)
        if kind.strip() in JSON_RANGES and not refused:
            return True
    return False


def _bucket(method: str, found: tuple[Route, dict[str, str]] | None) -> tuple[Bucket, str]:
    if found is None:
        return (Bucket.READ if method == "GET" else Bucket.WRITE), ""
    return found[0].counted_in(), found[1].get("id", "")


def _key(headers: dict[bytes, bytes]) -> str:
    text = headers.get(b"authorization", b"").decode("latin-1").strip()
    return text[len(BEARER) :].strip() if text.lower().startswith(BEARER) else ""


def _name_in(raw: bytes) -> str:
    """Read the name that a create gives, if its body is readable at all."""
    try:
        body = json.loads(raw)
    except ValueError:
        return ""
    return str(body.get("name", "")) if isinstance(body, dict) else ""


def _refusal(status: int, message: str) -> Answer:
    body = json.dumps({"message": message}, separators=(",", ":")).encode() + b"\n"
    return Answer(status, [(b"content-type", b"application/json; charset=utf-8")], body)


def _told(answer: Answer, verdict: limits.Verdict) -> limits.Verdict | None:
    """Decide what the limit headers say: an injected 429 shows a used-up window, or none at all if so wanted."""
    rule = answer.rule("status")
    if rule is None:
        return verdict
    if rule.params.get("headers") is False:
        return None
    reset_s = int(rule.number("ratelimit_reset", verdict.reset_s))
    if answer.status == THROTTLED:
        return limits.Verdict(allowed=False, limit=verdict.limit, remaining=0, reset_s=reset_s)
    return replace(verdict, reset_s=reset_s)


def _injected(rule: faults.Rule) -> Answer:
    """Answer the status a rule asks for."""
    status = int(rule.number("status", 503))
    answer = _refusal(status, str(rule.params.get("message", f"injected {status}")))
    if rule.params.get("retry_after") is not None:
        answer.headers.append((b"retry-after", str(rule.params["retry_after"]).encode()))
    return answer
