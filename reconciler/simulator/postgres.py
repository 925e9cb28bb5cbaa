"""Makes, changes, suspends and removes Postgres databases and their replicas, and moves them through time.

Render API: a random suffix is appended to every database name; a create answers `unknown` (with replicas
`creating`), reads say `creating` until `available` after 30 to 51 s; a change of plan or of availability
goes back to `creating`; every PATCH moves `updatedAt` (recorded: postgres/postgres, postgres/postgres_allowlist).
"""

import re

from reconciler.simulator import checks, events, expiry, maintenance, metering, models, plans, times
from reconciler.simulator.services import state
from reconciler.simulator.wire import ApiError, Json, conflict, invalid
from reconciler.simulator.world import World

MAX_REPLICAS = 5
IMMUTABLE = {"version": "version", "region": "region", "ownerId": "owner_id", "databaseUser": "user"}
EVERYWHERE = [{"cidrBlock": "0.0.0.0/0", "description": "everywhere"}]
DISK_STEP_GB = 5
DAY_S = 86_400
RESTING = frozenset({"available", "suspended", "unavailable", "maintenance_in_progress"})


def check_unique(world: World, table_names: bool, name: str) -> None:
    """Refuse a taken name, if the setting says that names of datastores are unique."""
    if world.settings.unique_other_names and table_names:
        raise conflict(f"name already in use: {name}")


def creating_s(world: World) -> float:
    """Choose how long a database needs to come up."""
    low, high = world.settings.postgres_creating_min_s, world.settings.postgres_creating_max_s
    return world.ids.chance.uniform(low, max(low, high))


def begin(world: World, item: models.Postgres, status: str, seconds: float) -> None:
    """Put a database into a passing status."""
    item.status = status
    item.due_ns = world.in_s(seconds)
    stuck = world.faults.on_lifecycle("postgres_stuck", item.id, item.name) if status == "creating" else None
    if stuck is not None:
        item.due_ns = 0
        stuck.held.append(item.id)
    world.postgres.touch(item)
    world.schedule("postgres", item)


def advance(world: World, item: models.Postgres) -> None:
    """End a passing status."""
    at_ns, item.due_ns = item.due_ns, 0
    if item.status not in RESTING:
        first, restored = item.status == "creating", item.status == "recovery_in_progress"
        item.status = "available"
        if restored:
            events.emit(world, item, "postgres_restore_succeeded", {}, at_ns)
        if (first or restored) and item.primary_id is None:
            events.emit(world, item, "postgres_available", {}, at_ns)
    world.postgres.touch(item)
    expiry.watch(world, item, at_ns)


def _disk(body: Json, name: str, default: int, plan: str) -> int:
    size = checks.whole(body, name, (1, plans.POSTGRES_MAX_DISK_GB), default)
    if plan == "free" and size != 1:
        raise invalid(f"{name} must be 1 on plan free")
    if size != 1 and size % DISK_STEP_GB:
        raise invalid(f"{name} must be 1 or a multiple of {DISK_STEP_GB}")
    return size


def _overrides(body: Json) -> dict[str, str]:
    section = checks.section(body, "parameterOverrides")
    if not all(isinstance(value, str) for value in section.values()):
        raise invalid("parameterOverrides must map strings to strings")
    return dict(section)


def _check_availability(high_availability: bool, plan: str, version: str) -> None:
    if high_availability and not plans.can_be_highly_available(plan, version):
        raise invalid("enableHighAvailability needs a pro or accelerated plan and version 13 or later")


def create(world: World, body: Json) -> models.Postgres:
    """Make a database from the body of POST /postgres."""
    name = checks.text(body, "name")
    owner_id = world.accept_owner(checks.text(body, "ownerId"))
    plan = checks.choice(body, "plan", plans.POSTGRES_PLANS)
    version = checks.choice(body, "version", plans.POSTGRES_VERSIONS)
    high_availability = checks.flag(body, "enableHighAvailability")
    _check_availability(high_availability, plan, version)
    check_unique(world, bool(world.postgres.named(name)), name)
    stem = checks.optional_text(body, "databaseName") or re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    database = f"{stem or 'db'}_{world.ids.suffix()}"
    replicas = checks.rows(body, "readReplicas")
    allowed = checks.allow_list(body) if "ipAllowList" in body else [dict(item) for item in EVERYWHERE]
    environment_id = checks.optional_text(body, "environmentId") or None
    environment = world.environments.get(environment_id) if environment_id else None
    if environment_id and environment is None:
        raise world.missing(environment_id)
    now_ns = world.stamp_ns()
    item = models.Postgres(
        id=world.ids.new("dpg", now_ns) + "-a", name=name, owner_id=owner_id, plan=plan,
        region=checks.choice(body, "region", plans.REGIONS, "oregon"), version=version, database=database,
        user=checks.optional_text(body, "databaseUser") or f"{database}_user", password=world.ids.password(),
        disk_gb=_disk(body, "diskSizeGB", plans.postgres_default_disk_gb(plan), plan), created_ns=now_ns,
        updated_ns=now_ns, disk_autoscaling=checks.flag(body, "enableDiskAutoscaling"),
        high_availability=high_availability, allow_list=allowed, overrides=_overrides(body),
        environment_id=environment_id, datadog=bool(body.get("datadogAPIKey")),
        connection_pool=checks.choice(body, "connectionPool", ("pgbouncer", "none"), "none"),
    )  # fmt: skip
    wanted = _replica_names(replicas, plan)
    world.postgres.add(item)
    if environment is not None:
        environment.members.append(item.id)
        world.environments.touch(environment)
    begin(world, item, "creating", creating_s(world))
    _set_replicas(world, item, wanted)
    events.emit(world, item, "postgres_created")
    metering.postgres(world, item)
    return item


def _replica_names(given: list[Json], plan: str) -> dict[str, Json]:
    wanted = {checks.text(item, "name"): item for item in given}
    for item in given:
        _overrides(item)  # refused before anything is changed
    if len(wanted) != len(given):
        raise invalid("readReplicas: names must differ")
    if wanted and plan == "free":
        raise invalid("readReplicas: not on plan free")
    if len(wanted) > MAX_REPLICAS:
        raise invalid(f"readReplicas: at most {MAX_REPLICAS}")
    return wanted


def _set_replicas(world: World, primary: models.Postgres, wanted: dict[str, Json]) -> bool:
    """Make the replicas those that are wanted, matched by name; tell whether one came or went."""
    present = {item.name: item for item in replicas_of(world, primary)}
    for name, item in present.items():
        if name not in wanted:
            delete(world, item)
    for name, given in wanted.items():
        replica = present.get(name)
        overrides = _overrides(given)
        if replica is None:
            _add_replica(world, primary, name, overrides)
        elif replica.overrides != overrides and "parameterOverrides" in given:
            replica.overrides = overrides
            world.postgres.touch(replica)
    changed = set(present) != set(wanted)
    if changed:
        details = {"fromReplicas": len(present), "toReplicas": len(wanted)}
        events.emit(world, primary, "postgres_read_replicas_changed", details)
    return changed


def _add_replica(world: World, primary: models.Postgres, name: str, overrides: dict[str, str]) -> None:
    letter = "abcdefghijklmnopqrstuvwxyz"[primary.letters_used % 26]
    primary.letters_used += 1
    now_ns = world.stamp_ns()
    replica = models.Postgres(
        id=f"{primary.id[:-1]}{letter}", name=name, owner_id=primary.owner_id, plan=primary.plan,
        region=primary.region, version=primary.version, database=primary.database, user=primary.user,
        password=primary.password, disk_gb=primary.disk_gb, created_ns=now_ns, updated_ns=now_ns,
        allow_list=[dict(item) for item in primary.allow_list], overrides=overrides, primary_id=primary.id,
        environment_id=primary.environment_id,
    )  # fmt: skip
    world.postgres.add(replica)
    primary.replica_ids.append(replica.id)
    environment = world.environments.get(primary.environment_id) if primary.environment_id else None
    if environment is not None:
        environment.members.append(replica.id)
        world.environments.touch(environment)
    begin(world, replica, "creating", creating_s(world))
    metering.postgres(world, replica)


def replicas_of(world: World, primary: models.Postgres) -> list[models.Postgres]:
    """Find the replicas of a primary."""
    return [item for key in primary.replica_ids if (item := world.postgres.get(key)) is not None]


def patch(world: World, item: models.Postgres, body: Json) -> None:
    """Change a database by the body of PATCH /postgres/{id}."""
    for name, field in IMMUTABLE.items():
        if body.get(name) not in (None, "", getattr(item, field)):
            raise invalid(f"{name} cannot be changed")
    if body.get("databaseName") and not item.database.startswith(str(body["databaseName"])):
        raise invalid("databaseName cannot be changed")
    plan = _new_plan(world, item, body)
    high_availability = checks.flag(body, "enableHighAvailability", item.high_availability)
    _check_availability(high_availability, plan, item.version)
    size = _new_disk(world, item, body, plan)
    pool = checks.choice(body, "connectionPool", ("pgbouncer", "none"), item.connection_pool)
    name = checks.optional_text(body, "name") or item.name
    allowed = checks.allow_list(body)
    wanted = _replica_names(checks.rows(body, "readReplicas"), plan)
    overrides = _overrides(body)
    if name != item.name:
        check_unique(world, bool(world.postgres.named(name)), name)
        world.postgres.rename(item, name)
    rebuilt = (plan, high_availability) != (item.plan, item.high_availability)
    scaling = checks.flag(body, "enableDiskAutoscaling", item.disk_autoscaling)
    restarted = pool != item.connection_pool or _new_datadog(item, body)
    _note_changes(world, item, plan, high_availability, pool, scaling)
    item.plan, item.high_availability, item.connection_pool = plan, high_availability, pool
    if size != item.disk_gb:
        _grow(world, item, size)
    item.disk_autoscaling = scaling
    if body.get("ipAllowList") is not None:
        item.allow_list = allowed
    if body.get("parameterOverrides") is not None:
        item.overrides = overrides
    if body.get("readReplicas") is not None or ("readReplicas" in body and world.settings.null_removes_replicas):
        _set_replicas(world, item, wanted)
    if "datadogAPIKey" in body:
        item.datadog = bool(body["datadogAPIKey"])
    item.updated_ns = world.stamp_ns()
    _after_change(world, item, rebuilt=rebuilt, restarted=restarted)


def _after_change(world: World, item: models.Postgres, *, rebuilt: bool, restarted: bool) -> None:
    for replica in replicas_of(world, item):
        replica.plan, replica.disk_gb = item.plan, item.disk_gb
        world.postgres.touch(replica)
        metering.postgres(world, replica)
    if item.status != "suspended" and rebuilt:
        begin(world, item, "creating", creating_s(world))
    elif item.status == "available" and restarted:
        begin(world, item, "config_restart", world.settings.postgres_restart_s)
    world.postgres.touch(item)
    metering.postgres(world, item)


def _new_datadog(item: models.Postgres, body: Json) -> bool:
    """Tell whether the Datadog key changes; a new one cannot be told from the old one, so it counts."""
    return "datadogAPIKey" in body and (bool(body["datadogAPIKey"]) or item.datadog)


def _note_changes(
    world: World, item: models.Postgres, plan: str, high_availability: bool, pool: str, scaling: bool
) -> None:  # fmt: skip
    if plan != item.plan:
        events.emit(world, item, "plan_changed", {"from": item.plan, "to": plan})
    if high_availability != item.high_availability:
        words = ("disabled", "enabled") if high_availability else ("enabled", "disabled")
        events.emit(world, item, "postgres_ha_status_changed", {"fromStatus": words[0], "toStatus": words[1]})
    if pool != item.connection_pool:
        details = {"enabled": pool != "none", "user": events.USER}
        events.emit(world, item, "postgres_connection_pool_enabled_changed", details)
    if scaling != item.disk_autoscaling:
        events.emit(world, item, "postgres_disk_autoscaling_enabled_changed", {"enabled": scaling})


def _new_plan(world: World, item: models.Postgres, body: Json) -> str:
    if not body.get("plan"):
        return item.plan
    plan = plans.kept(item.plan, checks.choice(body, "plan", plans.POSTGRES_PLANS), plans.POSTGRES_ALIASES)
    if plan != item.plan and world.settings.payment_missing:
        raise ApiError(402, "Payment information is required. Add a card in the dashboard.")
    if plan != item.plan and plan in plans.POSTGRES_LEGACY:
        raise invalid(f"invalid plan: {plan} is a legacy plan")
    if plan != item.plan and plan == "free":
        raise invalid("invalid plan: a database cannot go back to free")
    return plan


def _new_disk(world: World, item: models.Postgres, body: Json, plan: str) -> int:
    if body.get("diskSizeGB") in (None, item.disk_gb):
        return item.disk_gb
    size = _disk(body, "diskSizeGB", item.disk_gb, plan)
    if size < item.disk_gb:
        raise invalid(f"diskSizeGB cannot shrink from {item.disk_gb} to {size}")
    wait_ns = times.seconds_ns(world.settings.postgres_disk_cooldown_s)
    if item.disk_grown_ns and world.now_ns() < item.disk_grown_ns + wait_ns:
        raise invalid("diskSizeGB can be increased once every 12 hours")
    return size


def _grow(world: World, item: models.Postgres, size: int) -> None:
    events.emit(world, item, "postgres_disk_size_changed", {"fromDiskSize": item.disk_gb, "toDiskSize": size})
    item.disk_gb = size
    item.disk_grown_ns = world.now_ns()


def suspend(world: World, item: models.Postgres, suspender: str = "user") -> None:
    """Suspend a database."""
    if suspender in item.suspenders:
        return
    first, item.suspenders = not item.suspenders, [*item.suspenders, suspender]
    item.status, item.due_ns = "suspended", 0
    item.updated_ns = world.stamp_ns()
    world.postgres.touch(item)
    if first:
        events.emit(world, item, "service_suspended")
    metering.postgres(world, item)


def resume(world: World, item: models.Postgres, suspender: str = "user") -> None:
    """Lift a suspension."""
    if suspender not in item.suspenders:
        return
    item.suspenders = [one for one in item.suspenders if one != suspender]
    item.updated_ns = world.stamp_ns()
    if not item.suspenders:
        begin(world, item, "creating", world.settings.postgres_restart_s)
        events.emit(world, item, "service_resumed")
    world.postgres.touch(item)
    metering.postgres(world, item)


def delete(world: World, item: models.Postgres) -> None:
    """Remove a database; a primary takes its replicas along."""
    for replica in replicas_of(world, item):
        delete(world, replica)
    primary = world.postgres.get(item.primary_id) if item.primary_id else None
    if primary is not None:
        primary.replica_ids.remove(item.id)
        world.postgres.touch(primary)
    state.leave_environment(world, item)
    override = world.smalls.get(f"log-{item.id}")
    if override is not None:
        world.smalls.remove(override)
    world.postgres.remove(item)
    events.forget(world, item.id)
    metering.close(world, item.id)


def view(world: World, item: models.Postgres, *, nanos: bool = False, brief: bool = False) -> Json:
    """Show a database; an empty allow list is null, no replicas are an empty list."""
    stamp = times.nano if nanos else times.micro
    shown: Json = {
        "createdAt": stamp(item.created_ns), "dashboardUrl": f"https://dashboard.render.com/d/{item.id}",
        "databaseName": item.database, "databaseUser": item.user,
        "diskAutoscalingEnabled": item.disk_autoscaling, "diskSizeGB": item.disk_gb,
    }  # fmt: skip
    if item.connection_pool != "none" or world.settings.postgres_connection_pool:
        shown["connectionPool"] = item.connection_pool
    if item.environment_id is not None:
        shown["environmentId"] = item.environment_id
    if item.plan == "free":
        shown["expiresAt"] = times.micro(expiry.at_ns(world, item))
    shown |= {
        "highAvailabilityEnabled": item.high_availability, "id": item.id,
        "ipAllowList": world.listed(item.allow_list), "name": item.name, "owner": world.owner(item.owner_id),
    }  # fmt: skip
    if item.overrides and not brief:
        shown["parameterOverrides"] = item.overrides
    if not brief:
        shown |= maintenance.shown(world, item)
    shown["plan"] = plans.spelt(item.plan, plans.POSTGRES_ALIASES, world.settings.plan_names)
    if item.primary_id is not None:
        shown["primaryPostgresID"] = item.primary_id
    shown |= {
        "readReplicas": [_replica(replica) for replica in replicas_of(world, item)],
        "region": item.region, "role": "replica" if item.primary_id else "primary", "status": item.status,
        "suspended": "suspended" if item.suspenders else "not_suspended", "suspenders": item.suspenders,
        "updatedAt": stamp(item.updated_ns), "version": item.version,
    }  # fmt: skip
    return shown


def _replica(item: models.Postgres) -> Json:
    shown: Json = {"id": item.id, "name": item.name}
    if item.overrides:
        shown["parameterOverrides"] = item.overrides
    return shown


def connection_info(item: models.Postgres) -> Json:
    """Show how to connect; the internal string has no port."""
    login, outside = f"{item.user}:{item.password}", f"{item.id}.{item.region}-postgres.render.com"
    shown = {
        "externalConnectionString": f"postgresql://{login}@{outside}:5432/{item.database}",
        "internalConnectionString": f"postgresql://{login}@{item.id}/{item.database}",
        "password": item.password,
        "psqlCommand": f"PGPASSWORD={item.password} psql -h {outside} -p 5432 -U {item.user} {item.database}",
    }
    if item.connection_pool != "none":
        shown["internalConnectionPoolString"] = f"postgresql://{login}@{item.id}-pool:6432/{item.database}"
        shown["externalConnectionPoolString"] = f"postgresql://{login}@{outside}:6432/{item.database}"
    return shown
