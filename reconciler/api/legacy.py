"""Serves the contract of the service that this one replaces, frozen: /api/health/ and /api/tenants/.

Its `name` is our display name, its `slug` our name, its `custom_plugin_repo` our first plugin; its four statuses are
made of our phases here. Errors are 400 `{"error": ...}` in the words its clients know.
"""

import math
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from reconciler.api import bodies, edits, legacy_schemas, slugs, views
from reconciler.api.access import Caller
from reconciler.api.context import Context, Shared, Who
from reconciler.api.guard import GuardedRoute
from reconciler.api.problems import ApiError
from reconciler.core.errors import Invalid, NotFound, Problem, shown
from reconciler.core.status import Phase
from reconciler.core.values import Json
from reconciler.doors import Taken, TenantRow
from reconciler.telemetry.tenants import is_stalled

PAGE_SIZE = 10
PAGE_SIZE_MAX = 100
COUNT_DIGITS_MAX = 9
NAME_LENGTH_MIN, NAME_LENGTH_MAX = 2, 200
SLUG_TRIES = 20
"""Slugs looked up at a time; a lost race for one starts over, as often."""

NAME_REQUIRED = "Customer name is required"
NAME_SHORT = "Customer name must be at least 2 characters long"
NAME_TAKEN = "A tenant with this name already exists"
SLUG_TAKEN = "A tenant with this slug already exists"

SUSPENDED_PHASES = frozenset({Phase.SUSPENDED, Phase.SUSPENDING, Phase.DELETING, Phase.DELETED})

router = APIRouter(route_class=GuardedRoute, tags=["/api: the replaced service's contract, frozen"])


def status_of(row: TenantRow) -> str:
    """Map a tenant to the four old words; ERROR only when a person must act, so that no client gives up too early."""
    if row.purged or row.state != "running":
        return "SUSPENDED"
    if is_stalled(row):
        return "ERROR"
    phase = views.phase(row)
    if phase is Phase.READY:
        return "ACTIVE"
    return "SUSPENDED" if phase in SUSPENDED_PHASES else "PROVISIONING"


def tenant(row: TenantRow) -> dict[str, Json]:
    """Write a tenant as the replaced service did."""
    ids: dict[str, Json] = {name: id for name, id in row.resource_ids.items() if not name.startswith("@")}
    return {
        "id": row.number,
        "name": row.display_name or row.name,
        "slug": row.name,
        "status": status_of(row),
        "render_service_ids": ids,
        "custom_plugin_repo": plugin_repo(row),
        "created_at": views.stamp(row.created_at),
        "updated_at": views.stamp(row.updated_at),
    }


def plugin_repo(row: TenantRow) -> str | None:
    """Answer the repository of a tenant's first plugin."""
    plugins = row.details.get("plugins")
    first = plugins[0] if isinstance(plugins, list) and plugins else None
    return str(first["repo"]) if isinstance(first, dict) and "repo" in first else None


@router.get("/api/health/", summary="Answer that the API is there", response_model=legacy_schemas.OldHealth)
async def health() -> JSONResponse:
    """Say that this process serves HTTP; `/readyz` says more."""
    return JSONResponse({"status": "ok"})


@router.get("/api/tenants/", summary="List tenants by page", response_model=legacy_schemas.OldPage)
async def list_tenants(
    request: Request, shared: Shared, who: Who, page: str = "1", page_size: str = ""
) -> JSONResponse:
    """List by number; an unknown page is 404, a page size that is no number counts as 10, the largest is 100."""
    size = min(int(page_size), PAGE_SIZE_MAX) if _is_count(page_size) else PAGE_SIZE
    maker = None if who.reads_all else who.key.name
    number = int(page) if _is_count(page) else 0
    offset = (number - 1) * size if number else 0
    found = await shared.registry.list_tenants(limit=size, offset=offset, created_by=maker)
    last = max(1, math.ceil(found.count / size))
    if page == "last" and last > 1:
        found = await shared.registry.list_tenants(limit=size, offset=(last - 1) * size, created_by=maker)
    number = last if page == "last" else number
    if not 1 <= number <= last:
        raise ApiError(HTTPStatus.NOT_FOUND, "Invalid page.", body={"detail": "Invalid page."})
    return JSONResponse(
        {
            "count": found.count,
            "next": _link(request, shared, number + 1) if number < last else None,
            "previous": _link(request, shared, number - 1) if number > 1 else None,
            "page": number,
            "page_size": size,
            "results": [tenant(row) for row in found.rows],
        }
    )


@router.post("/api/tenants/", status_code=201, summary="Sign a customer up", response_model=legacy_schemas.OldTenant)
async def create(request: Request, shared: Shared, who: Who) -> JSONResponse:
    """Make a tenant of `{name, slug?, custom_plugin_repo?}` on the default Blueprint and tier."""
    body = await _fields(request)
    async with shared.turns.take(str(body.get("name") or "").strip()):
        row = await _sign_up(shared, who, body)
    return JSONResponse(
        tenant(row), status_code=HTTPStatus.CREATED, headers={"Location": f"/api/tenants/{row.number}/"}
    )


@router.get("/api/tenants/{id}/", summary="Get a tenant by number or slug", response_model=legacy_schemas.OldTenant)
async def get(id: str, shared: Shared, who: Who) -> JSONResponse:
    """Answer one tenant."""
    return JSONResponse(tenant(await _find(shared, who, id)))


@router.put("/api/tenants/{id}/", summary="Change name and plugin", response_model=legacy_schemas.OldTenant)
async def put(id: str, request: Request, shared: Shared, who: Who) -> JSONResponse:
    """Change `name` (required) and `custom_plugin_repo`; absent, the plugin stays as it is."""
    return await _change(id, request, shared, who, whole=True)


@router.patch("/api/tenants/{id}/", summary="Change name or plugin", response_model=legacy_schemas.OldTenant)
async def patch(id: str, request: Request, shared: Shared, who: Who) -> JSONResponse:
    """Change `name` or `custom_plugin_repo`; null or "" removes the plugin."""
    return await _change(id, request, shared, who, whole=False)


@router.delete(
    "/api/tenants/{id}/", status_code=202, summary="Delete a tenant", response_model=legacy_schemas.OldDeletion
)
async def delete(id: str, shared: Shared, who: Who) -> JSONResponse:
    """Suspend the stack now; it is purged after the Blueprint's keepFor, and until then `running` undoes it."""
    row = await _find(shared, who, id, alter=True)
    await shared.registry.set_state(row.name, "deleted", who.actor)
    body: dict[str, Json] = {"message": "Tenant deletion initiated", "tenant_id": row.number}
    return JSONResponse(body, status_code=HTTPStatus.ACCEPTED)


@router.get("/api/tenants/{id}/status/", summary="How a tenant stands", response_model=legacy_schemas.OldStatus)
async def status(id: str, shared: Shared, who: Who) -> JSONResponse:
    """Answer id and status as the replaced service did, with phase, reasons and conditions beside."""
    row = await _find(shared, who, id)
    said = row.status
    conditions: list[Json] = [views.condition(item) for item in said.conditions] if said else []
    return JSONResponse(
        {
            "id": row.number,
            "status": status_of(row),
            "phase": views.phase(row).value,
            "why": said.why if said else "",
            "you": said.you if said else "",
            "url": said.url if said else "",
            "eta": views.stamp(said.eta) if said else None,
            "conditions": conditions,
        }
    )


# ---------------------------------------------------------------- reading


async def _find(shared: Context, who: Caller, id: str, *, alter: bool = False) -> TenantRow:
    try:
        row = await edits.find(shared, who, id, alter=alter)
        if not row.purged:
            return row
    except NotFound:
        pass
    body: Json = {"error": "Tenant not found", "detail": "Not found."}
    raise ApiError(HTTPStatus.NOT_FOUND, "Tenant not found", body=body)


async def _fields(request: Request) -> Mapping[str, Json]:
    """Read a JSON object, or the form that some clients send."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        try:
            return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        except UnicodeDecodeError:
            raise _refuse("The body is not UTF-8") from None
    body = await bodies.read_json(request) if await request.body() else {}
    if not isinstance(body, dict):
        raise _refuse('The body must be a JSON object such as {"name": "Acme"}')
    return body


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS_MAX and int(text) > 0


def _link(request: Request, shared: Context, page: int) -> str:
    """Write the address of a page as Django REST framework does: absolute, parameters sorted, no page=1."""
    parts = urlsplit(str(request.url))
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.pop("page", None)
    if page > 1:
        query["page"] = str(page)
    if shared.options.public_url:
        public = urlsplit(shared.options.public_url)
        parts = parts._replace(scheme=public.scheme, netloc=public.netloc)
    return parts._replace(query=urlencode(sorted(query.items()))).geturl()


# ---------------------------------------------------------------- writing


def _refuse(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, message, body={"error": message})


def _defaults(shared: Context) -> tuple[str, str]:
    if not shared.options.default_blueprint:
        raise _refuse(
            "This operator has no Blueprint for tenants that are made with a name alone: "
            "set RECONCILER_DEFAULT_BLUEPRINT and RECONCILER_DEFAULT_TIER and start it again"
        )
    return shared.options.default_blueprint, shared.options.default_tier


async def _free_name(shared: Context, given: Json, *, own: str = "") -> str:
    """Check a customer's name; `own` is the slug of the tenant that may have it already."""
    if given is None or (isinstance(given, str) and not given.strip()):
        raise _refuse(NAME_REQUIRED)
    if not isinstance(given, str):
        raise _refuse("Customer name must be text")
    name = given.strip()
    if len(name) < NAME_LENGTH_MIN:
        raise _refuse(NAME_SHORT)
    if len(name) > NAME_LENGTH_MAX:
        raise _refuse(f"Customer name must be at most {NAME_LENGTH_MAX} characters long")
    if not name.isprintable() or bodies.fault_of(name):
        raise _refuse(f"Customer name {shown(name)} holds characters that cannot be shown")
    other = await shared.registry.find_display_name(name)
    if other is not None and other.name != own:
        raise _refuse(NAME_TAKEN)
    return name


def _given_slug(given: Json) -> str:
    if given is None or given == "":
        return ""
    if not isinstance(given, str) or not slugs.is_valid(given):
        raise _refuse(
            f"Slug {shown(given)} cannot be used: 2 to {slugs.LENGTH_MAX} characters of a-z, 0-9 and -, "
            "beginning with a letter and not ending with -"
        )
    return given


def _with_plugin(details: Mapping[str, Json], repo: Json) -> dict[str, Json]:
    """Put a repository in the place of the first plugin's; null or "" removes that plugin, the others stay."""
    plugins = details.get("plugins")
    rest = plugins[1:] if isinstance(plugins, list) else []
    first = plugins[0] if isinstance(plugins, list) and plugins and isinstance(plugins[0], dict) else {}
    if repo is not None and not isinstance(repo, str):
        raise _refuse("custom_plugin_repo must be the URL of a git repository, or null")
    if repo and first.get("repo") != repo:
        first = {key: value for key, value in first.items() if key != "ref"} | {"repo": repo}
    kept = [first, *rest] if repo else rest
    others = {key: value for key, value in details.items() if key != "plugins"}
    return {**others, "plugins": kept} if kept else others


async def _write(
    shared: Context, who: Caller, columns: Mapping[str, Json], changed: Mapping[str, Json] | None = None
) -> TenantRow:
    """Check whole columns, create the tenant or write what `changed`; refusals name the older contract's fields."""
    try:
        await edits.check(shared, columns)
        if changed is None:
            await shared.registry.put_tenant(columns, who.actor, create_only=True)
        else:
            await shared.registry.put_tenant({"name": columns["name"], **changed}, who.actor)
    except Invalid as error:
        raise _refuse("; ".join(_in_old_words(problem) for problem in error.problems)) from None
    except Taken as error:
        if error.field == "display_name":
            raise _refuse(NAME_TAKEN) from None
        raise
    return await shared.registry.get_tenant(str(columns["name"]))


def _in_old_words(problem: Problem) -> str:
    for ours, theirs in (("spec.plugins[0].repo", "custom_plugin_repo"), ("spec.displayName", "name")):
        if problem.path == ours:
            return str(Problem(path=theirs, message=problem.message, remedy=problem.remedy, value=problem.value))
    return str(problem)


async def _sign_up(shared: Context, who: Caller, body: Mapping[str, Json]) -> TenantRow:
    name = await _free_name(shared, body.get("name"))
    blueprint, tier = _defaults(shared)
    columns: dict[str, Json] = {
        "display_name": name,
        "blueprint": blueprint,
        **({"tier": tier} if tier else {}),
        "params": {},
        "labels": {},
        "details": _with_plugin({}, body.get("custom_plugin_repo")),
    }
    slug = _given_slug(body.get("slug"))
    return await (
        _create(shared, who, {**columns, "name": slug}) if slug else _create_named(shared, who, columns, name)
    )


async def _create(shared: Context, who: Caller, columns: Mapping[str, Json]) -> TenantRow:
    try:
        return await _write(shared, who, columns)
    except Taken:
        raise _refuse(SLUG_TAKEN) from None


async def _create_named(shared: Context, who: Caller, columns: Mapping[str, Json], name: str) -> TenantRow:
    """Create under the first free slug; tombstones keep theirs, and a lost race goes on with the next."""
    coming = slugs.candidates(name)
    for _ in range(SLUG_TRIES):
        batch = [next(coming) for _ in range(SLUG_TRIES)]
        found = await shared.registry.list_tenants(names=batch, include_purged=True, limit=len(batch))
        taken = {row.name for row in found.rows}
        for slug in (slug for slug in batch if slug not in taken):
            try:
                return await _write(shared, who, {**columns, "name": slug})
            except Taken:
                continue
    raise _refuse(f"No free slug was found for {shown(name)}; give one as `slug`")


async def _change(id: str, request: Request, shared: Context, who: Caller, *, whole: bool) -> JSONResponse:
    row = await _find(shared, who, id, alter=True)
    body = await _fields(request)
    if "slug" in body and body["slug"] not in (None, "", row.name):
        raise _refuse("The slug of a tenant cannot be changed")
    async with shared.turns.take(str(body.get("name") or "").strip()):
        changed: dict[str, Json] = {}
        if "name" in body or whole:
            changed["display_name"] = await _free_name(shared, body.get("name"), own=row.name)
        if "custom_plugin_repo" in body:
            changed["details"] = _with_plugin(row.details, body["custom_plugin_repo"])
        written = await _write(shared, who, {**views.columns(row), **changed}, changed)
    return JSONResponse(tenant(written))
