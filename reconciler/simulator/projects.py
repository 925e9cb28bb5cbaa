"""Answers the calls on projects and environments, and keeps who is in which environment.

Render API: empty id lists are `null`; POST of resources 201 and moves what is elsewhere; DELETE of resources
does not check the id in its path; a project or environment that is not empty cannot be deleted (409)
(recorded: project/project, keyvalue/keyvalue, postgres/postgres).
"""

from dataclasses import dataclass

from reconciler.simulator import checks, entitlements, lists, models, postgres, times
from reconciler.simulator.postgres import EVERYWHERE
from reconciler.simulator.services import state
from reconciler.simulator.wire import Call, Json, Reply, Route, conflict, gone, invalid
from reconciler.simulator.world import World

MEMBER_KEYS = {"dpg": "databasesIds", "red": "redisIds", "evg": "envGroupIds", "srv": "serviceIds", "crn": "serviceIds"}
PROTECTION = ("protected", "unprotected")
Member = models.Service | models.Postgres | models.KeyValue | models.Group


def project_view(world: World, project: models.Project) -> Json:
    """Show a project."""
    return {
        "createdAt": times.micro(project.created_ns), "environmentIds": project.environment_ids,
        "id": project.id, "name": project.name, "owner": world.owner(project.owner_id),
        "updatedAt": times.micro(project.updated_ns),
    }  # fmt: skip


def environment_view(world: World, environment: models.Environment) -> Json:
    """Show an environment; newest members first, no members are null."""
    members: dict[str, list[str]] = {}
    for key in sorted(environment.members, key=lambda item: item[4:], reverse=True):
        members.setdefault(MEMBER_KEYS[key[:3]], []).append(key)
    shown: Json = {
        "databasesIds": world.listed(members.get("databasesIds", [])),
        "envGroupIds": world.listed(members.get("envGroupIds", [])),
        "id": environment.id,
    }  # fmt: skip
    if world.settings.environment_ip_allow_list:
        shown["ipAllowList"] = environment.allow_list
    return shown | {
        "name": environment.name, "networkIsolationEnabled": environment.isolated,
        "projectId": environment.project_id, "protectedStatus": environment.protected,
        "redisIds": world.listed(members.get("redisIds", [])),
        "serviceIds": world.listed(members.get("serviceIds", [])),
    }  # fmt: skip


def _project(call: Call) -> models.Project:
    project = call.world.projects.get(call.params["id"])
    if project is None:
        raise call.world.missing(call.params["id"])
    return project


def _environment(call: Call) -> models.Environment:
    environment = call.world.environments.get(call.params["id"])
    if environment is None:
        raise call.world.missing(call.params["id"])
    return environment


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an environment is asked to be."""

    name: str
    protected: str
    isolated: bool
    allow_list: list[Json]


def _read(world: World, given: Json) -> Wanted:
    """Read an environment from a request, before anything is made."""
    allowed = checks.allow_list(given) if given.get("ipAllowList") is not None else [dict(i) for i in EVERYWHERE]
    wanted = Wanted(
        checks.text(given, "name"),
        checks.choice(given, "protectedStatus", PROTECTION, "unprotected"),
        checks.flag(given, "networkIsolationEnabled"),
        allowed,
    )
    entitlements.needs_pro(world, wanted.protected == "protected", "protectedStatus")
    entitlements.needs_pro(world, wanted.isolated, "networkIsolationEnabled")
    return wanted


def _make_environment(world: World, project: models.Project, wanted: Wanted) -> models.Environment:
    now_ns = world.stamp_ns()
    environment = models.Environment(
        id=world.ids.new("evm", now_ns), name=wanted.name, owner_id=project.owner_id, project_id=project.id,
        created_ns=now_ns, updated_ns=now_ns, protected=wanted.protected, isolated=wanted.isolated,
        allow_list=wanted.allow_list,
    )  # fmt: skip
    world.environments.add(environment)
    project.environment_ids.append(environment.id)
    world.projects.touch(project)
    return environment


def post_project(call: Call) -> Reply:
    """Answer POST /projects."""
    world, body = call.world, call.body()
    name = checks.text(body, "name")
    owner_id = world.accept_owner(checks.text(body, "ownerId"))
    environments = checks.rows(body, "environments")
    if not environments:
        raise invalid("environments: at least one is required")
    entitlements.environments(world, len(environments))
    wanted = [_read(world, given) for given in environments]
    postgres.check_unique(world, bool(world.projects.named(name)), name)
    now_ns = world.stamp_ns()
    project = models.Project(
        id=world.ids.new("prj", now_ns), name=name, owner_id=owner_id, created_ns=now_ns, updated_ns=now_ns
    )
    world.projects.add(project)
    for one in wanted:
        _make_environment(world, project, one)
    return Reply(201, project_view(world, project))


def list_projects(call: Call) -> Reply:
    """Answer GET /projects."""
    world, wanted = call.world, lists.Filters(call, models.Project).common()
    return lists.page(call, world.projects, "project", lambda i: project_view(world, i), wanted)


def get_project(call: Call) -> Reply:
    """Answer GET /projects/{id}."""
    return Reply(200, project_view(call.world, _project(call)))


def patch_project(call: Call) -> Reply:
    """Answer PATCH /projects/{id}; `updatedAt` moves even when nothing changes."""
    world, project = call.world, _project(call)
    name = checks.text(call.body(), "name", project.name)
    if name != project.name:
        postgres.check_unique(world, bool(world.projects.named(name)), name)
    world.projects.rename(project, name)
    project.updated_ns = world.stamp_ns()
    return Reply(200, project_view(world, project))


def delete_project(call: Call) -> Reply:
    """Answer DELETE /projects/{id}; its empty environments go with it."""
    world, project = call.world, _project(call)
    found = [item for key in project.environment_ids if (item := world.environments.get(key)) is not None]
    if any(item.members for item in found):
        raise conflict(f"project is not empty: {project.id}")
    for item in found:
        world.environments.remove(item)
    world.projects.remove(project)
    return gone()


def post_environment(call: Call) -> Reply:
    """Answer POST /environments."""
    world, body = call.world, call.body()
    key = checks.text(body, "projectId")
    project = world.projects.get(key)
    if project is None:
        raise world.missing(key)
    wanted = _read(world, body)
    entitlements.environments(world, len(project.environment_ids) + 1)
    return Reply(201, environment_view(world, _make_environment(world, project, wanted)))


def list_environments(call: Call) -> Reply:
    """Answer GET /environments; the project is required."""
    world = call.world
    if not call.values("projectId"):
        raise invalid("projectId is required")
    filters = (
        lists.Filters(call, models.Environment)
        .one_of("projectId", lambda item: item.project_id)
        .one_of("environmentId", lambda item: item.id)
        .one_of("ownerId", lambda item: item.owner_id)
        .between("created", lambda item: item.created_ns)
        .between("updated", lambda item: item.updated_ns)
    )
    return lists.page(call, world.environments, "environment", lambda i: environment_view(world, i), filters)


def get_environment(call: Call) -> Reply:
    """Answer GET /environments/{id}."""
    return Reply(200, environment_view(call.world, _environment(call)))


def patch_environment(call: Call) -> Reply:
    """Answer PATCH /environments/{id}."""
    world, environment, body = call.world, _environment(call), call.body()
    protected = checks.choice(body, "protectedStatus", PROTECTION, environment.protected)
    isolated = checks.flag(body, "networkIsolationEnabled", environment.isolated)
    entitlements.needs_pro(world, protected == "protected", "protectedStatus")
    entitlements.needs_pro(world, isolated, "networkIsolationEnabled")
    allowed = checks.allow_list(body)
    world.environments.rename(environment, checks.text(body, "name", environment.name))
    environment.protected, environment.isolated = protected, isolated
    if body.get("ipAllowList") is not None:
        environment.allow_list = allowed
    environment.updated_ns = world.stamp_ns()
    return Reply(200, environment_view(world, environment))


def delete_environment(call: Call) -> Reply:
    """Answer DELETE /environments/{id}."""
    world, environment = call.world, _environment(call)
    if environment.members:
        raise conflict(f"environment is not empty: {environment.id}")
    project = world.projects.get(environment.project_id)
    if project is not None:
        project.environment_ids.remove(environment.id)
        world.projects.touch(project)
    world.environments.remove(environment)
    return gone()


def _touch(world: World, item: Member) -> None:
    if isinstance(item, models.Service):
        world.services.touch(item)
    elif isinstance(item, models.Postgres):
        world.postgres.touch(item)
    elif isinstance(item, models.KeyValue):
        world.key_values.touch(item)
    else:
        world.groups.touch(item)


def _with_replicas(world: World, item: Member) -> list[Member]:
    if isinstance(item, models.Postgres):
        return [item, *postgres.replicas_of(world, item)]
    return [item]


def move(world: World, item: Member, environment: models.Environment | None) -> None:
    """Put a resource (a database with its replicas) into an environment, or into none."""
    for one in _with_replicas(world, item):
        target = environment.id if environment is not None else None
        if one.environment_id == target:
            continue
        state.leave_environment(world, one)
        if environment is not None:
            one.environment_id = environment.id
            environment.members.append(one.id)
            world.environments.touch(environment)
        one.updated_ns = world.stamp_ns()
        _touch(world, one)


def add_resources(call: Call) -> Reply:
    """Answer POST /environments/{id}/resources."""
    world, environment = call.world, _environment(call)
    keys = checks.texts(call.body(), "resourceIds")
    if not keys:
        raise invalid("resourceIds is required")
    items: list[Member] = []
    for key in keys:
        item = world.resource(key)
        if item is None:
            raise world.missing(key)
        items.append(item)
    for item in items:
        move(world, item, environment)
    return Reply(201, environment_view(world, environment))


def remove_resources(call: Call) -> Reply:
    """Answer DELETE /environments/{any}/resources?resourceIds=."""
    world = call.world
    keys = call.values("resourceIds")
    if not keys:
        raise invalid("resourceIds is required")
    for key in keys:
        item = world.resource(key)
        if item is not None:
            move(world, item, None)
    return gone()


ROUTES = [
    Route("POST", "/projects", post_project),
    Route("GET", "/projects", list_projects),
    Route("GET", "/projects/{id}", get_project),
    Route("PATCH", "/projects/{id}", patch_project),
    Route("DELETE", "/projects/{id}", delete_project),
    Route("POST", "/environments", post_environment),
    Route("GET", "/environments", list_environments),
    Route("GET", "/environments/{id}", get_environment),
    Route("PATCH", "/environments/{id}", patch_environment),
    Route("DELETE", "/environments/{id}", delete_environment),
    Route("POST", "/environments/{id}/resources", add_resources),
    Route("DELETE", "/environments/{id}/resources", remove_resources),
]
