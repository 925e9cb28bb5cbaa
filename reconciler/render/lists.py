"""Reads whole lists page by page; it knows how Render pages, and nothing of what is in a list.

A list that cannot be proved complete is Unavailable: what a list lacks may be held to be absent.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from pydantic import BaseModel

from reconciler.core.errors import Refused, Unavailable
from reconciler.render.calls import Calls

PAGE = 100
MICROSECOND = timedelta(microseconds=1)
M = TypeVar("M", bound=BaseModel)
Stamp = Callable[[M], tuple[str, datetime | None]]


class Pages(ABC, Generic[M]):
    """A list read page by page; `next` moves on only when it answers, so a page can be asked for again."""

    @abstractmethod
    async def next(self) -> list[M] | None:
        """Read the next page; None behind the last."""

    async def rest(self) -> list[M]:
        """Read all pages that are left."""
        found: list[M] = []
        while (page := await self.next()) is not None:
            found += page
        return found


class CursorPages(Pages[M]):
    """A list of {key: object, "cursor": ...}, in Render's order (Render API 1.3)."""

    def __init__(
        self, calls: Calls, where: str, key: str, model: type[M], query: Mapping[str, str] | None = None
    ) -> None:
        """Nothing is read yet."""
        self._calls, self._where, self._key, self._model = calls, where, key, model
        self._asked = {**(query or {}), "limit": str(PAGE)}
        self._cursors: set[str] = set()
        self._ended = False

    async def next(self) -> list[M] | None:
        """Read the next page; behind a full one there is always another, if only an empty one."""
        if self._ended:
            return None
        page = await self._read()
        if len(page) < PAGE:
            self._ended = True
        else:
            cursor = page[-1][1]
            if not cursor or cursor in self._cursors:
                raise _endless(self._where)
            self._cursors.add(cursor)
            self._asked["cursor"] = cursor
        return [item for item, _ in page]

    async def _read(self) -> list[tuple[M, str]]:
        """Read one page. Behind a cursor a refusal is the cursor's: it has expired, and the list must be read anew."""
        try:
            return (await self._calls.read(self._where, self._asked)).items(self._model, self._key)
        except Refused as error:
            if "cursor" not in self._asked:
                raise
            message = f"the list {self._where} broke off between two pages: {error.message}"
            raise Unavailable(message, status=error.status, request_id=error.request_id) from error


class TimePages(Pages[M]):
    """A bare list, which has no cursor, paged by the creation time of its last item (Render API 1.3).

    The edge of a page is asked for again, because several objects can bear its time. Lists were seen newest first; an
    oldest-first one is paged the other way.
    """

    def __init__(self, calls: Calls, where: str, model: type[M], stamp: Stamp[M], query: Mapping[str, str]) -> None:
        """`stamp` answers id and creation time of an item."""
        self._calls, self._where, self._model, self._stamp = calls, where, model, stamp
        self._asked = {**query, "limit": str(PAGE)}
        self._seen: set[str] = set()
        self._ended = False

    async def next(self) -> list[M] | None:
        """Read the next page, without what an earlier one had."""
        if self._ended:
            return None
        page = [item for item, _ in (await self._calls.read(self._where, self._asked)).items(self._model)]
        fresh = {id: item for item in page if (id := self._stamp(item)[0]) not in self._seen}
        if len(page) < PAGE:
            self._ended = True
        else:
            self._move_on(page, progress=bool(fresh))
        self._seen |= fresh.keys()
        return list(fresh.values())

    def _move_on(self, page: list[M], *, progress: bool) -> None:
        first, last = self._stamp(page[0])[1], self._stamp(page[-1])[1]
        if first is None or last is None or not progress:
            raise _endless(self._where)
        self._asked.pop("createdBefore", None)
        self._asked.pop("createdAfter", None)
        if last <= first:
            self._asked["createdBefore"] = timestamp(last + MICROSECOND)
        else:
            self._asked["createdAfter"] = timestamp(last - MICROSECOND)


async def by_cursor(
    calls: Calls, where: str, key: str, model: type[M], query: Mapping[str, str] | None = None
) -> list[M]:
    """Read all pages of a list with cursors."""
    return await CursorPages(calls, where, key, model, query).rest()


def unique(items: Iterable[M], id_of: Callable[[M], str]) -> list[M]:
    """Keep the first of each id: an object can slide onto a second page while pages are read."""
    kept: dict[str, M] = {}
    for item in items:
        kept.setdefault(id_of(item), item)
    return list(kept.values())


def timestamp(moment: datetime) -> str:
    """Write a time as the API takes it: RFC 3339, UTC, microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _endless(where: str) -> Unavailable:
    return Unavailable(f"the list {where} cannot be read to its end: Render's pages do not move on")
