"""Serves what concerns the whole fleet under /v1: events, costs, queue, brake, rejections, audit, keys."""

import re
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from reconciler.api import access, models, schemas, views
from reconciler.api.context import Shared, Who
from reconciler.api.guard import GuardedRoute
from reconciler.api.tenant_parts import After
from reconciler.core.errors import Invalid, Problem, shown
from reconciler.core.values import Json

router = APIRouter(route_class=GuardedRoute, tags=["fleet"])

GROUPS = ("tenant", "component", "kind", "blueprint", "tier")
LABEL_GROUP = re.compile(r"label:[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")
By = Annotated[str, Query(max_length=100, description=f"One of {', '.join(GROUPS)}, or `label:KEY`.")]
Subject = Annotated[str | None, Query(max_length=200, description="Only what was done to this.")]


@router.get("/v1/events", summary="What happened to all tenants", response_model=schemas.EventList)
async def events(shared: Shared, who: Who, after: After = 0, limit: models.Limit = 100) -> JSONResponse:
    """List events of all tenants, newest last; to watch, ask again with `after` set to the last id."""
    items: list[Json] = [views.event(row) for row in await shared.registry.events(None, after=after, limit=limit)]
    return JSONResponse({"items": items})


@router.get("/v1/costs", summary="What the fleet costs", response_model=schemas.CostList)
async def costs(
    shared: Shared,
    who: Who,
    *,
    window: models.Window = "month",
    since: models.Moment = "",
    until: models.Moment = "",
    by: By = "tenant",
    labels: models.Labels = None,
) -> JSONResponse:
    """Sum the ledger in a window, by group; prices the book does not know are counted, never taken for zero."""
    if by not in GROUPS and not LABEL_GROUP.fullmatch(by):
        problem = Problem(
            path="by", message="unknown group", value=shown(by), remedy=f"use {', '.join(GROUPS)} or label:KEY"
        )
        raise Invalid([problem])
    wanted = f"{since},{until}" if since or until else window
    start, end = models.window_of(wanted, shared.clock.now())
    rows = await shared.registry.costs(by, start, end, models.selector_of(labels))
    items: list[Json] = [views.cost(row) for row in rows]
    return JSONResponse(
        {"since": views.stamp(start), "until": views.stamp(end), "by": by, "currency": "USD", "items": items}
    )


@router.get("/v1/queue", summary="The queue for creates", response_model=schemas.Queue)
async def queue(shared: Shared, who: Who) -> JSONResponse:
    """List who waits for Render's limit of new resources an hour, in order, with the time it is expected to end."""
    items: list[Json] = [views.queue(row) for row in await shared.registry.queue()]
    return JSONResponse({"items": items})


@router.get("/v1/orphans", summary="What nobody owns", response_model=schemas.OrphanList)
async def orphans(shared: Shared, who: Who) -> JSONResponse:
    """List objects that carry our marks at Render and belong to no tenant, with their price, as of the newest sweep."""
    items: list[Json] = [views.orphan(row) for row in await shared.registry.orphans()]
    return JSONResponse({"items": items})


@router.get("/v1/brake", summary="Read the brake", response_model=schemas.BrakeShape)
async def brake(shared: Shared, who: Who) -> JSONResponse:
    """Answer where the brake stands and why."""
    stands, why = await shared.registry.brake()
    return JSONResponse({"brake": stands.value, "why": why})


@router.put("/v1/brake", summary="Move the brake", response_model=schemas.BrakeShape)
async def set_brake(change: models.BrakeRequest, shared: Shared, who: Who) -> JSONResponse:
    """Hands off all tenants: `observe` plans without effects, `stop` does not even look, `normal` works."""
    await shared.registry.set_brake(change.brake, change.why, who.actor)
    return JSONResponse({"brake": change.brake.value, "why": change.why})


@router.get("/v1/rejections", summary="Refused documents", response_model=schemas.RejectionList)
async def rejections(shared: Shared, who: Who) -> JSONResponse:
    """List documents that were refused and have not been put right."""
    items: list[Json] = [views.rejection(row) for row in await shared.registry.rejections()]
    return JSONResponse({"items": items})


@router.get("/v1/audit", summary="Who changed what, when", response_model=schemas.AuditList)
async def audit(shared: Shared, who: Who, limit: models.Limit = 100, subject: Subject = None) -> JSONResponse:
    """List changes, newest first."""
    items: list[Json] = [views.audit(row) for row in await shared.registry.audit(limit, subject)]
    return JSONResponse({"items": items})


@router.get("/v1/keys", summary="List API keys", response_model=schemas.KeyList)
async def keys(shared: Shared, who: Who) -> JSONResponse:
    """List keys without their secrets, revoked ones too."""
    items: list[Json] = [views.key(row) for row in await shared.registry.list_keys()]
    return JSONResponse({"items": items})


@router.post("/v1/keys", status_code=201, summary="Make an API key", response_model=schemas.MadeKey)
async def create_key(request: models.KeyRequest, shared: Shared, who: Who) -> JSONResponse:
    """Make a key; its secret is in this answer and nowhere else."""
    problems = access.check_scopes(request.scopes)
    if problems:
        raise Invalid(problems)
    key, secret = await shared.registry.create_key(request.name, sorted(set(request.scopes)), who.actor)
    return JSONResponse({**views.key(key), "secret": secret.reveal()}, status_code=201)


@router.delete("/v1/keys/{id}", status_code=204, summary="Revoke an API key")
async def revoke_key(
    id: Annotated[str, Path(max_length=100, description="The key's id or name.")], shared: Shared, who: Who
) -> Response:
    """Revoke a key by id or name; its sessions in the console end too."""
    await shared.registry.revoke_key(id, who.actor)
    return Response(status_code=204)
