"""Serves kept passes under /v1: what a pass was made from, what it planned and did, and whether it replays."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse

from reconciler.api import edits, models, pass_schemas, views
from reconciler.api.context import Shared, Who
from reconciler.api.guard import GuardedRoute
from reconciler.core.errors import NotFound, shown
from reconciler.core.values import Json

router = APIRouter(route_class=GuardedRoute, tags=["passes"])

Newest = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
PassId = Annotated[str, Path(max_length=20, description="The pass's number.")]
DIGITS_MAX = 18


@router.get("/v1/tenants/{name}/passes", summary="Kept passes of a tenant", response_model=pass_schemas.PassList)
async def passes(name: models.Name, shared: Shared, who: Who, limit: Newest = 20) -> JSONResponse:
    """List passes that changed, failed or waited for something, newest first."""
    row = await edits.find(shared, who, name)
    items: list[Json] = [views.kept_row(item) for item in await shared.registry.passes(row.name, limit)]
    return JSONResponse({"items": items})


@router.get("/v1/passes/{id}", summary="One kept pass, replayed", response_model=pass_schemas.KeptPassShape)
async def kept(id: PassId, shared: Shared, who: Who) -> JSONResponse:
    """Answer a pass with its inputs and plans, and whether this program makes the same plans of them."""
    if not (id.isascii() and id.isdigit() and len(id) <= DIGITS_MAX):
        raise NotFound(f"no pass {shown(id)} is kept")
    return JSONResponse(views.kept_pass(await shared.registry.get_pass(int(id))))
