"""Substitutes our `${...}` expressions in strings already parsed; it can never change a document's structure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reconciler.core.errors import Problem, shown
from reconciler.core.kinds import DATASTORES, Kind
from reconciler.core.values import Json, Live, Part, SecretRef, Value

_EXPRESSION = re.compile(r"\$\$\{|\$\{(tenant|params|host|url|secrets)\.([^}]*)\}")


def _text(value: Json) -> str:
    """Write a parameter's value as text: booleans and null as YAML writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


@dataclass(slots=True)
class Scope:
    """What expressions may name for one tenant; collects the problems it meets."""

    tenant: Mapping[str, str]
    params: Mapping[str, Json]
    kinds: Mapping[str, Kind]
    secret: Callable[[str], SecretRef]
    problems: list[Problem] = field(default_factory=list)

    def value(self, text: str, path: str, *, secrets_allowed: bool = True) -> Value:
        """Split a string into literal text, live attributes and secrets; unknown names become problems."""
        parts: list[Part] = []
        position = 0
        for match in _EXPRESSION.finditer(text):
            parts.append(text[position : match.start()])
            position = match.end()
            if match.group(1) is None:
                parts.append("${")
            else:
                parts.extend(self._expression(match.group(1), match.group(2), path, secrets_allowed))
        parts.append(text[position:])
        return _joined(parts)

    def _expression(self, namespace: str, name: str, path: str, secrets_allowed: bool) -> Value:
        if namespace == "tenant" and name in self.tenant:
            return (self.tenant[name],)
        if namespace == "params" and name in self.params:
            return (_text(self.params[name]),)
        if namespace == "secrets" and secrets_allowed and name.strip():
            return (self.secret(name),)
        if namespace in ("host", "url") and name in self.kinds:
            found = _address(namespace, name, self.kinds[name])
            if found is not None:
                return found
            self._problem(path, namespace, name, f"a {self.kinds[name]} has no {namespace}", "name another component")
            return ()
        self._problem(path, namespace, name, *self._unknown(namespace, name))
        return ()

    def _unknown(self, namespace: str, name: str) -> tuple[str, str]:
        known: Mapping[str, tuple[str, ...]] = {
            "tenant": tuple(self.tenant),
            "params": tuple(self.params),
            "host": tuple(self.kinds),
            "url": tuple(self.kinds),
        }
        if namespace == "secrets" and not name.strip():
            return "a secret needs a name", "write ${secrets.NAME}"
        if namespace == "secrets":
            return "secrets are allowed in env values and secret files only", "move it into an env variable"
        names = ", ".join(sorted(known[namespace])) or "none"
        return f"unknown name in ${{{namespace}.}}", f"known: {names}; write $${{ for a literal ${{"

    def _problem(self, path: str, namespace: str, name: str, message: str, remedy: str) -> None:
        value = shown(f"${{{namespace}.{name}}}")
        self.problems.append(Problem(path=path, message=message, value=value, remedy=remedy))


def _joined(parts: list[Part]) -> Value:
    """Merge neighbouring literal texts and drop empty ones; an empty value is one empty text."""
    merged: list[Part] = []
    for part in parts:
        if part == "":
            continue
        if merged and isinstance(part, str) and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged) or ("",)


def _address(namespace: str, component: str, kind: Kind) -> Value | None:
    """Say which live attribute a `host` or `url` expression means for a kind, or None where it has none."""
    if namespace == "host":
        if kind in (Kind.WEB, Kind.STATIC):
            return (Live(component, "externalHostname"),)
        return (Live(component, "host"),) if kind is Kind.PRIVATE or kind in DATASTORES else None
    if kind in (Kind.WEB, Kind.STATIC):
        return (Live(component, "url"),)
    return ("http://", Live(component, "hostport")) if kind is Kind.PRIVATE else None
