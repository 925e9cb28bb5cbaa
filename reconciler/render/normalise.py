"""Turns Render's answers into `core.observed` values, so that equal things compare equal; it sends nothing.

Rules (Render API 3.5, 3.13.3, 3.14):
- A text that is absent, null or "" is "". Every field that a kind can have is always there, with one exception:
  `parameterOverrides` is missing from what a list told, because lists do not show it; elsewhere absent means {}.
- A default that Render does not spell out is spelt out: shutdown delay 30, previews `off`, subdomain `enabled`,
  maintenance mode off, connection pool `none`, no isolation, `unprotected`.
- What has no order is sorted: allow lists, replica names, links, members, ids, header rules, domains.
- `preDeployCommand` and the commands are read from `envSpecificDetails`, `autoDeployTrigger` from `autoDeploy`
  where the newer switch is absent, Key Value options from `options`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from reconciler.core.kinds import COMPUTE, KIND_OF_API_TYPE, Kind
from reconciler.core.observed import (
    Deploy,
    Detail,
    Domain,
    Observed,
    Rule,
    canonical_allow_list,
    canonical_image,
    canonical_plan,
)
from reconciler.core.values import Json, Sensitive
from reconciler.render import wire

SHORT_TYPES = {
    Kind.WEB: "web",
    Kind.PRIVATE: "pserv",
    Kind.WORKER: "worker",
    Kind.CRON: "cron",
    Kind.STATIC: "static",
}
"""What Render sets as RENDER_SERVICE_TYPE, and calls the types in the links of env groups (recorded: envgroup)."""
SHUTDOWN_DELAY_S = 30
DEFAULT_PORT = "10000"
POSTGRES_PORT = "5432"
KEY_VALUE_PORT = "6379"
SUSPENDED = "suspended"


def kind_of(service: wire.Service) -> Kind | None:
    """Answer the kind of a service; None for a type this project does not know (and therefore never owns)."""
    return KIND_OF_API_TYPE.get(service.type)


def service(found: wire.Service, kind: Kind, seen_at: datetime) -> Observed:
    """Normalise a service of any type."""
    details = found.service_details or wire.Details()
    return Observed(
        id=found.id,
        kind=kind,
        name=found.name,
        fields=_service_fields(found, details, kind),
        environment_id=found.environment_id or None,
        suspenders=_suspenders(found.suspended, found.suspenders),
        attributes=_service_attributes(found, details, kind),
        created_at=found.created_at,
        updated_at=found.updated_at,
        seen_at=seen_at,
    )


def _service_fields(found: wire.Service, details: wire.Details, kind: Kind) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "repo": found.repo,
        "branch": found.branch,
        "rootDir": found.root_dir,
        "autoDeployTrigger": found.auto_deploy_trigger or {"yes": "commit", "no": "off"}.get(found.auto_deploy, ""),
        "buildFilter": _build_filter(found.build_filter),
    }
    if kind is Kind.STATIC:
        fields |= {"buildCommand": details.build_command, "publishPath": details.publish_path}
    else:
        fields |= _runtime_fields(found, details, kind)
    if kind is Kind.CRON:
        fields["schedule"] = details.schedule
    if kind in COMPUTE:
        fields |= _compute_fields(details)
    if kind in COMPUTE or kind is Kind.STATIC:
        fields["previews"] = _previews(details)
    if kind is Kind.WEB:
        mode = details.maintenance_mode or wire.Maintenance()
        fields["healthCheckPath"] = details.health_check_path
        fields["maintenanceMode"] = {"enabled": mode.enabled, "uri": mode.uri}
    if kind in {Kind.WEB, Kind.STATIC}:
        fields["renderSubdomainPolicy"] = details.render_subdomain_policy or "enabled"
        fields["ipAllowList"] = _allow_list(details.ip_allow_list)
    return fields


def _runtime_fields(found: wire.Service, details: wire.Details, kind: Kind) -> dict[str, Json]:
    specific = details.env_specific_details or wire.Specific()
    credential = found.registry_credential or specific.registry_credential or wire.Named()
    fields: dict[str, Json] = {
        "runtime": details.runtime or details.env,
        "plan": canonical_plan(kind, details.plan),
        "region": details.region,
        "imagePath": canonical_image(found.image_path) if found.image_path else "",
        "registryCredential": credential.name,
        "buildCommand": specific.build_command,
        "startCommand": specific.start_command,
        "dockerCommand": specific.docker_command,
        "dockerContext": specific.docker_context,
        "dockerfilePath": specific.dockerfile_path,
    }
    if kind in COMPUTE:
        fields["preDeployCommand"] = specific.pre_deploy_command or details.pre_deploy_command
    return fields


def _compute_fields(details: wire.Details) -> dict[str, Json]:
    delay = details.max_shutdown_delay_seconds
    disk = details.disk
    return {
        "numInstances": details.num_instances,
        "autoscaling": autoscaling(details.autoscaling),
        "disk": disk_field(disk) if disk else None,
        "maxShutdownDelaySeconds": SHUTDOWN_DELAY_S if delay is None else delay,
    }


def disk_field(disk: wire.Disk) -> dict[str, Json]:
    """Answer the `disk` field."""
    return {"id": disk.id, "name": disk.name, "mountPath": disk.mount_path, "sizeGB": disk.size_gb}


def autoscaling(found: wire.Autoscaling | None) -> Json:
    """Answer {min, max, cpu, memory} with the percent of enabled criteria; None when autoscaling is off."""
    if found is None or not found.enabled:
        return None
    criteria = found.criteria or wire.Criteria()
    return {"min": found.min, "max": found.max, "cpu": _percent(criteria.cpu), "memory": _percent(criteria.memory)}


def _percent(criterion: wire.Criterion | None) -> int | None:
    return criterion.percentage if criterion is not None and criterion.enabled else None


def _build_filter(found: wire.BuildFilter | None) -> Json:
    if found is None or not (found.paths or found.ignored_paths):
        return None
    return {"paths": list[Json](found.paths), "ignoredPaths": list[Json](found.ignored_paths)}


def _previews(details: wire.Details) -> str:
    generation = details.previews.generation if details.previews else ""
    return generation or ("automatic" if details.pull_request_previews_enabled == "yes" else "off")


def _allow_list(found: list[wire.AllowEntry] | None) -> Json:
    return canonical_allow_list(
        [{"cidrBlock": entry.cidr_block, "description": entry.description} for entry in found or ()]
    )


def _suspenders(suspended: str, suspenders: list[str]) -> tuple[str, ...]:
    """Answer who suspended it; `unknown` where Render says that but not who, so that nobody fights it."""
    return tuple(sorted(suspenders)) or (("unknown",) if suspended == SUSPENDED else ())


def _service_attributes(found: wire.Service, details: wire.Details, kind: Kind) -> dict[str, str]:
    """Answer what references may ask for (Render API 9.5); workers and cron jobs have no host."""
    attributes = {
        "serviceId": found.id,
        "serviceName": found.name,
        "serviceType": SHORT_TYPES[kind],
        "slug": found.slug,
    }
    if kind in {Kind.WEB, Kind.PRIVATE} and found.slug:
        told = next((str(port.port) for port in details.open_ports if port.port), DEFAULT_PORT)
        hostport = details.url if kind is Kind.PRIVATE and details.url else f"{found.slug}:{told}"
        attributes |= {"host": found.slug, "port": told, "hostport": hostport, "internalHostname": found.slug}
    if kind in {Kind.WEB, Kind.STATIC} and details.url:
        attributes |= {"url": details.url, "externalHostname": urlsplit(details.url).hostname or ""}
    return attributes


def postgres(found: wire.Postgres, seen_at: datetime, *, listed: bool = False) -> Observed:
    """Normalise a database; `listed` says that it comes from a list, which does not show parameter overrides."""
    fields: dict[str, Json] = {
        "plan": canonical_plan(Kind.POSTGRES, found.plan),
        "region": found.region,
        "version": found.version,
        "databaseName": found.database_name,
        "databaseUser": found.database_user,
        "diskSizeGB": found.disk_size_gb,
        "diskAutoscalingEnabled": found.disk_autoscaling_enabled,
        "highAvailabilityEnabled": found.high_availability_enabled,
        "readReplicas": list[Json](sorted(replica.name for replica in found.read_replicas)),
        "connectionPool": found.connection_pool or "none",
        "ipAllowList": _allow_list(found.ip_allow_list),
    }
    if not listed or found.parameter_overrides is not None:
        fields["parameterOverrides"] = dict[str, Json](found.parameter_overrides or {})
    attributes = {
        "host": found.id,
        "port": POSTGRES_PORT,
        "hostport": f"{found.id}:{POSTGRES_PORT}",
        "user": found.database_user,
        "database": found.database_name,
    }
    return Observed(
        id=found.id,
        kind=Kind.POSTGRES,
        name=found.name,
        fields=fields,
        environment_id=found.environment_id or None,
        status=found.status,
        suspenders=_suspenders(SUSPENDED if SUSPENDED in {found.suspended, found.status} else "", found.suspenders),
        attributes=attributes,
        created_at=found.created_at,
        updated_at=found.updated_at,
        seen_at=seen_at,
    )


def key_value(found: wire.KeyValue, seen_at: datetime) -> Observed:
    """Normalise a Key Value; suspended ones show it by their status alone and count as suspended by `user`."""
    options = found.options or wire.Options()
    return Observed(
        id=found.id,
        kind=Kind.KEY_VALUE,
        name=found.name,
        fields={
            "plan": canonical_plan(Kind.KEY_VALUE, found.plan),
            "region": found.region,
            "maxmemoryPolicy": options.maxmemory_policy,
            "persistenceMode": options.persistence_mode,
            "ipAllowList": _allow_list(found.ip_allow_list),
        },
        environment_id=found.environment_id or None,
        status=found.status,
        suspenders=("user",) if found.status == SUSPENDED else (),
        attributes={"host": found.id, "port": KEY_VALUE_PORT, "hostport": f"{found.id}:{KEY_VALUE_PORT}"},
        created_at=found.created_at,
        updated_at=found.updated_at,
        seen_at=seen_at,
    )


def env_group(found: wire.EnvGroup, seen_at: datetime) -> Observed:
    """Normalise an env group; its variables are detail."""
    return Observed(
        id=found.id,
        kind=Kind.ENV_GROUP,
        name=found.name,
        fields={"links": list[Json](sorted(link.id for link in found.service_links))},
        environment_id=found.environment_id or None,
        created_at=found.created_at,
        updated_at=found.updated_at,
        seen_at=seen_at,
    )


def group_detail(found: wire.EnvGroup) -> Detail:
    """Answer variables and files of an env group; None where the answer did not carry them."""
    return Detail(
        env=None if found.env_vars is None else variables(found.env_vars),
        files=None if found.secret_files is None else files(found.secret_files),
    )


def project(found: wire.Project, seen_at: datetime) -> Observed:
    """Normalise a project."""
    return Observed(
        id=found.id,
        kind=Kind.PROJECT,
        name=found.name,
        fields={"environmentIds": list[Json](sorted(found.environment_ids))},
        created_at=found.created_at,
        updated_at=found.updated_at,
        seen_at=seen_at,
    )


def environment(found: wire.Environment, seen_at: datetime) -> Observed:
    """Normalise an environment; `members` are the ids of everything in it."""
    members = {*found.databases_ids, *found.redis_ids, *found.service_ids, *found.env_group_ids}
    return Observed(
        id=found.id,
        kind=Kind.ENVIRONMENT,
        name=found.name,
        fields={
            "projectId": found.project_id,
            "networkIsolationEnabled": found.network_isolation_enabled,
            "protectedStatus": found.protected_status or "unprotected",
            "members": list[Json](sorted(members)),
        },
        seen_at=seen_at,
    )


def deploy(found: wire.Deploy) -> Deploy:
    """Normalise a deploy."""
    return Deploy(
        id=found.id,
        status=found.status,
        trigger=found.trigger,
        created_at=found.created_at,
        finished_at=found.finished_at,
        commit=found.commit.id if found.commit else "",
    )


def variables(found: Iterable[wire.EnvVar]) -> Mapping[str, Sensitive]:
    """Answer variables by key."""
    return {item.key: Sensitive(item.value) for item in found}


def files(found: Iterable[wire.SecretFile]) -> Mapping[str, Sensitive]:
    """Answer secret files by name."""
    return {item.name: Sensitive(item.content) for item in found}


def domains(found: Iterable[wire.CustomDomain]) -> tuple[Domain, ...]:
    """Answer custom domains, sorted by name."""
    each = (
        Domain(name=item.name, verified=item.verification_status == "verified", redirect_for=item.redirect_for_name)
        for item in found
    )
    return tuple(sorted(each, key=lambda domain: domain.name))


def headers(found: Iterable[wire.Header]) -> tuple[Rule, ...]:
    """Answer header rules, sorted: lists show them newest first, replies in the order of the request."""
    return tuple(sorted((item.path, item.name, item.value) for item in found))


def routes(found: Iterable[wire.Route]) -> tuple[Rule, ...]:
    """Answer route rules in the order in which they are tried."""
    ordered = sorted(found, key=lambda item: item.priority or 0)
    return tuple((item.type, item.source, item.destination) for item in ordered)


def connection(kind: Kind, found: wire.ConnectionInfo) -> Mapping[str, Sensitive]:
    """Answer the secret attributes of a datastore (Render API 9.5); unset ones are left out."""
    attributes = {"connectionString": found.internal_connection_string}
    if kind is Kind.POSTGRES:
        attributes["connectionPoolString"] = found.internal_connection_pool_string
        attributes["password"] = found.password
    return {name: Sensitive(text) for name, text in attributes.items() if text}
