"""Writes request bodies: canonical fields (`core.observed`) to the API's own shapes; it sends nothing.

Render API 3.2 (services), 3.13.1 (Postgres), 3.14 (Key Value), 3.15 (env groups), 3.16 (projects). On creation a
field that is None or "" is left out, so that Render's default holds; in an update "" clears.
"""

from collections.abc import Mapping, Sequence

from reconciler.core.errors import Refused, shown
from reconciler.core.kinds import API_TYPES, DATASTORES, SERVICES, Kind
from reconciler.core.values import Json, Sensitive

Body = dict[str, Json]

TOP = ("repo", "branch", "rootDir", "autoDeployTrigger", "buildFilter")
SPECIFIC = ("buildCommand", "startCommand", "dockerCommand", "dockerContext", "dockerfilePath")
DETAILS = (
    "runtime",
    "plan",
    "preDeployCommand",
    "healthCheckPath",
    "maintenanceMode",
    "maxShutdownDelaySeconds",
    "renderSubdomainPolicy",
    "ipAllowList",
    "schedule",
    "publishPath",
)
CREATE_DETAILS = ("region", "numInstances")
"""Fields of `serviceDetails` that the PATCH body does not have (Render API 3.2)."""
CREATE_ONLY = ("environmentId", "autoscaling", "disk", "headers", "routes")
EVERYWHERE = ("name", "imagePath", "registryCredential", "previews")
SERVICE_UPDATE = frozenset({*TOP, *SPECIFIC, *DETAILS, *EVERYWHERE})
SERVICE_CREATE = SERVICE_UPDATE | {*CREATE_DETAILS, *CREATE_ONLY}

POSTGRES_NAMES = {
    "diskAutoscalingEnabled": "enableDiskAutoscaling",
    "highAvailabilityEnabled": "enableHighAvailability",
}
"""Canonical (answer) name -> request name (Render API 3.13.2)."""
UPDATES: Mapping[Kind, frozenset[str]] = {
    **dict.fromkeys(SERVICES, SERVICE_UPDATE),
    Kind.POSTGRES: frozenset(
        {"name", "plan", "diskSizeGB", *POSTGRES_NAMES, "ipAllowList", "parameterOverrides", "readReplicas"}
        | {"connectionPool"}
    ),
    Kind.KEY_VALUE: frozenset({"name", "plan", "maxmemoryPolicy", "persistenceMode", "ipAllowList"}),
    Kind.ENV_GROUP: frozenset({"name"}),
    Kind.PROJECT: frozenset({"name"}),
    Kind.ENVIRONMENT: frozenset({"name", "networkIsolationEnabled", "protectedStatus", "ipAllowList"}),
}
CREATES: Mapping[Kind, frozenset[str]] = {
    **dict.fromkeys(SERVICES, SERVICE_CREATE),
    Kind.POSTGRES: UPDATES[Kind.POSTGRES] | {"version", "databaseName", "databaseUser", "region", "environmentId"},
    Kind.KEY_VALUE: UPDATES[Kind.KEY_VALUE] | {"region", "environmentId"},
    Kind.ENV_GROUP: frozenset({"name", "environmentId", "links"}),
    Kind.PROJECT: frozenset({"name", "environment", "networkIsolationEnabled", "protectedStatus", "ipAllowList"}),
    Kind.ENVIRONMENT: UPDATES[Kind.ENVIRONMENT] | {"projectId"},
}
DEFAULT_PERCENT = 70


def check_fields(kind: Kind, payload: Mapping[str, Json], known: frozenset[str], what: str) -> None:
    """Refuse fields that the call has no place for: sending without them would look like success."""
    unknown = sorted(set(payload) - known)
    if unknown:
        raise Refused(
            f"Render's API cannot {what} {', '.join(map(shown, unknown))} of a {kind.value}; "
            f"it takes {', '.join(sorted(known))}"
        )


def create(
    kind: Kind,
    name: str,
    owner_id: str,
    payload: Mapping[str, Json],
    *,
    env: Mapping[str, Sensitive],
    files: Mapping[str, Sensitive],
    credential_id: str = "",
) -> Body:
    """Write the body of a POST that creates an object, secrets included."""
    check_fields(kind, payload, CREATES[kind], "set, at creation,")
    given = {key: value for key, value in payload.items() if value is not None and value != ""}
    if kind in SERVICES:
        secrets: Body = {"envVars": pairs(env), "secretFiles": file_pairs(files)}
        return _create_service(kind, name, owner_id, given, credential_id) | secrets
    body: Body = {"name": name}
    if kind is not Kind.ENVIRONMENT:
        body["ownerId"] = owner_id
    if kind in DATASTORES:
        return body | _datastore(given)
    if kind is Kind.PROJECT:
        inner = {key: value for key, value in given.items() if key not in {"name", "environment"}}
        environment: Body = {"name": given.get("environment", name), **inner}
        return body | {"environments": [environment]}
    if kind is Kind.ENV_GROUP:
        body |= {"envVars": pairs(env), "secretFiles": file_pairs(files)}
        if "links" in given:
            body["serviceIds"] = given.pop("links")
    return body | {key: value for key, value in given.items() if key != "name"}


def update(kind: Kind, payload: Mapping[str, Json], owner_id: str, credential_id: str | None = None) -> Body:
    """Write the body of a PATCH with the given fields only.

    `credential_id` is the registry credential that shall stand: "" removes it, None says nothing of it.
    """
    check_fields(kind, payload, UPDATES[kind], "change, by an update,")
    if kind in SERVICES:
        return _service(kind, payload, owner_id, credential_id)
    return _datastore(payload) if kind in DATASTORES else dict(payload)


def _create_service(kind: Kind, name: str, owner_id: str, given: Mapping[str, Json], credential_id: str) -> Body:
    body: Body = {"type": API_TYPES[kind], "name": name, "ownerId": owner_id}
    patchable = {key: value for key, value in given.items() if key in SERVICE_UPDATE and key != "name"}
    body |= _service(kind, patchable, owner_id, credential_id or None)
    details = body.setdefault("serviceDetails", {})
    assert isinstance(details, dict)
    if kind is not Kind.STATIC:
        details.setdefault("envSpecificDetails", {})
    details |= {key: given[key] for key in CREATE_DETAILS if key in given}
    if given.get("autoscaling"):
        details["autoscaling"] = autoscaling(given["autoscaling"])
    disk = given.get("disk")
    if isinstance(disk, dict):
        details["disk"] = {key: disk[key] for key in ("name", "mountPath", "sizeGB") if key in disk}
    if kind is Kind.STATIC:
        details |= {
            "headers": list[Json](headers(given.get("headers"))),
            "routes": list[Json](routes(given.get("routes"))),
        }
    if "environmentId" in given:
        body["environmentId"] = given["environmentId"]
    return body


def _service(kind: Kind, payload: Mapping[str, Json], owner_id: str, credential_id: str | None) -> Body:
    """Write what POST and PATCH of services share."""
    body: Body = {key: payload[key] for key in ("name", *TOP) if key in payload}
    if "buildFilter" in body and body["buildFilter"] is None:
        body["buildFilter"] = {"paths": None, "ignoredPaths": None}  # clears it (recorded: staticsite/create_minimal)
    details: Body = {key: payload[key] for key in DETAILS if key in payload}
    specific: Body = {key: payload[key] for key in SPECIFIC if key in payload}
    if "previews" in payload:
        details["previews"] = {"generation": payload["previews"]}
    if kind is Kind.STATIC:
        details |= specific
        specific = {}
    if payload.get("imagePath"):
        image: Body = {"ownerId": owner_id, "imagePath": payload["imagePath"]}
        body["image"] = image | ({"registryCredentialId": credential_id} if credential_id else {})
    elif credential_id is not None:
        specific["registryCredentialId"] = credential_id
    if specific:
        details["envSpecificDetails"] = specific
    if details:
        body["serviceDetails"] = details
    return body


def _datastore(payload: Mapping[str, Json]) -> Body:
    """Rename what Postgres calls differently in requests; replicas are given by name."""
    body: Body = {POSTGRES_NAMES.get(key, key): value for key, value in payload.items()}
    replicas = body.get("readReplicas")
    if isinstance(replicas, list):
        body["readReplicas"] = [item if isinstance(item, dict) else {"name": item} for item in replicas]
    return body


def autoscaling(wanted: Json) -> Body:
    """Write {min, max, cpu, memory} as the API has it; a criterion without a target is off."""
    asked = wanted if isinstance(wanted, dict) else {}

    def criterion(name: str) -> Body:
        percent = asked.get(name)
        return {"enabled": percent is not None, "percentage": DEFAULT_PERCENT if percent is None else percent}

    return {
        "enabled": True,
        "min": asked.get("min"),
        "max": asked.get("max"),
        "criteria": {"cpu": criterion("cpu"), "memory": criterion("memory")},
    }


def headers(rules: Json) -> list[Json]:
    """Write header rules (path, name, value)."""
    return [dict(zip(("path", "name", "value"), rule, strict=True)) for rule in _rules(rules)]


def routes(rules: Json) -> list[Json]:
    """Write route rules (type, source, destination); their place is their priority."""
    return [dict(zip(("type", "source", "destination"), rule, strict=True)) for rule in _rules(rules)]


def _rules(rules: Json) -> Sequence[Sequence[Json]]:
    """Read a list of rules; anything else is a mistake of the caller."""
    if rules is None:
        return []
    if not isinstance(rules, list):
        raise TypeError(f"rules must be a list, not {type(rules).__name__}")
    read: list[Sequence[Json]] = []
    for rule in rules:
        if not isinstance(rule, (list, tuple)):
            raise TypeError(f"a rule must be a list of three texts, not {type(rule).__name__}")
        read.append(rule)
    return read


def pairs(values: Mapping[str, Sensitive]) -> list[Json]:
    """Write variables: this is where their text leaves for Render."""
    return [{"key": key, "value": value.reveal()} for key, value in values.items()]


def file_pairs(values: Mapping[str, Sensitive]) -> list[Json]:
    """Write secret files."""
    return [{"name": name, "content": value.reveal()} for name, value in values.items()]
