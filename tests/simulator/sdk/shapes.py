"""Compares what the official SDK made of an answer with what its types promise and with what the answer said.

Both comparisons return complaints, empty when there is nothing to complain about.
"""

import datetime
import sys
import typing
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from types import ModuleType
from typing import Any, Union

import attrs
from render.public_api import models, types

from reconciler.simulator import times

NAMESPACE = {name: value for name, value in vars(models).items() if isinstance(value, type)}
# Recorded as null where the schema promises a list; the SDK lets them through unread.
NULL_LISTS = {"databases_ids", "redis_ids", "service_ids", "env_group_ids", "event_filter"}
# Details of an event have no type of their own in the union of all: the event's type names it.
EVENT_DETAILS = {"plan_changed": "instancetypechanged"}
# Types the SDK names without a model of their details.
BARE_EVENTS = {"postgres_disk_autoscaling_enabled_changed"}
DETAILS = {name.lower(): value for name, value in NAMESPACE.items()}


@lru_cache(maxsize=1024)
def hints_of(cls: type) -> dict[str, Any]:
    """Read the annotations of a model, names of other models resolved."""
    return typing.get_type_hints(cls, globalns={**vars(sys.modules[cls.__module__]), **NAMESPACE})


@lru_cache(maxsize=1024)
def promised(endpoint: ModuleType) -> Any:
    """Tell what an endpoint function promises on success."""
    hints = typing.get_type_hints(endpoint.sync_detailed, globalns={**vars(endpoint), **NAMESPACE})
    (content,) = typing.get_args(hints["return"])
    members = [member for member in _members(content) if member not in (models.Error, Any)]
    return Union[tuple(members)] if members else None  # noqa: UP007 - made at run time


def _members(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) is Union else (hint,)


def complaints(value: Any, hint: Any, path: str = "$") -> Iterator[str]:
    """Tell where a value is not of the type it was promised to be, all the way down."""
    members = _members(hint)
    if Any in members:
        return
    if len(members) > 1:
        found = [list(complaints(value, member, path)) for member in members]
        if not any(one == [] for one in found):
            yield f"{path}: {value!r} is none of {hint}: {min(found, key=len)}"
        return
    if typing.get_origin(hint) is list:
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        (inner,) = typing.get_args(hint)
        for index, item in enumerate(value):
            yield from complaints(item, inner, f"{path}[{index}]")
    elif attrs.has(hint):
        yield from _model(value, hint, path)
    elif not _is_a(value, hint):
        yield f"{path}: {value!r} is no {hint}"


def _is_a(value: Any, hint: Any) -> bool:
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is datetime.datetime:
        return isinstance(value, datetime.datetime) and value.tzinfo is not None
    if isinstance(hint, type) and issubclass(hint, Enum):
        return type(value) is hint
    return isinstance(value, hint)


def _model(value: Any, hint: type, path: str) -> Iterator[str]:
    if type(value) is not hint:
        yield f"{path}: {value!r} is no {hint.__name__}"
        return
    hints = hints_of(hint)
    named = [field.name for field in attrs.fields(hint) if field.name != "additional_properties"]
    for name in named:
        inner = getattr(value, name)
        if inner is None and name in NULL_LISTS:
            continue
        if name == "details" and hint in (models.Event, models.ServiceEvent):
            yield from _details(value, f"{path}.details")
        else:
            yield from complaints(inner, hints[name], f"{path}.{name}")
    extra = getattr(value, "additional_properties", {})
    if extra and named:
        yield f"{path}: {hint.__name__} knows no {sorted(extra)}"
    elif extra:
        (_, inner) = typing.get_args(hints["additional_properties"])
        for name, item in extra.items():
            yield from complaints(item, inner, f"{path}.{name}")


def details_of(event: Any) -> Any:
    """Read the details of an event as what its type says; the SDK takes the first of all that does not object."""
    kind = event.type_.value
    return DETAILS[EVENT_DETAILS.get(kind, kind.replace("_", ""))].from_dict(event.details.to_dict())


def _details(event: Any, path: str) -> Iterator[str]:
    if event.type_.value in BARE_EVENTS:
        return
    try:
        details = details_of(event)
    except (KeyError, TypeError, ValueError) as error:
        yield f"{path}: {event.details.to_dict()} are no details of {event.type_.value}: {error!r}"
        return
    yield from complaints(details, type(details), f"{path}({event.type_.value})")


def plain(parsed: Any) -> Any:
    """Turn models back into JSON."""
    if isinstance(parsed, list):
        return [plain(item) for item in parsed]
    return parsed.to_dict() if attrs.has(type(parsed)) else parsed


def differences(read: Any, said: Any, path: str = "$") -> Iterator[str]:
    """Tell where what was read differs from what was said; one instant may be spelled in several ways."""
    if isinstance(said, dict) and isinstance(read, dict):
        for name in sorted({*said, *read}):
            if said.get(name) is not None or read.get(name):
                yield from differences(read.get(name, types.UNSET), said.get(name, types.UNSET), f"{path}.{name}")
    elif isinstance(said, list) and isinstance(read, list):
        if len(said) != len(read):
            yield f"{path}: {len(read)} instead of {len(said)} items"
        for index, (one, other) in enumerate(zip(read, said, strict=False)):
            yield from differences(one, other, f"{path}[{index}]")
    elif read != said and not _same_instant(read, said):
        yield f"{path}: {read!r} instead of {said!r}"


def _same_instant(one: Any, other: Any) -> bool:
    """Compare instants by the microsecond, which is all that the SDK keeps of them."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    try:
        return times.parse(one) // times.MICRO_NS == times.parse(other) // times.MICRO_NS
    except ValueError:
        return False
