"""Reads a whole render.yaml: its lists, projects and environments, and the references between components."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconciler.core.blueprint import component, env, readers
from reconciler.core.blueprint.fields import PREVIEW_FIELDS, SERVICE_FIELDS
from reconciler.core.blueprint.spots import Findings, Spot, a, capped, described, is_mapping, nearest
from reconciler.core.errors import Invalid, shown
from reconciler.core.kinds import Kind
from reconciler.core.template import Component, EnvForm, FromDatabase, Template
from reconciler.core.values import Json

LISTS = ("services", "databases", "envVarGroups")
ROOT_FIELDS = (*LISTS, "projects", "ungrouped", "version")
ENVIRONMENT_FIELDS = ("name", *LISTS, "networking", "permissions")
SORT_KINDS = {
    "web": (Kind.WEB, Kind.STATIC),
    "pserv": (Kind.PRIVATE,),
    "worker": (Kind.WORKER,),
    "cron": (Kind.CRON,),
    "static": (Kind.STATIC,),
    "keyvalue": (Kind.KEY_VALUE,),
}
SORT_OF_KIND = {kind: sort for sort, kinds in SORT_KINDS.items() for kind in kinds if sort != "static"}
_SWITCH = {"enabled": True, "disabled": False}


@dataclass(slots=True)
class _Stack:
    """The components found so far, each with its name in the file, and what the chosen environment says."""

    findings: Findings
    components: list[Component] = field(default_factory=list)
    network_isolation: bool | None = None
    protected: bool | None = None


def normalise(document: Mapping[str, Json], *, environment: str = "") -> Template:
    """Read a render.yaml, older spellings folded into canonical fields and values.

    `environment` chooses among those of `projects`, as `NAME` or `PROJECT/NAME`; a single one needs no choice.
    Raises Invalid with every problem found. Whether references name something that exists is not judged here.
    """
    findings = Findings()
    root = Spot("", findings)
    stack = _Stack(findings)
    if not is_mapping(document):
        message, remedy = "the document must be a mapping", "begin with `services:` and list the services below it"
        Spot("template", findings).problem(message, described(document), remedy)
        raise Invalid(capped(findings.problems))
    _root_fields(document, root)
    _lists(document, root, stack)
    if document.get("ungrouped") is not None:
        _ungrouped(document["ungrouped"], root.at("ungrouped"), stack)
    chosen = _chosen(_environments(document, root), environment, root)
    if chosen is not None:
        _environment(*chosen, stack)
    if not stack.components and not findings.problems:
        root.at("services").problem("nothing is defined", remedy="list at least one service, database or env group")
    components = _keyed(stack)
    _check_references(components, findings)
    if findings.problems:
        raise Invalid(capped(findings.problems))
    return Template(
        components=components,
        network_isolation=stack.network_isolation,
        protected=stack.protected,
        warnings=tuple(findings.warnings),
    )


def environments(document: Mapping[str, Json]) -> tuple[str, ...]:
    """Name the environments that `normalise` lets a tenant choose from; empty when there is nothing to choose."""
    return tuple(name for name, *_ in _environments(document, Spot("", Findings())))


def _root_fields(document: Mapping[str, Json], root: Spot) -> None:
    for word in document:
        if word in PREVIEW_FIELDS:
            root.at(word).warn("concerns previews only, which tenants do not have")
        elif word == "version":
            root.at(word).warn("has no meaning in a render.yaml")
        elif word not in ROOT_FIELDS:
            misplaced = word in SERVICE_FIELDS or word in ("name", "type", "envVars")
            remedy = "indent it, so that it stands below the service it belongs to"
            root.at(word).problem("unknown field", remedy=remedy if misplaced else nearest(word, ROOT_FIELDS))


def _items(holder: Mapping[str, Json], word: str, spot: Spot) -> Iterator[tuple[dict[str, Json], Spot]]:
    """Yield the mappings of a list, each with its place; anything else is a problem."""
    here = spot.at(word)
    value = holder.get(word)
    if value is not None and not isinstance(value, list):
        here.problem("must be a list", described(value), 'write each entry on a line of its own, after "- "')
    for index, one in enumerate(value if isinstance(value, list) else ()):
        if isinstance(one, dict):
            yield one, here.at(index)
        else:
            here.at(index).problem("must be a mapping", described(one), "write `name: ...` and its fields")


def _lists(holder: Mapping[str, Json], spot: Spot, stack: _Stack) -> None:
    """Read services, databases and env groups of the root, of `ungrouped` or of an environment."""
    for words, here in _items(holder, "envVarGroups", spot):
        _add(words, here.of(Kind.ENV_GROUP), stack)
    for words, here in _items(holder, "databases", spot):
        _add(words, here.of(Kind.POSTGRES), stack)
    for words, here in _items(holder, "services", spot):
        kind = component.kind_of(words, here)
        if kind is None:
            _name(words, here)
        else:
            _add(words, here.of(kind), stack)


def _name(words: Mapping[str, Json], spot: Spot) -> str:
    here = spot.at("name")
    if words.get("name") is None:
        here.problem("is required", remedy="give it a name")
        return ""
    found = readers.name(words["name"], here)
    return found if isinstance(found, str) else ""


def _add(words: Mapping[str, Json], spot: Spot, stack: _Stack) -> None:
    """Read one component; a second one of the same name and scope is a problem."""
    name = _name(words, spot)
    folded = component.fold(words, spot)
    fields = component.settle(folded.fields, spot)
    forms = {key: form for key, form in folded.variables.forms.items() if form is not None}
    for other in stack.components:
        if name and other.key == name and _scope(other.kind) == _scope(spot.kind):
            remedy = f"rename one of the two; the other is {other.path}"
            spot.at("name").problem(f"two {_scope(spot.kind)} have this name", shown(name), remedy)
    groups = tuple(folded.variables.groups)
    one = Component(key=name, kind=spot.kind, fields=fields, env=forms, groups=groups, path=spot.path)
    stack.components.append(one)


def _scope(kind: Kind) -> str:
    """Answer the set of things among which a name must be unique."""
    return {Kind.POSTGRES: "databases", Kind.ENV_GROUP: "env groups"}.get(kind, "services")


# ---------------------------------------------------------------- projects and environments

_Found = tuple[str, str, dict[str, Json], Spot]
"""An environment: the name to choose it by, its own name, its mapping, its place."""


def _environments(document: Mapping[str, Json], root: Spot) -> list[_Found]:
    """Find every environment of every project; where two share a name, the project goes before it."""
    found: list[_Found] = []
    for project, here in _items(document, "projects", root):
        for word in project:
            if word not in ("name", "environments"):
                here.at(word).problem("unknown field of a project", remedy=nearest(word, ("name", "environments")))
        project_name = _name(project, here)
        if not project.get("environments"):
            here.at("environments").problem("is required", remedy="list at least one environment")
        for one, place in _items(project, "environments", here):
            found.append((f"{project_name}/{_name(one, place)}", _text(one.get("name")), one, place))
    counts = Counter(name for _, name, _, _ in found)
    return [(name if counts[name] == 1 else full, name, one, place) for full, name, one, place in found]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _chosen(found: list[_Found], wanted: str, root: Spot) -> tuple[dict[str, Json], Spot] | None:
    """Choose the environment by name; a problem names the choices."""
    matches = [(one, place) for choice, _, one, place in found if wanted in ("", choice)]
    if len(matches) == 1:
        return matches[0]
    choices = ", ".join(choice for choice, *_ in found)
    here = root.at("environment")
    if not found and wanted:
        here.problem("the template has no environments", shown(wanted), "remove it")
    elif not matches and found:
        here.problem("the template has no such environment", shown(wanted), f"it has: {choices}")
    elif matches:
        here.problem("the template has several environments", remedy=f"choose one: {choices}")
    return None


def _ungrouped(value: Json, spot: Spot, stack: _Stack) -> None:
    if not isinstance(value, dict):
        spot.problem("must be a mapping", described(value), f"its keys are: {', '.join(LISTS)}")
        return
    for word in value:
        if word not in LISTS:
            spot.at(word).problem("unknown field", remedy=nearest(word, LISTS))
    spot.warn("stands in the tenant's own project like everything else")
    _lists(value, spot, stack)


def _environment(words: Mapping[str, Json], spot: Spot, stack: _Stack) -> None:
    for word in words:
        if word not in ENVIRONMENT_FIELDS:
            spot.at(word).problem("unknown field of an environment", remedy=nearest(word, ENVIRONMENT_FIELDS))
    stack.network_isolation = _switch(words, "networking", "isolation", spot)
    stack.protected = _switch(words, "permissions", "protection", spot)
    _lists(words, spot, stack)


def _switch(words: Mapping[str, Json], outer: str, inner: str, spot: Spot) -> bool | None:
    """Read `outer: {inner: enabled | disabled}`."""
    if words.get(outer) is None:
        return None
    found = readers.mapping({inner: (inner, readers.choice(*_SWITCH))}, inner)(words[outer], spot.at(outer))
    word = found.get(inner) if isinstance(found, dict) else None
    return _SWITCH[str(word)] if word is not None else None


# ---------------------------------------------------------------- keys and references


def _keyed(stack: _Stack) -> dict[str, Component]:
    """Give every component a key of its own; one that shares its name with a service gets a suffix."""
    keyed = {one.key: one for one in stack.components if _scope(one.kind) == "services"}
    taken = {one.key for one in stack.components}
    renamed: dict[str, dict[str, str]] = {"databases": {}, "env groups": {}}
    for scope, suffix in (("databases", "-db"), ("env groups", "-group")):
        for one in stack.components:
            if _scope(one.kind) == scope:
                key = _free(one.key, suffix, keyed, taken)
                renamed[scope][one.key] = key
                taken.add(key)
                keyed[key] = replace(one, key=key)
    ordered = sorted(keyed.values(), key=lambda one: _position(one, stack.components))
    return {one.key: _rewritten(one, renamed) for one in ordered}


def _free(name: str, suffix: str, keyed: Mapping[str, Component], taken: Iterable[str]) -> str:
    """Answer the name itself, or with the suffix, or with the first number behind it that nobody has."""
    if name not in keyed:
        return name
    key, number = f"{name}{suffix}", 2
    while key in taken:
        key, number = f"{name}{suffix}-{number}", number + 1
    return key


def _position(one: Component, components: list[Component]) -> int:
    return next(index for index, other in enumerate(components) if other.path == one.path)


def _rewritten(one: Component, renamed: Mapping[str, Mapping[str, str]]) -> Component:
    """Let references follow the keys; what names nothing in this file stays as it is."""
    forms: dict[str, EnvForm] = {
        key: replace(form, name=renamed["databases"].get(form.name, form.name))
        if isinstance(form, FromDatabase)
        else form
        for key, form in one.env.items()
    }
    return replace(one, env=forms, groups=tuple(renamed["env groups"].get(group, group) for group in one.groups))


def _check_references(components: Mapping[str, Component], findings: Findings) -> None:
    """Check the type a `fromService` names, and platform variables, against the component it names, if it is here."""
    for reference in findings.references:
        target = components.get(reference.name)
        known = target is not None and target.kind in SORT_OF_KIND
        here = Spot(reference.path, findings)
        if target is not None and known and target.kind not in SORT_KINDS[reference.sort]:
            remedy = f"write {SORT_OF_KIND[target.kind]}"
            here.at("type").problem(f"{shown(reference.name)} is {a(target.kind)}", shown(reference.sort), remedy)
        key = reference.env_var_key
        own = target is not None and key in target.env
        if key.startswith("RENDER_") and key not in PLATFORM_VARIABLES and not own:
            remedy = f"use one of: {', '.join(PLATFORM_VARIABLES)}"
            here.at("envVarKey").problem("exists at run time only and cannot be copied", shown(key), remedy)


PLATFORM_VARIABLES = (
    "RENDER_EXTERNAL_URL",
    "RENDER_EXTERNAL_HOSTNAME",
    "RENDER_INTERNAL_HOSTNAME",
    "RENDER_SERVICE_ID",
    "RENDER_SERVICE_NAME",
    "RENDER_SERVICE_TYPE",
)
"""Variables that can be read off the live service (Render API 9.5)."""
assert env.SORTS.keys() >= SORT_KINDS.keys()
