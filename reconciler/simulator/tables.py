"""Keeps the things of one kind, found by id, by name and in order of creation.

Lists walk it newest first from a cursor, so a page costs what is on it and not what exists.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from reconciler.simulator.ids import CURSOR_TAIL
from reconciler.simulator.models import Thing

T = TypeVar("T", bound=Thing)
PREFIX = 4  # "srv-": ids of one kind may differ in it (crn-), order must not


class Table(Generic[T]):
    """All things of a kind."""

    def __init__(
        self, kind: str, on_change: Callable[[str, T], None], on_remove: Callable[[str, T], None], *, listed: bool
    ) -> None:
        """Start empty; the callbacks learn of every change; only a listed kind pays for names and cursors."""
        self.kind = kind
        self._listed = listed
        self.rows: dict[str, T] = {}
        self._order: list[str] = []
        self._ids: dict[str, str] = {}
        self._tails: dict[str, str] = {}
        self._names: dict[str, dict[str, None]] = {}
        self._on_change = on_change
        self._on_remove = on_remove

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, key: str) -> T | None:
        """Find a thing by id."""
        return self.rows.get(key)

    def add(self, thing: T, *, loaded: bool = False) -> T:
        """Take a new thing in."""
        self.rows[thing.id] = thing
        if self._listed:
            self._enter(thing)
        if not loaded:
            self._on_change(self.kind, thing)
        return thing

    def _enter(self, thing: T) -> None:
        short = thing.id[PREFIX:]
        self._ids[short] = thing.id
        self._tails[thing.id[-CURSOR_TAIL:]] = short
        if not self._order or short > self._order[-1]:
            self._order.append(short)
        else:
            self._order.insert(bisect_left(self._order, short), short)
        name = getattr(thing, "name", "")
        if name:
            self._names.setdefault(name, {})[thing.id] = None

    def remove(self, thing: T) -> None:
        """Forget a thing."""
        del self.rows[thing.id]
        if self._listed:
            short = thing.id[PREFIX:]
            del self._ids[short]
            del self._tails[thing.id[-CURSOR_TAIL:]]
            del self._order[bisect_left(self._order, short)]
            self._forget_name(thing)
        self._on_remove(self.kind, thing)

    def touch(self, thing: T) -> None:
        """Note that a thing changed."""
        self._on_change(self.kind, thing)

    def rename(self, thing: T, name: str) -> None:
        """Give a thing another name."""
        self._forget_name(thing)
        thing.name = name  # type: ignore[attr-defined]
        self._names.setdefault(name, {})[thing.id] = None
        self._on_change(self.kind, thing)

    def _forget_name(self, thing: T) -> None:
        name = getattr(thing, "name", "")
        bearers = self._names.get(name)
        if bearers is not None:
            bearers.pop(thing.id, None)
            if not bearers:
                del self._names[name]

    def named(self, name: str) -> list[T]:
        """Find all things of a name, newest first."""
        return [self.rows[key] for key in sorted(self._names.get(name, ()), key=lambda i: i[PREFIX:], reverse=True)]

    def place(self, tail: str) -> str | None:
        """Tell where in the order the item stands whose id ends so."""
        return self._tails.get(tail)

    def newest_first(self, after: str | None = None) -> Iterator[T]:
        """Walk from the newest, or from behind a place in the order."""
        at = len(self._order) if after is None else bisect_left(self._order, after)
        for index in range(at - 1, -1, -1):
            yield self.rows[self._ids[self._order[index]]]

    def oldest_first(self) -> Iterator[T]:
        """Walk from the oldest."""
        if not self._listed:
            yield from self.rows.values()
            return
        for short in self._order:
            yield self.rows[self._ids[short]]
