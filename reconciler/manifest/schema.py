"""Explains the language: JSON Schemas for editors and `explain` for people, both made of the models."""

import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from reconciler.core.blueprint.fields import DATABASE_FIELDS, SERVICE_FIELDS
from reconciler.core.blueprint.spots import nearest
from reconciler.core.errors import NotFound
from reconciler.core.values import Json
from reconciler.manifest.models import FILES
from reconciler.manifest.validation import bare, field_names

SCHEMA_FILE = Path(__file__).parent / "schema" / "reconciler.schema.json"
"""The combined schema, kept beside the models for editors; a test proves that it is the generated one."""
_TEMPLATE_WORDS = "  FIELDS OF A SERVICE   {services}\n  FIELDS OF A DATABASE  {databases}"


def json_schemas() -> dict[str, dict[str, Json]]:
    """Answer the JSON Schema of each kind of document, by kind."""
    return {kind: model.model_json_schema(by_alias=True) for kind, model in FILES.items()}


def combined_schema() -> dict[str, Json]:
    """Answer one JSON Schema for both kinds, as editors want it: `kind` decides."""
    definitions: dict[str, Json] = {}
    rules: list[Json] = []
    for kind, schema in json_schemas().items():
        inner = schema.pop("$defs", {})
        definitions |= inner if isinstance(inner, dict) else {}
        definitions[f"{kind}Document"] = schema
        condition: Json = {"properties": {"kind": {"const": kind}}}
        rules.append({"if": condition, "then": {"$ref": f"#/$defs/{kind}Document"}})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Blueprints and tenants of the Render reconciler",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {"kind": {"enum": list(FILES)}},
        "allOf": rules,
        "$defs": definitions,
    }


def schema_text() -> str:
    """Write the combined schema as the file that editors read."""
    return json.dumps(combined_schema(), indent=2, sort_keys=True) + "\n"


def explain(path: str) -> str:
    """Say what a field is, as text for people: `tenant`, `tenant.spec.tier`, `blueprint.spec.tiers.patch`.

    Names of mappings (a tier's, a component's) may be left out. Raises NotFound with the nearest field.
    """
    steps = [step for step in path.strip().split(".") if step]
    kinds = {kind.lower(): kind for kind in FILES}
    if not steps or steps[0].lower() not in kinds:
        raise NotFound(f"no such kind: {path!r}; {nearest(steps[0] if steps else '', kinds)}")
    kind = kinds[steps[0].lower()]
    here: object = FILES[kind]
    info: FieldInfo | None = None
    for step in steps[1:]:
        here, info = _inner(here, step, path)
    lines = [f"KIND     {kind}"]
    if info is not None:
        lines.append(f"FIELD    {'.'.join(steps[1:])}  <{_type_name(here)}>{_default(info)}")
    description = info.description if info is not None else (FILES[kind].__doc__ or "")
    lines += ["", f"  {' '.join((description or '').split())}"]
    lines += _children(here)
    return "\n".join(lines)


def _inner(here: object, step: str, path: str) -> tuple[object, FieldInfo]:
    """Go to a field of a model; through mappings and lists without a step of their own, or with one."""
    container = _element(here)
    fields = _fields(container)
    if step not in fields:
        raise NotFound(f"no such field: {path!r} ({step}); {nearest(step, fields)}")
    return fields[step].annotation, fields[step]


def _element(annotation: object) -> object:
    """Look through mappings, lists and optional types to what they are made of."""
    here = bare(annotation)
    while get_origin(here) in (dict, list):
        here = bare(get_args(here)[-1])
    return here


def _fields(annotation: object) -> Mapping[str, FieldInfo]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {field.alias or name: field for name, field in annotation.model_fields.items()}
    return {}


def _children(annotation: object) -> list[str]:
    element = _element(annotation)
    fields = _fields(element)
    if not fields:
        return []
    wide = max(len(name) for name in fields)
    lines = ["", "FIELDS"]
    for name, info in fields.items():
        sort = f"<{_type_name(info.annotation)}>"
        required = " required" if info.is_required() else ""
        lines.append(f"  {name.ljust(wide)}  {sort}{required}{_default(info)}")
    if "template" in field_names(element):
        words = _TEMPLATE_WORDS.format(services=", ".join(SERVICE_FIELDS), databases=", ".join(DATABASE_FIELDS))
        lines += ["", "TEMPLATE (render.yaml)", words]
    return lines


def _default(info: FieldInfo) -> str:
    value = info.default
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel):
        return ""
    return f"  default {value.value if isinstance(value, Enum) else json.dumps(value)}"


def _type_name(annotation: object) -> str:
    here = bare(annotation)
    origin = get_origin(here)
    if origin is dict:
        return f"mapping of {_type_name(get_args(here)[1])}"
    if origin is list:
        return f"list of {_type_name(get_args(here)[0])}"
    if origin is Literal:
        return " | ".join(str(one) for one in get_args(here))
    if isinstance(here, type) and issubclass(here, Enum):
        return " | ".join(str(one.value) for one in here)
    names = {str: "text", int: "whole number", float: "number", bool: "true | false"}
    if isinstance(here, type) and here in names:
        return names[here]
    if _fields(here):
        return "object"
    return "day" if getattr(here, "__name__", "") == "date" else "any value"
