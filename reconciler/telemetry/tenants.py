"""Renders the eight series a tenant, and the fleet's sums, from the records; it knows no engine and no Render.

prometheus-client needs most of a second of the interpreter for ten thousand tenants, so these lines are made here:
a tenant's lines are kept until one of its figures changes, the page is put together off the event loop, and a
scrape only hands out the last page.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from reconciler import doors
from reconciler.core.conditions import NOTHING_TO_DO
from reconciler.core.status import ConditionType, Phase, Status
from reconciler.ports import Clock
from reconciler.telemetry.calm import Calm
from reconciler.telemetry.metrics import Metrics

PAGE_TENANTS = 1000
STALLED = frozenset({Phase.BLOCKED, Phase.INVALID})


class PerTenant(StrEnum):
    """Whose series are exported: everybody's, those of tenants that are not Ready, or nobody's."""

    ALL = "all"
    PROBLEM = "problem"
    NONE = "none"


FAMILIES: tuple[tuple[str, str], ...] = (
    ("info", "What a tenant is; always 1."),
    ("ready", "1 when the tenant is Ready at its present generation."),
    ("stalled", "1 when the tenant waits for a person."),
    ("drifted", "1 when something differs that no spec asked for."),
    ("metadata_generation", "Edits of the tenant's spec."),
    ("status_observed_generation", "The generation its status speaks of; 0 before the first pass."),
    ("last_reconcile_timestamp_seconds", "When its last pass ended, world time; 0 before the first."),
    ("month_to_date_cost", "US dollars since the first of the month, UTC."),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the eight lines are made of; equal figures give equal lines."""

    labels: tuple[str, str, str, str, str]
    ready: bool
    stalled: bool
    drifted: bool
    generation: int
    observed_generation: int
    reconciled_at: float
    cost: Decimal = Decimal(0)


class Fleet(Protocol):
    """What the series read of the records."""

    async def versions(self) -> Mapping[str, str]:
        """Answer a text for every tenant that is not purged, another one whenever its row or its status was written."""

    async def list_tenants(self, *, names: Sequence[str], limit: int) -> doors.TenantPage:
        """Read tenants by name."""

    async def costs(self, by: str, since: datetime, until: datetime) -> Sequence[doors.CostRow]:
        """Sum the ledger."""


@dataclass(frozen=True, slots=True)
class _Tenant:
    """What is kept of a tenant between refreshes; `version` says of which of its rows that is true."""

    version: str
    figures: Figures
    shown: bool
    phase: Phase
    desired: Decimal
    observed: Decimal
    unknown_prices: int


class TenantSeries:
    """Keeps the last page of per-tenant lines; `refresh` makes the next one, `page` hands out the last.

    Only tenants whose rows were written since are read again: of a fleet at rest the few that had a pass. What is kept
    goes with its tenant. Sums of the ledger are read as often as their cost allows.
    """

    def __init__(self, fleet: Fleet, clock: Clock, metrics: Metrics, mode: PerTenant) -> None:
        """Read from these records; sums go to `metrics`, and so does the page, as part of its exposition."""
        self._fleet = fleet
        self._clock = clock
        self._metrics = metrics
        self._mode = mode
        self._tenants: dict[str, _Tenant] = {}
        self._costs: Mapping[str, Decimal] = {}
        self._costs_calm = Calm()
        self._lines: dict[str, tuple[Figures, tuple[bytes, ...]]] = {}
        self._page = b""
        metrics.attach(self.page)

    def page(self) -> bytes:
        """Answer the text exposition of the last refresh; empty before the first one and in mode `none`."""
        return self._page

    async def refresh(self) -> None:
        """Read what changed and this month's ledger, set the fleet's sums, and put the next page together."""
        await self._read()
        self._sum()
        shown = [one for one in self._tenants.values() if one.shown]
        self._metrics.tenant_series_truncated.set(len(self._tenants) - len(shown))
        if shown and self._costs_calm.due:
            with self._costs_calm.measured():
                self._costs = await self._read_costs()
        self._page = await asyncio.to_thread(self._render, shown)

    async def _read(self) -> None:
        versions = await self._fleet.versions()
        known = self._tenants
        stale = [name for name, version in versions.items() if name not in known or known[name].version != version]
        fresh: dict[str, _Tenant] = {}
        for first in range(0, len(stale), PAGE_TENANTS):
            names = stale[first : first + PAGE_TENANTS]
            page = await self._fleet.list_tenants(names=names, limit=len(names))
            fresh |= {row.name: self._kept(row, versions[row.name]) for row in page.rows}
        self._tenants = {name: found for name in versions if (found := fresh.get(name) or known.get(name)) is not None}

    def _kept(self, row: doors.TenantRow, version: str) -> _Tenant:
        status = row.status
        return _Tenant(
            version=version,
            figures=figures_of(row),
            shown=self._shows(row),
            phase=status.phase if status and row.fresh else Phase.PENDING,
            desired=(status.monthly_usd_desired if status else None) or Decimal(0),
            observed=(status.monthly_usd if status else None) or Decimal(0),
            unknown_prices=sum(1 for one in status.components if one.id and one.usd is None) if status else 0,
        )

    async def _read_costs(self) -> dict[str, Decimal]:
        now = self._clock.now()
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return {row.key: row.usd for row in await self._fleet.costs("tenant", month, now)}

    def _shows(self, row: doors.TenantRow) -> bool:
        if self._mode is PerTenant.PROBLEM:
            return not is_ready(row) and row.state == "running"
        return self._mode is PerTenant.ALL

    def _sum(self) -> None:
        tenants = self._tenants.values()
        phases = Counter(one.phase for one in tenants)
        for phase in Phase:
            self._metrics.tenants.labels(phase.value).set(phases[phase])
        self._metrics.cost.labels("desired").set(float(sum((one.desired for one in tenants), Decimal(0))))
        self._metrics.cost.labels("observed").set(float(sum((one.observed for one in tenants), Decimal(0))))
        self._metrics.cost_unknown.set(sum(one.unknown_prices for one in tenants))

    def _render(self, tenants: Iterable[_Tenant]) -> bytes:
        kept: dict[str, tuple[Figures, tuple[bytes, ...]]] = {}
        for one in tenants:
            name = one.figures.labels[0]
            figures = replace(one.figures, cost=self._costs.get(name, Decimal(0)))
            known = self._lines.get(name)
            kept[name] = known if known is not None and known[0] == figures else (figures, lines_of(figures))
        self._lines = kept
        if not kept:
            return b""
        out: list[bytes] = []
        for index, (name, help) in enumerate(FAMILIES):
            out.append(f"# HELP reconciler_tenant_{name} {help}\n# TYPE reconciler_tenant_{name} gauge\n".encode())
            out.extend(lines[index] for _, lines in kept.values())
        return b"".join(out)


def is_ready(row: doors.TenantRow) -> bool:
    """Say whether a tenant is Ready at its present generation."""
    return row.fresh and row.status is not None and row.status.phase is Phase.READY


def is_stalled(row: doors.TenantRow) -> bool:
    """Say whether only a person can bring this tenant on: Blocked, Invalid, or Degraded with something to do."""
    status = row.status
    if status is None or not row.fresh:
        return False
    return status.phase in STALLED or (status.phase is Phase.DEGRADED and asks_a_person(status))


def asks_a_person(status: Status) -> bool:
    """Say whether the line "you" of a status asks for something."""
    return status.you not in ("", NOTHING_TO_DO)


def figures_of(row: doors.TenantRow) -> Figures:
    """Pick out what the lines of a tenant say, but for its cost."""
    status = row.status
    drifted = status is not None and any(
        condition.type is ConditionType.DRIFTED and condition.status == "True" for condition in status.conditions
    )
    return Figures(
        labels=(row.name, row.blueprint, str(row.revision), row.tier, row.region or ""),
        ready=is_ready(row),
        stalled=is_stalled(row),
        drifted=drifted,
        generation=row.generation,
        observed_generation=status.observed_generation if status else 0,
        reconciled_at=row.reconciled_at.timestamp() if row.reconciled_at else 0.0,
    )


def lines_of(figures: Figures) -> tuple[bytes, ...]:
    """Write a tenant's eight lines, in the order of FAMILIES."""
    tenant, blueprint, revision, tier, region = (_quoted(label) for label in figures.labels)
    facts = f"tenant={tenant},blueprint={blueprint},revision={revision},tier={tier},region={region}"
    values: tuple[tuple[str, object], ...] = (
        (facts, 1),
        (f"tenant={tenant}", int(figures.ready)),
        (f"tenant={tenant}", int(figures.stalled)),
        (f"tenant={tenant}", int(figures.drifted)),
        (f"tenant={tenant}", figures.generation),
        (f"tenant={tenant}", figures.observed_generation),
        (f"tenant={tenant}", repr(figures.reconciled_at)),
        (f'tenant={tenant},currency="USD"', figures.cost),
    )
    return tuple(
        f"reconciler_tenant_{name}{{{labels}}} {value}\n".encode()
        for (name, _), (labels, value) in zip(FAMILIES, values, strict=True)
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'"{escaped}"'
