"""Answers the calls on Blueprints: those that people connected, and whether a file is valid.

Render API: no endpoint creates one, people connect them in the dashboard; validation answers 200 with `valid`,
errors with their place, and a plan.
"""

import email.parser
import email.policy
from typing import Any

import yaml

from reconciler.simulator import checks, lists, models, plans, smalls, times
from reconciler.simulator.wire import Call, Json, Reply, Route, gone, invalid
from reconciler.simulator.world import World

SERVICE_TYPES = frozenset({"web", "pserv", "worker", "cron", "keyvalue", "redis", "static"})
ROOT_KEYS = frozenset({"services", "databases", "envVarGroups", "projects", "ungrouped", "previews", "previewsEnabled",
                       "previewsExpireAfterDays", "version"})  # fmt: skip
API_TYPES = {"web": "web_service", "pserv": "private_service", "worker": "background_worker", "cron": "cron_job"}
LISTS = ("services", "databases", "envVarGroups")


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
    text = _file(call)
    errors: list[Json] = []
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = {"line": mark.line + 1, "column": mark.column + 1} if mark is not None else {}
        return Reply(200, {"valid": False, "errors": [{"error": str(error), "path": "", **place}]})
    if not isinstance(body, dict) or not isinstance(root, yaml.MappingNode):
        return Reply(200, {"valid": False, "errors": [{"error": "must be a mapping", "path": "", "line": 1}]})
    for key, _ in root.value:
        if key.value not in ROOT_KEYS:
            errors.append(_error(f"unknown field {key.value}", key.value, key))
    names: dict[str, list[str]] = {name: [] for name in (*LISTS, "keyValue")}
    for path, part in _parts(body):
        _check(path, part, names, errors, root)
    shown: Json = {"valid": not errors}
    if errors:
        shown["errors"] = errors
    else:
        shown["plan"] = {
            "services": names["services"], "databases": names["databases"], "keyValue": names["keyValue"],
            "envGroups": names["envVarGroups"], "totalActions": sum(len(found) for found in names.values()),
        }  # fmt: skip
    return Reply(200, shown)


def _parts(body: Json) -> list[tuple[str, Json]]:
    """List the root and every environment: each holds the same lists."""
    found = [("", body)]
    if isinstance(body.get("ungrouped"), dict):
        found.append(("ungrouped.", body["ungrouped"]))
    projects = body.get("projects")
    for i, project in enumerate(projects if isinstance(projects, list) else []):
        environments = project.get("environments") if isinstance(project, dict) else None
        for j, environment in enumerate(environments if isinstance(environments, list) else []):
            if isinstance(environment, dict):
                found.append((f"projects[{i}].environments[{j}].", environment))
    return found


def _check(prefix: str, part: Json, names: dict[str, list[str]], errors: list[Json], root: yaml.Node) -> None:
    for name in LISTS:
        items = part.get(name)
        if items is None:
            continue
        if not isinstance(items, list):
            errors.append(_error("must be a list", f"{prefix}{name}", root))
            continue
        for index, item in enumerate(items):
            path = f"{prefix}{name}[{index}]"
            if not isinstance(item, dict) or not item.get("name"):
                errors.append(_error("name is required", path, root))
            elif name == "services" and item.get("type") not in SERVICE_TYPES:
                errors.append(_error(f"invalid type {item.get('type')}", f"{path}.type", root))
            else:
                if not _check_words(item, path, name, errors, root):
                    continue
                names[_kind(item, name)].append(str(item["name"]))


def _kind(item: Json, name: str) -> str:
    return "keyValue" if name == "services" and item.get("type") in ("keyvalue", "redis") else name


def _check_words(item: Json, path: str, name: str, errors: list[Json], root: yaml.Node) -> bool:
    """Refuse plans and regions that do not exist; a Blueprint may write blanks and dashes for underscores."""
    before = len(errors)
    plan = item.get("plan")
    if plan is not None and name != "envVarGroups" and not _is_plan(_kind(item, name), item, str(plan)):
        errors.append(_error(f"invalid plan {plan}", f"{path}.plan", root))
    region = item.get("region")
    if region is not None and region not in plans.REGIONS:
        errors.append(_error(f"invalid region {region}", f"{path}.region", root))
    return len(errors) == before


def _is_plan(kind: str, item: Json, plan: str) -> bool:
    spelled = {plan, plan.replace(" ", "_"), plan.replace("-", "_")}
    if kind == "keyValue":
        known: tuple[str, ...] = (*plans.KEY_VALUE_PLANS, *plans.KEY_VALUE_SPEC_PLANS)
    elif kind == "databases":
        known = plans.POSTGRES_PLANS
    else:
        known = plans.PLANS_OF.get(API_TYPES.get(str(item.get("type")), ""), ())
    return bool(spelled & set(known))


def _error(text: str, path: str, node: yaml.Node) -> Json:
    mark: Any = node.start_mark
    return {"error": text, "path": path, "line": mark.line + 1, "column": mark.column + 1}


ROUTES = [
    Route("GET", "/blueprints", list_all),
    Route("POST", "/blueprints/validate", validate),
    Route("GET", "/blueprints/{id}", get_one),
    Route("PATCH", "/blueprints/{id}", patch),
    Route("DELETE", "/blueprints/{id}", disconnect),
    Route("GET", "/blueprints/{id}/syncs", list_syncs),
]
