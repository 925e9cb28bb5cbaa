"""Reads what happened and what it costs for the doors: events, journal, audit, ledger, create queue; writes nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from reconciler.core.errors import Invalid, Problem, shown
from reconciler.core.kinds import BUCKET_LIMITS, Bucket
from reconciler.doors import AuditRow, CostRow, EventRow, QueueRow
from reconciler.ports import Operation
from reconciler.postgres import codec, queries, records, windows
from reconciler.postgres.registry_base import SQL, RegistryPart

LEDGER = queries.load("ledger")
GROUPS = ("tenant", "component", "kind", "blueprint", "tier")
LABEL = "label:"
Row = dict[str, Any]


class RegistryViews(RegistryPart):
    """The reading side of the registry."""

    async def events(self, tenant: str | None, *, after: int = 0, limit: int = 100) -> Sequence[EventRow]:
        """Newest last; `after` an id for watching."""
        name = "events_after" if after else "newest_events"
        asked: Row = {"tenant": tenant and codec.storable(tenant), "after": after, "limit": limit}
        async with self.session() as connection:
            rows = await (await connection.execute(SQL[name], asked)).fetchall()
        return [EventRow(**row) for row in rows]

    async def operations(self, tenant: str, limit: int = 50) -> Sequence[Operation]:
        """The journal of a tenant, newest first."""
        async with self.session() as connection:
            asked: Row = {"tenant": codec.storable(tenant), "limit": limit}
            rows = await (await connection.execute(SQL["operations"], asked)).fetchall()
        return [records.read_operation(row) for row in rows]

    async def audit(self, limit: int = 100, subject: str | None = None) -> Sequence[AuditRow]:
        """The newest audit rows."""
        asked: Row = {"subject": subject and codec.storable(subject), "limit": limit}
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["audits"], asked)).fetchall()
        return [AuditRow(**row) for row in rows]

    async def costs(
        self, by: str, since: datetime, until: datetime, selector: Mapping[str, str] | None = None
    ) -> Sequence[CostRow]:
        """Sum the ledger in [since, until) by `tenant`, `component`, `kind`, `blueprint`, `tier` or `label:KEY`."""
        label = by.removeprefix(LABEL) if by.startswith(LABEL) else ""
        if by not in GROUPS and not label:
            remedy = f"give one of: {', '.join(GROUPS)}, label:KEY"
            raise Invalid([Problem(path="by", message="is not a group", value=shown(by), remedy=remedy)])
        now = self.now()
        asked: Row = {"by": by, "label": codec.storable(label), "since": since, "until": min(until, now)}
        async with self.session() as connection:
            chosen = {"selector": Jsonb(dict(selector or {}))}
            rows = await (await connection.execute(LEDGER["costs"], asked | chosen)).fetchall()
        rest = _rest_of_month(now) if until >= now else Decimal(0)
        return [CostRow(**row, usd_forecast=row["usd"] + row["usd_per_month"] * rest) for row in rows]

    async def queue(self) -> Sequence[QueueRow]:
        """The create queue in its order; every window to come is assumed to be used fully."""
        now = self.now()
        window = windows.window_of(Bucket.CREATE, now)
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["queue"])).fetchall()
            asked = {"window_start": window.start}
            budget = await (await connection.execute(SQL["create_budget"], asked)).fetchone() or {}
        limit = budget.get("limit_seen") or BUCKET_LIMITS[Bucket.CREATE]
        left = max(0, limit - (budget.get("used") or 0))
        found, asked_before = [], 0
        for position, row in enumerate(rows, 1):
            asked_before += row["wanted"]
            later = max(0, -(-(asked_before - left) // limit))
            eta = window.end + timedelta(hours=later - 1) if later else now
            found.append(QueueRow(position=position, eta=eta, **row))
        return found


def _rest_of_month(now: datetime) -> Decimal:
    """Answer the share of the calendar month (UTC) that is still to come."""
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=32)).replace(day=1)
    return Decimal((end - now) // timedelta(microseconds=1)) / Decimal((end - start) // timedelta(microseconds=1))
