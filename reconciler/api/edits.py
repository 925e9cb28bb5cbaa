"""Turns what a client sends into checked columns of a tenants row and writes them; it knows no route.

All doors validate alike: documents go through `manifest`, and what a Blueprint must allow through its newest revision.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from starlette.requests import Request

from reconciler import manifest
from reconciler.api import bodies, views
from reconciler.api.access import Caller
from reconciler.api.context import Context
from reconciler.api.problems import ApiError
from reconciler.core.errors import Invalid, NotFound, Problem, shown
from reconciler.core.values import Json
from reconciler.doors import BlueprintRow, Taken, TenantRow

SIGNUP_COLUMNS = frozenset(
    {"name", "external_id", "display_name", "blueprint", "tier", "state", "params", "labels"},
)
"""What a key with scope signup may say; the rest is the operators' (as for the SQL role `signup`)."""
FIELD_OF_COLUMN = {"region": "spec.region", "priority": "spec.priority", "details": "spec"}
DEFAULTS: dict[str, Json] = {"region": None, "priority": 50, "details": {}}
SILENT: dict[str, Json] = {
    **DEFAULTS,
    "display_name": "",
    "tier": "",
    "state": "running",
}
"""What a whole document means that does not say a thing."""
READ_ONLY_METADATA = frozenset(
    {
        *("number", "generation", "externalId", "createdBy", "createdAt", "updatedAt", "purgeAt", "purged"),
        *("revision", "newestRevision"),
    }
)
YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/vnd.yaml"})
JSON_TYPES = frozenset({"application/json", "application/merge-patch+json"})
NAME = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")
ETAG = re.compile(r'(?:W/)?"(\d{1,18})"')


async def find(context: Context, caller: Caller, id_or_name: str, *, alter: bool = False) -> TenantRow:
    """Find a tenant this caller may see (or alter); others do not exist for a key with scope signup alone."""
    row = await context.registry.get_tenant(id_or_name)
    everything = caller.operates if alter else caller.reads_all
    if not everything and row.created_by != caller.key.name:
        raise NotFound(f"there is no tenant {shown(id_or_name)}, or this key did not make it")
    return row


async def read_document(request: Request, kind: str, name: str) -> manifest.Document:
    """Read the one document of a body, YAML or JSON, of this kind and name; without what is read-only in it."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in JSON_TYPES:
        data = await bodies.read_json(request)
        document = manifest.document(without_read_only(data) if isinstance(data, dict) else data)
    elif media_type in YAML_TYPES:
        document = _from_yaml(await request.body(), kind)
    else:
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The body is {shown(media_type)}; send Content-Type: application/yaml or application/json.",
        )
    for path, given, wanted in (("kind", document.kind, kind), ("metadata.name", document.name, name)):
        if given != wanted:
            problem = Problem(
                path=path,
                message="is not what the address says",
                value=shown(given),
                remedy=f"write {wanted}, or change the address",
                line=document.lines.get(path, document.line),
            )
            raise Invalid([problem])
    return document


def _from_yaml(body: bytes, kind: str) -> manifest.Document:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise ApiError(HTTPStatus.BAD_REQUEST, "The body is not UTF-8; send it as UTF-8.") from None
    documents = manifest.load_documents(text, file="")
    if len(documents) != 1:
        problem = Problem(path="body", message=f"holds {len(documents)} documents", remedy=f"send one {kind}")
        raise Invalid([problem])
    return replace(documents[0], data=without_read_only(documents[0].data))


def generation_wanted(request: Request, row: TenantRow | None) -> int | None:
    """Answer the generation that If-Match names, None without one; ApiError 412 when it is not the present one."""
    given = request.headers.get("if-match", "").strip()
    if not given:
        return None
    present = row.generation if row is not None else None
    if given == "*" and present is not None:
        return None
    match = ETAG.fullmatch(given)
    if match is None and given != "*":
        raise ApiError(HTTPStatus.BAD_REQUEST, f'If-Match is {shown(given)}; send the ETag of a GET, such as "3".')
    if present is None or match is None or int(match[1]) != present:
        now = f"it is at generation {present}" if present is not None else "it does not exist"
        raise ApiError(HTTPStatus.PRECONDITION_FAILED, f"If-Match is {given}, but {now}; read it again.")
    return int(match[1])


def etag(row: TenantRow) -> dict[str, str]:
    """Answer the ETag of a tenant: the generation of its spec."""
    return {"ETag": f'"{row.generation}"'}


def check_rights(caller: Caller, columns: Mapping[str, Json], row: TenantRow | None) -> None:
    """Refuse what only operators may say; ApiError 403 names the field."""
    if caller.operates:
        return
    before = views.columns(row) if row is not None else DEFAULTS
    for column, field in FIELD_OF_COLUMN.items():
        if column in columns and (columns[column] or None) != (before.get(column) or None):
            what = field if column != "details" else ", ".join(f"spec.{key}" for key in _keys(columns[column]))
            raise ApiError(
                HTTPStatus.FORBIDDEN,
                f"{what or field} may be set only with a key of scope operator; leave it out.",
                problems=[Problem(path=what or field, message="needs scope operator", remedy="leave it out")],
            )


def _keys(details: Json) -> list[str]:
    return list(details) if isinstance(details, dict) else []


async def blueprint_of(context: Context, name: Json) -> BlueprintRow:
    """Find the Blueprint that a tenant names; Invalid with the ones there are."""
    try:
        return await context.registry.get_blueprint(str(name))
    except NotFound:
        there = ", ".join(row.name for row in await context.registry.list_blueprints())
        problem = Problem(
            path="spec.blueprint",
            message="there is no such Blueprint",
            value=shown(name),
            remedy=f"use one of {there}" if there else "put one first: PUT /v1/blueprints/{name}",
        )
        raise Invalid([problem]) from None


async def check(context: Context, columns: Mapping[str, Json], document: manifest.Document | None = None) -> None:
    """Check whole columns against the newest revision of their Blueprint; Invalid, with lines if they are known."""
    blueprint = await blueprint_of(context, columns.get("blueprint"))
    try:
        problems = manifest.check_tenant_against(columns, blueprint.document)
    except Invalid as error:
        problems = list(error.problems)
    if problems:
        raise Invalid(problems if document is None else manifest.locate(document, problems))


def merged(target: Json, patch: Json) -> Json:
    """Apply a JSON Merge Patch (RFC 7386): objects merge, null removes, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def patched(row: TenantRow, patch: Json) -> dict[str, Json]:
    """Answer all columns of a tenant with a merge patch of its document applied; Invalid."""
    if not isinstance(patch, dict):
        raise Invalid([Problem(path="body", message="is no object", remedy='send e.g. {"spec": {"tier": "pro"}}')])
    before = views.columns(row)
    document = manifest.document(merged(dict(manifest.tenant_document(before)), without_read_only(patch)))
    if document.name != row.name:
        problem = Problem(
            path="metadata.name",
            message="cannot be changed",
            value=shown(document.name),
            remedy="make a new tenant and delete this one",
        )
        raise Invalid([problem])
    return {**before, **SILENT, "external_id": row.external_id, **manifest.tenant_columns(document)}


def without_read_only(document: Mapping[str, Json]) -> dict[str, Json]:
    """Leave out what a GET shows beside the spec, so that what was read can be sent back."""
    kept = {key: value for key, value in document.items() if key != "status"}
    metadata = kept.get("metadata")
    if isinstance(metadata, dict):
        kept["metadata"] = {key: value for key, value in metadata.items() if key not in READ_ONLY_METADATA}
    return kept


def moved(error: Taken, generation: int | None) -> Exception:
    """Say what a lost race is called: 412 if the client named a generation, else 409."""
    if error.field == "generation" and generation is not None:
        return ApiError(HTTPStatus.PRECONDITION_FAILED, str(error))
    return error


def is_name(text: str) -> bool:
    """Say whether a text can be a name of ours; others are not worth remembering."""
    return NAME.fullmatch(text) is not None
