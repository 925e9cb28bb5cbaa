"""Keeps the shared picture of Render, writing only what changed, and wakes whom a change concerns; judges nothing."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from reconciler.core.kinds import SERVICES, Kind
from reconciler.core.observed import Observed
from reconciler.postgres import claims, codec, queries
from reconciler.postgres.adapter import Adapter
from reconciler.postgres.pool import Connection

SQL = queries.load("snapshot")
CHUNK = 500
"""Objects a statement."""
UNSTORABLE = "\\u0000"
"""How JSON spells NUL."""
IN_UTC = timedelta(0)
Row = dict[str, Any]


def swept_kinds(kinds: Iterable[Kind]) -> list[str]:
    """Spell out what was swept: the list of services holds all five kinds of them."""
    asked = set(kinds)
    return sorted(kind.value for kind in (asked | SERVICES if asked & SERVICES else asked))


class Snapshot(Adapter):
    """The picture side of the store."""

    latest: datetime = datetime.fromtimestamp(0, UTC)
    """The newest world time seen in an observation; marks proofs that carry none of their own."""

    async def observe(self, observed: Sequence[Observed], now: datetime) -> Sequence[str]:
        """Write changed rows, forget absence of what is there, wake the tenants concerned (class drift); answer them.

        What is as the picture has it, nearly everything, costs one reading statement a chunk and no lock.
        """
        self.latest = max(self.latest, now)
        woken: set[str] = set()
        for chunk in _chunks(observed):
            news = await self._preview(chunk)
            if news.changed or news.missed_before:
                woken |= await self._take_in(chunk, news)
        return sorted(woken)

    async def _preview(self, chunk: Sequence["_Seen"]) -> "_News":
        """Answer the ids that differ from the picture, and those that somebody had missed."""
        values: Row = {"workspace": self.workspace, "seen": _json_of(chunk)}
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["preview"], values)).fetchall()
        return _News(
            changed=[row["id"] for row in rows if row["changed"]],
            missed_before=[row["id"] for row in rows if row["missed_before"]],
        )

    async def _take_in(self, chunk: Sequence["_Seen"], news: "_News") -> set[str]:
        async with self.transaction() as connection:
            # Every transaction locks in this order: queue, inventory, picture. So who is concerned is asked first.
            woken = await self._wake_owners(connection, news.changed, set())
            await connection.execute(SQL["present"], {"workspace": self.workspace, "ids": news.missed_before})
            changed = set(news.changed)
            written = await self._write_chunk(connection, [one for one in chunk if one.id in changed])
            return woken | await self._wake_owners(connection, written, woken)

    async def swept(self, kinds: Sequence[Kind], seen: Sequence[str], started_at: datetime) -> Sequence[str]:
        """End a believed sweep: count absence of what it has not seen, wake whom that concerns; answer them."""
        key: Row = {"workspace": self.workspace, "kinds": swept_kinds(kinds), "started_at": started_at}
        async with self.transaction() as connection:
            missing = await (await connection.execute(SQL["missing"], key | {"ids": list(seen)})).fetchall()
            missed = [row["id"] for row in missing]
            woken = await self._wake_owners(connection, missed, set())
            if missed:
                await connection.execute(SQL["missed"], key | {"missed": missed})
                await connection.execute(SQL["absent"], key | {"missed": missed})
            await connection.execute(SQL["swept"], key)
        return sorted(woken)

    async def _wake_owners(self, connection: Connection, ids: Sequence[str], already: set[str]) -> set[str]:
        """Wake the tenants that own these objects and were not woken yet."""
        if not ids:
            return set()
        asked: Row = {"workspace": self.workspace, "ids": list(ids)}
        owners = {row["tenant"] for row in await (await connection.execute(SQL["owners"], asked)).fetchall()} - already
        if owners:
            await connection.execute(claims.SQL["wake"], {"tenants": sorted(owners), "wake_class": "drift"})
        return owners

    async def write_seen(self, connection: Connection, observed: Sequence[Observed]) -> None:
        """Write what differs, in the order of ids."""
        self.latest = max([self.latest, *(one.seen_at for one in observed)])
        for chunk in _chunks(observed):
            await self._write_chunk(connection, chunk)

    async def _write_chunk(self, connection: Connection, chunk: Sequence["_Seen"]) -> list[str]:
        """Write what differs, and answer the ids written."""
        values: Row = {"workspace": self.workspace, "seen": _json_of(chunk)}
        rows = await (await connection.execute(SQL["write"], values)).fetchall() if chunk else []
        return [row["id"] for row in rows]

    async def swept_at(self, kind: Kind) -> datetime | None:
        """Answer when the last full sweep of a kind began (world)."""
        async with self.session() as connection:
            key: Row = {"workspace": self.workspace, "kind": kind}
            row = await (await connection.execute(SQL["swept_at"], key)).fetchone()
        return row["started_at"] if row else None

    async def sweeps(self) -> Mapping[Kind, datetime]:
        """Answer when the last full sweep of every kind began (world), without those that were never swept."""
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["sweeps"], {"workspace": self.workspace})).fetchall()
        return {Kind(row["kind"]): row["started_at"] for row in rows}

    async def count_snapshot(self, kinds: Sequence[Kind]) -> int:
        """Count the objects of the shared picture that are not known to be gone."""
        async with self.session() as connection:
            key: Row = {"workspace": self.workspace, "kinds": [kind.value for kind in kinds]}
            row = await (await connection.execute(SQL["count"], key)).fetchone()
        assert row is not None
        objects: int = row["objects"]
        return objects


@dataclass(frozen=True, slots=True)
class _Seen:
    """One observation as statements take it: `json` is an object of the columns' values."""

    id: str
    json: str


@dataclass(frozen=True, slots=True)
class _News:
    changed: Sequence[str]
    missed_before: Sequence[str]


def _json_of(chunk: Iterable[_Seen]) -> str:
    """Make one parameter of many rows: an array of documents would be quoted again, character by character."""
    return f"[{','.join(one.json for one in chunk)}]"


def _chunks(observed: Sequence[Observed]) -> Iterator[list[_Seen]]:
    """Make the values of statements, in the order of ids; of two looks at one object the newer counts."""
    newest = {one.id: one for one in sorted(observed, key=lambda one: one.seen_at)}
    ordered = [_Seen(id, _row(newest[id])) for id in sorted(newest)]
    for first in range(0, len(ordered), CHUNK):
        yield ordered[first : first + CHUNK]


def _row(one: Observed) -> str:
    """Write an observation's row as JSON. The time it was seen is a column: a second look at the same is no change."""
    document = {
        **{"id": one.id, "kind": one.kind, "name": one.name, "fields": one.fields, "status": one.status},
        **{"environment_id": one.environment_id, "suspenders": one.suspenders, "attributes": one.attributes},
        **{"created_at": _stamp(one.created_at), "updated_at": _stamp(one.updated_at)},
    }
    row = {
        **{"id": one.id, "kind": one.kind, "name": one.name, "observed": document},
        **{"seen_at": one.seen_at.astimezone(UTC).isoformat()},
    }
    try:
        text = to_json(row).decode()
    except PydanticSerializationError:  # a mapping that is no dict, or half of a surrogate pair
        return json.dumps(codec.encode(row))
    # What PostgreSQL cannot hold is spelt so, and a backslash before u0000, which it can.
    return json.dumps(codec.encode(row)) if UNSTORABLE in text else text


def _stamp(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return (moment if moment.utcoffset() == IN_UTC else moment.astimezone(UTC)).isoformat()
