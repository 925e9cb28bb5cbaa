"""Describes the API as OpenAPI: FastAPI's own description, and what only the table of scopes and the guard know."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from reconciler.api.access import ACCESS, Rule
from reconciler.api.problems import PROBLEM_JSON

SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["title", "status", "detail", "problems"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "requestId": {"type": "string"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "value", "message", "remedy", "line"],
                "properties": {
                    **{name: {"type": "string"} for name in ("path", "value", "message", "remedy")},
                    "line": {"type": "integer"},
                },
            },
        },
    },
}
OLD_ERROR: dict[str, Any] = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "detail": {"type": "string"}},
}
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Makes the request repeatable: the same key and body get the same answer for a day.",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Write the description once and keep it."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components = document.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    components.setdefault("schemas", {}).update(Problem=PROBLEM, OldError=OLD_ERROR)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, operation, ACCESS[method.upper(), path])
    app.openapi_schema = document
    return document


def _complete(path: str, operation: dict[str, Any], rule: Rule) -> None:
    """Add to one operation: who may, how it is repeated, how errors look."""
    if rule.scopes:
        operation["security"] = [{"bearer": []}, {"header": []}]
        operation["description"] += f"\n\nScope: {' or '.join(sorted(rule.scopes))}."
    if rule.replays:
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    old = path.startswith("/api/")
    schema = {"$ref": f"#/components/schemas/{'OldError' if old else 'Problem'}"}
    content = {"application/json" if old else PROBLEM_JSON: {"schema": schema}}
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {"description": "What is wrong, and what to do about it", "content": content}
