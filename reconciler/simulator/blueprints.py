"""Answers the calls on Blueprints: those that people connected, and whether a file is valid.

Render API: no endpoint creates one, people connect them in the dashboard; validation answers 200 with `valid`,
errors with their place, and a plan.
"""

import email.parser
import email.policy

import yaml

from reconciler.simulator import blueprint_check, checks, lists, models, smalls, times
from reconciler.simulator.wire import Call, Json, Reply, Route, gone, invalid
from reconciler.simulator.world import World


def connect(world: World, given: Json) -> models.Small:
    """Connect a Blueprint the way the dashboard does: {"name", "repo", "branch"?, "path"?, "resources"?: [ids]}."""
    name, repo = checks.text(given, "name"), checks.text(given, "repo")
    resources = checks.texts(given, "resources")
    for key in resources:
        _resource(world, key)
    now_ns = world.stamp_ns()
    content: Json = {
        "repo": repo, "branch": checks.text(given, "branch", "main"), "path": checks.text(given, "path", "render.yaml"),
        "autoSync": True, "resources": resources, "syncs": [],
    }  # fmt: skip
    item = models.Small(
        world.ids.new("exs", now_ns), "blueprint", world.owner_id, now_ns, now_ns, name=name, body=content
    )  # fmt: skip
    world.smalls.add(item)
    sync(world, item)
    return item


def sync(world: World, item: models.Small) -> None:
    """Sync a Blueprint: nothing of the file is applied, only the sync is noted."""
    at_ns = world.stamp_ns()
    commit = world.ids.commit(item.body["repo"], item.body["branch"])
    made = {"id": world.ids.new("exe", at_ns), "commit": commit, "at_ns": at_ns}
    item.body["syncs"].append(made)
    world.smalls.touch(item)


def _resource(world: World, key: str) -> Json:
    found = world.resource(key)
    if found is None:
        raise world.missing(key)
    if isinstance(found, models.Service):
        kind = found.type
    else:
        kinds = {models.Postgres: "postgres", models.KeyValue: "key_value", models.Group: "environment_group"}
        kind = kinds[type(found)]
    return {"id": found.id, "name": found.name, "type": kind}


def view(item: models.Small) -> Json:
    """Show a Blueprint without its resources."""
    body = item.body
    shown: Json = {
        "id": item.id, "name": item.name, "status": "in_sync" if body["autoSync"] else "paused",
        "autoSync": body["autoSync"], "repo": body["repo"], "branch": body["branch"], "path": body["path"],
    }  # fmt: skip
    if body["syncs"]:
        shown["lastSync"] = times.micro(body["syncs"][-1]["at_ns"])
    return shown


def _find(call: Call) -> models.Small:
    return smalls.find(call, call.params["id"], "blueprint", call.params["id"])


def list_all(call: Call) -> Reply:
    """Answer GET /blueprints: those a person connected; nothing made by this API can be one."""
    wanted = (
        lists.Filters(call, models.Small)
        .one_of("ownerId", lambda item: item.owner_id)
        .only(lambda item: item.kind == "blueprint")
    )
    return lists.page(call, call.world.smalls, "blueprint", view, wanted)


def get_one(call: Call) -> Reply:
    """Answer GET /blueprints/{id} with the resources that are still there."""
    item, world = _find(call), call.world
    present = [key for key in item.body["resources"] if world.resource(key) is not None]
    return Reply(200, view(item) | {"resources": [_resource(world, key) for key in present]})


def patch(call: Call) -> Reply:
    """Answer PATCH /blueprints/{id}."""
    item, world, body = _find(call), call.world, call.body()
    changed: Json = {name: checks.text(body, name, item.body[name]) for name in ("path", "branch")}
    changed["autoSync"] = checks.flag(body, "autoSync", item.body["autoSync"])
    world.smalls.rename(item, checks.text(body, "name", item.name))
    item.body |= changed
    item.updated_ns = world.stamp_ns()
    return Reply(200, view(item))


def disconnect(call: Call) -> Reply:
    """Answer DELETE /blueprints/{id}: its resources stay."""
    call.world.smalls.remove(_find(call))
    return gone()


def list_syncs(call: Call) -> Reply:
    """Answer GET /blueprints/{id}/syncs, newest first."""
    shown = []
    for made in reversed(_find(call).body["syncs"]):
        stamp = times.micro(made["at_ns"])
        line = {"id": made["id"], "commit": {"id": made["commit"]}, "state": "success"}
        shown.append((made["id"], line | {"startedAt": stamp, "completedAt": stamp}))
    return lists.nested(call, shown, "sync")


def _file(call: Call) -> str:
    """Take the file out of the multipart body."""
    kind = call.headers.get(b"content-type", b"")
    if not kind.startswith(b"multipart/form-data"):
        raise invalid("body must be multipart/form-data")
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(b"Content-Type: " + kind + b"\r\n\r\n" + call.raw)
    for part in message.iter_parts():
        if part.get_param("name", header="content-disposition") == "file":
            content = part.get_payload(decode=True)
            return content.decode(errors="replace") if isinstance(content, bytes) else ""
    raise invalid("file is required")


def validate(call: Call) -> Reply:
    """Answer POST /blueprints/validate."""
    try:
        check = blueprint_check.examine(_file(call))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = {"line": mark.line + 1, "column": mark.column + 1} if mark is not None else {}
        return Reply(200, {"valid": False, "errors": [{"error": str(error), "path": "", **place}]})
    if check.errors:
        return Reply(200, {"valid": False, "errors": check.errors})
    names = check.names
    plan: Json = {
        "services": names["services"], "databases": names["databases"], "keyValue": names["keyValue"],
        "envGroups": names["envVarGroups"], "totalActions": sum(len(found) for found in names.values()),
    }  # fmt: skip
    return Reply(200, {"valid": True, "plan": plan})


ROUTES = [
    Route("GET", "/blueprints", list_all),
    Route("POST", "/blueprints/validate", validate),
    Route("GET", "/blueprints/{id}", get_one),
    Route("PATCH", "/blueprints/{id}", patch),
    Route("DELETE", "/blueprints/{id}", disconnect),
    Route("GET", "/blueprints/{id}/syncs", list_syncs),
]
