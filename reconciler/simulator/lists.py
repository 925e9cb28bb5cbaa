"""Turns tables and lists into pages: filters, cursors, envelopes.

Render API: a list is an array of {"<key>": item, "cursor": text}; limit 20 by default and 100 at most; the
page after the last item is an empty array.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Generic, Self, TypeVar

from reconciler.simulator import ids, times
from reconciler.simulator.models import Thing
from reconciler.simulator.tables import PREFIX, Table
from reconciler.simulator.wire import Call, Json, Query, Reply, invalid, whole_number

T = TypeVar("T", bound=Thing)
DEFAULT_LIMIT = 20
MAX_LIMIT = 100


def limit_of(call: Call, maximum: int = MAX_LIMIT) -> int:
    """Read the page length."""
    text = call.value("limit")
    if text is None:
        return DEFAULT_LIMIT
    limit = whole_number(text)
    if limit is None or not 1 <= limit <= maximum:
        raise invalid(f"limit must be between 1 and {maximum}")
    return limit


def tail_of(call: Call) -> str | None:
    """Read which item the page begins behind."""
    cursor = call.value("cursor")
    if cursor is None:
        return None
    try:
        return ids.tail_of_cursor(cursor)
    except ValueError as error:
        raise invalid(str(error)) from error


def instant(query: Query, name: str) -> int | None:
    """Read a time parameter."""
    values = query.get(name)
    if not values or not values[-1]:
        return None
    try:
        return times.parse(values[-1])
    except ValueError as error:
        raise invalid(f"{name} must be an RFC 3339 time") from error


class Filters(Generic[T]):
    """The tests that a request asks the items of a list to pass."""

    def __init__(self, call: Call, kind: type[T]) -> None:
        """Read filters on a kind of thing from a request."""
        self._call = call
        self.kind = kind
        self._tests: list[Callable[[T], bool]] = []

    def accept(self, item: T) -> bool:
        """Tell whether an item passes all tests."""
        return all(test(item) for test in self._tests)

    def only(self, test: Callable[[T], bool]) -> Self:
        """Add a test that does not come from a parameter."""
        self._tests.append(test)
        return self

    def one_of(self, name: str, read: Callable[[T], object]) -> Self:
        """Add the test of a list parameter; nothing to test when it is not given."""
        wanted = set(self._call.values(name))
        if wanted:
            self._tests.append(lambda item: read(item) in wanted)
        return self

    def between(self, name: str, read: Callable[[T], int]) -> Self:
        """Add the tests of a pair of time parameters such as createdBefore and createdAfter."""
        before, after = instant(self._call.query, f"{name}Before"), instant(self._call.query, f"{name}After")
        if before is not None:
            self._tests.append(lambda item: 0 < times.rounded(read(item)) < before)
        if after is not None:
            self._tests.append(lambda item: times.rounded(read(item)) > after)
        return self

    def common(self) -> Self:
        """Add the tests that most lists share: owner, environment, created and updated."""
        self.one_of("ownerId", lambda item: getattr(item, "owner_id", None))
        self.one_of("environmentId", lambda item: getattr(item, "environment_id", None))
        self.between("created", lambda item: getattr(item, "created_ns", 0))
        self.between("updated", lambda item: getattr(item, "updated_ns", 0))
        return self


def pick(call: Call, table: Table[T], filters: Filters[T], limit: int) -> list[T]:
    """Take a page out of a table, newest first."""
    names, tail, after = call.values("name"), tail_of(call), None
    if tail is not None:
        after = table.place(tail) or call.world.place_of_gone(tail)
        if after is None:
            return []  # a cursor of something that never was here
    if names:
        found = [item for name in dict.fromkeys(names) for item in table.named(name)]
        found.sort(key=lambda item: item.id[PREFIX:], reverse=True)
        source: Iterable[T] = [item for item in found if after is None or item.id[PREFIX:] < after]
    else:
        source = table.newest_first(after)
    return list(islice((item for item in source if filters.accept(item)), limit))


def page(call: Call, table: Table[T], key: str, view: Callable[[T], Json], filters: Filters[T]) -> Reply:
    """Answer a page of a table in envelopes."""
    chosen = pick(call, table, filters, limit_of(call))
    return Reply(200, [{"cursor": ids.cursor_of(key, item.id), key: view(item)} for item in chosen])


def bare(call: Call, table: Table[T], view: Callable[[T], Json], filters: Filters[T]) -> Reply:
    """Answer a page of a table as bare objects, as groups and registry credentials come."""
    return Reply(200, [view(item) for item in pick(call, table, filters, limit_of(call))])


def nested(call: Call, items: list[tuple[str, Json]], key: str, list_name: str | None = None) -> Reply:
    """Answer a page of a short list of (id, view) pairs that is already in its order."""
    tail, limit = tail_of(call), limit_of(call)
    if tail is not None:
        items = _behind(call, items, tail)
    return Reply(200, enveloped(items[:limit], key, list_name))


def _behind(call: Call, items: list[tuple[str, Json]], tail: str) -> list[tuple[str, Json]]:
    at = next((index + 1 for index, (item_id, _) in enumerate(items) if item_id.endswith(tail)), None)
    if at is not None:
        return items[at:]
    gone = call.world.place_of_gone(tail)
    return [] if gone is None else [item for item in items if item[0][PREFIX:] < gone]


def enveloped(items: list[tuple[str, Json]], key: str, list_name: str | None = None) -> list[Json]:
    """Put (id, view) pairs into envelopes."""
    name = list_name or key
    return [{key: view, "cursor": ids.cursor_of(name, item_id)} for item_id, view in items]
