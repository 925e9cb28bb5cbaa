"""Keeps the journal of effects and the inventory they change; it decides nothing about what to send or to believe."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from reconciler.core.actions import Action, Verb
from reconciler.core.errors import NotFound, StaleLease
from reconciler.core.inventory import Owned
from reconciler.core.kinds import Bucket
from reconciler.core.status import Reason
from reconciler.ports import Claim, OperationState, Settlement
from reconciler.postgres import claims, codec, passes, queries, windows
from reconciler.postgres.budgets import Budgets
from reconciler.postgres.pool import Connection
from reconciler.postgres.snapshot import Snapshot

SQL = queries.load("journal")
BUDGETS = queries.load("budgets")
OPEN = frozenset({OperationState.PLANNED, OperationState.SENT, OperationState.UNKNOWN})
TRIMS = ("trim_operations", "trim_refusals", "trim_snapshot", "trim_budget", "trim_idempotency")
SUMMARY_MAX = 500
CLIENT_ERROR, SERVER_ERROR = 400, 500
Row = dict[str, Any]


class Journal(Budgets, Snapshot):
    """The journal side of the store."""

    async def open_operation(self, claim: Claim, action: Action, request_hash: str, now: datetime) -> int:
        """Journal an effect as planned and answer its id; StaleLease when the epoch moved or one is in flight."""
        environment_id = action.payload.get("environmentId")
        values: Row = {
            **{"workspace": self.workspace, "tenant": claim.tenant, "component": action.component, "now": now},
            **{"verb": action.verb, "kind": action.kind, "name": action.name, "live_id": action.id},
            **{"environment_id": environment_id if isinstance(environment_id, str) else "", "epoch": claim.epoch},
            **{"request_hash": request_hash, "bucket": action.bucket, "summary": summary_of(action)},
        }
        async with self.session() as connection:
            row = await (await connection.execute(SQL["open"], values)).fetchone()
            if row is None:
                await claims.hold_epoch(connection, claim)
        if row is None:
            raise StaleLease(f"{claim.tenant}: an effect on {action.component} is under way, settle it first")
        identity: int = row["id"]
        return identity

    async def settle_operation(
        self, claim: Claim | None, operation: int, settlement: Settlement, now: datetime
    ) -> None:
        """Write an outcome, conditional on the operation's id alone: a fact is true whoever holds the lease.

        A success is never undone nor told twice: its object may have come and gone since. What is settled becomes
        unknown no more; a late success wins over a verdict.
        """
        async with self.transaction() as connection:
            row = await (await connection.execute(SQL["lock"], {"id": operation})).fetchone()
            if row is None:
                raise NotFound(f"there is no operation {operation}")
            before = OperationState(row["state"])
            if before is OperationState.SUCCEEDED:
                return
            if before not in OPEN and settlement.state in OPEN:
                return
            await self._close(connection, operation, row, settlement, now)
            await self._learn_from(connection, row, settlement)
            if row["broken"] and before is not OperationState.UNKNOWN and _answered(settlement):
                await connection.execute(BUDGETS["mend"], {"workspace": self.workspace, "bucket": row["bucket"]})
            makes = row["verb"] == Verb.CREATE
            await self._apply(connection, row["tenant"], settlement, now, makes=makes)

    async def _close(
        self, connection: Connection, operation: int, row: Row, settlement: Settlement, now: datetime
    ) -> None:
        limits = settlement.limits
        window = windows.window_of(Bucket(row["bucket"]), limits.date).start if limits and row["bucket"] else None
        words: Row = {"message": codec.storable(settlement.message), "status": settlement.status, "now": now}
        outcome: Row = {"id": operation, "state": settlement.state, "open": settlement.state in OPEN}
        await connection.execute(SQL["settle"], words | outcome | {"window_start": window})
        if settlement.state is OperationState.REFUSED:
            await connection.execute(SQL["refuse"], row | words)

    async def _learn_from(self, connection: Connection, row: Row, settlement: Settlement) -> None:
        if settlement.limits is not None and row["bucket"]:
            await self._believe(connection, Bucket(row["bucket"]), row["live_id"], settlement.limits)

    async def _apply(
        self, connection: Connection, tenant: str, settlement: Settlement, now: datetime, *, makes: bool
    ) -> None:
        """Change inventory and picture: what leaves goes first, so that a replaced object makes room.

        Only what `makes` objects adds rows: any other effect may be answered after its object was proved gone.
        """
        key: Row = {"workspace": self.workspace, "tenant": tenant, "now": now}
        ids: Row = key | {"ids": sorted(settlement.forgotten)}
        if settlement.forgotten:
            await connection.execute(SQL["forget"], ids)
        for one in sorted(settlement.owned, key=lambda one: one.id):
            if makes:
                await self._own(connection, key, one)
            else:
                await connection.execute(SQL["change_owned"], key | _values(one))
        if settlement.forgotten:
            await connection.execute(SQL["mark_gone"], ids)
        seen = [one.observed for one in settlement.owned if one.observed is not None]
        await self.write_seen(connection, [*seen, *settlement.observed])

    async def put_owned(self, connection: Connection, key: Row, one: Owned) -> str | None:
        """Write one inventory row; answers what stands in its place where that is another, and writes nothing then."""
        values: Row = key | _values(one)
        holder = await (await connection.execute(SQL["holder"], values)).fetchone()
        if holder is None:
            await connection.execute(SQL["put_owned"], values)
            return None
        return f"{holder['tenant']}/{holder['component']} has {holder['id']}"

    async def _own(self, connection: Connection, key: Row, one: Owned) -> None:
        """Write one row; two objects for one place, or one for two, are kept as they were, and a person is told."""
        held = await self.put_owned(connection, key, one)
        if held is None:
            return
        message = f"{one.id} appeared for {one.component} while {held}: delete one of them at Render"
        await connection.execute(claims.SQL["lock_events"])
        event: Row = {"reason": Reason.DUPLICATE, "component": one.component, "message": message, "warning": True}
        await connection.execute(claims.SQL["put_event"], key | event)

    async def look_operation(self, operation: int, now: datetime) -> int:
        """Count one more agreeing look that did not find an unknown create; answer the count."""
        async with self.session() as connection:
            row = await (await connection.execute(SQL["look"], {"id": operation, "now": now})).fetchone()
        if row is None:
            raise NotFound(f"operation {operation} is not open")
        looks: int = row["looks"]
        return looks

    async def save_owned(self, claim: Claim, owned: Sequence[Owned], forgotten: Sequence[str] = ()) -> None:
        """Write inventory knowledge gained without an effect; StaleLease when the epoch moved."""
        async with self.transaction() as connection:
            await claims.hold_epoch(connection, claim)
            stamps = [one.observed.seen_at for one in owned if one.observed is not None]
            learned = Settlement(state=OperationState.SUCCEEDED, owned=owned, forgotten=forgotten)
            # Another replica may have told the time; this one may have seen a newer answer since.
            at = max(stamps) if stamps else max(self.latest, await _now(connection))
            await self._apply(connection, claim.tenant, learned, at, makes=True)

    async def count_recent(self, verbs: Sequence[str], since: datetime) -> int:
        """Count journal rows of these verbs sent since a world time, over all tenants (for guards)."""
        values: Row = {"workspace": self.workspace, "verbs": [str(verb) for verb in verbs], "since": since}
        async with self.session() as connection:
            row = await (await connection.execute(SQL["count_recent"], values)).fetchone()
        assert row is not None
        sent: int = row["sent"]
        return sent

    async def trim(self, now: datetime) -> int:
        """Delete what is past its keeping (journal rows, refusals, answers, passes, idle budgets); answer how many."""
        count = 0
        async with self.session() as connection:
            for name in TRIMS:
                count += (await connection.execute(SQL[name], {"now": now})).rowcount
            old = {"now": now, "keep_s": self.passes_s}
            count += (await connection.execute(passes.SQL["trim"], old)).rowcount
        return count


def _answered(settlement: Settlement) -> bool:
    """Say whether an outcome shows that Render works: any answer of its own but a failure."""
    done = settlement.state in (OperationState.SUCCEEDED, OperationState.REFUSED)
    return done or CLIENT_ERROR <= settlement.status < SERVER_ERROR


def _values(one: Owned) -> Row:
    return {
        **{"id": one.id, "component": one.component, "kind": one.kind, "name": one.name, "since": one.since},
        **{"known": Jsonb(codec.encode(one.known)), "absent_looks": one.absent_looks, "created_at": one.created_at},
    }


async def _now(connection: Connection) -> datetime:
    """Read the world's time as it was told to the database, for a proof that carries none of its own."""
    row = await (await connection.execute(SQL["world_now"])).fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now


def summary_of(action: Action) -> str:
    """Say in a line what the effect is, without a secret: fields by name, from and to."""
    changes = ", ".join(f"{one.field} {one.before} -> {one.after}" for one in action.changes)
    text = changes or action.reason or f"{action.verb} {action.name}"
    return codec.storable(text)[:SUMMARY_MAX]
