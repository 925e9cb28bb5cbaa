"""Answers the calls on Postgres.

Render API: suspend, resume, restart and failover 202; a recovery answers a new database; lists leave
parameter overrides out (recorded: postgres/postgres).
"""

from dataclasses import dataclass

from reconciler.simulator import checks, events, lists, metrics, models, plans, postgres, times
from reconciler.simulator.wire import Bucket, Call, Json, Reply, Route, accepted, gone, invalid

RECOVERY_DAYS = 7


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the server that can be overridden."""

    description: str
    restart: bool
    examples: tuple[str, ...]


PARAMETERS = {
    "max_connections": Parameter("Sets the maximum number of concurrent connections.", True, ("100", "200")),
    "work_mem": Parameter("Sets the memory of a sort or hash table.", False, ("4MB", "64MB")),
    "statement_timeout": Parameter("Aborts a statement that takes longer.", False, ("30s", "5min")),
    "log_min_duration_statement": Parameter("Logs statements that take longer.", False, ("250", "-1")),
    "shared_buffers": Parameter("Sets the memory of shared buffers.", True, ("128MB", "1GB")),
}


def _find(call: Call) -> models.Postgres:
    item = call.world.postgres.get(call.params["id"])
    if item is None:
        raise call.world.missing(call.params["id"])
    return item


def post(call: Call) -> Reply:
    """Answer POST /postgres with the status of the first moment."""
    item = postgres.create(call.world, call.body())
    shown = postgres.view(call.world, item, nanos=True)
    if not item.replica_ids:
        shown["status"] = "unknown"
    return Reply(201, shown)


def list_all(call: Call) -> Reply:
    """Answer GET /postgres."""
    world = call.world
    wanted = (
        lists.Filters(call, models.Postgres)
        .one_of("region", lambda item: item.region)
        .one_of("suspended", lambda item: "suspended" if item.suspenders else "not_suspended")
        .common()
    )
    if not call.flag("includeReplicas", True):
        wanted.only(lambda item: item.primary_id is None)
    return lists.page(call, world.postgres, "postgres", lambda item: postgres.view(world, item, brief=True), wanted)


def get_one(call: Call) -> Reply:
    """Answer GET /postgres/{id}."""
    return Reply(200, postgres.view(call.world, _find(call)))


def patch(call: Call) -> Reply:
    """Answer PATCH /postgres/{id}."""
    item = _find(call)
    postgres.patch(call.world, item, call.body())
    return Reply(200, postgres.view(call.world, item))


def delete(call: Call) -> Reply:
    """Answer DELETE /postgres/{id}."""
    postgres.delete(call.world, _find(call))
    return gone()


def connection_info(call: Call) -> Reply:
    """Answer GET /postgres/{id}/connection-info."""
    return Reply(200, postgres.connection_info(_find(call)))


def suspend(call: Call) -> Reply:
    """Answer POST /postgres/{id}/suspend."""
    postgres.suspend(call.world, _find(call))
    return accepted()


def resume(call: Call) -> Reply:
    """Answer POST /postgres/{id}/resume."""
    postgres.resume(call.world, _find(call))
    return accepted()


def restart(call: Call) -> Reply:
    """Answer POST /postgres/{id}/restart."""
    world, item = call.world, _find(call)
    if item.status != "available":
        raise invalid(f"database is not available: {item.status}")
    postgres.begin(world, item, "config_restart", world.settings.postgres_restart_s)
    events.emit(world, item, "postgres_restarted", {"user": events.USER})
    return accepted()


def failover(call: Call) -> Reply:
    """Answer POST /postgres/{id}/failover."""
    world, item = call.world, _find(call)
    if not item.high_availability:
        raise invalid("failover needs high availability")
    events.emit(world, item, "postgres_cluster_leader_changed", {"leaderId": item.id})
    return accepted()


def promote(call: Call) -> Reply:
    """Answer POST /postgres/{id}/promote: a replica becomes a primary of its own."""
    world, item = call.world, _find(call)
    primary = world.postgres.get(item.primary_id) if item.primary_id else None
    if primary is None:
        raise invalid("only a replica can be promoted")
    primary.replica_ids.remove(item.id)
    item.primary_id = None
    item.updated_ns = world.stamp_ns()
    world.postgres.touch(primary)
    world.postgres.touch(item)
    return accepted()


def recovery_window(call: Call) -> Reply:
    """Answer GET /postgres/{id}/recovery."""
    world, item = call.world, _find(call)
    if item.plan == "free":
        return Reply(200, {"recoveryStatus": "NOT_AVAILABLE"})
    if item.status == "creating":
        return Reply(200, {"recoveryStatus": "BACKUP_NOT_READY"})
    starts = max(item.created_ns, world.in_s(-RECOVERY_DAYS * postgres.DAY_S))
    return Reply(200, {"recoveryStatus": "AVAILABLE", "startsAt": times.micro(starts)})


def recover(call: Call) -> Reply:
    """Answer POST /postgres/{id}/recovery: a new database with the old one's past."""
    world, item, body = call.world, _find(call), call.body()
    at = checks.text(body, "restoreTime")
    try:
        at_ns = times.parse(at)
    except ValueError as error:
        raise invalid("restoreTime must be an RFC 3339 time") from error
    if not times.rounded(item.created_ns) <= at_ns <= world.now_ns():
        raise invalid("restoreTime is outside of the recovery window")
    plan = checks.choice(body, "plan", plans.POSTGRES_PLANS, item.plan)
    memory, least = plans.postgres_memory_mb(plan), plans.postgres_memory_mb(item.plan)
    if memory is not None and least is not None and memory < least:
        raise invalid(f"plan must not be smaller than {item.plan}")
    wanted: Json = {
        "name": checks.text(body, "restoreName", f"{item.name}-recovered"), "ownerId": item.owner_id,
        "plan": plan, "version": item.version, "region": item.region,
        "diskSizeGB": item.disk_gb, "databaseUser": item.user, "ipAllowList": item.allow_list,
        "environmentId": checks.optional_text(body, "environmentId") or item.environment_id,
    }  # fmt: skip
    made = postgres.create(world, wanted)
    postgres.begin(world, made, "recovery_in_progress", world.settings.postgres_recovery_s)
    return Reply(200, postgres.view(world, made, nanos=True))


def list_exports(call: Call) -> Reply:
    """Answer GET /postgres/{id}/export; the address appears when an export is done."""
    world, item = call.world, _find(call)
    shown = []
    for export in reversed(item.exports):
        line = {"id": export["id"], "createdAt": times.micro(export["created_ns"])}
        if world.now_ns() >= world.in_s(world.settings.postgres_export_s, after_ns=export["created_ns"]):
            line["url"] = f"https://exports.render.example/{item.id}/{export['id']}.dir.tar.gz"
        shown.append(line)
    return Reply(200, shown)


def export(call: Call) -> Reply:
    """Answer POST /postgres/{id}/export."""
    world, item = call.world, _find(call)
    now_ns = world.now_ns()
    item.exports.append({"id": world.ids.new("exp", now_ns), "created_ns": now_ns})
    world.postgres.touch(item)
    return accepted()


def list_users(call: Call) -> Reply:
    """Answer GET /postgres/{id}/credentials."""
    item = _find(call)
    connected = int(metrics.STEADY["active-connections"]) if item.status == "available" else 0
    own: Json = {"username": item.user, "createdAt": times.micro(item.created_ns), "default": True}
    others = [{**user, "openConnections": 0} for user in item.users]
    return Reply(200, [own | {"openConnections": connected}, *others])


def add_user(call: Call) -> Reply:
    """Answer POST /postgres/{id}/credentials."""
    world, item = call.world, _find(call)
    name = checks.text(call.body(), "username", f"{item.user}_{world.ids.suffix()}")
    if name == item.user or any(user["username"] == name for user in item.users):
        raise invalid(f"username already in use: {name}")
    item.users.append({"username": name, "createdAt": times.micro(world.stamp_ns()), "default": False})
    world.postgres.touch(item)
    return accepted()


def drop_user(call: Call) -> Reply:
    """Answer DELETE /postgres/{id}/credentials/{username}."""
    item, name = _find(call), call.params["username"]
    kept = [user for user in item.users if user["username"] != name]
    if len(kept) == len(item.users):
        raise call.world.missing(name)
    item.users = kept
    call.world.postgres.touch(item)
    return Reply(200, empty=True)


def get_overrides(call: Call) -> Reply:
    """Answer GET /postgres/{id}/parameter-overrides."""
    return Reply(200, {"parameterOverrides": _find(call).overrides})


def put_overrides(call: Call) -> Reply:
    """Answer PUT /postgres/{id}/parameter-overrides: all of them, for a primary and its replicas."""
    world, item = call.world, _find(call)
    given = checks.section(call.body(), "parameterOverrides")
    changed = {name for name in {*given, *item.overrides} if given.get(name) != item.overrides.get(name)}
    postgres.patch(world, item, {"parameterOverrides": given})
    affected = [item.id, *(replica.id for replica in postgres.replicas_of(world, item))]
    return Reply(200, {
        "affectedDatabases": affected, "appliedOverrides": item.overrides,
        "requiresRestart": any(PARAMETERS[name].restart for name in changed if name in PARAMETERS),
    })  # fmt: skip


def available_overrides(call: Call) -> Reply:
    """Answer GET /postgres/{id}/parameter-overrides/available."""
    _find(call)
    shown = [
        {
            "name": name, "description": known.description, "requiresRestart": known.restart,
            "examples": list(known.examples),
        }
        for name, known in PARAMETERS.items()
    ]  # fmt: skip
    return Reply(200, {"availableParameterOverrides": shown})


ROUTES = [
    Route("POST", "/postgres", post, Bucket.CREATE_DATA),
    Route("GET", "/postgres", list_all),
    Route("GET", "/postgres/{id}", get_one),
    Route("PATCH", "/postgres/{id}", patch),
    Route("DELETE", "/postgres/{id}", delete),
    Route("GET", "/postgres/{id}/connection-info", connection_info),
    Route("POST", "/postgres/{id}/suspend", suspend),
    Route("POST", "/postgres/{id}/resume", resume),
    Route("POST", "/postgres/{id}/restart", restart),
    Route("POST", "/postgres/{id}/failover", failover),
    Route("POST", "/postgres/{id}/promote", promote),
    Route("GET", "/postgres/{id}/recovery", recovery_window),
    Route("POST", "/postgres/{id}/recovery", recover),
    Route("GET", "/postgres/{id}/export", list_exports),
    Route("POST", "/postgres/{id}/export", export),
    Route("GET", "/postgres/{id}/credentials", list_users),
    Route("POST", "/postgres/{id}/credentials", add_user),
    Route("DELETE", "/postgres/{id}/credentials/{username}", drop_user),
    Route("GET", "/postgres/{id}/parameter-overrides", get_overrides),
    Route("PUT", "/postgres/{id}/parameter-overrides", put_overrides),
    Route("GET", "/postgres/{id}/parameter-overrides/available", available_overrides),
]
