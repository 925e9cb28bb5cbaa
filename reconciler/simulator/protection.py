"""Keeps people who are no admins out of protected environments.

Render API: in a protected environment only admins may delete, create, move and suspend, or read secrets (403); an
admin's key may. Which keys belong to no admin is a setting, `non_admin_keys`.
"""

from collections.abc import Iterator

from reconciler.simulator import models
from reconciler.simulator.wire import ApiError, Call, Route
from reconciler.simulator.world import World

FORBIDDEN = 403
OWNED = ("/services", "/postgres", "/key-value", "/redis", "/env-groups")
CREATES = frozenset(("POST", path) for path in OWNED) | {("POST", "/environments")}
ACTS = frozenset({
    *(("DELETE", f"{path}/{{id}}") for path in (*OWNED, "/disks", "/environments", "/projects")),
    *(("POST", f"{path}/{{id}}/{act}") for path in OWNED for act in ("suspend", "resume")),
})  # fmt: skip
MOVES = frozenset({("POST", "/environments/{id}/resources"), ("DELETE", "/environments/{id}/resources")})
SECRETS = frozenset({
    *(("GET", f"/{kind}/{{id}}/{part}") for kind in ("services", "env-groups") for part in (
        "env-vars", "env-vars/{key}", "secret-files", "secret-files/{name}",
    )),
    *(("GET", f"/{kind}/{{id}}/connection-info") for kind in ("postgres", "key-value", "redis")),
    ("GET", "/env-groups/{id}"), ("GET", "/postgres/{id}/credentials"),
})  # fmt: skip


def check(call: Call, route: Route) -> None:
    """Refuse a call of a key of no admin on what is protected."""
    world = call.world
    if not world.settings.non_admin_keys or call.key not in world.settings.non_admin_keys.split(","):
        return
    asked = (route.method, route.pattern)
    if asked not in ACTS | MOVES | SECRETS | CREATES:
        return
    for key in _environments(call, asked):
        environment = world.environments.get(key)
        if environment is not None and environment.protected == "protected":
            raise ApiError(FORBIDDEN, f"environment {environment.id} is protected: only admins may do this")


def _environments(call: Call, asked: tuple[str, str]) -> Iterator[str]:
    """Name the environments a call is about."""
    world, key = call.world, call.params.get("id", "")
    yield key
    yield _of(world, key)
    disk = world.disks.get(key)
    if disk is not None:
        yield _of(world, disk.service_id)
    project = world.projects.get(key)
    if project is not None:
        yield from project.environment_ids
    if asked in MOVES:
        named = call.values("resourceIds") if call.method == "DELETE" else call.body().get("resourceIds")
        yield from (_of(world, str(item)) for item in named or ())
    if asked in CREATES:
        yield str(call.body().get("environmentId") or "")


def _of(world: World, key: str) -> str:
    found = world.resource(key)
    if isinstance(found, (models.Service, models.Postgres, models.KeyValue, models.Group)):
        return found.environment_id or ""
    return ""
