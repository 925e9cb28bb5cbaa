"""Decides which columns people see of each sort of record, and in which words; it fetches nothing."""

from collections.abc import Sequence
from datetime import datetime

from reconciler.api import views
from reconciler.cli import text
from reconciler.cli.output import Column, Listing
from reconciler.doors import (
    ApiKey,
    AuditRow,
    BlueprintRow,
    CostRow,
    EventRow,
    OrphanRow,
    QueueRow,
    Rejection,
    TenantRow,
)
from reconciler.ports import Operation

PHASE_STYLES = {
    "Ready": "green",
    "Provisioning": "cyan",
    "Updating": "cyan",
    "Pending": "cyan",
    "Degraded": "bold red",
    "Invalid": "red",
    "Blocked": "yellow",
    "Suspended": "dim",
    "Suspending": "dim",
    "Deleting": "magenta",
    "Deleted": "dim",
}
TENANT_COLUMNS = (
    Column("TENANT"),
    Column("BLUEPRINT"),
    Column("TIER"),
    Column("PHASE"),
    Column("UP", right=True),
    Column("$/MONTH", right=True),
    Column("REGION", wide=True),
    Column("STATE", wide=True),
    Column("GENERATION", wide=True, right=True),
    Column("OVERRIDES", wide=True, right=True),
    Column("AGE", wide=True, right=True),
    Column("EXTERNAL-ID", wide=True),
    Column("WHY"),
)
_PHASE_PLACE = 3


def tenants(
    rows: Sequence[TenantRow], rejections: Sequence[Rejection], now: datetime, *, single: bool = False
) -> Listing:
    """List tenants, and the documents that were refused as rows of their own."""
    cells = [_tenant_cells(row, now) for row in rows] + [_rejected_cells(row) for row in rejections]
    return Listing(
        what="tenants",
        columns=TENANT_COLUMNS,
        rows=cells,
        documents=[views.tenant(row) for row in rows] + [views.rejection(row) for row in rejections],
        names=[f"tenant/{row.name}" for row in rows],
        single=single,
        styles={
            (place, _PHASE_PLACE): PHASE_STYLES[row[_PHASE_PLACE]]
            for place, row in enumerate(cells)
            if row[_PHASE_PLACE] in PHASE_STYLES
        },
    )


def _tenant_cells(row: TenantRow, now: datetime) -> list[str]:
    said = row.status
    revision = said.revision if said is not None and said.revision else row.revision
    overrides = row.details.get("overrides")
    return [
        row.name,
        f"{row.blueprint} r{revision}" if revision else row.blueprint,
        row.tier or text.NOTHING,
        views.phase(row),
        f"{said.up}/{said.total}" if said is not None else text.NOTHING,
        monthly(row),
        row.region or text.NOTHING,
        row.state,
        str(row.generation),
        str(len(overrides)) if isinstance(overrides, dict) else "0",
        text.age(row.created_at, now),
        row.external_id or text.NOTHING,
        why(row),
    ]


def monthly(row: TenantRow) -> str:
    """Say what a running tenant costs a month once it stands as its spec says, and any other what it costs now."""
    if row.status is None:
        return text.NOTHING
    desired = row.status.monthly_usd_desired if row.state == "running" else None
    return text.money(row.status.monthly_usd if desired is None else desired)


def why(row: TenantRow) -> str:
    """Say in one line why the tenant stands as it does."""
    if row.purged:
        return "purged; the row stays so that a late retry does not bring it back"
    if row.status is None:
        return "accepted; not looked at yet"
    if not row.fresh:
        return f"generation {row.generation} accepted; the newest status speaks of {row.status.observed_generation}"
    return row.status.why or row.status.url or text.NOTHING


def _rejected_cells(row: Rejection) -> list[str]:
    cells = [text.NOTHING] * len(TENANT_COLUMNS)
    cells[0] = row.name if row.kind.lower() == "tenant" else f"{row.kind.lower()}/{row.name}"
    cells[_PHASE_PLACE] = "Invalid"
    cells[-1] = "; ".join(row.message.splitlines())
    return cells


def blueprints(rows: Sequence[BlueprintRow], now: datetime, *, single: bool = False) -> Listing:
    """List Blueprints with their newest revision and its rollout."""
    return Listing(
        what="blueprints",
        columns=(
            Column("BLUEPRINT"),
            Column("REVISION", right=True),
            Column("TENANTS", right=True),
            Column("TIERS"),
            Column("AGE", right=True),
            Column("BY", wide=True),
            Column("ROLLOUT"),
        ),
        rows=[
            [
                row.name,
                f"r{row.revision}",
                str(row.tenants),
                ", ".join(_names_of(row, "tiers")) or text.NOTHING,
                text.age(row.created_at, now),
                row.created_by,
                row.rollout or text.NOTHING,
            ]
            for row in rows
        ],
        documents=[views.blueprint(row) for row in rows],
        names=[f"blueprint/{row.name}" for row in rows],
        single=single,
    )


def _names_of(row: BlueprintRow, field: str) -> list[str]:
    found = row.document.get(field)
    return list(found) if isinstance(found, dict) else []


def queue(rows: Sequence[QueueRow], now: datetime) -> Listing:
    """List the create queue in its order."""
    return Listing(
        what="tenants waiting for creates",
        columns=(
            Column("POSITION", right=True),
            Column("TENANT"),
            Column("CREATES", right=True),
            Column("STACK"),
            Column("PRIORITY", right=True),
            Column("WAITS", right=True),
            Column("ABOUT"),
        ),
        rows=[
            [
                str(row.position),
                row.tenant,
                str(row.wanted),
                "started" if row.started else "new",
                str(row.priority),
                text.age(row.since, now),
                text.NOTHING if row.eta is None else text.about(row.eta, now),
            ]
            for row in rows
        ],
        documents=[views.queue(row) for row in rows],
        names=[f"tenant/{row.tenant}" for row in rows],
    )


def orphans(rows: Sequence[OrphanRow], now: datetime) -> Listing:
    """List what nobody owns."""
    return Listing(
        what="orphans",
        columns=(
            Column("ID"),
            Column("KIND"),
            Column("NAME"),
            Column("PROJECT"),
            Column("$/MONTH", right=True),
            Column("AGE", right=True),
            Column("DATA"),
            Column("WHY"),
        ),
        rows=[
            [
                row.id,
                row.kind,
                row.name,
                row.project or text.NOTHING,
                text.money(row.usd_per_month),
                text.NOTHING if row.created_at is None else text.age(row.created_at, now),
                "yes" if row.bears_data else "no",
                row.why,
            ]
            for row in rows
        ],
        documents=[views.orphan(row) for row in rows],
        names=[f"orphan/{row.id}" for row in rows],
    )


EVENT_COLUMNS = (
    Column("TIME"),
    Column("TENANT"),
    Column("REASON"),
    Column("COMPONENT", wide=True),
    Column("COUNT", wide=True, right=True),
    Column("MESSAGE"),
)


def events(rows: Sequence[EventRow], now: datetime) -> Listing:
    """List events, newest last."""
    return Listing(
        what="events",
        columns=EVENT_COLUMNS,
        rows=[event_cells(row, now) for row in rows],
        documents=[views.event(row) for row in rows],
        names=[f"event/{row.id}" for row in rows],
        styles={(place, 2): "yellow" for place, row in enumerate(rows) if row.warning},
    )


def event_cells(row: EventRow, now: datetime) -> list[str]:
    """Write one event as a row."""
    return [
        text.at(row.last_at, now),
        row.tenant,
        row.reason,
        row.component or text.NOTHING,
        str(row.count),
        event_message(row, now),
    ]


def event_message(row: EventRow, now: datetime) -> str:
    """Write an event's message with how often and since when it happened."""
    often = f" (x{row.count}, first {text.at(row.first_at, now)})" if row.count > 1 else ""
    return f"{row.message}{often}"


def keys(rows: Sequence[ApiKey], now: datetime) -> Listing:
    """List API keys, revoked ones too."""
    return Listing(
        what="keys",
        columns=(Column("KEY"), Column("ID"), Column("SCOPES"), Column("AGE", right=True), Column("REVOKED")),
        rows=[
            [
                row.name,
                row.id,
                ", ".join(sorted(row.scopes)),
                text.age(row.created_at, now),
                text.NOTHING if row.revoked_at is None else f"{text.age(row.revoked_at, now)} ago",
            ]
            for row in rows
        ],
        documents=[views.key(row) for row in rows],
        names=[f"key/{row.name}" for row in rows],
    )


def operations(rows: Sequence[Operation], now: datetime) -> Listing:
    """List the journal of a tenant."""
    return Listing(
        what="operations",
        columns=(
            Column("ID", right=True),
            Column("SENT"),
            Column("STATE"),
            Column("VERB"),
            Column("COMPONENT"),
            Column("NAME"),
            Column("LIVE-ID", wide=True),
            Column("LOOKS", wide=True, right=True),
            Column("SUMMARY"),
        ),
        rows=[
            [
                str(row.id),
                text.at(row.sent_at, now),
                row.state.value,
                row.verb,
                row.component,
                row.name,
                row.live_id or text.NOTHING,
                str(row.looks),
                row.summary or text.NOTHING,
            ]
            for row in rows
        ],
        documents=[views.operation(row) for row in rows],
        names=[f"operation/{row.id}" for row in rows],
    )


def costs(rows: Sequence[CostRow], by: str) -> Listing:
    """List costs by group, unknown prices said and never counted as nothing."""
    return Listing(
        what="costs",
        columns=(
            Column(by.upper()),
            Column("USD", right=True),
            Column("$/MONTH", right=True),
            Column("FORECAST", right=True),
            Column("UNKNOWN", right=True),
            Column("UNCERTAINTY", wide=True, right=True),
        ),
        rows=[
            [
                row.key or text.NOTHING,
                text.money(row.usd),
                text.money(row.usd_per_month),
                text.money(row.usd_forecast),
                str(row.unknown),
                text.duration(row.uncertainty_s),
            ]
            for row in rows
        ],
        documents=[views.cost(row) for row in rows],
        names=[row.key for row in rows],
    )


def audit(rows: Sequence[AuditRow], now: datetime) -> Listing:
    """List the audit log."""
    return Listing(
        what="changes",
        columns=(
            Column("TIME"),
            Column("WHO"),
            Column("VIA"),
            Column("ACTION"),
            Column("SUBJECT"),
            Column("DETAIL"),
        ),
        rows=[
            [
                text.at(row.at, now),
                row.actor,
                row.via,
                row.action,
                row.subject,
                row.detail or text.NOTHING,
            ]
            for row in rows
        ],
        documents=[views.audit(row) for row in rows],
        names=[row.subject for row in rows],
    )
