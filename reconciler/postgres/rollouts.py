"""Keeps which tenant has which revision and how a rollout stands; who moves when is the engine's to decide."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from reconciler.core import conditions
from reconciler.core.errors import Invalid
from reconciler.core.spec import Rollout
from reconciler.core.status import Phase, Reason
from reconciler.ports import RolloutState, RolloutTenant
from reconciler.postgres import claims, queries, records
from reconciler.postgres.adapter import Adapter

SQL = queries.load("rollouts")
Row = dict[str, Any]


class Rollouts(Adapter):
    """The rollout side of the store."""

    async def rollouts(self, now: datetime) -> Sequence[RolloutState]:
        """Read every active rollout with the tenants of its Blueprint, in the order of their numbers."""
        found = []
        async with self.session() as connection:
            for row in await (await connection.execute(SQL["active"])).fetchall():
                key = {"blueprint": row["blueprint"]}
                tenants = await (await connection.execute(SQL["tenants"], key)).fetchall()
                found.append(
                    RolloutState(
                        blueprint=row["blueprint"],
                        revision=row["revision"],
                        policy=self._policy(row),
                        started_at=row["started_at"],
                        tenants=tuple(_tenant(tenant, now) for tenant in tenants),
                    )
                )
        return found

    def _policy(self, row: Row) -> Rollout:
        try:
            return self.reader.blueprint(row["blueprint"], row["document"]).rollout
        except Invalid:
            # A revision that an older version accepted: the default steps; the first tenant's condition tells why.
            return Rollout()

    async def assign(self, names: Sequence[str], revision: int, now: datetime) -> Sequence[str]:
        """Give tenants a revision of their Blueprint and wake them as by a user; answer those that moved."""
        async with self.transaction() as connection:
            rows = await connection.execute(SQL["assign"], {"names": list(names), "revision": revision})
            moved = sorted([row["name"] async for row in rows])
            if moved:
                await connection.execute(claims.SQL["wake"], {"tenants": moved, "wake_class": "user"})
        return moved

    async def stop_rollout(self, blueprint: str, why: str) -> None:
        """Stop an active rollout: nobody moves on, new tenants get the newest revision that was not stopped."""
        async with self.transaction() as connection:
            key: Row = {"blueprint": blueprint, "why": why}
            row = await (await connection.execute(SQL["stop"], key)).fetchone()
            if row is not None:
                await connection.execute(SQL["halt"], key | {"revision": row["revision"], "halted": True})

    async def finish_rollout(self, blueprint: str) -> None:
        """Mark an active rollout as done."""
        async with self.session() as connection:
            await connection.execute(SQL["finish"], {"blueprint": blueprint})


def _tenant(row: Row, now: datetime) -> RolloutTenant:
    pin = {"pin": row.pop("pin")}
    phase, synced, found = row.pop("phase"), row.pop("synced"), row.pop("found")
    pinned = records.pinned_revision(pin, now) is not None
    return RolloutTenant(
        pinned=pinned,
        phase=Phase(phase) if phase else None,
        synced=Reason(synced) if synced else None,
        found_failing=None if found is None else found == conditions.FAILING,
        **row,
    )
