"""Reads one component in two steps: `fold` turns words into canonical fields, `settle` judges them together."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core.blueprint import env
from reconciler.core.blueprint.fields import HAS_VARIABLES, PREVIEW_FIELDS, SERVICE_FIELDS, UNSUPPORTED, Field, table
from reconciler.core.blueprint.spots import Spot, a, nearest
from reconciler.core.errors import shown
from reconciler.core.kinds import SERVICES, Kind
from reconciler.core.values import Json

KINDS = {
    "web": Kind.WEB,
    "pserv": Kind.PRIVATE,
    "worker": Kind.WORKER,
    "cron": Kind.CRON,
    "static": Kind.STATIC,
    "keyvalue": Kind.KEY_VALUE,
}
DISK_SIZE_GB = 10
"""Size of a disk of which the language names none (Render API 9.2; the API itself would take 1)."""
_DOCKER = frozenset({"dockerCommand", "dockerContext", "dockerfilePath"})
_NATIVE = frozenset({"buildCommand", "startCommand"})


@dataclass(slots=True)
class Folded:
    """A component's words in canonical form; a None asks a patch to remove the field."""

    fields: dict[str, Json] = field(default_factory=dict)
    variables: env.Variables = field(default_factory=env.Variables)
    clears_variables: bool = False


def fold(words: Mapping[str, Json], spot: Spot) -> Folded:
    """Read every field of a component's mapping; `type` and `name` are the caller's."""
    folded = Folded()
    known = table(spot.kind)
    for word, value in words.items():
        here = spot.at(word)
        if word in _identity(spot.kind) and not spot.patching:
            continue
        if word == "envVars" and spot.kind in HAS_VARIABLES:
            folded.variables = env.read(value, here)
            folded.clears_variables = value is None
        elif word in PREVIEW_FIELDS:
            here.warn("concerns previews only, which tenants do not have")
        elif word not in known:
            _unknown(word, here, known)
        elif spot.kind in known[word].idle:
            here.warn(f"has no effect on {a(spot.kind)}", "remove it")
        else:
            _take(folded.fields, known[word], value, here)
    return folded


def _identity(kind: Kind) -> frozenset[str]:
    """Name the words that say what a component is; the caller reads them."""
    return frozenset({"name"}) if kind in (Kind.POSTGRES, Kind.ENV_GROUP) else frozenset({"name", "type"})


def _unknown(word: str, spot: Spot, known: Mapping[str, Field]) -> None:
    """Say why a word cannot stand on this kind."""
    kinds = SERVICE_FIELDS[word].kinds if word in SERVICE_FIELDS else frozenset[Kind]()
    if word in _identity(spot.kind):
        spot.problem("a patch cannot change what a component is", remedy="remove it")
    elif word in UNSUPPORTED:
        spot.problem(f"is not supported: {UNSUPPORTED[word]}", remedy="remove it")
    elif kinds:
        which = ", ".join(sorted(kinds))
        spot.problem(f"cannot stand on {a(spot.kind)}", remedy=f"remove it; it is for: {which}")
    else:
        if word == "type" and spot.kind is Kind.POSTGRES:
            spot.problem("unknown field of a postgres", remedy="list what is no Postgres under `services`")
            return
        words = [*known, *(["envVars"] if spot.kind in HAS_VARIABLES else []), *sorted(_identity(spot.kind))]
        spot.problem(f"unknown field of {a(spot.kind)}", remedy=nearest(word, words))


def _take(fields: dict[str, Json], one: Field, value: Json, spot: Spot) -> None:
    """Read one field into `fields`; null is as good as absent, and in a patch asks for removal."""
    if value is None:
        fields.update(dict.fromkeys(one.targets) if spot.patching else {})
        return
    found = one.read(value, spot)
    if found is None:
        return
    if len(one.targets) > 1:
        fields.update(found if isinstance(found, dict) else {})
        return
    target = one.targets[0]
    if target in fields and fields[target] != found:
        found = _second(target, fields[target], found, spot)
    fields[target] = found


def _second(target: str, first: Json, found: Json, spot: Spot) -> Json:
    """Decide between two spellings of one field that disagree (`runtime` and `env`, `domains` and `domain`)."""
    if isinstance(first, list) and isinstance(found, list):
        return [*first, *(one for one in found if one not in first)]
    if target == "autoDeployTrigger":
        # Render reads the newer switch where both stand.
        loser = "autoDeploy"
        spot.warn(f"autoDeployTrigger and autoDeploy disagree; {loser} has no effect", f"remove {loser}")
        return found if spot.path.endswith("autoDeployTrigger") else first
    spot.problem(f"stands here twice, as {shown(str(first))} and {shown(str(found))}", remedy="keep one of the two")
    return first


def kind_of(words: Mapping[str, Json], spot: Spot) -> Kind | None:
    """Read `type`, and `runtime: static` with it; None (and a problem) when it is no known type."""
    sort = words.get("type")
    here = spot.at("type")
    if sort is None:
        here.problem("is required", remedy=f"use one of: {', '.join(KINDS)}")
        return None
    if not isinstance(sort, str) or sort.lower() not in env.SORTS:
        text = sort if isinstance(sort, str) else ""
        database = text.lower() in ("db", "database", "postgres", "postgresql", "pg")
        remedy = "list it under `databases`" if database else nearest(text, KINDS)
        here.problem("is not a type of service", shown(sort), remedy)
        return None
    kind = KINDS[env.SORTS[sort.lower()]]
    static = any(words.get(word) == "static" for word in ("runtime", "env"))
    return Kind.STATIC if kind is Kind.WEB and static else kind


def settle(fields: dict[str, Json], spot: Spot) -> dict[str, Json]:
    """Judge the canonical fields of a whole component together, fill in what the language implies."""
    if spot.kind in SERVICES:
        _runtime(fields, spot)
        _scaling(fields, spot)
        _disk(fields, spot)
    if spot.kind is Kind.CRON and not fields.get("schedule"):
        spot.at("schedule").missing('write it like "0 3 * * *"')
    return fields


def _runtime(fields: dict[str, Json], spot: Spot) -> None:
    """Check runtime against kind and image, and drop commands that this runtime never runs."""
    if spot.kind is Kind.STATIC:
        if fields.pop("runtime", "static") != "static":
            spot.at("runtime").problem("a static site has no runtime", remedy="remove it")
        return
    if fields.get("imagePath"):
        fields.setdefault("runtime", "image")
        if fields["runtime"] != "image":
            remedy = "use runtime: image, or remove image"
            spot.at("runtime").problem("contradicts image", shown(fields["runtime"]), remedy)
    runtime = fields.get("runtime")
    if not runtime:
        spot.at("runtime").missing("use one of: node, python, go, ruby, rust, elixir, docker, image", alias="env")
    elif runtime == "static":
        spot.at("runtime").problem(f"{a(spot.kind)} cannot be static", remedy="use type: web with runtime: static")
    idle = _NATIVE if runtime in ("docker", "image") else _DOCKER if runtime else frozenset[str]()
    for word in sorted(idle & fields.keys()):
        spot.at(word).warn(f"has no effect with runtime {runtime}", "remove it")
        del fields[word]


def _scaling(fields: dict[str, Json], spot: Spot) -> None:
    """Check autoscaling (Render API 3.7): a range, at least one target, no fixed count beside it."""
    scaling = fields.get("scaling")
    if not isinstance(scaling, dict):
        return
    here = spot.at("scaling")
    low, high = scaling.get("min"), scaling.get("max")
    for word, value in (("minInstances", low), ("maxInstances", high)):
        if value is None:
            here.at(word).missing()
    if isinstance(low, int) and isinstance(high, int) and low > high:
        here.problem("minInstances is more than maxInstances", f"{low} and {high}", "swap them")
    if scaling.get("cpu") is None and scaling.get("memory") is None:
        here.problem("has no target", remedy="add targetCPUPercent or targetMemoryPercent")
    if fields.get("plan") == "free":
        here.problem("is not possible on the free plan", remedy="name a paid plan")
    if fields.get("disk"):
        here.problem("is not possible with a disk", remedy="remove scaling or the disk")
    if fields.pop("numInstances", None) is not None:
        spot.at("numInstances").warn("has no effect beside scaling", "keep one of the two")


def _disk(fields: dict[str, Json], spot: Spot) -> None:
    """Check a disk (Render API 3.8): it needs a name, a place, a paid plan and exactly one instance."""
    disk = fields.get("disk")
    if not isinstance(disk, dict):
        return
    here = spot.at("disk")
    for word in ("name", "mountPath"):
        if disk.get(word) is None:
            here.at(word).missing()
    disk.setdefault("sizeGB", DISK_SIZE_GB)
    if fields.get("plan") == "free":
        here.problem("is not possible on the free plan", remedy="name a paid plan")
    count = fields.get("numInstances")
    if isinstance(count, int) and count > 1:
        here.problem("is not possible with several instances", str(count), "set numInstances to 1 or remove the disk")
