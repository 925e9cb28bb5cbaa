"""Puts the HTTP API together from the records, a clock and the rest; it opens nothing and reads no setting."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from reconciler import doors, ports
from reconciler.api import blueprints, fleet, legacy, passes, probes, problems, tenant_parts, tenants, webhooks
from reconciler.api.console import pages
from reconciler.api.console import routes as console
from reconciler.api.context import Context
from reconciler.api.front import Front
from reconciler.api.guard import GuardedRoute
from reconciler.api.limiter import Limiter
from reconciler.api.options import ApiOptions, Health
from reconciler.api.sessions import Sessions
from reconciler.api.turns import Turns
from reconciler.telemetry.metrics import Metrics

DESCRIPTION = """Tenants, Blueprints, costs and the state of the fleet.

Send a key as `Authorization: Bearer KEY` or `X-API-Key: KEY`. Scopes: `read`, `signup` (makes tenants; sees and alters
only those it made), `operator` (implies both), `admin` (all). Writes take an `Idempotency-Key`. Errors are
`application/problem+json` with a list of problems, each with path, value, message and remedy; under `/api/` they keep
the shape of the service that this one replaces.
"""
ROUTERS = (
    *(legacy.router, tenants.router, tenant_parts.router, blueprints.router, fleet.router, webhooks.router),
    *(passes.router, probes.router, console.router),
)
BURST_SHARE = 10
"""A key may spend a tenth of its minute at once."""


def build_api(
    registry: doors.Registry,
    clock: ports.Clock,
    planner: doors.Planner | None,
    metrics: Metrics,
    health: Health,
    options: ApiOptions,
) -> FastAPI:
    """Make the application: all routes of the table in `access`, behind the guard, inside the front."""
    app = FastAPI(
        title="reconciler",
        version=options.version,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.router.route_class = GuardedRoute
    app.state.context = Context(
        registry=registry,
        clock=clock,
        planner=planner,
        metrics=metrics,
        health=health,
        options=options,
        limiter=Limiter(options.requests_per_minute, options.requests_per_minute // BURST_SHARE),
        sessions=Sessions(options.session_secret, secure=options.secure_cookies),
        turns=Turns(),
    )
    for router in ROUTERS:
        app.include_router(router)
    for error in (HTTPException, RequestValidationError, problems.ApiError):
        app.add_exception_handler(error, _respond)
    app.add_middleware(Front, metrics=metrics, body_bytes_max=options.body_bytes_max)
    return app


async def _respond(request: Request, error: Exception) -> Response:
    """Answer what happens before a route is found: unknown addresses and methods."""
    if pages.is_console(request):
        return pages.error(request, problems.understand(error), error)
    return problems.respond(request, error)
