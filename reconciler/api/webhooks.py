"""Takes Render's webhooks in: proves the signature, drops repetitions, wakes the tenant; an event only says "look now".

Render delivers at least once and in any order, the same `webhook-id` on each attempt, signed as Standard Webhooks says.
"""

import hashlib
from http import HTTPStatus

import structlog
from fastapi import APIRouter
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from reconciler.api import bodies, schemas
from reconciler.api.context import Context, Shared
from reconciler.api.guard import GuardedRoute
from reconciler.api.problems import ApiError
from reconciler.core.values import Json
from reconciler.doors import Taken

router = APIRouter(route_class=GuardedRoute, tags=["webhooks"])
_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("reconciler.api")


@router.post(
    "/webhooks/render", status_code=202, summary="Take a webhook of Render's in", response_model=schemas.WebhookOutcome
)
async def render(request: Request, shared: Shared) -> JSONResponse:
    """Wake the tenant that owns `data.serviceId`; 404 when no secret is set, 401 when the signature is wrong."""
    payload = await _verified(request, shared)
    message_id = request.headers.get("webhook-id", "")
    key, print_ = f"webhook:{message_id}", hashlib.sha256(await request.body()).hexdigest()
    if await _repeated(shared, key, print_):
        shared.metrics.webhooks.labels("repeated").inc()
        return JSONResponse({"outcome": "repeated"}, status_code=HTTPStatus.ACCEPTED)
    data = payload.get("data") if isinstance(payload, dict) else None
    live_id = data.get("serviceId") if isinstance(data, dict) else None
    try:
        woken = isinstance(live_id, str) and shared.options.wake_resource is not None
        outcome = "accepted" if woken and await _wake(shared, str(live_id)) else "unowned"
    except BaseException:
        await shared.registry.forget(key, print_)  # Render tries again, and then it must count
        raise
    await shared.registry.answer(key, print_, HTTPStatus.ACCEPTED, {"outcome": outcome})
    shared.metrics.webhooks.labels(outcome).inc()
    kind = payload.get("type") if isinstance(payload, dict) else None
    _log.info("webhook_received", type=kind, live_id=live_id, outcome=outcome)
    return JSONResponse({"outcome": outcome}, status_code=HTTPStatus.ACCEPTED)


async def _verified(request: Request, shared: Context) -> Json:
    secret = shared.options.webhook_secret.reveal()
    if not secret:
        raise ApiError(
            HTTPStatus.NOT_FOUND, "Webhooks are off: set RECONCILER_WEBHOOK_SECRET to the webhook's secret at Render."
        )
    body = await request.body()
    try:
        Webhook(secret).verify(body, dict(request.headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: a signature that is not base64, a body not UTF-8
        shared.metrics.webhooks.labels("refused").inc()
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            "The signature does not fit: RECONCILER_WEBHOOK_SECRET is not this webhook's secret, or clocks differ.",
        ) from None
    return bodies.parse(body)


async def _repeated(shared: Context, key: str, print_: str) -> bool:
    try:
        return await shared.registry.remember(key, print_) is not None
    except Taken:
        return True


async def _wake(shared: Context, live_id: str) -> bool:
    assert shared.options.wake_resource is not None
    return await shared.options.wake_resource(live_id)
