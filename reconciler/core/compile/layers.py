"""Lays the layers of a tenant's stack over each other: template < Blueprint env < tier < overrides < tenant env."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.core import blueprint as language
from reconciler.core.errors import Invalid, Problem, shown
from reconciler.core.kinds import DATASTORES, SERVICES, Kind
from reconciler.core.observed import canonical_image, canonical_repo
from reconciler.core.spec import BlueprintSpec, Source, TenantSpec
from reconciler.core.template import Component, Literal
from reconciler.core.values import Json

Components = dict[str, Component]
ALL = "*"
NOT_OF_AN_IMAGE = frozenset(
    {"branch", "buildFilter", "buildCommand", "startCommand", "dockerContext", "dockerfilePath", "registryCredential"}
)
"""What a service built from a repository says, and one that runs an image cannot have (Render API 3.4, 3.5)."""


def _unknown(path: str, name: str, components: Iterable[str]) -> Problem:
    known = ", ".join(sorted(components)) or "none"
    return Problem(path=path, value=shown(name), message="no such component", remedy=f"it has: {known}")


def _with_env(
    components: Components, layer: Mapping[str, Mapping[str, str]], path: str, problems: list[Problem]
) -> None:
    """Add or replace variables by component; `*` means every service."""
    for name, variables in layer.items():
        if name != ALL and name not in components:
            problems.append(_unknown(f"{path}.{name}", name, components))
            continue
        targets = [key for key, one in components.items() if one.kind in SERVICES] if name == ALL else [name]
        if name != ALL and components[name].kind in DATASTORES:
            kind = components[name].kind
            remedy = "name a service or an env group"
            problems.append(Problem(path=f"{path}.{name}", message=f"a {kind} has no env variables", remedy=remedy))
            continue
        for key in targets:
            one = components[key]
            added = {variable: Literal(text) for variable, text in variables.items()}
            components[key] = replace(one, env={**one.env, **added})


def _with_patch(
    components: Components, layer: Mapping[str, Mapping[str, Json]], path: str, problems: list[Problem]
) -> None:
    for name, patch in layer.items():
        if name not in components:
            problems.append(_unknown(f"{path}.{name}", name, components))
            continue
        try:
            components[name] = language.patch_component(components[name], patch, f"{path}.{name}")
        except Invalid as wrong:
            problems.extend(wrong.problems)


def _with_source(one: Component, source: Source, problems: list[Problem]) -> Component:
    """Give a service that names neither repository nor image the Blueprint's own; pin auto-deploys to the source."""
    if one.kind not in SERVICES:
        return one
    fields = dict(one.fields)
    if not fields.get("repo") and not fields.get("imagePath"):
        if source.image and one.kind is not Kind.STATIC:
            fields = {word: value for word, value in fields.items() if word not in NOT_OF_AN_IMAGE}
            fields |= {"runtime": "image", "imagePath": canonical_image(source.image)}
        elif source.repo:
            fields["repo"] = source.repo
            if source.branch:
                fields.setdefault("branch", source.branch)
        else:
            message = "names neither repo nor image, and the Blueprint has no source"
            remedy = "add spec.source with repo and commit or branch, or image"
            problems.append(Problem(path=one.path, value=shown(one.key), message=message, remedy=remedy))
    found = replace(one, fields=fields)
    return replace(found, fields={**fields, "autoDeployTrigger": "off"}) if follows(found, source) else found


def follows(one: Component, source: Source) -> bool:
    """Say whether a component is built from the commit that the Blueprint pins."""
    repo = one.fields.get("repo")
    same = isinstance(repo, str) and canonical_repo(repo) == canonical_repo(source.repo)
    return bool(source.commit) and one.kind in SERVICES and same


def _with_region(one: Component, region: str) -> Component:
    if not region or one.kind is Kind.STATIC or one.kind is Kind.ENV_GROUP:
        return one
    return replace(one, fields={**one.fields, "region": region})


def _with_domains(components: Components, tenant: TenantSpec, problems: list[Problem]) -> None:
    for name, domains in tenant.domains.items():
        path = f"spec.domains.{name}"
        if name not in components:
            problems.append(_unknown(path, name, components))
            continue
        one = components[name]
        if one.kind not in (Kind.WEB, Kind.STATIC):
            remedy = "name a web service or a static site"
            problems.append(Problem(path=path, message=f"a {one.kind} has no custom domains", remedy=remedy))
            continue
        listed = one.fields.get("domains")
        merged = [*(listed if isinstance(listed, list) else []), *domains]
        components[name] = replace(one, fields={**one.fields, "domains": list(dict.fromkeys(map(str, merged)))})


def layered(
    template: Mapping[str, Component], blueprint: BlueprintSpec, tenant: TenantSpec, problems: list[Problem]
) -> Components:
    """Answer the components of one tenant with every layer applied; what is wrong is added to `problems`."""
    components = dict(template)
    _with_env(components, blueprint.env, "spec.env", problems)
    if tenant.tier in blueprint.tiers:
        _with_patch(components, blueprint.tiers[tenant.tier].patch, f"spec.tiers.{tenant.tier}.patch", problems)
    _with_patch(components, tenant.overrides, "spec.overrides", problems)
    _with_env(components, tenant.env, "spec.env", problems)
    _with_domains(components, tenant, problems)
    for key, one in components.items():
        components[key] = _with_region(_with_source(one, blueprint.source, problems), tenant.region)
    return components
