"""Serves /v1/tenants: the documents of tenants, their state and their plans; decides only who may see and say what."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from reconciler import manifest
from reconciler.api import bodies, edits, models, schemas, views
from reconciler.api.access import Caller
from reconciler.api.context import Context, Shared, Who
from reconciler.api.guard import GuardedRoute
from reconciler.api.problems import ApiError
from reconciler.core.errors import Invalid, NotFound, shown
from reconciler.core.values import Json
from reconciler.doors import Applied, Planner, Taken, TenantRow

PATCH_TRIES = 3
DOCUMENT_BODY: dict[str, object] = {
    "requestBody": {
        "required": True,
        "description": "A Tenant document; its status and what else a GET shows beside the spec are ignored.",
        "content": {
            "application/yaml": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}
PATCH_BODY: dict[str, object] = {
    "requestBody": {
        "required": True,
        "description": "A JSON Merge Patch (RFC 7386) of the document; null removes.",
        "content": {
            "application/merge-patch+json": {"schema": {"type": "object"}},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}
CREATED: dict[int | str, dict[str, object]] = {201: {"model": schemas.AppliedTenant, "description": "Created"}}
PLAN: dict[int | str, dict[str, object]] = {200: {"content": {"application/json": {}, "text/plain": {}}}}
Names = Annotated[list[str] | None, Query(alias="name", max_length=1000, description="Only these; may be repeated.")]
Maker = Annotated[str | None, Query(alias="createdBy", max_length=200, description="Only those that this key made.")]

router = APIRouter(route_class=GuardedRoute, tags=["tenants"])


@router.get("/v1/tenants", summary="List tenants", response_model=schemas.TenantList)
async def list_tenants(
    shared: Shared,
    who: Who,
    *,
    names: Names = None,
    labels: models.Labels = None,
    purged: bool = False,
    created_by: Maker = None,
    limit: models.Limit = 100,
    offset: models.Offset = 0,
) -> JSONResponse:
    """List by number, with labels and names to choose by; `purged` adds the tombstones."""
    page = await shared.registry.list_tenants(
        selector=models.selector_of(labels),
        names=names or None,
        include_purged=purged,
        created_by=created_by if who.reads_all else who.key.name,
        limit=limit,
        offset=offset,
    )
    items: list[Json] = [views.tenant(row) for row in page.rows]
    return JSONResponse({"count": page.count, "items": items})


@router.get("/v1/tenants/{name}", summary="Get a tenant", response_model=schemas.TenantShape)
async def get(name: models.Name, shared: Shared, who: Who) -> JSONResponse:
    """Answer spec and status; the ETag is the generation of the spec."""
    row = await edits.find(shared, who, name)
    return JSONResponse(views.tenant(row), headers=edits.etag(row))


@router.put(
    "/v1/tenants/{name}",
    summary="Apply a tenant",
    openapi_extra=DOCUMENT_BODY,
    response_model=schemas.AppliedTenant,
    responses=CREATED,
)
async def put(name: models.Name, request: Request, shared: Shared, who: Who) -> JSONResponse:
    """Create or change a tenant by its whole document: 201 or 200.

    What a document leaves out of labels, params, env, domains, plugins and overrides is gone; tier, state and the other
    words stay as they are when it does not say them. `If-Match` names the generation it was made from,
    `If-None-Match: *` creates only.
    """
    row = await _existing(shared, who, name)
    generation = edits.generation_wanted(request, row)
    create_only = request.headers.get("if-none-match", "").strip() == "*"
    if create_only and row is not None:
        raise ApiError(HTTPStatus.PRECONDITION_FAILED, f"There is a tenant {row.name} already.")
    try:
        document = await edits.read_document(request, "Tenant", name)
        columns = manifest.tenant_columns(document)
        before: Mapping[str, Json] = views.columns(row) if row is not None else {}
        await edits.check(shared, {**before, **columns}, document)
    except Invalid as error:
        await _reject(shared, who, name, error)
        raise
    edits.check_rights(who, columns, row)
    try:
        applied = await shared.registry.put_tenant(
            columns, who.actor, create_only=create_only or row is None, generation=generation
        )
    except Taken as error:
        raise edits.moved(error, generation) from None
    return await _answer(shared, applied)


@router.patch(
    "/v1/tenants/{name}", summary="Change a tenant", openapi_extra=PATCH_BODY, response_model=schemas.AppliedTenant
)
async def patch(name: models.Name, request: Request, shared: Shared, who: Who) -> JSONResponse:
    """Change parts of a tenant's document by JSON Merge Patch, such as `{"spec": {"tier": "pro"}}`."""
    change = await bodies.read_json(request)
    for _ in range(PATCH_TRIES):
        row = await edits.find(shared, who, name, alter=True)
        generation = edits.generation_wanted(request, row)
        columns = edits.patched(row, change)
        await edits.check(shared, columns)
        edits.check_rights(who, columns, row)
        try:
            applied = await shared.registry.put_tenant(columns, who.actor, generation=row.generation)
        except Taken as error:
            if error.field != "generation" or generation is not None:
                raise edits.moved(error, generation) from None
            continue  # somebody was quicker: the patch goes on top of what they wrote
        return await _answer(shared, applied)
    raise ApiError(HTTPStatus.CONFLICT, f"Tenant {name} is being changed by others all the time; send the patch again.")


@router.post(
    "/v1/tenants/{name}/state", summary="Suspend, resume or delete a tenant", response_model=schemas.TenantShape
)
async def set_state(
    name: models.Name, change: models.StateChange, request: Request, shared: Shared, who: Who
) -> JSONResponse:
    """Set `running`, `suspended` or `deleted`; `running` undoes a deletion until the tenant is purged."""
    row = await edits.find(shared, who, name, alter=True)
    if change.purge_mode != "wait" and not who.operates:
        raise ApiError(
            HTTPStatus.FORBIDDEN, f"purgeMode {change.purge_mode} needs a key of scope operator; leave it out."
        )
    generation = edits.generation_wanted(request, row)
    if generation is not None and change.purge_mode == "wait":
        try:
            columns: dict[str, Json] = {"name": row.name, "state": change.state}
            await shared.registry.put_tenant(columns, who.actor, generation=generation)
        except Taken as error:
            raise edits.moved(error, generation) from None
        changed = await shared.registry.get_tenant(row.name)
    else:
        changed = await shared.registry.set_state(row.name, change.state, who.actor, purge_mode=change.purge_mode)
    return JSONResponse(views.tenant(changed), headers=edits.etag(changed))


@router.get("/v1/tenants/{name}/plan", summary="What a pass would do now", responses=PLAN)
async def plan(name: models.Name, request: Request, shared: Shared, who: Who) -> Response:
    """Plan as things stand; `Accept: text/plain` answers it as people read it."""
    row = await edits.find(shared, who, name)
    return await _plan(request, shared, row.name, None)


@router.post("/v1/tenants/{name}/plan", summary="What a change would do", openapi_extra=PATCH_BODY, responses=PLAN)
async def plan_change(name: models.Name, request: Request, shared: Shared, who: Who) -> Response:
    """Plan with a JSON Merge Patch put over what stands, or with a whole document, of a new tenant too.

    Nothing is written.
    """
    change = await bodies.read_json(request)
    row = await _existing(shared, who, name, alter=False)
    if isinstance(change, dict) and "kind" in change:
        document = await edits.read_document(request, "Tenant", row.name if row else name)
        before = {**views.columns(row), **edits.SILENT} if row else {}
        columns: Mapping[str, Json] = {**before, **manifest.tenant_columns(document)}
    elif row is not None:
        columns = edits.patched(row, change)
    else:
        raise NotFound(f"there is no tenant {shown(name)}; send a whole document to plan a new one")
    await edits.check(shared, columns)
    return await _plan(request, shared, str(columns["name"]), columns)


async def _existing(shared: Context, who: Caller, name: str, *, alter: bool = True) -> TenantRow | None:
    """Find the tenant that a document is about; a name of somebody else's is taken, not missing."""
    try:
        row = await shared.registry.get_tenant(name)
    except NotFound:
        return None
    everything = who.operates if alter else who.reads_all
    if not everything and row.created_by != who.key.name:
        raise Taken(f"the name {row.name} is taken; choose another", field="name")
    return row


async def _reject(shared: Context, who: Caller, name: str, error: Invalid) -> None:
    """Let the list of tenants show a document that operators sent and that was refused."""
    if who.operates and edits.is_name(name):
        await shared.registry.reject("Tenant", name, error.problems, who.actor)


async def _answer(shared: Context, applied: Applied) -> JSONResponse:
    row = await shared.registry.get_tenant(applied.name)
    created = applied.outcome == "created"
    warnings: list[Json] = [*applied.warnings]
    body: dict[str, Json] = {**views.tenant(row), "outcome": applied.outcome, "warnings": warnings}
    headers = edits.etag(row) | ({"Location": f"/v1/tenants/{row.name}"} if created else {})
    return JSONResponse(body, status_code=HTTPStatus.CREATED if created else HTTPStatus.OK, headers=headers)


async def _plan(request: Request, shared: Context, name: str, columns: Mapping[str, Json] | None) -> Response:
    planner: Planner | None = shared.planner
    if planner is None:
        raise ApiError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "This process serves the API alone and makes no plans; ask one that runs with --role all.",
        )
    if "text/plain" in request.headers.get("accept", ""):
        return PlainTextResponse(await planner.plan_text(name, columns))
    return JSONResponse(await planner.plan(name, columns))
