"""Makes writes repeatable: the same Idempotency-Key and request get the same answer; knows no route and no table.

After draft-ietf-httpapi-idempotency-key-header-07: another body under the same key is 422, one in flight is 409. Keys
belong to the API key that sent them. Answers below 500 are kept for a day; a failure of ours may be tried again.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reconciler.api import problems
from reconciler.api.access import Caller, Rule
from reconciler.api.context import Context, context_of
from reconciler.api.problems import ApiError
from reconciler.core.values import Json
from reconciler.doors import Taken

HEADER = "idempotency-key"
KEY_LENGTH_MAX = 255
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
KEPT_HEADERS = ("etag", "location", "content-type")
REPLAYED = "Idempotency-Replayed"


async def once(
    request: Request, rule: Rule, caller: Caller | None, handler: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Run the handler, or repeat its earlier answer."""
    given = request.headers.get(HEADER)
    if given is None or caller is None or request.method in SAFE:
        return await handler(request)
    if not rule.replays:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            "Idempotency-Key cannot be used here: the request or its answer holds a secret, which is never stored.",
        )
    if not 0 < len(given) <= KEY_LENGTH_MAX or not given.isprintable():
        raise ApiError(HTTPStatus.BAD_REQUEST, f"Idempotency-Key must be 1 to {KEY_LENGTH_MAX} printable characters.")
    context = context_of(request)
    key, print_ = f"http:{caller.key.id}:{given}", await fingerprint(request)
    stored = await _remembered(context, key, print_)
    if stored is not None:
        return stored
    try:
        response = await _answered(request, handler)
    except BaseException:
        await context.registry.forget(key, print_)
        raise
    await _keep(context, key, print_, response)
    return response


async def fingerprint(request: Request) -> str:
    """Hash all of a request that its answer depends on."""
    parts = [request.method, request.url.path, request.url.query]
    parts += [request.headers.get(name, "") for name in ("content-type", "if-match", "if-none-match")]
    return hashlib.sha256("\0".join(parts).encode() + b"\0" + await request.body()).hexdigest()


async def _remembered(context: Context, key: str, print_: str) -> Response | None:
    try:
        stored = await context.registry.remember(key, print_)
    except Taken as error:
        if error.field == "body":
            raise ApiError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "This Idempotency-Key came before with another request; use a new key for a new request.",
            ) from None
        raise ApiError(
            HTTPStatus.CONFLICT,
            "The first request with this Idempotency-Key is still being worked on; ask again in a moment.",
            headers={"Retry-After": "1"},
        ) from None
    if stored is None:
        return None
    status, kept = stored
    content: Json = kept.get("body") if isinstance(kept, dict) else None
    headers = kept.get("headers") if isinstance(kept, dict) else None
    shown = {name: str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    media_type = shown.pop("content-type", None)
    return JSONResponse(content, status_code=status, headers={**shown, REPLAYED: "true"}, media_type=media_type)


async def _answered(request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refusals are answers too, and are repeated as such; failures of ours are not."""
    try:
        return await handler(request)
    except Exception as error:
        if problems.understand(error).status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return problems.respond(request, error)


async def _keep(context: Context, key: str, print_: str, response: Response) -> None:
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        await context.registry.forget(key, print_)
        return
    headers: dict[str, Json] = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    body: Json = json.loads(bytes(response.body)) if response.body else None
    await context.registry.answer(key, print_, response.status_code, {"body": body, "headers": headers})
