"""Answers the calls on Key Value instances and on their deprecated twin, Redis.

Render API: both paths show the same `red-` objects; a change of the allow list alone leaves `updatedAt`;
plans only go up; there is no `suspended` field (recorded: keyvalue/keyvalue, redis/redis_datasource).
"""

from functools import partial

from reconciler.simulator import checks, events, lists, maintenance, metering, models, plans, postgres, times
from reconciler.simulator.services import state
from reconciler.simulator.wire import Bucket, Call, Json, Reply, Route, accepted, gone, invalid
from reconciler.simulator.world import World

VERSION = "8.1.4"
PLANS = (*plans.KEY_VALUE_PLANS, *plans.KEY_VALUE_SPEC_PLANS)


def _find(call: Call) -> models.KeyValue:
    item = call.world.key_values.get(call.params["id"])
    if item is None:
        raise call.world.missing(call.params["id"])
    return item


def begin(world: World, item: models.KeyValue, status: str, seconds: float) -> None:
    """Put an instance into a passing status."""
    item.status = status
    item.due_ns = world.in_s(seconds)
    world.key_values.touch(item)
    world.schedule("key_value", item)


def advance(world: World, item: models.KeyValue) -> None:
    """End a passing status."""
    at_ns, item.due_ns = item.due_ns, 0
    if item.status != "suspended":
        item.status = "available"
        events.emit(world, item, "key_value_available", {}, at_ns)
    world.key_values.touch(item)


def _default_persistence(plan: str) -> str:
    return "off" if plan == "free" else "journal_snapshot"


def create(world: World, body: Json) -> models.KeyValue:
    """Make an instance from the body of POST /key-value."""
    name = checks.text(body, "name")
    owner_id = world.accept_owner(checks.text(body, "ownerId"))
    plan = checks.choice(body, "plan", PLANS)
    postgres.check_unique(world, bool(world.key_values.named(name)), name)
    environment_id = checks.optional_text(body, "environmentId") or None
    environment = world.environments.get(environment_id) if environment_id else None
    if environment_id and environment is None:
        raise world.missing(environment_id)
    now_ns = world.stamp_ns()
    item = models.KeyValue(
        id=world.ids.new("red", now_ns), name=name, owner_id=owner_id, plan=plan,
        region=checks.choice(body, "region", plans.REGIONS, "oregon"),
        policy=checks.choice(body, "maxmemoryPolicy", plans.EVICTION, "allkeys_lru"),
        persistence=checks.choice(body, "persistenceMode", plans.PERSISTENCE, _default_persistence(plan)),
        password=world.ids.password(), created_ns=now_ns, updated_ns=now_ns,
        allow_list=checks.allow_list(body), environment_id=environment_id,
    )  # fmt: skip
    world.key_values.add(item)
    if environment is not None:
        environment.members.append(item.id)
        world.environments.touch(environment)
    begin(world, item, "creating", world.settings.key_value_creating_s)
    metering.key_value(world, item)
    return item


def patch(world: World, item: models.KeyValue, body: Json) -> None:
    """Change an instance by the body of PATCH /key-value/{id}."""
    plan = plans.kept(item.plan, checks.choice(body, "plan", PLANS, item.plan), plans.KEY_VALUE_ALIASES)
    if plans.key_value_rank(plan) < plans.key_value_rank(item.plan):
        raise invalid(f"plan cannot be downgraded from {item.plan} to {plan}")
    policy = checks.choice(body, "maxmemoryPolicy", plans.EVICTION, item.policy)
    leaves_free = item.plan == "free" and plan != "free"
    default = _default_persistence(plan) if leaves_free else item.persistence
    persistence = checks.choice(body, "persistenceMode", plans.PERSISTENCE, default)
    name = checks.optional_text(body, "name") or item.name
    allowed = checks.allow_list(body)
    if name != item.name:
        postgres.check_unique(world, bool(world.key_values.named(name)), name)
    old_plan = item.plan
    changed = (plan, policy, persistence) != (item.plan, item.policy, item.persistence)
    if changed or name != item.name:
        item.updated_ns = world.stamp_ns()
    if name != item.name:
        world.key_values.rename(item, name)
    item.plan, item.policy, item.persistence = plan, policy, persistence
    if body.get("ipAllowList") is not None:
        item.allow_list = allowed
    world.key_values.touch(item)
    if changed and item.status == "available":
        passing = "updating_instance" if plan != old_plan else "config_restart"
        begin(world, item, passing, world.settings.key_value_restart_s)
        if passing == "config_restart":
            details = {"reason": "config_changed", "message": "restarted to apply its configuration"}
            events.emit(world, item, "key_value_config_restart", details)
    if plan != old_plan:
        events.emit(world, item, "plan_changed", {"from": old_plan, "to": plan})
    metering.key_value(world, item)


def suspend(world: World, item: models.KeyValue, suspender: str = "user") -> None:
    """Suspend an instance."""
    if suspender in item.suspenders:
        return
    first, item.suspenders = not item.suspenders, [*item.suspenders, suspender]
    item.status, item.due_ns = "suspended", 0
    item.updated_ns = world.stamp_ns()
    world.key_values.touch(item)
    if first:
        events.emit(world, item, "service_suspended")
    metering.key_value(world, item)


def resume(world: World, item: models.KeyValue, suspender: str = "user") -> None:
    """Lift a suspension."""
    if suspender not in item.suspenders:
        return
    item.suspenders = [one for one in item.suspenders if one != suspender]
    item.updated_ns = world.stamp_ns()
    if not item.suspenders:
        begin(world, item, "creating", world.settings.key_value_restart_s)
        events.emit(world, item, "service_resumed")
    world.key_values.touch(item)
    metering.key_value(world, item)


def delete(world: World, item: models.KeyValue) -> None:
    """Remove an instance."""
    state.leave_environment(world, item)
    override = world.smalls.get(f"log-{item.id}")
    if override is not None:
        world.smalls.remove(override)
    world.key_values.remove(item)
    events.forget(world, item.id)
    metering.close(world, item.id)


def view(world: World, item: models.KeyValue, *, nanos: bool = False) -> Json:
    """Show an instance; an empty allow list is null."""
    stamp = times.nano if nanos else times.micro
    shown: Json = {"createdAt": stamp(item.created_ns)}
    if item.environment_id is not None:
        shown["environmentId"] = item.environment_id
    return shown | maintenance.shown(world, item) | {
        "id": item.id, "ipAllowList": world.listed(item.allow_list), "name": item.name,
        "options": {"maxmemoryPolicy": item.policy, "persistenceMode": item.persistence},
        "owner": world.owner(item.owner_id),
        "plan": plans.spelt(item.plan, plans.KEY_VALUE_ALIASES, world.settings.plan_names),
        "region": item.region, "status": item.status, "updatedAt": stamp(item.updated_ns), "version": VERSION,
    }  # fmt: skip


def _post(call: Call) -> Reply:
    shown = view(call.world, create(call.world, call.body()), nanos=True)
    return Reply(201, shown | {"status": "unknown"})


def _list(call: Call, key: str) -> Reply:
    world = call.world
    wanted = lists.Filters(call, models.KeyValue).one_of("region", lambda item: item.region).common()

    def show(item: models.KeyValue) -> Json:
        shown = view(world, item) | {"dashboardUrl": f"https://dashboard.render.com/r/{item.id}"}
        shown.pop("maintenance", None)  # of one instance, not of the list
        return shown

    return lists.page(call, world.key_values, key, show, wanted)


def _get(call: Call) -> Reply:
    return Reply(200, view(call.world, _find(call)))


def _patch(call: Call) -> Reply:
    item = _find(call)
    patch(call.world, item, call.body())
    return Reply(200, view(call.world, item))


def _delete(call: Call) -> Reply:
    delete(call.world, _find(call))
    return gone()


def _connection_info(call: Call, cli_key: str) -> Reply:
    item = _find(call)
    host = f"{item.region}-keyvalue.render.com"
    # The leading blank keeps the line with its password out of a shell's history; recorded so.
    command = f" REDISCLI_AUTH={item.password} valkey-cli --user {item.id} -h {host} -p 6379 --tls"
    return Reply(
        200,
        {
            cli_key: command,
            "externalConnectionString": f"rediss://{item.id}:{item.password}@{host}:6379",
            "internalConnectionString": f"redis://{item.id}:6379",
        },
    )


def _suspend(call: Call) -> Reply:
    suspend(call.world, _find(call))
    return accepted()


def _resume(call: Call) -> Reply:
    resume(call.world, _find(call))
    return accepted()


def _routes(path: str, list_key: str, cli_key: str) -> list[Route]:
    return [
        Route("POST", path, _post, Bucket.CREATE_DATA),
        Route("GET", path, partial(_list, key=list_key)),
        Route("GET", f"{path}/{{id}}", _get),
        Route("PATCH", f"{path}/{{id}}", _patch),
        Route("DELETE", f"{path}/{{id}}", _delete),
        Route("GET", f"{path}/{{id}}/connection-info", partial(_connection_info, cli_key=cli_key)),
        Route("POST", f"{path}/{{id}}/suspend", _suspend),
        Route("POST", f"{path}/{{id}}/resume", _resume),
    ]


ROUTES = [
    *_routes("/key-value", "keyValue", "cliCommand"),
    *_routes("/redis", "redis", "redisCLICommand"),
]
