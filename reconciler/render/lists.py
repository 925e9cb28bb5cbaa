"""Reads whole lists page by page; it knows how Render pages, and nothing of what is in a list.

A list that cannot be proved complete is Unavailable: what a list lacks may be held to be absent.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pydantic import BaseModel

from reconciler.core.errors import Refused, Unavailable
from reconciler.render.calls import Calls

PAGE = 100
MICROSECOND = timedelta(microseconds=1)
M = TypeVar("M", bound=BaseModel)


async def by_cursor(
    calls: Calls, where: str, key: str, model: type[M], query: Mapping[str, str] | None = None
) -> list[M]:
    """Read all pages of a list of {key: object, "cursor": ...}, in Render's order (Render API 1.3)."""
    asked = {**(query or {}), "limit": str(PAGE)}
    found: list[M] = []
    cursors: set[str] = set()
    while True:
        page = await _page(calls, where, asked, model, key)
        found.extend(item for item, _ in page)
        if len(page) < PAGE:
            return found
        cursor = page[-1][1]
        if not cursor or cursor in cursors:
            raise _endless(where)
        cursors.add(cursor)
        asked["cursor"] = cursor


async def _page(calls: Calls, where: str, asked: Mapping[str, str], model: type[M], key: str) -> list[tuple[M, str]]:
    """Read one page. Behind a cursor a refusal is the cursor's: it has expired, and the list must be read anew."""
    try:
        return (await calls.read(where, asked)).items(model, key)
    except Refused as error:
        if "cursor" not in asked:
            raise
        message = f"the list {where} broke off between two pages: {error.message}"
        raise Unavailable(message, status=error.status, request_id=error.request_id) from error


async def by_time(
    calls: Calls,
    where: str,
    model: type[M],
    stamp: Callable[[M], tuple[str, datetime | None]],
    query: Mapping[str, str],
) -> list[M]:
    """Read all pages of a bare list, which has no cursor, by the creation time of its last item (Render API 1.3).

    `stamp` answers id and creation time. The edge of a page is asked for again, because several objects can bear
    its time. Lists were seen newest first; an oldest-first one is paged the other way.
    """
    asked = {**query, "limit": str(PAGE)}
    found: dict[str, M] = {}
    while True:
        page = [item for item, _ in (await calls.read(where, asked)).items(model)]
        before = len(found)
        found.update((stamp(item)[0], item) for item in page)
        if len(page) < PAGE:
            return list(found.values())
        first, last = stamp(page[0])[1], stamp(page[-1])[1]
        if first is None or last is None or len(found) == before:
            raise _endless(where)
        asked.pop("createdBefore", None)
        asked.pop("createdAfter", None)
        if last <= first:
            asked["createdBefore"] = timestamp(last + MICROSECOND)
        else:
            asked["createdAfter"] = timestamp(last - MICROSECOND)


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
