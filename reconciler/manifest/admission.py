"""Judges documents as a whole: a Blueprint with its template, a tenant against its Blueprint; it reads no store."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.core import blueprint as language
from reconciler.core import compile as compiler
from reconciler.core.blueprint.spots import at, capped, described, nearest
from reconciler.core.errors import Invalid, Problem, shown
from reconciler.core.spec import BlueprintSpec, TenantSpec
from reconciler.core.template import Component, Template
from reconciler.core.values import Json
from reconciler.manifest.documents import Document, locate
from reconciler.manifest.models import fits
from reconciler.manifest.reader import Reader
from reconciler.manifest.records import blueprint_spec_object

ALL = "*"
_OWN_ROOTS = ("spec", "metadata", "document")


def blueprint_document(doc: Document) -> dict[str, Json]:
    """Answer the `spec` object to store for a Blueprint document, judged as a whole.

    Raises Invalid with located problems: the document's fields, its template, every tier compiled.
    """
    stored = blueprint_spec_object(doc)
    try:
        check_blueprint(stored, name=doc.name)
    except Invalid as wrong:
        raise Invalid(locate(doc, wrong.problems)) from None
    return stored


def check_blueprint(document: Mapping[str, Json], *, name: str = "blueprint") -> BlueprintSpec:
    """Read a `spec` object and judge it: the template in each of its environments, every tier compiled for a sample.

    Raises Invalid with paths that begin at `spec`.
    """
    spec = Reader().blueprint(name, document)
    problems: dict[Problem, None] = {}
    components: dict[str, Component] = {}
    for environment in language.environments(spec.template) or ("",):
        try:
            template = language.normalise(spec.template, environment=environment)
        except Invalid as wrong:
            problems.update(dict.fromkeys(map(below_spec, wrong.problems)))
        else:
            components |= {one.path: one for one in template.components.values()}
    if not problems:
        found = (_at_its_layer(one, components, spec.env) for one in compiler.check(spec))
        problems.update(dict.fromkeys(map(below_spec, found)))
    if problems:
        raise Invalid(capped(problems))
    return spec


def _at_its_layer(
    problem: Problem, components: Mapping[str, Component], env: Mapping[str, Mapping[str, str]]
) -> Problem:
    """Let a problem of a variable name the `spec.env` that set it, which lies over the template."""
    place, _, key = problem.path.partition(".envVars.")
    component = components.get(place)
    for name in (component.key, ALL) if component is not None and key else ():
        if key in env.get(name, {}):
            return replace(problem, path=at(at("spec.env", name), key))
    return problem


def warnings(document: Mapping[str, Json]) -> list[Problem]:
    """Answer what a Blueprint's template names without effect here (previews and their like), once each."""
    spec = Reader().blueprint("blueprint", document)
    found: dict[Problem, None] = {}
    for environment in language.environments(spec.template) or ("",):
        template = language.normalise(spec.template, environment=environment)
        found.update(dict.fromkeys(map(below_spec, template.warnings)))
    return list(found)


def below_spec(problem: Problem) -> Problem:
    """Make a template's own path (`services[0].plan`) one of the document (`spec.template.services[0].plan`)."""
    if _is_own(problem):
        return problem
    if problem.path in ("template", "environment"):
        return replace(problem, path=f"spec.{problem.path}")
    return replace(problem, path=f"spec.template.{problem.path}")


def check_tenant_against(columns: Mapping[str, Json], document: Mapping[str, Json]) -> list[Problem]:
    """Answer what a tenant's columns say that does not go with its Blueprint (the stored `spec` object).

    Tier, parameters, environment, components in env, domains, names, plugins and overrides (allowDataLoss may name
    one that left the Blueprint); and where those are known, what compiling the tenant's stack finds (a live name too
    long, an unknown `${...}`).
    Raises Invalid when one of the two cannot be read at all.
    """
    reader = Reader()
    tenant = reader.tenant(columns)
    blueprint = reader.blueprint(tenant.blueprint, document)
    problems = [*_tier(tenant, blueprint), *_params(tenant, blueprint)]
    choices = language.environments(blueprint.template)
    if (tenant.environment or len(choices) > 1) and tenant.environment not in choices:
        has = f"it has: {', '.join(choices)}" if choices else "it has none: remove it"
        value = shown(tenant.environment) if tenant.environment else ""
        message = f"{blueprint.name} has no such environment" if value else f"{blueprint.name} has several environments"
        return [*problems, Problem(path="spec.environment", message=message, value=value, remedy=has)]
    template = language.normalise(blueprint.template, environment=tenant.environment)
    problems += _components(tenant, template)
    return problems or _compiled(tenant, blueprint, template)


def _compiled(tenant: TenantSpec, blueprint: BlueprintSpec, template: Template) -> list[Problem]:
    """Compile the stack that nothing else was found wrong with; paths inside the template name the Blueprint."""
    components = {one.path: one for one in template.components.values()}
    try:
        compiler.compile_stack(blueprint, 0, tenant)
    except Invalid as wrong:
        found = [_at_its_layer(one, components, tenant.env) for one in capped(wrong.problems)]
        return [one if _is_own(one) else replace(one, path=f"blueprint {blueprint.name} {one.path}") for one in found]
    return []


def _is_own(problem: Problem) -> bool:
    """Say whether a path is one of our documents, and not of the template inside."""
    return problem.path.split(".", 1)[0].split("[", 1)[0] in _OWN_ROOTS


def _tier(tenant: TenantSpec, blueprint: BlueprintSpec) -> Iterator[Problem]:
    has = ", ".join(blueprint.tiers)
    if tenant.tier and tenant.tier not in blueprint.tiers:
        message = f"{blueprint.name} has no tier {shown(tenant.tier)}"
        yield Problem(path="spec.tier", message=f"{message}; it has {has or 'none'}")
    elif blueprint.tiers and not tenant.tier:
        yield Problem(path="spec.tier", message=f"is required by {blueprint.name}", remedy=f"use one of: {has}")


def _params(tenant: TenantSpec, blueprint: BlueprintSpec) -> Iterator[Problem]:
    for name, value in tenant.params.items():
        path = at("spec.params", name)
        if name not in blueprint.params:
            message = f"{blueprint.name} has no such parameter"
            yield Problem(path=path, message=message, remedy=nearest(name, blueprint.params))
            continue
        param = blueprint.params[name]
        if not fits(param.type, value):
            yield Problem(path=path, message=f"must be of type {param.type}", value=described(value))
        elif param.enum and value not in param.enum:
            remedy = f"use one of: {', '.join(str(one) for one in param.enum)}"
            yield Problem(path=path, message="is not allowed", value=described(value), remedy=remedy)
    for name, param in blueprint.params.items():
        if param.required and name not in tenant.params:
            remedy = f"add a {param.type}" if not param.enum else f"use one of: {', '.join(map(str, param.enum))}"
            yield Problem(path=at("spec.params", name), message=f"is required by {blueprint.name}", remedy=remedy)


def _components(tenant: TenantSpec, template: Template) -> Iterator[Problem]:
    named: list[tuple[str, str]] = [(at("spec.env", name), name) for name in tenant.env if name != ALL]
    named += [(at("spec.domains", name), name) for name in tenant.domains]
    named += [(at("spec.overrides", name), name) for name in tenant.overrides]
    named += [(at("spec.names", name), name) for name in tenant.names]
    for index, plugin in enumerate(tenant.plugins):
        named += [(f"spec.plugins[{index}].components[{place}]", name) for place, name in enumerate(plugin.components)]
    yield from _unknown(named, template.components)
    for name, patch in tenant.overrides.items():
        if name in template.components:
            try:
                language.patch_component(template.components[name], patch, at("spec.overrides", name))
            except Invalid as wrong:
                yield from wrong.problems


def _unknown(named: Iterable[tuple[str, str]], known: Iterable[str]) -> Iterator[Problem]:
    choices = list(known)
    for path, name in named:
        if name not in choices:
            remedy = nearest(name, choices)
            yield Problem(path=path, message="there is no such component", value=shown(name), remedy=remedy)
