"""Every endpoint function the official SDK has is called by these tests, or has a reason here not to be."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from render.public_api import api

HERE = Path(__file__).parent
NOT_CALLED_GROUPS = {
    "build_sources": "builds shared by services: no part of a Blueprint this project reconciles, out of its scope",
    "object_storage": "experimental storage of objects, out of the project's scope",
    "sandboxes": "sandboxes run code of agents, out of the project's scope",
    "workflow_flows": "workflows, out of the project's scope",
    "workflow_tasks": "workflows, out of the project's scope",
    "workflows": "workflows, out of the project's scope",
}
NOT_CALLED = {
    "audit_logs.list_organization_audit_logs": "organizations of several workspaces: the simulator has one workspace",
    "logs.subscribe_logs": "a websocket; the SDK's function sends a plain GET and so can never open it",
    "metrics.get_task_runs_completed": "workflows, out of the project's scope",
    "metrics.get_task_runs_queued": "workflows, out of the project's scope",
    "services.create_ephemeral_shell": "a shell on an instance: the simulator runs no code",
    "workspaces.remove_workspace_member": "people and their roles, out of the project's scope",
    "workspaces.update_workspace_member": "people and their roles, out of the project's scope",
}


def endpoints() -> set[str]:
    """Name all endpoint functions: group.function."""
    found = set()
    for group in pkgutil.iter_modules(api.__path__):
        package = importlib.import_module(f"{api.__name__}.{group.name}")
        for module in pkgutil.iter_modules(package.__path__):
            endpoint = importlib.import_module(f"{package.__name__}.{module.name}")
            assert callable(endpoint.sync_detailed)
            found.add(f"{group.name}.{module.name}")
    return found


def called_in(tree: ast.Module) -> Iterator[str]:
    """Name the endpoint functions a test module uses other than to be refused by them."""
    group_of = {
        name.name: node.module.rpartition(".")[2]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith(f"{api.__name__}.")
        for name in node.names
    }
    refused = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("refused", "gone")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in group_of and id(node) not in refused:
            yield f"{group_of[node.id]}.{node.id}"


def test_every_endpoint_is_called_or_excused():
    called = {name for file in HERE.glob("*.py") for name in called_in(ast.parse(file.read_text()))}
    known = endpoints()
    excused = {name for name in known if name in NOT_CALLED or name.partition(".")[0] in NOT_CALLED_GROUPS}
    assert known - called - excused == set()
    assert called & excused == set() and called <= known
    assert set(NOT_CALLED) <= known and set(NOT_CALLED_GROUPS) <= {name.partition(".")[0] for name in known}
