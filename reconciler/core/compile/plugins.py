"""Weaves a tenant's plugins into build and start commands; every argument is quoted, nothing is executed here."""

import shlex
from collections.abc import Mapping, Sequence

from reconciler.core.errors import Problem, shown
from reconciler.core.kinds import SERVICES
from reconciler.core.spec import Plugin
from reconciler.core.template import Component, Literal
from reconciler.core.values import Json

PLUGINS_VARIABLE = "CUSTOM_PLUGINS_PATH"
NATIVE_FOLDER = "/opt/render/project/src/custom_plugins"
DOCKER_FOLDER = "/tmp/custom_plugins"  # noqa: S108 a folder inside the customer's container, which has no other user


def _folder_name(plugin: Plugin) -> str:
    """Name the folder of one plugin: its `path`, else the repository's name."""
    last = plugin.repo.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]
    return plugin.path or last.removesuffix(".git")


def _clone(plugin: Plugin, folder: str) -> str:
    """Shell steps that put one plugin, at its ref, into a folder of its own, again and again with the same result."""
    target = shlex.quote(f"{folder}/{_folder_name(plugin)}")
    repo, ref = shlex.quote(plugin.repo), shlex.quote(plugin.ref or "HEAD")
    return (
        f"rm -rf {target} && git init -q {target} && "
        f"git -C {target} fetch -q --depth 1 -- {repo} {ref} && git -C {target} checkout -q FETCH_HEAD"
    )


def can_take(component: Component) -> bool:
    """Say whether a component has a place where plugins can be cloned: a build command, or a Docker command."""
    if component.kind not in SERVICES:
        return False
    if component.fields.get("runtime") == "docker":
        return bool(component.fields.get("dockerCommand"))
    return component.fields.get("runtime") != "image" and bool(component.fields.get("buildCommand"))


def weave(
    components: Mapping[str, Component], plugins: Sequence[Plugin], problems: list[Problem]
) -> dict[str, Component]:
    """Add clone steps and CUSTOM_PLUGINS_PATH to the components that take plugins; the others stay as they are."""
    chosen: dict[str, list[Plugin]] = {}
    for index, plugin in enumerate(plugins):
        for name in plugin.components or tuple(key for key, one in components.items() if can_take(one)):
            path = f"spec.plugins[{index}].components"
            found = components.get(name)
            if found is None:
                known = ", ".join(components)
                problems.append(
                    Problem(path=path, value=shown(name), message="no such component", remedy=f"it has: {known}")
                )
            elif not can_take(found):
                problems.append(
                    Problem(
                        path=path,
                        value=shown(name),
                        message=f"this {found.kind} cannot take a plugin",
                        remedy="name a component with a buildCommand, or a Docker one with a dockerCommand",
                    )
                )
            else:
                chosen.setdefault(name, []).append(plugin)
    return {key: _woven(one, chosen[key]) if key in chosen else one for key, one in components.items()}


def _woven(component: Component, plugins: Sequence[Plugin]) -> Component:
    docker = component.fields.get("runtime") == "docker"
    folder = DOCKER_FOLDER if docker else NATIVE_FOLDER
    field = "dockerCommand" if docker else "buildCommand"
    steps = " && ".join(_clone(plugin, folder) for plugin in plugins)
    command = f"{steps} && {component.fields[field]}"
    fields: dict[str, Json] = {**component.fields, field: f"sh -c {shlex.quote(command)}" if docker else command}
    env = {**component.env, PLUGINS_VARIABLE: Literal(folder)}
    return Component(
        key=component.key, kind=component.kind, fields=fields, env=env, groups=component.groups, path=component.path
    )
