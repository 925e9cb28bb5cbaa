"""Turns the core's frozen values into JSON and back, exactly, by their type annotations; knows no table.

Times become ISO 8601 in UTC, Decimals and enums text, tuples and frozensets lists. A Sensitive is refused: secrets
are encrypted by the vault, never encoded. PostgreSQL's jsonb holds neither NUL nor half a surrogate pair: such
characters become U+FFFD on the way in.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from reconciler.core.values import Json, Sensitive

T = TypeVar("T")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Replace what PostgreSQL cannot hold in text."""
    return UNSTORABLE.sub("\ufffd", text)


def encode(value: object) -> Json:
    """Write a value as JSON; TypeError for a Sensitive or anything that has no JSON form."""
    match value:
        case Enum():
            return typing.cast(Json, value.value)
        case str():
            return storable(value)
        case None | bool() | int() | float():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date() | Decimal():
            return str(value)
        case _:
            return _encode_compound(value)


def _encode_compound(value: object) -> Json:
    match value:
        case Mapping():
            return {storable(str(key)): encode(item) for key, item in value.items()}
        case frozenset() | set():
            return sorted((encode(item) for item in value), key=repr)
        case list() | tuple():
            return [encode(item) for item in value]
        case _:
            return _encode_dataclass(value)


def _encode_dataclass(value: object) -> Json:
    if isinstance(value, Sensitive) or not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}


def decode(kind: type[T], value: Json) -> T:
    """Read a value of a dataclass type from JSON; a field that is missing gets its default."""
    return typing.cast(T, _decoder(typing.cast(Any, kind))(value))


Decoder = Callable[[Any], Any]


@cache
def _decoder(kind: Any) -> Decoder:  # noqa: ANN401 - any type annotation
    if dataclasses.is_dataclass(kind):
        return _dataclass_decoder(kind)
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _union_decoder(kind)
    if origin is not None:
        return _container_decoder(origin, typing.get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    named: dict[Any, Decoder] = {datetime: datetime.fromisoformat, date: date.fromisoformat, Decimal: Decimal}
    return named.get(kind, _same)


def _same(value: Any) -> Any:  # noqa: ANN401 - JSON as it is
    return value


def _dataclass_decoder(kind: Any) -> Decoder:  # noqa: ANN401 - any dataclass
    # The types of fields are resolved at the first value, so that a dataclass may name itself.
    hints: dict[str, Any] = {}
    plain: set[str] = set()

    def read(value: Any) -> Any:  # noqa: ANN401 - one dataclass or another
        if not hints:
            found = typing.get_type_hints(kind)
            hints.update({f.name: _decoder(found[f.name]) for f in dataclasses.fields(kind)})
            plain.update(name for name, decoder in hints.items() if decoder is _same)
        given = {name: item if name in plain else hints[name](item) for name, item in value.items() if name in hints}
        return kind(**given)

    return read


def _union_decoder(kind: Any) -> Decoder:  # noqa: ANN401 - any union
    options = [option for option in typing.get_args(kind) if option is not type(None)]
    if len(options) != 1:
        return _choice_decoder([option for option in options if dataclasses.is_dataclass(option)])
    inner = _decoder(options[0])
    return _same if inner is _same else lambda value: None if value is None else inner(value)


def _choice_decoder(options: list[Any]) -> Decoder:
    """Tell dataclasses that share a place apart by the names of their fields; anything else there is JSON as it is."""
    if not options:
        return _same
    readers = {frozenset(f.name for f in dataclasses.fields(option)): _decoder(option) for option in options}

    def read(value: Any) -> Any:  # noqa: ANN401 - one of the options, or plain JSON
        return readers[frozenset(value)](value) if isinstance(value, dict) else value

    return read


def _container_decoder(origin: Any, arguments: tuple[Any, ...]) -> Decoder:  # noqa: ANN401 - any generic
    if isinstance(origin, type) and issubclass(origin, Mapping):
        to_key, to_item = _decoder(arguments[0]), _decoder(arguments[1])
        if to_key is _same and to_item is _same:
            return _same
        return lambda value: {to_key(key): to_item(item) for key, item in value.items()}
    if origin is tuple and arguments[-1] is not Ellipsis:
        readers = [_decoder(argument) for argument in arguments]
        return lambda value: tuple(reader(one) for reader, one in zip(readers, value, strict=True))
    item = _decoder(arguments[0])
    if origin in (tuple, frozenset, list):
        if item is _same:
            return _same if origin is list else typing.cast(Decoder, origin)
        return lambda value: origin(item(one) for one in value)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return lambda value: tuple(item(one) for one in value)
    raise TypeError(f"no decoder for {origin}")
