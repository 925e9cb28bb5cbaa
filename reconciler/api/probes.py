"""Answers probes and scrapes: /livez, /readyz, /metrics and the description of the API; judges nothing itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from reconciler.api import description, schemas
from reconciler.api.context import Shared
from reconciler.api.guard import GuardedRoute
from reconciler.api.options import Health
from reconciler.telemetry.metrics import CONTENT_TYPE, Metrics

router = APIRouter(route_class=GuardedRoute, tags=["probes"])
_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("reconciler.api")


@router.get("/livez", summary="Whether the operator makes progress", response_model=schemas.Probe)
async def livez(shared: Shared) -> JSONResponse:
    """Answer 200, or 503 with the reasons why the process should be restarted."""
    return await probed(shared.health.live)


@router.get("/readyz", summary="Whether requests can be served", response_model=schemas.Probe)
async def readyz(shared: Shared) -> JSONResponse:
    """Answer 200, or 503 with the reasons why no request should be sent here."""
    return await probed(shared.health.ready)


@router.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
async def metrics(shared: Shared) -> Response:
    """Write all figures in the Prometheus text format."""
    return await scraped(shared.metrics)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> JSONResponse:
    """Describe the API as OpenAPI does."""
    app: FastAPI = request.app
    return JSONResponse(description.describe(app))


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Show the description as a page."""
    app: FastAPI = request.app
    return get_swagger_ui_html(openapi_url="/openapi.json", title=app.title)


async def probed(question: Callable[[], Awaitable[Sequence[str]]]) -> JSONResponse:
    """Ask a question of health; one that cannot be answered is answered with no."""
    try:
        reasons = list(await question())
    except Exception as error:  # a probe that fails is a failed probe, whatever failed
        _log.warning("probe_failed", exc_info=error)
        reasons = [f"the probe itself failed: {type(error).__name__}"]
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    body: dict[str, object] = {"status": "failing" if reasons else "ok", "reasons": reasons}
    return JSONResponse(body, status_code=status)


async def scraped(metrics: Metrics) -> Response:
    """Write the page off the event loop."""
    return Response(await asyncio.to_thread(metrics.exposition), headers={"Content-Type": CONTENT_TYPE})


def build_probes(metrics: Metrics, health: Health) -> FastAPI:
    """Make the small application for a loopback port of its own: /metrics, /livez and /readyz, without keys."""
    app = FastAPI(title="reconciler metrics", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/metrics")
    async def _metrics() -> Response:
        return await scraped(metrics)

    @app.get("/livez")
    async def _livez() -> JSONResponse:
        return await probed(health.live)

    @app.get("/readyz")
    async def _readyz() -> JSONResponse:
        return await probed(health.ready)

    return app
