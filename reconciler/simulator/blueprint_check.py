"""Finds what is wrong with a Blueprint file, each with its place in it, and counts what it would make.

Render API: errors carry `error`, `path`, `line` and `column`. Resources are named once, references are resolved
inside the same environment. What is checked is what decides whether a stack can be made; unknown fields are passed
over below the root, as the language grows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from reconciler.simulator import cron, plans
from reconciler.simulator.wire import ApiError, Json

SERVICE_TYPES = frozenset({"web", "pserv", "worker", "cron", "keyvalue", "redis", "static"})
ROOT_KEYS = frozenset({"services", "databases", "envVarGroups", "projects", "ungrouped", "previews", "previewsEnabled",
                       "previewsExpireAfterDays", "version"})  # fmt: skip
LISTS = ("services", "databases", "envVarGroups")
STORES = frozenset({"keyvalue", "redis"})
RUNTIMES = frozenset({*plans.RUNTIMES, "static"})
KIND_OF = {"web": "web_service", "pserv": "private_service", "worker": "background_worker", "cron": "cron_job"}
Path = tuple[str | int, ...]
START = yaml.Mark("", 0, 0, 0, None, 0)


@dataclass(slots=True)
class Check:
    """A file under examination."""

    root: yaml.Node
    errors: list[Json] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in (*LISTS, "keyValue")})

    def complain(self, text: str, path: Path) -> None:
        """Note an error at the place of a path, or as near to it as the file goes."""
        mark: Any = _node(self.root, path).start_mark
        self.errors.append({"error": text, "path": _spelt(path), "line": mark.line + 1, "column": mark.column + 1})


def examine(text: str) -> Check:
    """Examine a file; yaml.YAMLError when it is no YAML."""
    root, body = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    check = Check(root if root is not None else yaml.ScalarNode("", "", START, START))
    if not isinstance(body, dict):
        check.complain("must be a mapping", ())
        return check
    for key in body:
        if key not in ROOT_KEYS:
            check.complain(f"unknown field {key}", (str(key),))
    seen: dict[str, Path] = {}
    for path, part in _parts(body):
        _part(check, path, part, seen)
    return check


def _spelt(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _node(node: yaml.Node, path: Path) -> yaml.Node:
    for step in path:
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            found = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = node.value[step]
        if found is None:
            return node
        node = found
    return node


def _parts(body: Json) -> Iterator[tuple[Path, Json]]:
    """Walk the root and every environment: each holds the same lists."""
    yield (), body
    if isinstance(body.get("ungrouped"), dict):
        yield ("ungrouped",), body["ungrouped"]
    projects = body.get("projects")
    for i, project in enumerate(projects if isinstance(projects, list) else []):
        environments = project.get("environments") if isinstance(project, dict) else None
        for j, environment in enumerate(environments if isinstance(environments, list) else []):
            if isinstance(environment, dict):
                yield ("projects", i, "environments", j), environment


def _part(check: Check, prefix: Path, part: Json, seen: dict[str, Path]) -> None:
    members: list[tuple[Path, str, Json]] = []
    for name in LISTS:
        items = part.get(name)
        if items is None:
            continue
        if not isinstance(items, list):
            check.complain("must be a list", (*prefix, name))
            continue
        for index, item in enumerate(items):
            path = (*prefix, name, index)
            if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"]:
                check.complain("name is required", path)
            else:
                members.append((path, name, item))
    for path, name, item in members:
        _member(check, path, name, item, seen)
        _references(check, path, item, {(kind, one["name"]) for _, kind, one in members})


def _member(check: Check, path: Path, kind: str, item: Json, seen: dict[str, Path]) -> None:
    """Check one resource; what it is called must be new among its like."""
    like = f"{kind}:{item['name']}"
    if like in seen:
        check.complain(f"{item['name']} is defined twice", (*path, "name"))
    seen[like] = path
    check.names["keyValue" if item.get("type") in STORES else kind].append(item["name"])
    if item.get("region") not in (None, *plans.REGIONS):
        check.complain(f"invalid region {item['region']}", (*path, "region"))
    if kind != "envVarGroups" and item.get("plan") is not None and not _is_plan(kind, item):
        check.complain(f"invalid plan {item['plan']}", (*path, "plan"))
    if kind == "services":
        _service(check, path, item)


def _is_plan(kind: str, item: Json) -> bool:
    """Tell whether a plan is one of its kind's; a Blueprint may write blanks, dashes and capitals."""
    plan = str(item["plan"]).lower()
    if kind == "databases":
        known: tuple[str, ...] = plans.POSTGRES_PLANS
    elif item.get("type") in STORES:
        known = (*plans.KEY_VALUE_PLANS, *plans.KEY_VALUE_SPEC_PLANS)
    elif item.get("type") in KIND_OF and item.get("runtime") != "static":
        known = plans.PLANS_OF[KIND_OF[item["type"]]]
    else:
        return True  # a static site has no plan, and an unknown type is told already
    return bool({plan, plan.replace(" ", "_"), plan.replace("-", "_")} & set(known))


def _service(check: Check, path: Path, item: Json) -> None:
    kind = item.get("type")
    if kind not in SERVICE_TYPES:
        check.complain(f"invalid type {kind}", (*path, "type"))
        return
    if kind in STORES:
        if "ipAllowList" not in item:
            check.complain("ipAllowList is required", path)
        return
    runtime = item.get("runtime", item.get("env"))
    if runtime not in RUNTIMES and kind != "static":
        text = "runtime is required" if runtime is None else f"invalid runtime {runtime}"
        check.complain(text, (*path, "runtime" if "runtime" in item else "env"))
    if kind == "cron":
        try:
            cron.checked(str(item.get("schedule") or ""))
        except ApiError as error:
            check.complain(error.message, (*path, "schedule"))


def _references(check: Check, path: Path, item: Json, known: set[tuple[str, str]]) -> None:
    """Check that what variables refer to is in the same environment; groups may be there without the file."""
    variables = item.get("envVars")
    for index, variable in enumerate(variables if isinstance(variables, list) else []):
        if not isinstance(variable, dict):
            check.complain("must be a mapping", (*path, "envVars", index))
            continue
        for word, kind in (("fromDatabase", "databases"), ("fromService", "services")):
            target = variable.get(word)
            name = target.get("name") if isinstance(target, dict) else None
            if target is not None and (kind, name) not in known:
                check.complain(f"{word}: there is no {name}", (*path, "envVars", index, word))
