"""The port itself: either store has each of its methods, spelt alike, and a test of the contract calls it."""

import ast
import inspect
import typing
from pathlib import Path
from typing import Any

import pytest

from reconciler.ports import Store
from reconciler.postgres.store import PostgresStore
from tests.campaign.memory import MemoryStore

METHODS = sorted(name for name in vars(Store) if not name.startswith("_"))
STORES = [PostgresStore, MemoryStore]
CALLED_ON = {"store", "second"}


def spelling(method: Any) -> list[tuple[object, ...]]:
    """Name, sort, default and type of every parameter."""
    hints = typing.get_type_hints(method)
    parameters = inspect.signature(method).parameters.values()
    return [(one.name, one.kind, one.default, hints.get(one.name)) for one in parameters]


def answers(given: Any, promised: Any) -> bool:
    """Say whether a type is the promised one, or a generic that keeps its promise (AsyncGenerator, AsyncIterator)."""
    if given == promised:
        return True
    origins = typing.get_origin(given), typing.get_origin(promised)
    if not all(isinstance(origin, type) for origin in origins):
        return False
    arguments = typing.get_args(promised)
    return issubclass(*origins) and typing.get_args(given)[: len(arguments)] == arguments


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("implementation", STORES)
def test_a_store_has_the_method_as_the_port_spells_it(implementation: type, name: str) -> None:
    promised, given = getattr(Store, name), getattr(implementation, name, None)
    assert given is not None, f"{implementation.__name__} lacks {name}"
    assert spelling(given) == spelling(promised)
    assert answers(typing.get_type_hints(given)["return"], typing.get_type_hints(promised)["return"])
    assert inspect.iscoroutinefunction(given) == inspect.iscoroutinefunction(promised)
    assert inspect.isasyncgenfunction(given) != inspect.iscoroutinefunction(promised)


def test_the_in_memory_store_keeps_no_call_that_the_port_has_lost() -> None:
    calls = {name for name, member in inspect.getmembers(MemoryStore, inspect.iscoroutinefunction) if name[0] != "_"}
    assert calls <= set(METHODS)


def called_in(source: str) -> set[str]:
    """Name what a module calls on a store."""
    return {
        call.func.attr
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in CALLED_ON
    }


def test_every_method_of_the_port_is_called_by_the_contract() -> None:
    here = Path(__file__)
    modules = [*here.parent.glob("test_*.py"), here.parent / "acts.py"]
    called = set().union(*(called_in(one.read_text()) for one in modules))
    assert set(METHODS) - called == set()
