"""Answers the calls on Blueprints: there are none, and a file can be validated.

Render API: no endpoint creates one; validation answers 200 with `valid`, errors with their place, and a plan.
"""

import email.parser
import email.policy
from typing import Any

import yaml

from reconciler.simulator import lists
from reconciler.simulator.wire import Call, Json, Reply, Route, invalid

SERVICE_TYPES = frozenset({"web", "pserv", "worker", "cron", "keyvalue", "redis", "static"})
ROOT_KEYS = frozenset({"services", "databases", "envVarGroups", "projects", "ungrouped", "previews", "previewsEnabled",
                       "previewsExpireAfterDays", "version"})  # fmt: skip
LISTS = ("services", "databases", "envVarGroups")


def list_all(call: Call) -> Reply:
    """Answer GET /blueprints: nothing made by this API can be one."""
    return lists.nested(call, [], "blueprint")


def get_one(call: Call) -> Reply:
    """Answer every call on a single Blueprint."""
    raise call.world.missing(call.params["id"])


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
    counts = dict.fromkeys(LISTS, 0)
    counts["keyValue"] = 0
    for path, part in _parts(body):
        _check(path, part, counts, errors, root)
    shown: Json = {"valid": not errors}
    if errors:
        shown["errors"] = errors
    else:
        shown["plan"] = {
            "services": counts["services"], "databases": counts["databases"], "keyValue": counts["keyValue"],
            "envGroups": counts["envVarGroups"], "totalActions": sum(counts.values()),
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


def _check(prefix: str, part: Json, counts: dict[str, int], errors: list[Json], root: yaml.Node) -> None:
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
                counts["keyValue" if item.get("type") in ("keyvalue", "redis") else name] += 1


def _error(text: str, path: str, node: yaml.Node) -> Json:
    mark: Any = node.start_mark
    return {"error": text, "path": path, "line": mark.line + 1, "column": mark.column + 1}


ROUTES = [
    Route("GET", "/blueprints", list_all),
    Route("POST", "/blueprints/validate", validate),
    Route("GET", "/blueprints/{id}", get_one),
    Route("PATCH", "/blueprints/{id}", get_one),
    Route("DELETE", "/blueprints/{id}", get_one),
    Route("GET", "/blueprints/{id}/syncs", get_one),
]
