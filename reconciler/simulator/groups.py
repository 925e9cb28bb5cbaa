"""Answers the calls on environment groups.

Render API: lists are bare and without variables; a PUT of one variable answers the whole group; only a rename
moves `updatedAt`; newest variables and files first (recorded: envgroup/env_group).
"""

from reconciler.simulator import checks, lists, models, postgres, times
from reconciler.simulator.plans import SHORT_TYPES
from reconciler.simulator.services import env, state
from reconciler.simulator.wire import Call, Json, Reply, Route, gone, invalid
from reconciler.simulator.world import World


def _find(call: Call) -> models.Group:
    group = call.world.groups.get(call.params["id"])
    if group is None:
        raise call.world.missing(call.params["id"])
    return group


def meta(world: World, group: models.Group, *, nanos: bool = False) -> Json:
    """Show a group without its contents."""
    stamp = times.nano if nanos else times.micro
    shown: Json = {"createdAt": stamp(group.created_ns)}
    if group.environment_id is not None:
        shown["environmentId"] = group.environment_id
    linked = (world.services.get(key) for key in group.service_ids)
    return shown | {
        "id": group.id, "name": group.name, "ownerId": group.owner_id,
        "serviceLinks": [
            {"id": item.id, "name": item.name, "type": SHORT_TYPES[item.type]} for item in linked if item is not None
        ],
        "updatedAt": stamp(group.updated_ns),
    }  # fmt: skip


def view(world: World, group: models.Group, *, nanos: bool = False) -> Json:
    """Show a group with its contents."""
    return meta(world, group, nanos=nanos) | {
        "envVars": [{"key": key, "value": value} for _, key, value in reversed(group.variables)],
        "secretFiles": [{"content": content, "name": name} for _, name, content in reversed(group.files)],
    }


def link(world: World, group: models.Group, service: models.Service) -> None:
    """Link a service to a group; once is enough."""
    if service.id not in group.service_ids:
        group.service_ids.append(service.id)
        service.group_ids.append(group.id)
        world.groups.touch(group)
        world.services.touch(service)


def unlink(world: World, group: models.Group, service: models.Service) -> None:
    """Unlink a service from a group."""
    if service.id in group.service_ids:
        group.service_ids.remove(service.id)
        service.group_ids.remove(group.id)
        world.groups.touch(group)
        world.services.touch(service)


def remove(world: World, group: models.Group) -> None:
    """Remove a group and its links."""
    for key in list(group.service_ids):
        service = world.services.get(key)
        if service is not None:
            unlink(world, group, service)
    state.leave_environment(world, group)
    world.groups.remove(group)


def post(call: Call) -> Reply:
    """Answer POST /env-groups."""
    world, body = call.world, call.body()
    name = checks.text(body, "name")
    owner_id = world.accept_owner(checks.text(body, "ownerId"))
    postgres.check_unique(world, bool(world.groups.named(name)), name)
    if "envVars" not in body:
        raise invalid("envVars is required")
    variables = env.variable_rows(world, checks.rows(body, "envVars"), [])
    files = env.file_rows(world, checks.rows(body, "secretFiles"))
    services = [world.service(key) for key in checks.texts(body, "serviceIds")]
    environment_id = checks.optional_text(body, "environmentId") or None
    environment = world.environments.get(environment_id) if environment_id else None
    if environment_id and environment is None:
        raise world.missing(environment_id)
    now_ns = world.stamp_ns()
    group = models.Group(
        id=world.ids.new("evg", now_ns), name=name, owner_id=owner_id, created_ns=now_ns, updated_ns=now_ns,
        environment_id=environment_id, variables=variables, files=files,
    )  # fmt: skip
    world.groups.add(group)
    if environment is not None:
        environment.members.append(group.id)
        world.environments.touch(environment)
    for service in services:
        link(world, group, service)
    return Reply(201, view(world, group, nanos=True))


def list_all(call: Call) -> Reply:
    """Answer GET /env-groups."""
    wanted = lists.Filters(call, models.Group).common()
    return lists.bare(call, call.world.groups, lambda item: meta(call.world, item), wanted)


def get_one(call: Call) -> Reply:
    """Answer GET /env-groups/{id}."""
    return Reply(200, view(call.world, _find(call)))


def patch(call: Call) -> Reply:
    """Answer PATCH /env-groups/{id}."""
    world, group = call.world, _find(call)
    name = checks.text(call.body(), "name", group.name)
    if name != group.name:
        postgres.check_unique(world, bool(world.groups.named(name)), name)
    world.groups.rename(group, name)
    group.updated_ns = world.stamp_ns()
    return Reply(200, view(world, group))


def delete(call: Call) -> Reply:
    """Answer DELETE /env-groups/{id}; linked services lose the variables at their next deploy."""
    remove(call.world, _find(call))
    return gone()


def get_variable(call: Call) -> Reply:
    """Answer GET /env-groups/{id}/env-vars/{key}."""
    _, key, value = env.find(call.world, _find(call).variables, call.params["key"])
    return Reply(200, {"key": key, "value": value})


def put_variable(call: Call) -> Reply:
    """Answer PUT /env-groups/{id}/env-vars/{key} with the whole group."""
    world, group, key = call.world, _find(call), call.params["key"]
    old = next((row[2] for row in group.variables if row[1] == key), None)
    env.upsert(world, group.variables, key, env.variable_value(world, call.body(), old))
    world.groups.touch(group)
    return Reply(200, view(world, group))


def delete_variable(call: Call) -> Reply:
    """Answer DELETE /env-groups/{id}/env-vars/{key}."""
    group = _find(call)
    env.drop(call.world, group.variables, call.params["key"])
    call.world.groups.touch(group)
    return gone()


def get_file(call: Call) -> Reply:
    """Answer GET /env-groups/{id}/secret-files/{name}."""
    _, name, content = env.find(call.world, _find(call).files, call.params["name"])
    return Reply(200, {"name": name, "content": content})


def put_file(call: Call) -> Reply:
    """Answer PUT /env-groups/{id}/secret-files/{name} with the whole group."""
    world, group = call.world, _find(call)
    env.put_content(world, group.files, call.params["name"], call.body())
    world.groups.touch(group)
    return Reply(200, view(world, group))


def delete_file(call: Call) -> Reply:
    """Answer DELETE /env-groups/{id}/secret-files/{name}."""
    group = _find(call)
    env.drop(call.world, group.files, call.params["name"])
    call.world.groups.touch(group)
    return gone()


def link_service(call: Call) -> Reply:
    """Answer POST /env-groups/{id}/services/{service}."""
    world, group = call.world, _find(call)
    link(world, group, world.service(call.params["service"]))
    return Reply(200, view(world, group))


def unlink_service(call: Call) -> Reply:
    """Answer DELETE /env-groups/{id}/services/{service}."""
    world, group = call.world, _find(call)
    service = world.service(call.params["service"])
    if service.id not in group.service_ids:
        raise world.missing(service.id)
    unlink(world, group, service)
    return gone()


ROUTES = [
    Route("POST", "/env-groups", post),
    Route("GET", "/env-groups", list_all),
    Route("GET", "/env-groups/{id}", get_one),
    Route("PATCH", "/env-groups/{id}", patch),
    Route("DELETE", "/env-groups/{id}", delete),
    Route("GET", "/env-groups/{id}/env-vars/{key}", get_variable),
    Route("PUT", "/env-groups/{id}/env-vars/{key}", put_variable),
    Route("DELETE", "/env-groups/{id}/env-vars/{key}", delete_variable),
    Route("GET", "/env-groups/{id}/secret-files/{name}", get_file),
    Route("PUT", "/env-groups/{id}/secret-files/{name}", put_file),
    Route("DELETE", "/env-groups/{id}/secret-files/{name}", delete_file),
    Route("POST", "/env-groups/{id}/services/{service}", link_service),
    Route("DELETE", "/env-groups/{id}/services/{service}", unlink_service),
]
