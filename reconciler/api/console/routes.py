"""Serves the console: sign-in, tenants, one tenant, events, queue, costs; it only reads."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from reconciler.api import access, edits, models, views
from reconciler.api.access import Scope
from reconciler.api.bodies import fault_of
from reconciler.api.console import pages
from reconciler.api.context import Shared, Who
from reconciler.api.guard import SECRET_LENGTH_MAX, GuardedRoute
from reconciler.api.problems import ApiError
from reconciler.core.values import Sensitive

PAGE_TENANTS = 100
EVENTS_SHOWN = 100
STYLE = Path(__file__).parent / "style.css"

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)
Page = Annotated[int, Query(ge=1, le=100_000)]


@router.get("/")
async def root() -> Response:
    """Lead people to the console."""
    return RedirectResponse("/console", status_code=HTTPStatus.SEE_OTHER)


@router.get("/console/style.css")
async def style() -> Response:
    """Answer the one style sheet."""
    return FileResponse(STYLE, media_type="text/css")


@router.get("/console/login")
async def login_form() -> Response:
    """Ask for a key."""
    return pages.page("login.html", message="", caller=None)


@router.post("/console/login")
async def login(request: Request, shared: Shared) -> Response:
    """Open a session for a key of scope read."""
    check_origin(request)
    try:
        fields = parse_qs((await request.body()).decode(), max_num_fields=10)
    except ValueError:
        fields = {}
    given = (fields.get("key") or [""])[0].strip()
    usable = 0 < len(given) <= SECRET_LENGTH_MAX and not fault_of(given)
    key = await shared.registry.find_key(Sensitive(given)) if usable else None
    if key is None:
        message = "This key is not known here, or it was revoked."
        return pages.page("login.html", HTTPStatus.UNAUTHORIZED, message=message, caller=None)
    if Scope.READ not in access.caller_of(key).scopes:
        message = "This key may not look at tenants: the console needs scope read."
        return pages.page("login.html", HTTPStatus.FORBIDDEN, message=message, caller=None)
    response = RedirectResponse("/console", status_code=HTTPStatus.SEE_OTHER)
    response.headers["Set-Cookie"] = shared.sessions.open(key.id)
    return response


@router.post("/console/logout")
async def logout(request: Request, shared: Shared) -> Response:
    """End the session."""
    check_origin(request)
    response = RedirectResponse("/console/login", status_code=HTTPStatus.SEE_OTHER)
    response.headers["Set-Cookie"] = shared.sessions.close()
    return response


@router.get("/console")
async def tenants(shared: Shared, who: Who, page: Page = 1, labels: models.Labels = None) -> Response:
    """List tenants with why they stand as they do."""
    found = await shared.registry.list_tenants(
        selector=models.selector_of(labels), limit=PAGE_TENANTS, offset=(page - 1) * PAGE_TENANTS
    )
    brake, why = await shared.registry.brake()
    rejections = await shared.registry.rejections() if page == 1 and not labels else ()
    return pages.page(
        "tenants.html",
        caller=who,
        rows=[(row, views.phase(row)) for row in found.rows],
        rejections=rejections,
        count=found.count,
        page=page,
        pages=max(1, -(-found.count // PAGE_TENANTS)),
        labels=labels or [],
        brake=brake.value,
        why=why,
        now=shared.clock.now(),
    )


@router.get("/console/tenants/{name}")
async def tenant(name: models.Name, shared: Shared, who: Who) -> Response:
    """Describe one tenant."""
    row = await edits.find(shared, who, name)
    return pages.page(
        "tenant.html",
        caller=who,
        row=row,
        phase=views.phase(row),
        events=list(reversed(await shared.registry.events(row.name, limit=EVENTS_SHOWN))),
        secrets=await shared.registry.list_secrets("tenant", row.name),
        now=shared.clock.now(),
    )


@router.get("/console/events")
async def events(shared: Shared, who: Who) -> Response:
    """List the newest events of all tenants."""
    rows = list(reversed(await shared.registry.events(None, limit=EVENTS_SHOWN)))
    return pages.page("events.html", caller=who, events=rows, now=shared.clock.now())


@router.get("/console/queue")
async def queue(shared: Shared, who: Who) -> Response:
    """List who waits for creates."""
    return pages.page("queue.html", caller=who, rows=await shared.registry.queue(), now=shared.clock.now())


@router.get("/console/costs")
async def costs(shared: Shared, who: Who) -> Response:
    """Sum this month's ledger by tenant."""
    since, until = models.window_of("month", shared.clock.now())
    rows = sorted(await shared.registry.costs("tenant", since, until), key=lambda row: (-row.usd, row.key))
    return pages.page("costs.html", caller=who, rows=rows, since=since, now=until)


def check_origin(request: Request) -> None:
    """Refuse forms that another site's page sends (login CSRF); browsers say where a form comes from."""
    origin = request.headers.get("origin", "")
    if origin and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise ApiError(HTTPStatus.FORBIDDEN, "This form came from another site; open the console itself.")
