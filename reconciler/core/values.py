"""Says how values that are not known yet, or must never be shown, are written down and resolved; pure."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""Plain JSON: what a document, a live field or a payload is made of."""


@dataclass(frozen=True, slots=True)
class Sensitive:
    """A string that must never be printed; `reveal()` is called only where bytes leave for Render or the store."""

    _value: str

    def reveal(self) -> str:
        """Hand out the plain text."""
        return self._value

    def __repr__(self) -> str:
        """Never the value."""
        return "Sensitive(***)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Live:
    """A value that only the live resource of `component` knows.

    Attributes: `host`, `port`, `hostport`, `url`, `user`, `database`, `password`, `connectionString`,
    `connectionPoolString`, `serviceId`, `serviceName`, `serviceType`, `externalHostname`, `internalHostname`.
    """

    component: str
    attribute: str


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret by name; `shared` ones belong to the Blueprint, all others to the tenant."""

    name: str
    shared: bool = False


Part = str | Live | SecretRef
Value = tuple[Part, ...]
"""A string with holes: literal text, live attributes and secrets, joined in order."""

SECRET_ATTRIBUTES = frozenset({"password", "connectionString", "connectionPoolString"})
"""Live attributes that come from connection-info and are secrets themselves (Render API 3.13.4, 3.14)."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a value has no text yet: the live attributes and secrets it still needs."""

    needs: tuple[Live | SecretRef, ...]


Lookup = Callable[[Live | SecretRef], str | None]
"""Answers a hole with its text, or None while it is unknown."""


def literal(text: str) -> Value:
    """Wrap plain text as a value."""
    return (text,)


def resolve(value: Value, lookup: Lookup) -> Sensitive | Unresolved:
    """Join a value's parts, or say which are missing. The result counts as secret whatever it is made of."""
    texts: list[str] = []
    missing: list[Live | SecretRef] = []
    for part in value:
        if isinstance(part, str):
            texts.append(part)
        elif (text := lookup(part)) is not None:
            texts.append(text)
        else:
            missing.append(part)
    return Unresolved(tuple(missing)) if missing else Sensitive("".join(texts))


def holes(value: Value) -> tuple[Live | SecretRef, ...]:
    """List the parts of a value that are not literal text."""
    return tuple(part for part in value if not isinstance(part, str))


def digest(key: bytes, context: str, text: str) -> str:
    """Keyed hash (HMAC-SHA256, 32 hex digits) of a text in its context: equal only for equal key, place and text."""
    return hmac.digest(key, f"{context}\0{text}".encode(), "sha256").hex()[:32]
