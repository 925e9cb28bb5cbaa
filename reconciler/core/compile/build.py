"""Assembles the Stack of one tenant from the layered components; every problem found is reported at once."""

import itertools
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from reconciler.core import blueprint as language
from reconciler.core.blueprint.spots import at
from reconciler.core.compile import layers, params, plugins
from reconciler.core.compile.envs import Environment
from reconciler.core.compile.expressions import Scope
from reconciler.core.compile.order import Order, arrange
from reconciler.core.compile.templates import template_of
from reconciler.core.errors import Invalid, Problem, shown
from reconciler.core.kinds import DATASTORES, ENVIRONMENT, PROJECT, SERVICES, Kind
from reconciler.core.observed import Rule
from reconciler.core.spec import BlueprintSpec, TenantSpec
from reconciler.core.stack import Resource, Stack
from reconciler.core.template import Component, Template
from reconciler.core.values import Json, Live, SecretRef, literal

LiveLookup = Callable[[str, str], str | None]
"""Answers (component, attribute) with the live text, or None while it is unknown."""

DNS_LABEL_MAX = 63
COMMANDS = frozenset({"buildCommand", "startCommand", "dockerCommand", "preDeployCommand", "initialDeployHook"})
NOT_SCALAR = frozenset({"domains", "headers", "routes", "initialDeployHook", "scaling"})
DEFAULTS: Mapping[Kind, Mapping[str, Json]] = {
    Kind.WEB: {"plan": "starter"},
    Kind.PRIVATE: {"plan": "starter"},
    Kind.WORKER: {"plan": "starter"},
    Kind.CRON: {"plan": "starter"},
    Kind.STATIC: {},
    Kind.POSTGRES: {"plan": "basic_256mb", "version": "18"},
    Kind.KEY_VALUE: {"plan": "starter"},
    Kind.ENV_GROUP: {},
}
"""What a Blueprint means where it says nothing (Render API 9.2, 9.3); sent at creation, never healed."""
ENVIRONMENT_NAME = "production"
_HOLE = "\x00"
"""Marks an address that is not known yet; no parsed document can hold it."""


def nothing_live(component: str, attribute: str) -> str | None:
    """Answer no live attribute: the lookup of a stack that does not exist yet."""
    del component, attribute
    return None


@dataclass(slots=True)
class _Build:
    """The work of compiling one tenant, with what it collects on the way."""

    blueprint: BlueprintSpec
    tenant: TenantSpec
    live: LiveLookup
    components: dict[str, Component] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    fixed: dict[str, set[str]] = field(default_factory=dict)

    def scope(self) -> Scope:
        """Make the names that expressions may use."""
        return Scope(
            tenant={
                "name": self.tenant.name,
                "displayName": self.tenant.display_name or self.tenant.name,
                "region": self.tenant.region or "oregon",
            },
            params=params.effective(self.blueprint, self.tenant, self.problems),
            kinds={key: one.kind for key, one in self.components.items()},
            secret=SecretRef,
            problems=self.problems,
        )

    def substituted(self, scope: Scope, key: str, value: Json, path: str, *, command: bool = False) -> Json:
        """Substitute inside any JSON value; addresses that are not known yet leave a mark and a fixed need."""
        if isinstance(value, dict):
            return {k: self.substituted(scope, key, v, f"{path}.{k}", command=command) for k, v in value.items()}
        if isinstance(value, list):
            return [self.substituted(scope, key, v, f"{path}[{i}]", command=command) for i, v in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        texts: list[str] = []
        for part in scope.value(value, path, secrets_allowed=False):
            if isinstance(part, str):
                texts.append(part)
                continue
            assert isinstance(part, Live), "secrets are refused here"
            if part.component == key:
                remedy = "name another component, or use an env variable"
                self.problems.append(
                    Problem(path=path, message="names its own address before it exists", remedy=remedy)
                )
            self.fixed.setdefault(key, set()).add(part.component)
            texts.append(self.live(part.component, part.attribute) or _HOLE)
        if command:
            self._shell_safe(scope, value, path)
        return "".join(texts)

    def _shell_safe(self, scope: Scope, value: str, path: str) -> None:
        """Refuse customers' words that a shell would interpret inside a command."""
        said = [("tenant.displayName", scope.tenant["displayName"])]
        said += [(f"params.{name}", text) for name, text in scope.params.items() if isinstance(text, str)]
        for name, text in said:
            if f"${{{name}}}" in value.replace("$${", "") and text and shlex.quote(text) != text:
                message = f"{name} holds characters that a shell would interpret in a command"
                remedy = "pass it through an env variable and quote that in the command"
                self.problems.append(Problem(path=path, message=message, value=shown(text), remedy=remedy))


def _names(build: _Build) -> dict[str, str]:
    names: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for key, one in build.components.items():
        made = build.blueprint.naming.replace("{component}", key).replace("{tenant}", build.tenant.name)
        name = build.tenant.names.get(key, made)
        path = one.path or key
        if one.kind in SERVICES and len(name) > DNS_LABEL_MAX:
            message = f"the live name would have {len(name)} characters, a host name has at most {DNS_LABEL_MAX}"
            remedy = "shorten the component's or the tenant's name, or spec.naming"
            build.problems.append(Problem(path=path, message=message, value=shown(name), remedy=remedy))
        among = "services" if one.kind in SERVICES else str(one.kind)
        if (among, name) in seen or (key not in build.tenant.names and name in names.values()):
            message, remedy = "two components would get the same live name", "change it in spec.names"
            build.problems.append(Problem(path="spec.naming", message=message, value=shown(name), remedy=remedy))
        names[key] = name
        seen.add((among, name))
    return names


def _rules(value: Json, keys: tuple[str, str, str]) -> tuple[Rule, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(tuple(str(one.get(key, "")) for key in keys) for one in value if isinstance(one, dict))


def _unfinished(value: Json) -> bool:
    """Say whether a value still holds an address that is not known."""
    if isinstance(value, dict):
        return any(_unfinished(one) for one in value.values())
    if isinstance(value, list):
        return any(_unfinished(one) for one in value)
    return isinstance(value, str) and _HOLE in value


def _scalars(one: Component, fields: Mapping[str, Json]) -> tuple[dict[str, Json], dict[str, Json]]:
    """Split fields into those we own and those that only creation sends."""
    owned = {name: value for name, value in fields.items() if name not in NOT_SCALAR}
    defaults = {name: value for name, value in DEFAULTS[one.kind].items() if name not in owned}
    scaling = fields.get("scaling")
    if isinstance(scaling, dict):
        owned["autoscaling"] = {word: scaling.get(word) for word in ("min", "max", "cpu", "memory")}
        defaults["numInstances"] = scaling.get("min") or 1
        owned.pop("numInstances", None)
    return owned, defaults


def _resource(build: _Build, environment: Environment, one: Component, name: str) -> Resource:
    scope, key = environment.scope, one.key
    fields = {
        word: build.substituted(scope, key, value, f"{one.path or key}.{word}", command=word in COMMANDS)
        for word, value in one.fields.items()
    }
    fields = {word: value for word, value in fields.items() if not _unfinished(value)}
    owned, defaults = _scalars(one, fields)
    domains = fields.get("domains")
    files = {
        file: environment.text(text, f"spec.secretFiles.{key}.{file}", key)
        for file, text in build.blueprint.files.get(key, {}).items()
    }
    for value in files.values():  # a file is not put off as a variable is: what it names must exist before
        build.fixed.setdefault(key, set()).update(part.component for part in value if isinstance(part, Live))
    env = environment.of(key)
    if one.kind in SERVICES and build.blueprint.tenant_variables:
        env.setdefault("TENANT_SLUG", literal(build.tenant.name))
        env.setdefault("TENANT_NAME", literal(build.tenant.display_name or build.tenant.name))
    hook = fields.get("initialDeployHook")
    source = build.blueprint.source
    return Resource(
        component=key,
        kind=one.kind,
        name=name,
        fields=owned,
        defaults=defaults,
        env=env,
        files=files,
        groups=one.groups,
        domains=tuple(str(d) for d in domains) if isinstance(domains, list) else None,
        headers=_rules(fields.get("headers"), ("path", "name", "value")),
        routes=_rules(fields.get("routes"), ("type", "source", "destination")),
        initial_deploy_hook=hook if isinstance(hook, str) else "",
        commit=source.commit if layers.follows(one, source) else "",
    )


def _fixed_needs(build: _Build) -> dict[str, set[str]]:
    """Add to the needs inside fields those on linked env groups."""
    for key, one in build.components.items():
        for group in one.groups:
            if group not in build.components or build.components[group].kind is not Kind.ENV_GROUP:
                groups = ", ".join(k for k, c in build.components.items() if c.kind is Kind.ENV_GROUP)
                choose = f", or name one that is there: {groups}" if groups else ""
                build.problems.append(
                    Problem(
                        path=at(f"{one.path or key}.envVars.fromGroup", group),
                        value=shown(group),
                        message="fromGroup names no group that this Blueprint defines",
                        remedy=f"define it under envVarGroups{choose}",
                    )
                )
            else:
                build.fixed.setdefault(key, set()).add(group)
    return build.fixed


def _grouping(build: _Build, template: Template) -> dict[str, Resource]:
    """Make the tenant's own project with its one environment, unless the Blueprint says no."""
    if not build.blueprint.project:
        return {}
    fields: dict[str, Json] = {}
    if template.network_isolation is not None:
        fields["networkIsolationEnabled"] = template.network_isolation
    if template.protected is not None:
        fields["protectedStatus"] = "protected" if template.protected else "unprotected"
    return {
        PROJECT: Resource(component=PROJECT, kind=Kind.PROJECT, name=build.tenant.name),
        ENVIRONMENT: Resource(
            component=ENVIRONMENT,
            kind=Kind.ENVIRONMENT,
            name=ENVIRONMENT_NAME,
            fields=fields,
            after=frozenset({PROJECT}),
        ),
    }


def _placed(resources: Mapping[str, Resource], order: Order, grouping: Mapping[str, Resource]) -> dict[str, Resource]:
    base = frozenset({ENVIRONMENT}) if grouping else frozenset()
    placed = dict(grouping)
    for key in sorted(order.sequence, key=lambda k: resources[k].kind not in DATASTORES):
        placed[key] = replace(resources[key], after=order.after[key] | base, late_env=order.late_env[key])
    return placed


def _check_entrypoint(build: _Build) -> None:
    name = build.blueprint.entrypoint
    if name and (name not in build.components or build.components[name].kind not in (Kind.WEB, Kind.STATIC)):
        choices = [key for key, one in build.components.items() if one.kind in (Kind.WEB, Kind.STATIC)]
        build.problems.append(
            Problem(
                path="spec.entrypoint",
                value=shown(name),
                message="names no web service or static site of the template",
                remedy=f"use one of: {', '.join(choices) or 'none'}",
            )
        )


def _check_tenant(build: _Build) -> None:
    tenant, blueprint = build.tenant, build.blueprint
    if tenant.tier not in blueprint.tiers and (tenant.tier or blueprint.tiers):
        has = ", ".join(blueprint.tiers) or "none"
        message = (
            f"{blueprint.name} has no tier {shown(tenant.tier)}" if tenant.tier else f"{blueprint.name} needs a tier"
        )
        build.problems.append(Problem(path="spec.tier", message=f"{message}; it has {has}"))
    for name in tenant.names:
        if name not in build.components:
            remedy = f"it has: {', '.join(build.components)}"
            build.problems.append(
                Problem(path=f"spec.names.{name}", value=shown(name), message="no such component", remedy=remedy)
            )
    for name in blueprint.files:
        if name not in build.components:
            has = ", ".join(build.components)
            build.problems.append(
                Problem(path="spec", value=shown(name), message="no such component", remedy=f"it has: {has}")
            )


def _allowances(build: _Build) -> tuple[Problem, ...]:
    """Warn of permissions to lose data that name nothing listed: right for a component that just left, else a slip."""
    return tuple(
        Problem(
            path="spec.allowDataLoss",
            value=shown(name),
            message="names no component of the Blueprint",
            remedy="right while one that left it is deleted; remove the name afterwards",
        )
        for name in build.tenant.allow_data_loss
        if name not in build.components
    )


def _entrypoint(build: _Build) -> str:
    """Answer the named entrypoint, else the only web service or static site there is."""
    if build.blueprint.entrypoint:
        return build.blueprint.entrypoint
    public = [key for key, one in build.components.items() if one.kind in (Kind.WEB, Kind.STATIC)]
    return public[0] if len(public) == 1 else ""


def compile_stack(
    blueprint: BlueprintSpec, revision: int, tenant: TenantSpec, live: LiveLookup = nothing_live
) -> Stack:
    """Compile one tenant's desired side. `live` answers addresses named inside fields, once they exist.

    Raises Invalid with every problem: unknown tier, parameter or component, dangling reference, circles that
    cannot be built, names that are too long. Network addresses inside env variables stay references.
    """
    template = template_of(blueprint.template, tenant.environment)
    build = _Build(blueprint, tenant, live)
    build.components = layers.layered(template.components, blueprint, tenant, build.problems)
    build.components = plugins.weave(build.components, tenant.plugins, build.problems)
    _check_tenant(build)
    _check_entrypoint(build)
    scope = build.scope()
    environment = Environment(build.components, scope, blueprint.secrets, build.problems)
    scope.secret = environment.secret
    names = _names(build)
    resources = {key: _resource(build, environment, one, names[key]) for key, one in build.components.items()}
    env = {key: resource.env for key, resource in resources.items()}
    order = arrange(build.components, env, _fixed_needs(build), build.problems)
    if build.problems:
        raise Invalid(dict.fromkeys(build.problems))
    return Stack(
        tenant=tenant.name,
        blueprint=blueprint.name,
        revision=revision,
        resources=_placed(resources, order, _grouping(build, template)),
        entrypoint=_entrypoint(build),
        ready_path=blueprint.ready.path if blueprint.ready else "",
        ready_within_s=blueprint.ready.within_s if blueprint.ready else 900,
        secrets={ref: tuple(users) for ref, users in environment.secrets.items()},
        generate=environment.generate,
        warnings=(*template.warnings, *_allowances(build)),
    )


def check(blueprint: BlueprintSpec) -> tuple[Problem, ...]:
    """Compile a Blueprint for a sample tenant of every tier and environment; answer all problems, once each."""
    found: dict[Problem, None] = {}
    environments = language.environments(blueprint.template) or ("",)
    for tier, environment in itertools.product(tuple(blueprint.tiers) or ("",), environments):
        sample = TenantSpec(
            name="sample",
            blueprint=blueprint.name,
            tier=tier,
            params=params.samples(blueprint),
            environment=environment,
        )
        try:
            compile_stack(blueprint, 0, sample)
        except Invalid as wrong:
            found.update(dict.fromkeys(wrong.problems))
    return tuple(found)
