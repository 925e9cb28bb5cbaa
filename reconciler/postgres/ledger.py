"""Keeps the ledger: one interval of use at one price after another, per object; it knows no price book."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from reconciler.ports import End, Interval
from reconciler.postgres import codec, queries
from reconciler.postgres.adapter import Adapter

SQL = queries.load("ledger")
Row = dict[str, Any]


class Ledger(Adapter):
    """The cost side of the store."""

    async def meter(self, intervals: Sequence[Interval], ended: Mapping[str, End]) -> None:
        """Close and open ledger intervals; `ended` maps resource ids to their end; what ended stays so.

        Written in the order of ids, so that two processes that meter the same objects cannot deadlock.
        """
        opened = {one.resource_id: one for one in sorted(intervals, key=lambda one: one.at)}
        async with self.transaction() as connection:
            for resource_id in sorted({*opened, *ended}):
                key: Row = {"workspace": self.workspace, "resource_id": resource_id}
                if resource_id in ended:
                    end = ended[resource_id]
                    await connection.execute(SQL["end"], key | {"at": end.at, "uncertainty_s": end.uncertainty_s})
                if resource_id in opened:
                    values = key | _values(opened[resource_id])
                    await connection.execute(SQL["close_changed"], values)
                    await connection.execute(SQL["open"], values)


def _values(one: Interval) -> Row:
    return {
        **{"tenant": one.tenant, "component": one.component, "at": one.at, "uncertainty_s": one.uncertainty_s},
        **{"facts": Jsonb(codec.encode(one.facts)), "usd_per_month": one.usd_per_month, "book": one.book},
    }
