"""Serves what hangs on one tenant under /v1: events, journal, costs, reconcile, hold, secrets' names."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from reconciler.api import edits, models, schemas, views
from reconciler.api.context import Shared, Who
from reconciler.api.guard import GuardedRoute
from reconciler.core.values import Json, Sensitive

router = APIRouter(route_class=GuardedRoute, tags=["tenants"])

After = Annotated[int, Query(ge=0, le=2**62, description="Only events changed after this id; 0 means the newest.")]


@router.get("/v1/tenants/{name}/events", summary="What happened to a tenant", response_model=schemas.EventList)
async def events(
    name: models.Name, shared: Shared, who: Who, after: After = 0, limit: models.Limit = 100
) -> JSONResponse:
    """List events, newest last; to watch, ask again with `after` set to the last id."""
    row = await edits.find(shared, who, name)
    items: list[Json] = [views.event(item) for item in await shared.registry.events(row.name, after=after, limit=limit)]
    return JSONResponse({"items": items})


@router.get("/v1/tenants/{name}/operations", summary="The journal of a tenant", response_model=schemas.OperationList)
async def operations(name: models.Name, shared: Shared, who: Who, limit: models.Limit = 50) -> JSONResponse:
    """List effects on Render, newest first, with their outcomes."""
    row = await edits.find(shared, who, name)
    items: list[Json] = [views.operation(item) for item in await shared.registry.operations(row.name, limit)]
    return JSONResponse({"items": items})


@router.get("/v1/tenants/{name}/costs", summary="What a tenant costs", response_model=schemas.TenantCosts)
async def costs(name: models.Name, shared: Shared, who: Who, window: models.Window = "month") -> JSONResponse:
    """Sum the ledger of one tenant in a window, with the present price of each component."""
    row = await edits.find(shared, who, name)
    since, until = models.window_of(window, shared.clock.now())
    sums = await shared.registry.costs("tenant", since, until)
    found = next((views.cost(item) for item in sums if item.key == row.name), None)
    components: list[Json] = [views.component(item) for item in row.status.components] if row.status else []
    return JSONResponse(
        {"since": views.stamp(since), "until": views.stamp(until), "total": found, "components": components}
    )


@router.post(
    "/v1/tenants/{name}/reconcile",
    status_code=202,
    summary="Look at a tenant now",
    response_model=schemas.ReconcileToken,
)
async def reconcile(name: models.Name, shared: Shared, who: Who) -> JSONResponse:
    """Ask for a pass with a deep check, refusals lifted; it is done when `status.handledToken` is this token."""
    row = await edits.find(shared, who, name, alter=True)
    token = await shared.registry.reconcile(row.name, who.actor)
    return JSONResponse({"tenant": row.name, "token": token}, status_code=202)


@router.put("/v1/tenants/{name}/hold", summary="Hands off a tenant", response_model=schemas.HoldShape)
async def hold(name: models.Name, change: models.HoldRequest, shared: Shared, who: Who) -> JSONResponse:
    """Stop all effects on one tenant for a time; the reason stands in its status."""
    row = await edits.find(shared, who, name, alter=True)
    until = models.hold_end(change, shared.clock.now())
    await shared.registry.set_hold(row.name, change.why, until, who.actor)
    body: dict[str, Json] = {"by": who.actor.name, "why": change.why, "until": views.stamp(until)}
    return JSONResponse(body)


@router.delete("/v1/tenants/{name}/hold", status_code=204, summary="Lift a hold")
async def unhold(name: models.Name, shared: Shared, who: Who) -> Response:
    """Let the operator work on the tenant again."""
    row = await edits.find(shared, who, name, alter=True)
    await shared.registry.clear_hold(row.name, who.actor)
    return Response(status_code=204)


@router.get("/v1/tenants/{name}/secrets", summary="Names of a tenant's secrets", response_model=schemas.SecretNames)
async def secrets(name: models.Name, shared: Shared, who: Who) -> JSONResponse:
    """List names and times; values are never answered."""
    row = await edits.find(shared, who, name)
    found = await shared.registry.list_secrets("tenant", row.name)
    items: list[Json] = [{"key": key, "setAt": views.stamp(at)} for key, at in sorted(found.items())]
    return JSONResponse({"items": items})


@router.put("/v1/tenants/{name}/secrets/{key}", status_code=204, summary="Set a tenant's secret")
async def set_secret(
    name: models.Name, key: models.SecretKey, secret: models.SecretValue, shared: Shared, who: Who
) -> Response:
    """Keep a secret, encrypted, and wake the tenant."""
    row = await edits.find(shared, who, name, alter=True)
    await shared.registry.set_secret("tenant", row.name, key, Sensitive(secret.value), who.actor)
    return Response(status_code=204)


@router.delete("/v1/tenants/{name}/secrets/{key}", status_code=204, summary="Forget a tenant's secret")
async def delete_secret(name: models.Name, key: models.SecretKey, shared: Shared, who: Who) -> Response:
    """Forget a secret; what Render holds stays until the tenant is changed."""
    row = await edits.find(shared, who, name, alter=True)
    await shared.registry.delete_secret("tenant", row.name, key, who.actor)
    return Response(status_code=204)
