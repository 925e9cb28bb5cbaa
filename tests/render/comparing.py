"""Compares a desired object with what Render reported, by the real plan, and says which of its parts differ.

`World` holds one object of a recorded scenario: what was asked for so far (`wanted`), and what the answers so far
showed. What an answer does not show counts as asked, as it does in the inventory.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.core import diff, resolve
from reconciler.core.actions import Verb, WaitReason
from reconciler.core.inventory import Known, Owned
from reconciler.core.kinds import ENVIRONMENT, GROUPING, SERVICES, Kind
from reconciler.core.observed import Deploy, Domain, Observed, Rule
from reconciler.core.plan import Plan, make_plan
from reconciler.core.plan.subject import NAME_MARK
from reconciler.core.stack import Resource, Stack
from tests.core.builders import NOW, hasher, view
from tests.render.wanted import KEY, Wanted

DRIFTED = re.compile(r"\S+: (variable \S+|secret file \S+|domain \S+|is not in the tenant's (environment)|\S+)")
FOREIGN_ID = "evm-00000000000000000000"


@dataclass
class World:
    """One live object of a scenario, as it was asked for and as it was seen."""

    wanted: Wanted
    observed: Observed | None = None
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    domains: tuple[Domain, ...] = ()
    headers: tuple[Rule, ...] = ()
    routes: tuple[Rule, ...] = ()

    def seen(self, **fields) -> None:
        """Take fields into the observation, as an answer about a part of the object does."""
        assert self.observed is not None
        self.observed = replace(self.observed, fields={**self.observed.fields, **fields})

    def generated(self) -> None:
        """Keep the values that Render made up, as we keep the ones we made: from then on they are asked for."""
        for key, text in self.wanted.env.items():
            if text is None and key in self.env:
                self.wanted.env[key] = self.env[key]

    def comparison(self) -> "Comparison":
        """Freeze both sides."""
        assert self.observed is not None
        resource = self.wanted.compiled()
        return Comparison(
            resource=resource,
            observed=self.observed,
            environment_id=self.wanted.environment_id,
            known=Known(
                env=digests(resource.component, self.env),
                files=digests(resource.component, self.files),
                domains=self.domains,
                headers=self.headers,
                routes=self.routes,
                deploy=Deploy(id="dep-1", status="live", created_at=NOW, finished_at=NOW),
            ),
        )


def digests(component: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Hash texts as the inventory does."""
    return {name: hasher(resolve.context("acme", component, name), text) for name, text in texts.items()}


@dataclass(frozen=True)
class Comparison:
    """Desired against live, once. `environment_id` is where the object shall be; empty where nothing was said."""

    resource: Resource
    observed: Observed
    environment_id: str
    known: Known

    def identity(self) -> str:
        """Name what is compared: equal ones need not be changed field by field again."""
        shown = replace(self.observed, status="", updated_at=None, attributes={}, seen_at=NOW)
        return repr((self.resource, shown, self.environment_id, self.known))

    def plan(self) -> Plan:
        """Make the plan of a tenant that consists of this one object."""
        resources = {self.resource.component: self.resource}
        rows = [
            Owned(
                component=self.resource.component,
                kind=self.resource.kind,
                id=self.observed.id,
                name=self.observed.name,
                observed=replace(self.observed, suspenders=()),
                known=self.known,
            )
        ]
        if self.environment_id and ENVIRONMENT not in resources:
            around = Observed(id=self.environment_id, kind=Kind.ENVIRONMENT, name="e", fields={}, seen_at=NOW)
            resources[ENVIRONMENT] = Resource(component=ENVIRONMENT, kind=Kind.ENVIRONMENT, name="e")
            rows.append(Owned(component=ENVIRONMENT, kind=Kind.ENVIRONMENT, id=around.id, name="e", observed=around))
        stack = Stack(tenant="acme", blueprint="recorded", revision=1, resources=resources)
        resolved = resolve.resolve_stack(stack, lambda hole: None, hasher)
        return make_plan(view(stack, *rows, resolved=resolved))

    def settled(self) -> "Comparison":
        """The same a pass later: what stands as asked is remembered as applied by us."""
        known = self.plan().settled.get(self.resource.component, self.known)
        return replace(self, known=replace(known, applied=known.applied | self._renamed_marks()))

    def _renamed_marks(self) -> dict[str, str]:
        return {NAME_MARK: diff.applied_text(self.resource.name)}

    def unmarked(self) -> set[str]:
        """Name owned fields that the plan did not find as asked for, though it plans nothing about them."""
        marked = {name.removeprefix(diff.FIELD) for name in self.settled().known.applied}
        return set(self.resource.fields) - marked

    def differences(self) -> set[str]:
        """Name everything of the object that the plan would change, waits to change, or calls drifted."""
        plan = self.plan()
        found = {change.field for action in plan.actions for change in action.changes}
        for action in plan.actions:
            assert action.changes or action.verb is Verb.DEPLOY, f"{action.verb} changes nothing that it names"
        for text in plan.drift:
            match = DRIFTED.match(text)
            assert match, text
            found.add(match[2] or match[1])
        for wait in plan.waits:
            assert wait.reason is WaitReason.IMMUTABLE, wait
            found.add(wait.message.split(" of ")[0].removeprefix("the "))
        return {name.removeprefix(f"{KEY} ") for name in found}


# ---------------------------------------------------------------- one thing changed

OTHER_PLANS = {Kind.POSTGRES: "pro_512gb", Kind.KEY_VALUE: "pro_ultra"}
SUBFIELDS = {"disk": ("name", "mountPath", "sizeGB")}
OTHERS = {
    "version": lambda value: "18",
    "ipAllowList": lambda value: [*value, {"cidrBlock": "203.0.113.0/24", "description": "added"}],
    "readReplicas": lambda value: [*value, {"name": "added"} if value and isinstance(value[0], dict) else "added"],
    "buildFilter": lambda value: {**(value or {}), "paths": [*(value or {}).get("paths", []), "added/**"]},
    "maintenanceMode": lambda value: {**value, "enabled": not value["enabled"]},
    "autoscaling": lambda value: {**value, "max": value["max"] + 1},
    "parameterOverrides": lambda value: {**value, "added": "1"},
}


def other(kind: Kind, name: str, value):
    """Answer another value for a field, one that could have been asked for."""
    if name == "plan":
        return OTHER_PLANS.get(kind, "pro_ultra")
    if name in OTHERS:
        return OTHERS[name](value)
    if isinstance(value, bool):
        return not value
    return value + 5 if isinstance(value, int) else f"{value}-other"


def asked_otherwise(same: Comparison):
    """Answer the comparison again and again, each time with one thing asked for otherwise, and that thing's name."""
    for name, resource in otherwise(same.resource):
        yield name, replace(same, resource=resource)
    if same.environment_id:
        yield "environment", replace(same, environment_id=FOREIGN_ID)


def otherwise(resource: Resource):
    """Answer the resource with one thing changed, for each thing."""
    for name, value in resource.fields.items():
        if name == "disk":
            for inner in SUBFIELDS["disk"]:
                changed = {**value, inner: other(resource.kind, inner, value[inner])}
                yield f"disk.{inner}", with_field(resource, name, changed)
        else:
            yield name, with_field(resource, name, other(resource.kind, name, value))
    for key in resource.env:
        yield f"variable {key}", replace(resource, env={**resource.env, key: ("another text",)})
        yield f"variable {key}", replace(resource, env={n: v for n, v in resource.env.items() if n != key})
    for name in resource.files:
        yield f"secret file {name}", replace(resource, files={**resource.files, name: ("another text",)})
    for name in resource.domains or ():
        fewer = tuple(one for one in resource.domains or () if one != name)
        yield f"domain {name}", replace(resource, domains=fewer)
    if resource.headers is not None:
        yield "headers", replace(resource, headers=(*resource.headers, ("/added", "Added", "1")))
    if resource.routes is not None:
        yield "routes", replace(resource, routes=(*resource.routes, ("redirect", "/added", "/there")))
    if resource.kind not in GROUPING:
        yield "name", replace(resource, name=f"{resource.name}-other")


def found_otherwise(same: Comparison):
    """The same for the live side: one thing of ours that somebody changed at Render."""
    resource, live = same.resource, same.observed.fields
    for name in resource.fields.keys() - diff.RENAMED_BY_RENDER:
        if name == "disk":
            for inner in SUBFIELDS["disk"]:
                changed = {**live[name], inner: other(resource.kind, inner, live[name][inner])}
                yield f"disk.{inner}", with_live(same, name, changed)
        else:
            yield name, with_live(same, name, changed_at_render(resource.kind, name, live[name]))
    for mark, held in (("variable", "env"), ("secret file", "files")):
        digest_of = getattr(same.known, held)
        for name in digest_of:
            yield f"{mark} {name}", with_known(same, held, {**digest_of, name: "another digest"})
            yield f"{mark} {name}", with_known(same, held, {n: d for n, d in digest_of.items() if n != name})
        if resource.kind in SERVICES or (resource.kind is Kind.ENV_GROUP and held == "env"):
            yield f"{mark} ADDED", with_known(same, held, {**digest_of, "ADDED": "a digest"})
    for one in same.known.domains:
        yield f"domain {one.name}", with_known(same, "domains", tuple(d for d in same.known.domains if d != one))
    for word in ("headers", "routes"):
        if getattr(resource, word):
            yield word, with_known(same, word, getattr(same.known, word)[1:])


def changed_at_render(kind: Kind, name: str, value):
    """Answer another live value, of those that can be healed: what only grows must have become smaller."""
    if name == "diskSizeGB":
        return value - 5
    return "0" if kind is Kind.KEY_VALUE and name == "plan" else other(kind, name, value)


def with_field(resource: Resource, name: str, value) -> Resource:
    """The resource with one field changed."""
    return replace(resource, fields={**resource.fields, name: value})


def with_live(same: Comparison, name: str, value) -> Comparison:
    """The comparison with one live field changed."""
    return replace(same, observed=replace(same.observed, fields={**same.observed.fields, name: value}))


def with_known(same: Comparison, name: str, value) -> Comparison:
    """The comparison with one thing known of the live object changed."""
    return replace(same, known=replace(same.known, **{name: value}))
