"""Claims, renews and releases tenants, and ends a pass in one fenced transaction; it decides nothing about stacks."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from reconciler.core.errors import StaleLease
from reconciler.core.kinds import BUCKET_LIMITS, Bucket
from reconciler.core.passes import Kept
from reconciler.core.status import Event, Phase, Reason
from reconciler.ports import Backlog, Claim, Demand, Turns, Verdict, WakeClass
from reconciler.postgres import codec, passes, queries
from reconciler.postgres.adapter import Adapter
from reconciler.postgres.pool import Connection

SQL = queries.load("claims")
SECRETS = queries.load("secrets")
KEPT = (Bucket.READ, Bucket.WRITE)
"""What passes of every class share, and the less important leave some of."""
Row = dict[str, object]


async def hold_epoch(connection: Connection, claim: Claim) -> None:
    """Keep the claim ours until the transaction ends, or raise StaleLease."""
    row = await (await connection.execute(SQL["hold_epoch"], {"tenant": claim.tenant, "epoch": claim.epoch})).fetchone()
    if row is None:
        raise StaleLease(f"{claim.tenant}: epoch {claim.epoch} is over, another worker has it or it was released")


def _over(claim: Claim) -> StaleLease:
    return StaleLease(f"{claim.tenant}: epoch {claim.epoch} is over, nothing of this pass was written")


def _released(claim: Claim, verdict: Verdict) -> Row:
    return {
        **{"tenant": claim.tenant, "epoch": claim.epoch, "seen": claim.wake_seq},
        **{"due_at": verdict.due_at, "wake_class": verdict.wake_class, "failed": verdict.failed},
    }


class Claims(Adapter):
    """The queue side of the store."""

    async def claim(
        self, turns: Mapping[WakeClass, Turns], limit: int, owner: str, lease_s: float, now: datetime
    ) -> list[Claim]:
        """Take due tenants by turns, within a class the longest due first; none while the brake is on stop."""
        values: Row = {
            **{"limit": limit, "owner": owner, "lease_s": lease_s, "now": now, "classes": [str(one) for one in turns]},
            # A list of whole and broken numbers has no type for the driver.
            **{"starts": [float(one.starts) for one in turns.values()]},
            **{"steps": [float(one.step) for one in turns.values()]},
            **{"keeps": [float(one.keeps) for one in turns.values()], "workspace": self.workspace},
            **{"buckets": [str(one) for one in KEPT], "limits": [BUCKET_LIMITS[one] for one in KEPT]},
        }
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["claim"], values)).fetchall()
        return [Claim(**(row | {"wake_class": WakeClass(row["wake_class"])})) for row in rows]

    async def renew(self, owner: str, lease_s: float, tenants: Collection[str] | None = None) -> set[str]:
        """Extend this owner's leases of these tenants (of all, without names) and answer the tenants still held."""
        values: Row = {"owner": owner, "lease_s": lease_s, "tenants": None if tenants is None else sorted(tenants)}
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["renew"], values)).fetchall()
        return {row["tenant"] for row in rows}

    async def release_all(self, owner: str) -> None:
        """Give every lease and duty of this owner back, and fence what of it may still be running."""
        async with self.session() as connection:
            await connection.execute(SQL["release_all"], {"owner": owner})
            await connection.execute(SQL["release_duties"], {"owner": owner})

    async def finish(self, claim: Claim, verdict: Verdict, now: datetime) -> None:
        """Write status, events, demand, next wake and what is kept, and release: one transaction WHERE epoch = mine."""
        more = verdict.events or verdict.demand is not None or verdict.purged or verdict.kept is not None
        if verdict.unchanged and not more:
            await self._finish_unchanged(claim, verdict, now)
            return
        async with self.transaction() as connection:
            if verdict.purged:
                # The tenant before its queue row: in the order in which a client's own UPDATE locks them.
                await connection.execute(SQL["bury"], {"tenant": claim.tenant, "now": now})
            await self._release(connection, claim, verdict)
            await self._put_status(connection, claim.tenant, verdict, now)
            await self._put_demand(connection, claim.tenant, verdict.demand)
            await connection.execute(SQL["drop_planned"], {"tenant": claim.tenant})
            if verdict.purged:
                # Nothing wakes a tombstone, and its secrets are gone.
                await connection.execute(SECRETS["forget_tenant"], {"tenant": claim.tenant})
                await connection.execute(SQL["drop_queue"], {"tenant": claim.tenant})
            if verdict.kept is not None:
                await passes.keep(connection, claim, verdict.kept, now, self.passes_max)
            await self._put_events(connection, claim.tenant, verdict.events, now)

    async def declare(self, claim: Claim, demand: Demand) -> None:
        """Enter the create queue, so that others see who is ahead of them before this pass has ended."""
        async with self.transaction() as connection:
            await hold_epoch(connection, claim)
            await self._put_demand(connection, claim.tenant, demand)

    async def give_back(
        self, claim: Claim, due_at: datetime, error: str, now: datetime, kept: Kept | None = None
    ) -> None:
        """End a pass that broke: release, wake again at `due_at`; an `error` counts as one more failure and is told."""
        values: Row = {"tenant": claim.tenant, "epoch": claim.epoch, "seen": claim.wake_seq, "due_at": due_at}
        async with self.transaction() as connection:
            released = await connection.execute(SQL["give_back"], values | {"failed": bool(error)})
            if released.rowcount != 1:
                raise StaleLease(f"{claim.tenant}: epoch {claim.epoch} is over, there is nothing to give back")
            if kept is not None:
                await passes.keep(connection, claim, kept, now, self.passes_max)
            if error:
                event = Event(reason=Reason.FAILED, message=error, warning=True)
                await self._put_events(connection, claim.tenant, [event], now)

    async def _put_events(self, connection: Connection, tenant: str, events: Sequence[Event], now: datetime) -> None:
        """Write events, as the last thing of a transaction: the lock on their ids is held until it ends."""
        if events:
            await connection.execute(SQL["lock_events"])
        for event in events:
            values: Row = {"tenant": tenant, "now": now, "reason": event.reason, "warning": event.warning}
            text = {"component": event.component, "message": codec.storable(event.message)}
            await connection.execute(SQL["put_event"], values | text)

    async def _finish_unchanged(self, claim: Claim, verdict: Verdict, now: datetime) -> None:
        """End a pass that changed nothing, in one statement."""
        async with self.session() as connection:
            done = await connection.execute(SQL["finish_unchanged"], _released(claim, verdict) | {"now": now})
            if await done.fetchone() is None:
                raise _over(claim)

    async def _release(self, connection: Connection, claim: Claim, verdict: Verdict) -> None:
        if (await connection.execute(SQL["release"], _released(claim, verdict))).rowcount != 1:
            raise _over(claim)

    async def _put_status(self, connection: Connection, tenant: str, verdict: Verdict, now: datetime) -> None:
        status = verdict.status
        narrow: Row = {
            **{"tenant": tenant, "now": now, "phase": status.phase, "ready": status.phase is Phase.READY},
            **{"url": status.url or None, "eta": status.eta, "message": codec.storable(status.why) or "accepted"},
            **{"monthly_usd": status.monthly_usd, "observed_generation": status.observed_generation},
            **{"revision": status.revision, "document": Jsonb(codec.encode(status))},
        }
        await connection.execute(SQL["put_status"], narrow)

    async def _put_demand(self, connection: Connection, tenant: str, demand: Demand | None) -> None:
        if demand is None or demand.wanted <= 0:
            await connection.execute(SQL["drop_demand"], {"tenant": tenant})
            return
        await connection.execute(
            SQL["put_demand"],
            {
                **{"tenant": tenant, "wanted": demand.wanted, "ready": min(demand.ready, demand.wanted)},
                **{"started": demand.started, "priority": demand.priority, "since": demand.since},
            },
        )

    async def singleton(self, name: str, owner: str, lease_s: float) -> bool:
        """Hold or renew the lease row of a single-runner duty."""
        async with self.session() as connection:
            values: Row = {"name": name, "owner": owner, "lease_s": lease_s}
            return await (await connection.execute(SQL["singleton"], values)).fetchone() is not None

    async def set_clock(self, now: datetime, speed: float) -> None:
        """Tell the database what time it is in the world, for its triggers; every few real seconds."""
        self.speed = speed
        async with self.session() as connection:
            await connection.execute(SQL["set_clock"], {"now": now, "speed": speed})

    async def backlog(self, now: datetime) -> Backlog:
        """Read the queue's figures, for liveness and metrics."""
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["backlog"], {"now": now})).fetchall()
            unknown = await (await connection.execute(SQL["count_unknown"], {"workspace": self.workspace})).fetchone()
        assert unknown is not None
        due = dict.fromkeys(WakeClass, 0) | {WakeClass(row["wake_class"]): int(row["due"]) for row in rows}
        return Backlog(
            due=due,
            leased=sum(row["leased"] for row in rows),
            oldest_overdue_s=max((row["overdue_s"] or 0.0 for row in rows), default=0.0),
            unknown_operations=unknown["unknown"],
        )
