"""Fills the holes of desired values with what is known now, and keeps only keyed hashes of the result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.core.stack import Resource, Stack
from reconciler.core.values import Live, Lookup, SecretRef, Sensitive, Unresolved, Value, resolve

Hasher = Callable[[str, str], str]
"""Keyed hash of a text in its context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """One resource's variables and secret files: digests of what is known, needs of what is not."""

    env: Mapping[str, str]
    files: Mapping[str, str]
    pending: Mapping[str, tuple[Live | SecretRef, ...]]


def context(tenant: str, component: str, name: str) -> str:
    """Name the place of a value for hashing: the same text elsewhere has another hash."""
    return f"{tenant}/{component}/{name}"


def _digested(
    tenant: str, component: str, values: Mapping[str, Value], lookup: Lookup, hasher: Hasher
) -> tuple[dict[str, str], dict[str, tuple[Live | SecretRef, ...]]]:
    done: dict[str, str] = {}
    pending: dict[str, tuple[Live | SecretRef, ...]] = {}
    for name, value in values.items():
        text = resolve(value, lookup)
        if isinstance(text, Unresolved):
            pending[name] = text.needs
        else:
            done[name] = hasher(context(tenant, component, name), text.reveal())
    return done, pending


def resolve_resource(tenant: str, resource: Resource, lookup: Lookup, hasher: Hasher) -> Resolved:
    """Resolve one resource's variables and files."""
    env, env_pending = _digested(tenant, resource.component, resource.env, lookup, hasher)
    files, file_pending = _digested(tenant, resource.component, resource.files, lookup, hasher)
    return Resolved(env=env, files=files, pending={**env_pending, **file_pending})


def resolve_stack(stack: Stack, lookup: Lookup, hasher: Hasher) -> dict[str, Resolved]:
    """Resolve every resource of a stack."""
    return {key: resolve_resource(stack.tenant, one, lookup, hasher) for key, one in stack.resources.items()}


def plaintext(values: Mapping[str, Value], lookup: Lookup) -> dict[str, Sensitive]:
    """Resolve values to texts for sending; every hole must be known, else LookupError names the variables."""
    done: dict[str, Sensitive] = {}
    missing: list[str] = []
    for name, value in values.items():
        text = resolve(value, lookup)
        if isinstance(text, Unresolved):
            missing.append(name)
        else:
            done[name] = text
    if missing:
        raise LookupError(f"no value yet for {', '.join(sorted(missing))}")
    return done
