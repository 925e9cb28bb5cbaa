"""Serves /v1/blueprints: revisions, rollouts and the secrets that all tenants of a Blueprint share."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reconciler import manifest
from reconciler.api import edits, models, schemas, views
from reconciler.api.context import Shared, Who
from reconciler.api.guard import GuardedRoute
from reconciler.core.errors import Invalid
from reconciler.core.values import Json, Sensitive

router = APIRouter(route_class=GuardedRoute, tags=["blueprints"])

DOCUMENT_BODY: dict[str, object] = {
    "requestBody": {
        "required": True,
        "description": "A Blueprint document with its template inlined as spec.template.",
        "content": {
            "application/yaml": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}
CREATED: dict[int | str, dict[str, object]] = {
    201: {"model": schemas.AppliedBlueprint, "description": "A new revision"}
}
Revision = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Which revision; the newest by default.")]


@router.get("/v1/blueprints", summary="List Blueprints", response_model=schemas.BlueprintList)
async def list_blueprints(shared: Shared, who: Who) -> JSONResponse:
    """List the newest revision of each, with its rollout and the number of its tenants."""
    items: list[Json] = [views.blueprint(row) for row in await shared.registry.list_blueprints()]
    return JSONResponse({"count": len(items), "items": items})


@router.get("/v1/blueprints/{name}", summary="Get a revision of a Blueprint", response_model=schemas.BlueprintShape)
async def get(name: models.BlueprintName, shared: Shared, who: Who, revision: Revision = None) -> JSONResponse:
    """Answer the newest revision, or the one asked for; the ETag is its number."""
    row = await shared.registry.get_blueprint(name, revision)
    return JSONResponse(views.blueprint(row), headers={"ETag": f'"{row.revision}"'})


@router.put(
    "/v1/blueprints/{name}",
    summary="Apply a Blueprint",
    openapi_extra=DOCUMENT_BODY,
    response_model=schemas.AppliedBlueprint,
    responses=CREATED,
)
async def put(name: models.BlueprintName, request: Request, shared: Shared, who: Who) -> JSONResponse:
    """Make a new revision if the document differs from the newest, and roll it out in steps: 201, or 200 unchanged."""
    try:
        document = manifest.blueprint_document(await edits.read_document(request, "Blueprint", name))
        applied = await shared.registry.put_blueprint(name, document, who.actor)
    except Invalid as error:
        if edits.is_name(name):
            await shared.registry.reject("Blueprint", name, error.problems, who.actor)
        raise
    row = await shared.registry.get_blueprint(name)
    changed = applied.outcome != "unchanged"
    warnings: list[Json] = [*applied.warnings, *(str(problem) for problem in manifest.warnings(document))]
    body: dict[str, Json] = {**views.blueprint(row), "outcome": applied.outcome, "warnings": warnings}
    return JSONResponse(
        body,
        status_code=HTTPStatus.CREATED if changed else HTTPStatus.OK,
        headers={"ETag": f'"{row.revision}"', "Location": f"/v1/blueprints/{name}?revision={row.revision}"},
    )


@router.post(
    "/v1/blueprints/{name}/rollout/retry",
    status_code=202,
    summary="Let a stopped rollout go on",
    response_model=schemas.RetriedRollout,
)
async def retry_rollout(name: models.BlueprintName, shared: Shared, who: Who) -> JSONResponse:
    """Go on with a rollout that stopped after failures; 404 when none is stopped."""
    await shared.registry.retry_rollout(name, who.actor)
    row = await shared.registry.get_blueprint(name)
    return JSONResponse({"blueprint": name, "revision": row.revision, "rollout": row.rollout}, status_code=202)


@router.get(
    "/v1/blueprints/{name}/secrets", summary="Names of a Blueprint's shared secrets", response_model=schemas.SecretNames
)
async def secrets(name: models.BlueprintName, shared: Shared, who: Who) -> JSONResponse:
    """List names and times; values are never answered."""
    row = await shared.registry.get_blueprint(name)
    found = await shared.registry.list_secrets("blueprint", row.name)
    items: list[Json] = [{"key": key, "setAt": views.stamp(at)} for key, at in sorted(found.items())]
    return JSONResponse({"items": items})


@router.put("/v1/blueprints/{name}/secrets/{key}", status_code=204, summary="Set a shared secret")
async def set_secret(
    name: models.BlueprintName, key: models.SecretKey, secret: models.SecretValue, shared: Shared, who: Who
) -> Response:
    """Keep a secret for all tenants of a Blueprint, encrypted, and wake them."""
    row = await shared.registry.get_blueprint(name)
    await shared.registry.set_secret("blueprint", row.name, key, Sensitive(secret.value), who.actor)
    return Response(status_code=204)


@router.delete("/v1/blueprints/{name}/secrets/{key}", status_code=204, summary="Forget a shared secret")
async def delete_secret(name: models.BlueprintName, key: models.SecretKey, shared: Shared, who: Who) -> Response:
    """Forget a shared secret; its tenants are then blocked until it is set again."""
    row = await shared.registry.get_blueprint(name)
    await shared.registry.delete_secret("blueprint", row.name, key, who.actor)
    return Response(status_code=204)
