"""Keeps the shared picture of Render, writing only what changed, and wakes whom a change concerns; judges nothing."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from reconciler.core.kinds import SERVICES, Kind
from reconciler.core.observed import Observed
from reconciler.postgres import claims, codec, queries
from reconciler.postgres.adapter import Adapter
from reconciler.postgres.pool import Connection

SQL = queries.load("snapshot")
CHUNK = 500
"""Objects a statement."""
Row = dict[str, Any]


def swept_kinds(kinds: Iterable[Kind]) -> list[str]:
    """Spell out what was swept: the list of services holds all five kinds of them."""
    asked = set(kinds)
    return sorted(kind.value for kind in (asked | SERVICES if asked & SERVICES else asked))


class Snapshot(Adapter):
    """The picture side of the store."""

    latest: datetime = datetime.fromtimestamp(0, UTC)
    """The newest world time seen in an observation; marks proofs that carry none of their own."""

    async def observe(
        self, observed: Sequence[Observed], swept: Sequence[Kind], started_at: datetime, now: datetime
    ) -> Sequence[str]:
        """Write changed rows, count absence for swept kinds, wake the tenants concerned (class drift); answer them."""
        self.latest = max(self.latest, now)
        key: Row = {"workspace": self.workspace, "ids": [one.id for one in observed]}
        sweep: Row = key | {"kinds": swept_kinds(swept), "started_at": started_at}
        async with self.transaction() as connection:
            # Every transaction locks in this order: queue, inventory, picture. So who is concerned is asked first.
            missing = await (await connection.execute(SQL["missing"], sweep)).fetchall() if swept else []
            missed = [row["id"] for row in missing]
            woken = await self._wake_owners(connection, [*await self._preview(connection, observed), *missed], set())
            await connection.execute(SQL["present"], key)
            await connection.execute(SQL["missed"], key | {"missed": missed})
            written = await self._write(connection, observed)
            if swept:
                await connection.execute(SQL["absent"], sweep | {"missed": missed})
                await connection.execute(SQL["swept"], sweep)
            woken |= await self._wake_owners(connection, written, woken)
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

    async def _preview(self, connection: Connection, observed: Sequence[Observed]) -> list[str]:
        """Answer the ids that `_write` would write."""
        found: list[str] = []
        for values in _chunks(observed, self.workspace):
            rows = await (await connection.execute(SQL["preview"], values)).fetchall()
            found += [row["id"] for row in rows]
        return found

    async def _write(self, connection: Connection, observed: Sequence[Observed]) -> list[str]:
        """Write what differs, in the order of ids; answer the ids written."""
        self.latest = max([self.latest, *(one.seen_at for one in observed)])
        written: list[str] = []
        for values in _chunks(observed, self.workspace):
            rows = await (await connection.execute(SQL["write"], values)).fetchall()
            written += [row["id"] for row in rows]
        return written

    async def swept_at(self, kind: Kind) -> datetime | None:
        """Answer when the last full sweep of a kind began (world)."""
        async with self.session() as connection:
            key: Row = {"workspace": self.workspace, "kind": kind}
            row = await (await connection.execute(SQL["swept_at"], key)).fetchone()
        return row["started_at"] if row else None

    async def count_snapshot(self, kinds: Sequence[Kind]) -> int:
        """Count the objects of the shared picture that are not known to be gone."""
        async with self.session() as connection:
            key: Row = {"workspace": self.workspace, "kinds": [kind.value for kind in kinds]}
            row = await (await connection.execute(SQL["count"], key)).fetchone()
        assert row is not None
        objects: int = row["objects"]
        return objects


def _chunks(observed: Sequence[Observed], workspace: str) -> Iterator[Row]:
    """Make the values of statements, in the order of ids; of two looks at one object the newer counts."""
    newest = {one.id: one for one in sorted(observed, key=lambda one: one.seen_at)}
    ordered = [newest[id] for id in sorted(newest)]
    for first in range(0, len(ordered), CHUNK):
        part = ordered[first : first + CHUNK]
        yield {
            **{"workspace": workspace, "ids": [one.id for one in part], "kinds": [one.kind.value for one in part]},
            **{"names": [codec.storable(one.name) for one in part], "seen_at": [one.seen_at for one in part]},
            **{"observed": [Jsonb(_document(one)) for one in part]},
        }


def _document(one: Observed) -> Any:  # noqa: ANN401 - JSON
    """The time it was seen is a column: a second look at the same thing is no change."""
    document = codec.encode(one)
    assert isinstance(document, dict)
    del document["seen_at"]
    return document
