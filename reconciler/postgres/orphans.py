"""Reads which objects of the shared picture nobody owns although they carry our marks; it judges by the core's word."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from reconciler.core.adoption import orphans
from reconciler.core.adoption.orphans import Home, Marks, Orphan
from reconciler.core.errors import Invalid
from reconciler.ports import SpecReader
from reconciler.postgres import queries
from reconciler.postgres.adapter import Adapter
from reconciler.postgres.pool import Connection
from reconciler.postgres.records import read_observed

SQL = queries.load("orphans")
Row = dict[str, Any]


async def marks(connection: Connection, reader: SpecReader) -> list[Marks]:
    """Answer how the objects of every Blueprint are named; one that cannot be read any more names nothing."""
    rows = await (await connection.execute(SQL["blueprints"])).fetchall()
    found: list[Marks] = []
    for row in rows:
        try:
            each = orphans.marks_of(reader.blueprint(row["name"], row["document"]))
        except Invalid:
            continue
        found += [each] if each is not None else []
    return found


async def names(connection: Connection) -> tuple[frozenset[str], frozenset[str]]:
    """Answer the names of tenants that have a record, and of those that are purged."""
    rows = await (await connection.execute(SQL["tenants"])).fetchall()
    known = frozenset(row["name"] for row in rows if not row["purged"])
    return known, frozenset(row["name"] for row in rows) - known


async def find(connection: Connection, reader: SpecReader) -> tuple[Orphan, ...]:
    """Answer every object of the picture that carries our marks and is nobody's."""
    rows = await (await connection.execute(SQL["strangers"])).fetchall()
    if not rows:
        return ()
    homes = {
        row["environment"]: Home(project=row["project"] or "", tenant=row["tenant"] or "")
        for row in rows
        if row["environment"] is not None
    }
    known, purged = await names(connection)
    strangers = [read_observed(row["observed"], row["seen_at"]) for row in rows]
    return orphans.find(strangers, homes, await marks(connection, reader), known, purged)


class Orphans(Adapter):
    """The store's view of what nobody owns, and of how old the database itself is."""

    async def told_at(self) -> datetime | None:
        """Answer the newest world time that anybody told this database, None if nobody ever did."""
        async with self.session() as connection:
            row = await (await connection.execute(SQL["told_at"])).fetchone()
        return row["world_at"] if row is not None else None

    async def newcomers(self, since: datetime) -> Sequence[Orphan]:
        """Answer orphans made since a time, without those whose create is still on our own books."""
        async with self.session() as connection:
            found = await find(connection, self.reader)
            rows = await (await connection.execute(SQL["open_names"])).fetchall()
        ours = {(row["kind"], row["name"]) for row in rows}
        return [
            one
            for one in found
            if one.observed.created_at is not None
            and one.observed.created_at > since
            and (one.observed.kind, one.observed.name) not in ours
        ]

    async def forget_orphan(self, id: str, now: datetime) -> None:
        """Take an object that was deleted out of the picture."""
        async with self.session() as connection:
            await connection.execute(SQL["mark_deleted"], {"workspace": self.workspace, "id": id, "now": now})

    async def orphans_deleted(self, since: datetime) -> int:
        """Count the orphans that people had deleted since a world time."""
        async with self.session() as connection:
            row = await (await connection.execute(SQL["deleted_since"], {"since": since})).fetchone()
        assert row is not None, "a count always has a row"
        return int(row["deleted"])

    async def vanished(self) -> Sequence[str]:
        """Name the tenants of whose stack nothing at all was found by the newest sweep."""
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["vanished"], {"workspace": self.workspace})).fetchall()
        return [row["tenant"] for row in rows]
