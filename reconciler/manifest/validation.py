"""Validates a document against its model and turns what pydantic found into problems with paths and remedies."""

import json
import types
import typing
from collections.abc import Sequence
from typing import Annotated, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reconciler.core.blueprint.spots import at, capped, described, nearest
from reconciler.core.errors import Invalid, Problem
from reconciler.core.values import Json

M = TypeVar("M", bound=BaseModel)
Step = str | int

_MESSAGES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "list_type": "must be a list",
    "date_type": "must be a day",
    "date_from_datetime_parsing": "must be a day",
    "date_parsing": "must be a day",
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "enum": "is not a known word here",
    "literal_error": "is not a known word here",
}
_LIMITS = {"greater_than_equal": "must be at least {ge}", "less_than_equal": "must be at most {le}"}
_REMEDIES = {
    "dict_type": "write its keys below it, indented",
    "model_type": "write its fields below it, indented",
    "list_type": 'write each entry on a line of its own, after "- "',
    "date_type": "write it like 2026-12-15",
    "date_parsing": "write it like 2026-12-15",
    "date_from_datetime_parsing": "write it like 2026-12-15",
}


def validate(model: type[M], data: Json, prefix: str = "") -> M:
    """Read data into a model; raises Invalid with every problem, each at its field path below `prefix`."""
    try:
        # JSON mode: dates are text, numbers are never made from text.
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        found = [_problem(one, model, prefix) for one in error.errors(include_url=False)]
        raise Invalid(capped(found)) from None


def _problem(error: ErrorDetails, model: type[BaseModel], prefix: str) -> Problem:
    sort, context = error["type"], error.get("ctx", {})
    loc = _steps(model, error["loc"])
    path = prefix
    for step in loc:
        path = at(path, step)
    message = _MESSAGES.get(sort) or _LIMITS.get(sort, "").format(**context)
    message = message or str(context.get("message") or error["msg"])
    # Of a whole mapping that contradicts itself, the message says everything.
    silent = sort in ("missing", "extra_forbidden") or (sort == "refused" and isinstance(error["input"], dict))
    value = "" if silent else described(error["input"])
    return Problem(path=path or "document", message=message, value=value, remedy=_remedy(error, model, loc))


def _remedy(error: ErrorDetails, model: type[BaseModel], loc: Sequence[Step]) -> str:
    sort, found = error["type"], error["input"]
    if sort == "extra_forbidden":
        return nearest(str(loc[-1]), field_names(annotation_at(model, loc[:-1])))
    if sort in ("enum", "literal_error"):
        words = [word.strip().strip("'") for word in str(error["ctx"]["expected"]).replace(" or ", ", ").split(",")]
        return "write true" if words == ["True"] else nearest(str(found), words)
    if sort == "string_type" and isinstance(found, int | float):
        return "put it in quotes"
    return _REMEDIES.get(sort) or str(error.get("ctx", {}).get("remedy", ""))


def _steps(model: type[BaseModel], loc: Sequence[Step]) -> list[Step]:
    """Keep the steps that lead through the document: pydantic adds marks for keys and for members of a union."""
    steps: list[Step] = []
    for step in loc:
        known = annotation_at(model, [*steps, step]) is not None
        unknown_field = step == loc[-1] and bool(field_names(annotation_at(model, steps)))
        if step != "[key]" and (known or unknown_field):
            steps.append(step)
    return steps


def bare(annotation: object) -> object:
    """Strip Annotated and an optional None off a type."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            members = [one for one in get_args(annotation) if one is not type(None)]
            if len(members) != 1:
                return annotation
            annotation = members[0]
        else:
            return annotation


def annotation_at(model: object, path: Sequence[Step]) -> object:
    """Answer the type of the field at a path below a model, or None when no such path can exist."""
    here = bare(model)
    for step in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            matches = [field.annotation for field in here.model_fields.values() if field.alias == step]
            here = bare(matches[0]) if matches else None
        elif get_origin(here) is dict:
            here = bare(get_args(here)[1])
        elif get_origin(here) is list and isinstance(step, int):
            here = bare(get_args(here)[0])
        else:
            return here if _is_free(here) else None
    return here


def _is_free(annotation: object) -> bool:
    """Say whether any JSON may stand here: what lies below is the template's."""
    return typing.cast(object, getattr(annotation, "__name__", "")) == "JsonValue"


def field_names(annotation: object) -> list[str]:
    """Name the fields of a model, as documents write them; empty for anything else."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [field.alias or name for name, field in annotation.model_fields.items()]
    return []
