"""Stands before every handler: address, key, scope, rate limit, body, repetition; then turns errors into answers.

The order matters: nothing of a body is looked at before the key is known, and every refusal, whatever raised it, takes
the one way through `problems`.
"""

from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from reconciler.api import access, bodies, problems, replay
from reconciler.api.access import Caller, Rule
from reconciler.api.console import pages
from reconciler.api.context import Context, context_of
from reconciler.api.problems import ApiError
from reconciler.core.values import Sensitive

Handler = Callable[[Request], Awaitable[Response]]
SECRET_LENGTH_MAX = 512
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class GuardedRoute(APIRoute):
    """A route that is in the table of routes and scopes; any other cannot be made."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the guard before FastAPI's own handler."""
        handler = super().get_route_handler()
        rules = {method: access.rule_of(method, self.path_format) for method in self.methods or ()}

        async def guarded(request: Request) -> Response:
            return await admit(request, rules[request.method], handler)

        return guarded


async def admit(request: Request, rule: Rule, handler: Handler) -> Response:
    """Let a request through to its handler, or answer why not."""
    try:
        bodies.check_place(request)
        caller = await identify(request, rule)
        request.state.caller = caller
        await request.body()
        await bodies.check_json(request)
        return await replay.once(request, rule, caller, handler)
    except Exception as error:  # the last place where a request can still be answered
        if pages.is_console(request):
            return pages.error(request, problems.understand(error), error)
        return problems.respond(request, error)


async def identify(request: Request, rule: Rule) -> Caller | None:
    """Find whose key this is and whether it may; None on open routes. ApiError 401, 403 or 429."""
    context = context_of(request)
    if not rule.scopes or (context.options.metrics_open and request.url.path == "/metrics"):
        return None
    caller = await _caller(request, context)
    wait_s = context.limiter.take(caller.key.id)
    if wait_s:
        context.metrics.http_limited.inc()
        raise ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"This key may ask {context.limiter.per_minute} times a minute; ask again in {wait_s} s.",
            headers={"Retry-After": str(wait_s)},
        )
    if not access.allows(rule, caller):
        needed = " or ".join(sorted(rule.scopes))
        raise ApiError(
            HTTPStatus.FORBIDDEN,
            f"This needs a key with scope {needed}; this one has {', '.join(sorted(caller.key.scopes)) or 'none'}.",
        )
    return caller


async def _caller(request: Request, context: Context) -> Caller:
    given = secret_of(request)
    if given is None:
        caller = await pages.session_caller(request, context)
        if caller is not None:
            return caller
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            "No key was given; send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`.",
            headers=CHALLENGE,
        )
    key = None if bodies.fault_of(given.reveal()) else await context.registry.find_key(given)
    if key is None:
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            "This key is not known here, or it was revoked; `reconciler key create` makes one.",
            headers=CHALLENGE,
        )
    return access.caller_of(key)


def secret_of(request: Request) -> Sensitive | None:
    """Read the key from the headers; None when there is none."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    found = rest.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "").strip()
    return Sensitive(found) if 0 < len(found) <= SECRET_LENGTH_MAX else None
