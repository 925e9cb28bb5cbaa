"""Renders the console's pages and answers its errors as pages; knows templates and sessions, no route.

Everything shown is text somebody else wrote: templates escape it, a strict Content-Security-Policy forbids scripts
and foreign resources, and only http and https addresses become links.
"""

from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path

import jinja2
import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from reconciler.api import access
from reconciler.api.access import Caller
from reconciler.api.context import Context
from reconciler.api.problems import ApiError
from reconciler.telemetry.tenants import asks_a_person

TEMPLATES = Path(__file__).parent / "templates"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("reconciler.api")


def ago(moment: datetime | None, now: datetime) -> str:
    """Say how long ago something was: `42s`, `4m41s`, `3h`, `2d`."""
    if moment is None:
        return "-"
    seconds = max(0, int((now - moment).total_seconds()))
    if seconds < MINUTE_S:
        return f"{seconds}s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S}m{seconds % MINUTE_S:02}s"
    return f"{seconds // HOUR_S}h" if seconds < DAY_S else f"{seconds // DAY_S}d"


def clock(moment: datetime | None) -> str:
    """Write a world time for people."""
    return "-" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def money(amount: Decimal | None) -> str:
    """Write dollars; `?` when the price book does not know."""
    return "?" if amount is None else f"{amount:,.2f}"


def safe_link(url: str) -> str:
    """Answer an address that may become a link; empty for every other scheme."""
    return url if url.startswith(("https://", "http://")) else ""


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    made.filters.update(ago=ago, clock=clock, money=money, safe_link=safe_link, asked=asks_a_person)
    return made


ENVIRONMENT = _environment()


def page(template: str, status: int = HTTPStatus.OK, **values: object) -> HTMLResponse:
    """Render a template as an answer that may load nothing but its style."""
    text = ENVIRONMENT.get_template(template).render(values)
    return HTMLResponse(text, status_code=status, headers={"Content-Security-Policy": POLICY})


def is_console(request: Request) -> bool:
    """Say whether a request is for a page."""
    return request.url.path == "/console" or request.url.path.startswith("/console/")


def error(request: Request, known: ApiError, cause: Exception) -> Response:
    """Answer an error as a page; without a session that is the form to open one."""
    if known.status == HTTPStatus.UNAUTHORIZED:
        return page("login.html", HTTPStatus.UNAUTHORIZED, message="", caller=None)
    if known.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request_failed", path=request.url.path, status=known.status, exc_info=cause)
    caller: Caller | None = getattr(request.state, "caller", None)
    title = HTTPStatus(known.status).phrase
    response = page("error.html", known.status, title=title, detail=known.detail, caller=caller)
    response.headers.update({name: value for name, value in known.headers.items() if name == "Retry-After"})
    return response


async def session_caller(request: Request, context: Context) -> Caller | None:
    """Find whose session the cookie is, on the console's pages only; a revoked key has none."""
    if not is_console(request):
        return None
    key_id = context.sessions.read(request.headers.get("cookie", ""))
    if key_id is None:
        return None
    keys = await context.registry.list_keys()
    found = next((key for key in keys if key.id == key_id and key.revoked_at is None), None)
    return access.caller_of(found, via="console") if found is not None else None
