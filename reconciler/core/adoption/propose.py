"""Proposes a Blueprint and a tenant for live objects that no document describes yet, so that nothing would change."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.core.adoption.variables import Part, Variables
from reconciler.core.adoption.words import (
    Notes,
    database_words,
    escaped,
    key_value_words,
    region_word,
    service_words,
)
from reconciler.core.kinds import DATASTORES, GROUPING, SERVICES, SUSPENDABLE, Kind
from reconciler.core.observed import Observed
from reconciler.core.values import Json

SLUG, NAME = "TENANT_SLUG", "TENANT_NAME"
ORDER = (Kind.ENV_GROUP, Kind.POSTGRES, Kind.KEY_VALUE, Kind.PRIVATE, Kind.WEB, Kind.WORKER, Kind.CRON, Kind.STATIC)
SUFFIXES = {Kind.POSTGRES: "-db", Kind.ENV_GROUP: "-group"}
_UNFIT = re.compile(r"[^A-Za-z0-9 ._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A Blueprint's `spec` object and a tenant's `spec`; `chosen` maps components to the ids they stand for.

    `notes` say what could not be expressed, with the remedy. No secret is in it.
    """

    blueprint: Mapping[str, Json]
    tenant: Mapping[str, Json]
    chosen: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Work:
    """One proposal in the making."""

    tenant: str
    parts: Sequence[Part]
    variables: Variables
    notes: Notes
    tenant_variables: bool
    regions: Mapping[str, str] = field(default_factory=dict)


def keys_of(tenant: str, objects: Iterable[Observed]) -> dict[str, str]:
    """Name each object as a component, by id: its live name without the tenant's, unique over all kinds."""
    keys: dict[str, str] = {}
    for one in sorted(objects, key=lambda one: (ORDER.index(one.kind), one.name, one.id), reverse=True):
        bare = one.name.removesuffix(f"-{tenant}").removeprefix(f"{tenant}-")
        base = _UNFIT.sub("-", bare).strip(" ._-")[:90] or one.kind.replace(" ", "-")
        key, number = base, 2
        if key in keys.values():
            key = base + SUFFIXES.get(one.kind, "-2")
        while key in keys.values():
            number += 1
            key = f"{base}-{number}"
        keys[one.id] = key
    return keys


def propose(tenant: str, blueprint: str, parts: Sequence[Part], home: Observed | None) -> Proposal:
    """Propose both documents. `home` is the environment that becomes the tenant's own, None for a stack without."""
    parts = sorted(parts, key=lambda part: (ORDER.index(part.observed.kind), part.key))
    notes = Notes()
    work = _Work(tenant, parts, Variables(parts), notes, _has_tenant_variables(tenant, parts))
    work.regions = {part.key: region_word(part.observed, notes) for part in parts if part.observed.fields.get("region")}
    template = _template(work, home)
    spec: dict[str, Json] = {"template": template}
    spec |= _source(template)
    entrypoint = _entrypoint(parts)
    spec |= {"entrypoint": entrypoint} if entrypoint else {}
    secrets = sorted({key for part in parts for key, one in _forms(work, part).items() if one == {"sync": False}})
    if secrets:
        spec["secrets"] = {key: {"perTenant": True} for key in secrets}
    files = {part.key: _files(part) for part in parts if part.detail.files}
    if files:
        spec["secretFiles"] = dict[str, Json](files)
    if not work.tenant_variables:
        spec["tenantVariables"] = False
    if home is None:
        spec["project"] = False
    chosen = {part.key: part.observed.id for part in parts}
    return Proposal(
        blueprint=spec,
        tenant=_tenant(work, blueprint),
        chosen=chosen | ({"@environment": home.id} if home is not None else {}),
        notes=tuple(notes.lines),
    )


def _has_tenant_variables(tenant: str, parts: Iterable[Part]) -> bool:
    """Say whether every service has the variables that a tenant's services get by themselves, rightly."""
    services = [part for part in parts if part.observed.kind in SERVICES]
    slugs = {part.env[SLUG].reveal() if SLUG in part.env else "" for part in services}
    names = {part.env[NAME].reveal() if NAME in part.env else "" for part in services}
    return bool(services) and slugs == {tenant} and len(names) == 1 and "" not in names


def _forms(work: _Work, part: Part) -> dict[str, dict[str, Json]]:
    """Write every variable of an object by key, without those that come by themselves."""
    own = {SLUG, NAME} if work.tenant_variables and part.observed.kind in SERVICES else set()
    return {key: work.variables.form(part, key) for key in sorted(part.env) if key not in own}


def _entries(work: _Work, part: Part) -> list[Json]:
    groups = [
        other.key for other in work.parts if other.observed.kind is Kind.ENV_GROUP and part.observed.id in _links(other)
    ]
    linked: list[Json] = [{"fromGroup": group} for group in groups]
    return [*linked, *({"key": key, **form} for key, form in _forms(work, part).items())]


def _links(group: Part) -> list[Json]:
    links = group.fields.get("links")
    return links if isinstance(links, list) else []


def _files(part: Part) -> dict[str, Json]:
    """Name a secret for each file: nobody can tell what of its content is one."""
    return {name: f"${{secrets.{part.key}/{name}}}" for name in sorted(part.detail.files or {})}


def _template(work: _Work, home: Observed | None) -> dict[str, Json]:
    lists: dict[str, list[Json]] = {"envVarGroups": [], "databases": [], "services": []}
    for part in work.parts:
        one, fields, key = part.observed, part.fields, part.key
        if one.kind is Kind.ENV_GROUP:
            lists["envVarGroups"].append({"name": key, "envVars": _entries(work, part)})
            _note_strangers(work, part)
            continue
        if one.kind is Kind.POSTGRES:
            words = database_words(key, one, fields, work.notes)
        elif one.kind is Kind.KEY_VALUE:
            words = key_value_words(key, one, fields, work.notes)
        else:
            words = service_words(key, one, fields, work.notes) | _rules(work, part)
            words["envVars"] = _entries(work, part)
        region = work.regions.get(key, "")
        words |= {"region": region} if region and len(set(work.regions.values())) > 1 else {}
        lists["databases" if one.kind is Kind.POSTGRES else "services"].append(words)
    found: dict[str, Json] = {name: list[Json](each) for name, each in lists.items() if each}
    switches = _switches(home)
    if not switches:
        return found
    return {"projects": [{"name": "stack", "environments": [{"name": "production", **switches, **found}]}]}


def _note_strangers(work: _Work, group: Part) -> None:
    """Note services that link a group and are none of the stack."""
    ours = {part.observed.id for part in work.parts}
    others = [str(id) for id in _links(group) if id not in ours]
    if others:
        remedy = "they stay linked, and get its variables; adopt them too, or give them a group of their own"
        work.notes.add(group.observed.name, f"services outside the stack link it: {', '.join(others)}", remedy)


def _rules(work: _Work, part: Part) -> dict[str, Json]:
    """Write headers and routes of a static site."""
    words: dict[str, Json] = {}
    if part.detail.headers:
        names = ("path", "name", "value")
        words["headers"] = [
            {name: escaped(text) for name, text in zip(names, rule, strict=True)} for rule in part.detail.headers
        ]
    if part.detail.routes:
        names = ("type", "source", "destination")
        words["routes"] = [
            {name: escaped(text) for name, text in zip(names, rule, strict=True)} for rule in part.detail.routes
        ]
    return words


def _switches(home: Observed | None) -> dict[str, Json]:
    """Write an environment's own switches where they are not Render's usual ones."""
    if home is None:
        return {}
    isolated: dict[str, Json] = {"networking": {"isolation": "enabled"}}
    protected: dict[str, Json] = {"permissions": {"protection": "enabled"}}
    return (isolated if home.fields.get("networkIsolationEnabled") else {}) | (
        protected if home.fields.get("protectedStatus") == "protected" else {}
    )


def _source(template: dict[str, Json]) -> dict[str, Json]:
    """Move repository and branch out of the services if they all have the same: a Blueprint says that once."""
    projects = template.get("projects")
    holder: Json = template
    if isinstance(projects, list) and isinstance(projects[0], dict):
        inner = projects[0]["environments"]
        holder = inner[0] if isinstance(inner, list) else None
    services = holder.get("services") if isinstance(holder, dict) else None
    built = [one for one in services if isinstance(one, dict) and "repo" in one] if isinstance(services, list) else []
    sources = {(str(one["repo"]), str(one.get("branch") or "")) for one in built}
    if len(sources) != 1 or not all(sources.copy().pop()):
        return {}
    repo, branch = sources.pop()
    for one in built:
        del one["repo"], one["branch"]
    return {"source": {"repo": repo, "branch": branch}}


def _entrypoint(parts: Sequence[Part]) -> str:
    """Choose whose URL is the tenant's: the public component with a custom domain, else a site, else the first."""
    public = [part for part in parts if part.observed.kind in (Kind.WEB, Kind.STATIC)]
    ranked = sorted(public, key=lambda part: (not part.detail.domains, part.observed.kind is not Kind.STATIC))
    return ranked[0].key if ranked else ""


def _tenant(work: _Work, blueprint: str) -> dict[str, Json]:
    spec: dict[str, Json] = {"blueprint": blueprint}
    regions = set(work.regions.values())
    services = [part for part in work.parts if part.observed.kind in SERVICES]
    if work.tenant_variables and services[0].env[NAME].reveal() != work.tenant:
        spec["displayName"] = services[0].env[NAME].reveal()
    if len(regions) == 1 and "" not in regions:
        spec["region"] = regions.pop()
    if _suspended(work):
        spec["state"] = "suspended"
    domains: dict[str, Json] = {
        part.key: [one.name for one in part.detail.domains if not one.redirect_for]
        for part in work.parts
        if part.detail.domains
    }
    names: dict[str, Json] = {
        part.key: part.observed.name for part in work.parts if part.observed.name != f"{part.key}-{work.tenant}"
    }
    return spec | ({"domains": domains} if domains else {}) | ({"names": names} if names else {})


def _suspended(work: _Work) -> bool:
    """Say whether the whole stack is suspended; a part that is so alone is noted."""
    able = [part.observed for part in work.parts if part.observed.kind in SUSPENDABLE]
    off = [one for one in able if one.suspenders]
    if off and len(off) < len(able):
        for one in off:
            remedy = "resume it, or leave it out; a tenant is running or suspended as a whole"
            work.notes.add(one.name, "it is suspended, the others run", remedy)
    return bool(able) and len(off) == len(able)


def can_be_part(one: Observed) -> bool:
    """Say whether an object is of a kind that a template can have."""
    return one.kind not in GROUPING and (one.kind in SERVICES or one.kind in DATASTORES or one.kind is Kind.ENV_GROUP)
