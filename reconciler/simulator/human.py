"""Does what a person does in the dashboard: without our key, without the API's limits, behind our back.

`act` takes {"action", "service", ...}; `service` is the name or id of a service, database, Key Value instance
or (for group actions) environment group; `*` means all of them. Actions and their further fields:

    suspend, resume, delete, deploy, crash, recover, app-down, app-up, billing-suspend, billing-resume
    rename(name)  plan(plan)  scale(instances)  image(image)  branch(branch)  command(command)
    env-set(key, value)  env-delete(key)  group-var-set(key, value)  group-var-delete(key)
    group-delete  domain-add(name)  domain-remove(name)  disk-resize(size_gb)  disk-remove
    header-set(path, name, value)  route-set(source, destination, type)  env-move(environment, null for none)
    link-group(group)  unlink-group(group)  maintenance(after_s)
    push(message, paths, branch, checks: all on the repository and branch)  branch-delete(new_branch)

With `deploy: true` a change of a service is deployed at once, as "Save and deploy" does.

Without `service`: blueprint-connect(name, repo, branch, path, resources), which syncs it once.
"""

from collections.abc import Callable

from reconciler.simulator import (
    blueprints,
    checks,
    deploys,
    disks,
    domains,
    edge,
    events,
    groups,
    key_values,
    models,
    platform,
    postgres,
    projects,
    pushes,
    suspension,
)
from reconciler.simulator.api import Api
from reconciler.simulator.services import change, env, state
from reconciler.simulator.wire import Json, invalid, not_found
from reconciler.simulator.world import World

Subject = models.Service | models.Postgres | models.KeyValue | models.Group
Action = Callable[[World, models.Service, Json], None]
SUSPENDERS = (
    "admin", "billing", "hipaa_enablement", "parent_service", "stuck_crashlooping", "unknown", "user",
)  # fmt: skip
DAY_S = 86_400
ACCEPTED = 200
EVERYTHING = "*"


def act(api: Api, body: Json) -> Json:
    """Do one thing and remember it as a write whose cause is a human."""
    world = api.world
    action = checks.text(body, "action")
    if action == "blueprint-connect":
        made = blueprints.connect(world, body)
        return _remember(api, action, made.id)
    if body.get("service") == EVERYTHING:
        return _on_everything(api, action, body)
    subject = _find(world, checks.text(body, "service"), group=action.startswith("group-"))
    if isinstance(subject, models.Group):
        _on_group(world, subject, action, body)
    elif action in ON_ANY:
        ON_ANY[action](world, subject, body)
    elif isinstance(subject, models.Service):
        found = ON_SERVICE.get(action)
        if found is None:
            raise invalid(f"unknown action: {action}")
        found(world, subject, body)
    else:
        raise invalid(f"action {action} is not possible on {subject.id}")
    if checks.flag(body, "deploy"):
        _save_and_deploy(world, subject)
    return _remember(api, action, subject.id)


def _remember(api: Api, action: str, key: str) -> Json:
    affected = api.world.changed_ids()
    api.note_write("HUMAN", f"/_sim/human/{action}", ACCEPTED, "human")
    return {"action": action, "id": key, "affected": affected}


def _save_and_deploy(world: World, subject: Subject) -> None:
    if not isinstance(subject, models.Service):
        raise invalid(f"deploy: {subject.id} is not a service")
    if world.services.get(subject.id) is not None and not subject.suspenders:
        deploys.request(world, subject, deploys.Options(trigger="service_updated"))


def _on_everything(api: Api, action: str, body: Json) -> Json:
    """Do one thing to all services, databases and Key Value instances, as a suspension for billing does."""
    found = ON_ANY.get(action)
    if found is None:
        raise invalid(f"action {action} is not possible on everything")
    world = api.world
    for subject in suspension.everything(world):
        found(world, subject, body)
    return _remember(api, action, EVERYTHING)


def _find(world: World, text: str, *, group: bool) -> Subject:
    found = world.resource(text)
    if found is not None:
        return found
    tables = (world.groups,) if group else (world.services, world.postgres, world.key_values, world.groups)
    for table in tables:
        named: list[Subject] = list(table.named(text))
        if named:
            return named[0]
    raise not_found(text)


# On services, databases and Key Value instances alike


def _suspender(body: Json) -> str:
    return checks.choice(body, "suspender", SUSPENDERS, "user")


def _suspend(world: World, item: Subject, body: Json) -> None:
    if not isinstance(item, models.Group):
        suspension.suspend(world, item, _suspender(body))


def _resume(world: World, item: Subject, body: Json) -> None:
    if not isinstance(item, models.Group):
        suspension.resume(world, item, _suspender(body))


def _delete(world: World, item: Subject, _body: Json) -> None:
    if isinstance(item, models.Service):
        state.delete(world, item)
    elif isinstance(item, models.Postgres):
        postgres.delete(world, item)
    elif isinstance(item, models.KeyValue):
        key_values.delete(world, item)


def _change(world: World, item: Subject, body: Json) -> None:
    """Change by the same rules as a PATCH."""
    if isinstance(item, models.Service):
        change.patch(world, item, body)
    elif isinstance(item, models.Postgres):
        postgres.patch(world, item, body)
    elif isinstance(item, models.KeyValue):
        key_values.patch(world, item, body)


def _rename(world: World, item: Subject, body: Json) -> None:
    _change(world, item, {"name": checks.text(body, "name")})


def _plan(world: World, item: Subject, body: Json) -> None:
    plan = checks.text(body, "plan")
    _change(world, item, {"serviceDetails": {"plan": plan}} if isinstance(item, models.Service) else {"plan": plan})


def _move(world: World, item: Subject, body: Json) -> None:
    target = body.get("environment")
    environment = world.environments.get(str(target)) if target else None
    if target and environment is None:
        named = world.environments.named(str(target))
        if not named:
            raise not_found(str(target))
        environment = named[0]
    projects.move(world, item, environment)


def _maintenance(world: World, item: Subject, body: Json) -> None:
    if not isinstance(item, (models.Postgres, models.KeyValue)):
        raise invalid(f"maintenance is for datastores, not for {item.id}")
    platform.plan_maintenance(world, item, checks.whole(body, "after_s", (0, 365 * DAY_S), DAY_S))


def _disk_resize(world: World, item: Subject, body: Json) -> None:
    size = checks.whole(body, "size_gb", (1, 16_384))
    if isinstance(item, models.Postgres):
        postgres.patch(world, item, {"diskSizeGB": size})
    elif isinstance(item, models.Service):
        disks.resize(world, _disk(world, item), size)


ON_ANY: dict[str, Callable[[World, Subject, Json], None]] = {
    "suspend": _suspend, "resume": _resume, "delete": _delete, "rename": _rename, "plan": _plan,
    "billing-suspend": lambda world, item, _body: _suspend(world, item, {"suspender": suspension.BILLING}),
    "billing-resume": lambda world, item, _body: _resume(world, item, {"suspender": suspension.BILLING}),
    "env-move": _move, "disk-resize": _disk_resize, "maintenance": _maintenance,
}  # fmt: skip

# On services


def _disk(world: World, item: models.Service) -> models.Disk:
    disk = world.disks.get(item.disk_id) if item.disk_id else None
    if disk is None:
        raise invalid(f"{item.name} has no disk")
    return disk


def _scale(world: World, item: models.Service, body: Json) -> None:
    instances = checks.whole(body, "instances", (1, 100))
    if item.details.get("autoscaling", {}).get("enabled"):
        state.autoscale(world, item, instances)
    else:
        state.scale(world, item, instances)


def _command(world: World, item: models.Service, body: Json) -> None:
    name = "dockerCommand" if "dockerCommand" in item.details.get("envSpecificDetails", {}) else "startCommand"
    command = checks.text(body, "command")
    change.patch(world, item, {"serviceDetails": {"envSpecificDetails": {name: command}}})


def _env_set(world: World, item: models.Service, body: Json) -> None:
    env.upsert(world, item.variables, checks.text(body, "key"), str(body.get("value", "")))
    world.services.touch(item)


def _env_delete(world: World, item: models.Service, body: Json) -> None:
    env.drop(world, item.variables, checks.text(body, "key"))
    world.services.touch(item)


def _header_set(world: World, item: models.Service, body: Json) -> None:
    made = edge.header(world, body)
    item.headers = [h for h in item.headers if (h["path"], h["name"]) != (made["path"], made["name"])] + [made]
    world.services.touch(item)


def _route_set(world: World, item: models.Service, body: Json) -> None:
    made = edge.route(world, {"type": "rewrite", **body})
    item.routes = edge.numbered([r for r in item.routes if r["source"] != made["source"]] + [made])
    world.services.touch(item)


def _crash(world: World, item: models.Service, _body: Json) -> None:
    item.broken = "crash"
    world.services.touch(item)
    reason = {"evicted": False, "nonZeroExit": 1, "earlyExit": True}
    events.emit(world, item, "server_failed", {"reason": reason})


def _mend(world: World, item: models.Service, _body: Json) -> None:
    item.broken = ""
    world.services.touch(item)
    events.emit(world, item, "server_available")


def _down(world: World, item: models.Service, _body: Json) -> None:
    item.broken = "down"
    world.services.touch(item)


def _deploy(world: World, item: models.Service, _body: Json) -> None:
    if item.suspenders:
        raise invalid("service is suspended")
    deploys.request(world, item, deploys.Options(trigger="manual"))


def _group(world: World, body: Json) -> models.Group:
    found = _find(world, checks.text(body, "group"), group=True)
    if not isinstance(found, models.Group):
        raise invalid(f"not a group: {found.id}")
    return found


def _domain_remove(world: World, item: models.Service, body: Json) -> None:
    domains.remove(world, domains.find(world, item, checks.text(body, "name")))


ON_SERVICE: dict[str, Action] = {
    "scale": _scale, "command": _command, "env-set": _env_set, "env-delete": _env_delete, "deploy": _deploy,
    "image": lambda world, item, body: change.patch(world, item, {"image": {"imagePath": checks.text(body, "image")}}),
    "branch": lambda world, item, body: change.patch(world, item, {"branch": checks.text(body, "branch")}),
    "domain-add": lambda world, item, body: _ignore(domains.add(world, item, checks.text(body, "name"))),
    "domain-remove": _domain_remove, "header-set": _header_set, "route-set": _route_set,
    "disk-remove": lambda world, item, _body: disks.detach(world, _disk(world, item)),
    "crash": _crash, "recover": _mend, "app-down": _down, "app-up": _mend,
    "link-group": lambda world, item, body: groups.link(world, _group(world, body), item),
    "push": pushes.push, "branch-delete": pushes.delete_branch,
    "unlink-group": lambda world, item, body: groups.unlink(world, _group(world, body), item),
}  # fmt: skip


def _ignore(_made: object) -> None:
    """Drop a result that nobody needs."""


def _on_group(world: World, group: models.Group, action: str, body: Json) -> None:
    if action == "group-var-set":
        env.upsert(world, group.variables, checks.text(body, "key"), str(body.get("value", "")))
    elif action == "group-var-delete":
        env.drop(world, group.variables, checks.text(body, "key"))
    elif action in ("group-delete", "delete"):
        groups.remove(world, group)
        return
    elif action == "env-move":
        _move(world, group, body)
    else:
        raise invalid(f"action {action} is not possible on a group")
    world.groups.touch(group)
