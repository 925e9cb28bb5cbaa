"""Finds the order in which components can be created, and which variables must wait for a second deploy."""

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.core.errors import Problem
from reconciler.core.template import Component
from reconciler.core.values import Live, Value


@dataclass(frozen=True, slots=True)
class Order:
    """Creation order, what each component waits for, and the variables that close a circle."""

    sequence: tuple[str, ...]
    after: Mapping[str, frozenset[str]]
    late_env: Mapping[str, frozenset[str]]


def _targets(value: Value) -> set[str]:
    return {part.component for part in value if isinstance(part, Live)}


def _reaches(graph: Mapping[str, set[str]], start: str, goal: str) -> bool:
    """Say whether `goal` can be reached from `start` along the edges."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        here = todo.pop()
        if here == goal:
            return True
        if here not in seen:
            seen.add(here)
            todo.extend(graph.get(here, ()))
    return False


def arrange(
    components: Mapping[str, Component],
    env: Mapping[str, Mapping[str, Value]],
    fixed: Mapping[str, set[str]],
    problems: list[Problem],
) -> Order:
    """Order components so that what they name exists before them.

    `fixed` are needs that cannot be put off (linked groups, addresses inside other fields). A variable that
    names its own component, or closes a circle, is set after creation; a circle of fixed needs is a problem.
    """
    graph: dict[str, set[str]] = {key: set() for key in components}
    for key, needs in fixed.items():
        for need in sorted(needs):
            if _reaches(graph, need, key):
                message = f"{key} and {need} need each other before either can be created"
                remedy = "move one of the addresses into an env variable"
                problems.append(Problem(path=components[key].path or key, message=message, remedy=remedy))
            else:
                graph[key].add(need)
    late: dict[str, set[str]] = {key: set() for key in components}
    for key in reversed(tuple(components)):
        for name, value in env.get(key, {}).items():
            for target in sorted(_targets(value)):
                if target in graph[key]:
                    continue
                if _reaches(graph, target, key):
                    late[key].add(name)
                else:
                    graph[key].add(target)
    return Order(
        sequence=_sorted(graph),
        after={key: frozenset(needs) for key, needs in graph.items()},
        late_env={key: frozenset(names) for key, names in late.items()},
    )


def _sorted(graph: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Topological order that keeps the template's order where it can (the graph has no circle)."""
    done: dict[str, None] = {}
    while len(done) < len(graph):
        done[next(key for key, needs in graph.items() if key not in done and needs <= done.keys())] = None
    return tuple(done)
