"""Proposes documents for live objects that none describes: which objects, read closely, checked as by `apply`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler import manifest
from reconciler.core.adoption.propose import can_be_part, keys_of, propose
from reconciler.core.adoption.variables import Part
from reconciler.core.errors import Invalid, NotFound, Problem, shown
from reconciler.core.kinds import Kind
from reconciler.core.observed import Observed
from reconciler.core.values import Json
from reconciler.daemon.adopting import Adopter, Request
from reconciler.engine.adopt import OPERATORS_OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """Documents as `apply` takes them, the request that adopts with them, and what they could not say."""

    blueprint: Mapping[str, Json]
    tenant: Mapping[str, Json]
    request: Request
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to propose documents for: everything in a project's environment, or single objects by id or name."""

    project: str = ""
    resources: Sequence[str] = ()


async def proposed(adopter: Adopter, tenant: str, blueprint: str, source: Source) -> Proposed:
    """Propose a Blueprint and a tenant. Raises NotFound, or Invalid with what cannot be taken or said, and a remedy."""
    objects, home, notes = _objects(adopter, tenant, source)
    keys = keys_of(tenant, objects)
    parts = []
    for one in objects:
        detail = await adopter.patiently(lambda one=one: adopter.wiring.render.detail(one.kind, one.id))  # type: ignore[misc] # the present one
        if detail.env is not None and OPERATORS_OWN & detail.env.keys():
            raise Invalid([_not_ours(one, "runs this operator, or another one")])
        parts.append(Part(key=keys[one.id], observed=one, detail=detail))
    made = propose(tenant, blueprint, parts, home)
    document: dict[str, Json] = manifest.blueprint_yaml(blueprint, made.blueprint)
    spec = manifest.blueprint_document(manifest.document(document))
    wish: dict[str, Json] = {
        "apiVersion": "reconciler/v1",
        "kind": "Tenant",
        "metadata": {"name": tenant},
        "spec": dict(made.tenant),
    }
    columns = manifest.tenant_columns(manifest.document(wish))
    problems = manifest.check_tenant_against(columns, spec)
    if problems:
        raise Invalid(problems)
    request = Request(tenant=tenant, columns=columns, chosen=made.chosen, document=spec)
    return Proposed(blueprint=document, tenant=wish, request=request, notes=(*notes, *made.notes))


def _objects(adopter: Adopter, tenant: str, source: Source) -> tuple[list[Observed], Observed | None, list[str]]:
    """Find the objects, and the environment that is theirs alone."""
    picture = adopter.picture
    home: Observed | None
    if source.project:
        home = chosen = _environment(adopter, source.project)
        objects = [one for one in picture.members(chosen.id) if can_be_part(one)]
    else:
        objects = [_object(adopter, word) for word in source.resources]
        homes = {one.environment_id for one in objects}
        home = picture.objects.get(homes.pop() or "") if len(homes) == 1 else None
    if not objects:
        raise NotFound(f"nothing lies in {shown(source.project)} that a tenant could have")
    problems = [_not_ours(one, _whose(adopter, one)) for one in objects if not picture.free(one, tenant)]
    if problems:
        raise Invalid(problems)
    return _with_home(adopter, tenant, objects, home)


def _with_home(
    adopter: Adopter, tenant: str, objects: list[Observed], home: Observed | None
) -> tuple[list[Observed], Observed | None, list[str]]:
    """Let the tenant have the project only if nothing else lies in it: a purge deletes it."""
    if home is None:
        return objects, None, []
    picture = adopter.picture
    members = home.fields.get("members")
    ids = {str(id) for id in members} if isinstance(members, list) else set()
    others = sorted(ids - {one.id for one in objects})
    siblings = [one.name for one in picture.members(str(home.fields.get("projectId") or "")) if one.id != home.id]
    project = picture.objects.get(str(home.fields.get("projectId") or ""))
    held = not picture.free(home, tenant) or project is None or not picture.free(project, tenant)
    if not others and not siblings and not held:
        return objects, home, []
    why = (
        f"other things lie in it: {', '.join(others)}"
        if others
        else f"it has other environments: {', '.join(siblings)}"
    )
    why = "another tenant has it" if held else why
    note = (
        f"project {project.name if project else home.id}: {why}; it stays nobody's, new tenants get none of their own"
    )
    return objects, None, [note]


def _environment(adopter: Adopter, word: str) -> Observed:
    """Find an environment by its project's name or id; `PROJECT/ENVIRONMENT` chooses among several."""
    picture = adopter.picture
    name, _, inner = word.partition("/")
    projects = picture.chosen(Kind.PROJECT, word) or picture.chosen(Kind.PROJECT, name)
    if not projects:
        raise NotFound(f"there is no project {shown(word)}")
    if len(projects) > 1:
        ids = ", ".join(one.id for one in projects)
        raise Invalid(
            [
                Problem(
                    path="--from-project",
                    message=f"{len(projects)} projects have this name",
                    remedy=f"give an id: {ids}",
                )
            ]
        )
    inside = picture.members(projects[0].id)
    wanted = [one for one in inside if inner in (one.name, one.id)] if inner and projects[0].name != word else inside
    if len(wanted) != 1:
        choices = ", ".join(f"{projects[0].name}/{one.name}" for one in inside)
        raise Invalid(
            [
                Problem(
                    path="--from-project",
                    message="must name one environment",
                    value=shown(word),
                    remedy=f"use one of: {choices or 'none'}",
                )
            ]
        )
    return wanted[0]


def _object(adopter: Adopter, word: str) -> Observed:
    picture = adopter.picture
    one = picture.objects.get(word)
    named = [one] if one is not None else [other for other in picture.objects.values() if other.name == word]
    able = [other for other in named if can_be_part(other)]
    if not able:
        raise NotFound(f"there is no service, datastore or env group {shown(word)}")
    if len(able) > 1:
        ids = ", ".join(sorted(other.id for other in able))
        raise Invalid(
            [
                Problem(
                    path="--resource",
                    message=f"{len(able)} objects are named {shown(word)}",
                    remedy=f"give an id: {ids}",
                )
            ]
        )
    return able[0]


def _whose(adopter: Adopter, one: Observed) -> str:
    holder = adopter.picture.holders.get(one.id)
    return f"belongs to tenant {holder.tenant}" if holder is not None else "is what this operator runs on"


def _not_ours(one: Observed, why: str) -> Problem:
    return Problem(
        path=one.name, message=f"{one.kind} {one.id} {why}", remedy="name what is the tenant's with --resource"
    )
