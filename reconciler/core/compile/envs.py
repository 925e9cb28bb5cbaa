"""Turns the env forms of a template into values with holes, following copies of variables and refusing circles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from reconciler.core.compile.expressions import Scope
from reconciler.core.errors import Problem, shown
from reconciler.core.kinds import Kind
from reconciler.core.spec import SecretSort, SecretSource
from reconciler.core.template import Asked, Component, EnvForm, FromDatabase, FromService, Generated, Literal
from reconciler.core.values import Live, SecretRef, Value

POSTGRES_PORT = "5432"
DATABASE_PROPERTIES = frozenset({"connectionString", "connectionPoolString", "host", "user", "password", "database"})
KEY_VALUE_PROPERTIES = frozenset({"connectionString", "host", "port", "hostport"})
SERVICE_PROPERTIES = frozenset({"host", "port", "hostport"})
PLATFORM_VARIABLES = {
    "RENDER_EXTERNAL_URL": ("url", (Kind.WEB, Kind.STATIC)),
    "RENDER_EXTERNAL_HOSTNAME": ("externalHostname", (Kind.WEB, Kind.STATIC)),
    "RENDER_INTERNAL_HOSTNAME": ("host", (Kind.WEB, Kind.PRIVATE)),
    "RENDER_SERVICE_ID": ("serviceId", None),
    "RENDER_SERVICE_NAME": ("serviceName", None),
    "RENDER_SERVICE_TYPE": ("serviceType", None),
}
"""Platform variables that can be read off the live object (Render API 9.5); the others exist at run time only."""


@dataclass(slots=True)
class Environment:
    """Resolves env forms of one tenant's components; `secrets` and `generate` collect what the stack will need."""

    components: Mapping[str, Component]
    scope: Scope
    sources: Mapping[str, SecretSource]
    problems: list[Problem]
    secrets: dict[SecretRef, list[str]] = field(default_factory=dict)
    generate: dict[SecretRef, int] = field(default_factory=dict)
    _done: dict[tuple[str, str], Value] = field(default_factory=dict)
    _open: list[tuple[str, str]] = field(default_factory=list)

    def of(self, key: str) -> dict[str, Value]:
        """Answer every variable of a component as a value."""
        values = {name: self._variable(key, name) for name in self.components[key].env}
        for value in values.values():
            for part in value:
                if isinstance(part, SecretRef):
                    self._needs(part, key)
        return values

    def text(self, text: str, path: str, component: str) -> Value:
        """Answer a string that may name secrets (a secret file) as a value."""
        value = self.scope.value(text, path)
        for part in value:
            if isinstance(part, SecretRef):
                self._needs(part, component)
        return value

    def secret(self, name: str) -> SecretRef:
        """Answer the reference for a secret by name, by where the Blueprint says its value comes from."""
        source = self.sources.get(name, SecretSource())
        reference = SecretRef(name, shared=source.sort is SecretSort.SHARED)
        if source.sort is SecretSort.GENERATE:
            self.generate[reference] = source.length
        return reference

    def _needs(self, reference: SecretRef, component: str) -> None:
        users = self.secrets.setdefault(reference, [])
        if component not in users:
            users.append(component)

    def _variable(self, key: str, name: str) -> Value:
        place = (key, name)
        if place in self._done:
            return self._done[place]
        if place in self._open:
            circle = " -> ".join(f"{k}.{n}" for k, n in [*self._open[self._open.index(place) :], place])
            self._problem(key, name, f"variables copy each other in a circle: {circle}", "give one of them a value", "")
            return ("",)
        self._open.append(place)
        value = self._form(key, name, self.components[key].env[name])
        self._open.pop()
        self._done[place] = value
        return value

    def _form(self, key: str, name: str, form: EnvForm) -> Value:
        match form:
            case Literal(text):
                return self.scope.value(text, f"{self.components[key].path or key}.envVars.{name}")
            case Generated():
                reference = SecretRef(f"{key}/{name}")
                self.generate[reference] = 0
                return (reference,)
            case Asked():
                return (self.secret(name),)
            case FromDatabase(target, prop):
                return self._from_database(key, name, target, prop)
            case FromService(target, prop, copied):
                return self._from_service(key, name, target, prop, copied)
            case _:
                assert_never(form)

    def _from_database(self, key: str, name: str, target: str, prop: str) -> Value:
        found = self._target(key, name, target, "fromDatabase", (Kind.POSTGRES,))
        if found is None:
            return ("",)
        if prop == "port":
            return (POSTGRES_PORT,)
        assert prop in DATABASE_PROPERTIES, "the language knows no other"
        return (Live(found.key, prop),)

    def _from_service(self, key: str, name: str, target: str, prop: str, copied: str) -> Value:
        found = self._target(key, name, target, "fromService", None)
        if found is None:
            return ("",)
        if copied:
            return self._copied(key, name, found, copied)
        known = KEY_VALUE_PROPERTIES if found.kind is Kind.KEY_VALUE else SERVICE_PROPERTIES
        if found.kind not in (Kind.WEB, Kind.PRIVATE, Kind.KEY_VALUE):
            self._problem(key, name, f"a {found.kind} has no internal address", "use envVarKey instead", prop)
        elif prop not in known:
            self._problem(
                key, name, f"a {found.kind} has no such property", f"use one of: {', '.join(sorted(known))}", prop
            )
        else:
            return (Live(found.key, prop),)
        return ("",)

    def _copied(self, key: str, name: str, found: Component, copied: str) -> Value:
        holder = self._holder(found, copied)
        if holder is not None:
            return self._variable(holder, copied)
        if copied in PLATFORM_VARIABLES:
            attribute, kinds = PLATFORM_VARIABLES[copied]
            if kinds is None or found.kind in kinds:
                return (Live(found.key, attribute),)
            self._problem(key, name, f"a {found.kind} has no {copied}", "name another service", found.key)
        elif copied.startswith("RENDER_"):
            self._problem(
                key, name, "this variable exists at run time only, it cannot be copied", "read it there", copied
            )
        else:
            self._problem(key, name, f"{found.key} has no variable of this name", "declare it there", copied)
        return ("",)

    def _holder(self, found: Component, variable: str) -> str | None:
        """Find who holds a variable: the component itself, else the newest of its groups."""
        if variable in found.env:
            return found.key
        groups = (group for group in reversed(found.groups) if group in self.components)
        return next((group for group in groups if variable in self.components[group].env), None)

    def _target(self, key: str, name: str, target: str, word: str, kinds: tuple[Kind, ...] | None) -> Component | None:
        found = self.components.get(target)
        if found is None and word == "fromDatabase":
            found = self.components.get(f"{target}-db")
        fits = found is not None and (
            found.kind in kinds if kinds else found.kind not in (Kind.POSTGRES, Kind.ENV_GROUP)
        )
        if fits:
            return found
        choices = ", ".join(
            k
            for k, one in self.components.items()
            if (one.kind in kinds if kinds else one.kind not in (Kind.POSTGRES, Kind.ENV_GROUP))
        )
        remedy = "define it here" + (f", or name one that is there: {choices}" if choices else "")
        self._problem(key, name, f"{word} names nothing that this Blueprint defines", remedy, target)
        return None

    def _problem(self, key: str, name: str, message: str, remedy: str, value: str) -> None:
        path = f"{self.components[key].path or key}.envVars.{name}"
        self.problems.append(Problem(path=path, message=message, remedy=remedy, value=shown(value) if value else ""))
