"""Lists the fields of the language: how each is read, its canonical names, and the kinds that know it."""

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.core.blueprint import plans, readers
from reconciler.core.blueprint.readers import Reader, choice, entries, integer, listed, mapping
from reconciler.core.blueprint.spots import Spot
from reconciler.core.kinds import COMPUTE, DATASTORES, SERVICES, Kind
from reconciler.core.observed import canonical_allow_list, canonical_image
from reconciler.core.values import Json

BUILT = SERVICES - {Kind.STATIC}
"""Services that run a program."""
PUBLIC = frozenset({Kind.WEB, Kind.STATIC})
RUNTIMES = ("node", "python", "go", "ruby", "rust", "elixir", "docker", "image", "static")
RULE_TYPES = ("redirect", "rewrite")
EVICTIONS = (
    "noeviction",
    "allkeys_lfu",
    "allkeys_lru",
    "allkeys_random",
    "volatile_lfu",
    "volatile_lru",
    "volatile_random",
    "volatile_ttl",
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the language. `targets` are its canonical names: a reader of several answers a mapping of them.

    `idle` names kinds on which the field may stand without any effect: a warning, where others refuse.
    """

    read: Reader
    targets: tuple[str, ...]
    kinds: frozenset[Kind]
    idle: frozenset[Kind] = frozenset()


def _image(value: Json, spot: Spot) -> Json:
    found = _IMAGE(value, spot)
    if isinstance(found, dict) and isinstance(found.get("imagePath"), str):
        found["imagePath"] = canonical_image(str(found["imagePath"]))
    return found


def _credential(value: Json, spot: Spot) -> Json:
    found = _CREDENTIAL(value, spot)
    return _inner(_inner(found, "fromRegistryCreds"), "name")


def _inner(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, dict) else None


def _allow_list(value: Json, spot: Spot) -> Json:
    found = _RANGES(value, spot)
    return None if found is None else canonical_allow_list(found)


def _enabled(value: Json, spot: Spot) -> Json:
    return _inner(_ENABLED(value, spot), "enabled")


def _auto_deploy(value: Json, spot: Spot) -> Json:
    found = readers.boolean(value, spot)
    return None if found is None else "commit" if found else "off"


def _one_domain(value: Json, spot: Spot) -> Json:
    found = readers.host_name(value, spot)
    return None if found is None else [found]


_NAMED = {"name": ("name", readers.word)}
_CREDENTIAL = mapping({"fromRegistryCreds": ("fromRegistryCreds", mapping(_NAMED, "name"))}, "fromRegistryCreds")
_IMAGE = mapping({"url": ("imagePath", readers.word), "creds": ("registryCredential", _credential)}, "url")
_ENABLED = mapping({"enabled": ("enabled", readers.boolean)}, "enabled")
_RANGES = entries(
    {"source": ("cidrBlock", readers.cidr), "description": ("description", readers.text)},
    "source",
)
_SCALING = mapping(
    {
        "minInstances": ("min", integer(1, readers.INSTANCES_MAX)),
        "maxInstances": ("max", integer(1, readers.INSTANCES_MAX)),
        "targetCPUPercent": ("cpu", integer(1, readers.TARGET_PERCENT_MAX)),
        "targetMemoryPercent": ("memory", integer(1, readers.TARGET_PERCENT_MAX)),
    }
)
_DISK = mapping(
    {
        "name": ("name", readers.word),
        "mountPath": ("mountPath", readers.mount_path),
        "sizeGB": ("sizeGB", integer(1, 16384)),
    }
)
_MAINTENANCE = mapping({"enabled": ("enabled", readers.boolean), "uri": ("uri", readers.text)})
_FILTER = mapping({"paths": ("paths", listed(readers.text)), "ignoredPaths": ("ignoredPaths", listed(readers.text))})
_HEADERS = entries(
    {"path": ("path", readers.text), "name": ("name", readers.word), "value": ("value", readers.text)},
    *("path", "name", "value"),
)
_ROUTES = entries(
    {
        "type": ("type", choice(*RULE_TYPES)),
        "source": ("source", readers.word),
        "destination": ("destination", readers.word),
    },
    *("type", "source", "destination"),
)


def _one(target: str, read: Reader, kinds: Iterable[Kind], idle: Iterable[Kind] = ()) -> Field:
    return Field(read, (target,), frozenset(kinds), frozenset(idle))


_WEB, _CRON, _STATIC = frozenset({Kind.WEB}), frozenset({Kind.CRON}), frozenset({Kind.STATIC})
_KEY_VALUE, _POSTGRES = frozenset({Kind.KEY_VALUE}), frozenset({Kind.POSTGRES})

SERVICE_FIELDS = {
    "runtime": _one("runtime", choice(*RUNTIMES), SERVICES),
    "env": _one("runtime", choice(*RUNTIMES), SERVICES),
    "plan": _one("plan", plans.plan, BUILT | _KEY_VALUE, _STATIC),
    "region": _one("region", plans.region, BUILT | _KEY_VALUE, _STATIC),
    "repo": _one("repo", readers.repository, SERVICES),
    "branch": _one("branch", readers.word, SERVICES),
    "rootDir": _one("rootDir", readers.text, SERVICES),
    "image": Field(_image, ("imagePath", "registryCredential"), BUILT),
    "registryCredential": _one("registryCredential", _credential, BUILT),
    "buildCommand": _one("buildCommand", readers.text, SERVICES),
    "startCommand": _one("startCommand", readers.text, BUILT, _STATIC),
    "dockerCommand": _one("dockerCommand", readers.text, BUILT),
    "dockerContext": _one("dockerContext", readers.text, BUILT),
    "dockerfilePath": _one("dockerfilePath", readers.text, BUILT),
    "preDeployCommand": _one("preDeployCommand", readers.text, COMPUTE),
    "initialDeployHook": _one("initialDeployHook", readers.text, COMPUTE),
    "autoDeployTrigger": _one("autoDeployTrigger", choice("commit", "checksPass", "off", when_false="off"), SERVICES),
    "autoDeploy": _one("autoDeployTrigger", _auto_deploy, SERVICES),
    "buildFilter": _one("buildFilter", _FILTER, SERVICES),
    "healthCheckPath": _one("healthCheckPath", readers.absolute_path, _WEB, SERVICES - _WEB),
    "maxShutdownDelaySeconds": _one("maxShutdownDelaySeconds", integer(1, 300), COMPUTE),
    "maintenanceMode": _one("maintenanceMode", _MAINTENANCE, _WEB),
    "numInstances": _one("numInstances", integer(1, readers.INSTANCES_MAX), COMPUTE),
    "scaling": _one("scaling", _SCALING, COMPUTE),
    "disk": _one("disk", _DISK, COMPUTE),
    "domains": _one("domains", listed(readers.host_name), PUBLIC),
    "domain": _one("domains", _one_domain, PUBLIC),
    "renderSubdomainPolicy": _one("renderSubdomainPolicy", choice("enabled", "disabled"), PUBLIC),
    "ipAllowList": _one("ipAllowList", _allow_list, PUBLIC | _KEY_VALUE),
    "schedule": _one("schedule", readers.schedule, _CRON),
    "staticPublishPath": _one("publishPath", readers.text, _STATIC),
    "headers": _one("headers", _HEADERS, _STATIC),
    "routes": _one("routes", _ROUTES, _STATIC),
    "maxmemoryPolicy": _one("maxmemoryPolicy", choice(*EVICTIONS), _KEY_VALUE),
    "persistenceMode": _one(
        "persistenceMode", choice("journal_snapshot", "snapshot", "off", when_false="off"), _KEY_VALUE
    ),
}
DATABASE_FIELDS = {
    "plan": _one("plan", plans.plan, _POSTGRES),
    "region": _one("region", plans.region, _POSTGRES),
    "postgresMajorVersion": _one("version", readers.version, _POSTGRES),
    "databaseName": _one("databaseName", readers.word, _POSTGRES),
    "user": _one("databaseUser", readers.word, _POSTGRES),
    "diskSizeGB": _one("diskSizeGB", readers.disk_size, _POSTGRES),
    "storageAutoscalingEnabled": _one("diskAutoscalingEnabled", readers.boolean, _POSTGRES),
    "highAvailability": _one("highAvailabilityEnabled", _enabled, _POSTGRES),
    "readReplicas": _one("readReplicas", entries({"name": ("name", readers.name)}, "name"), _POSTGRES),
    "connectionPool": _one("connectionPool", choice("pgbouncer", "none"), _POSTGRES),
    "ipAllowList": _one("ipAllowList", _allow_list, _POSTGRES),
}
PREVIEW_FIELDS = frozenset(
    {
        "previews",
        "previewPlan",
        "previewDiskSizeGB",
        "pullRequestPreviewsEnabled",
        "previewsEnabled",
        "previewsExpireAfterDays",
    }
)
"""Fields that concern previews only: a warning wherever they stand."""
UNSUPPORTED = {
    "cache": "the profile of the edge cache",
    "internalRouting": "internal routing",
    "notifyOnFail": "notifications",
    "parameterOverrides": "parameters of a database",
    "datadogAPIKey": "Datadog",
    "datadogSite": "Datadog",
    "secretFiles": "secret files; they belong into `secretFiles` of the Blueprint document",
}
"""What Render has, perhaps elsewhere than in this language, and this project does not set from a template."""


def table(kind: Kind) -> dict[str, Field]:
    """Answer the fields that can stand on a kind, those without effect included."""
    every = {Kind.POSTGRES: DATABASE_FIELDS, Kind.ENV_GROUP: {}}.get(kind, SERVICE_FIELDS)
    return {name: one for name, one in every.items() if kind in one.kinds | one.idle}


MERGED = frozenset({"scaling", "disk", "buildFilter", "maintenanceMode"})
"""Canonical fields that a patch merges by key; all others it replaces."""
HAS_VARIABLES = SERVICES | {Kind.ENV_GROUP}
HAS_FIELDS = SERVICES | DATASTORES
