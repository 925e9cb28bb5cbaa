import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler import doors
from reconciler.core.status import Condition, ConditionType, Phase, Reason, Status
from reconciler.telemetry import calm
from reconciler.telemetry.metrics import Metrics
from reconciler.telemetry.refresh import calmly
from reconciler.telemetry.tenants import FAMILIES, PerTenant, TenantSeries, is_stalled

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)


class Clock:
    def now(self) -> datetime:
        return NOW

    def speed(self) -> float:
        return 1.0

    async def sleep(self, world_s: float) -> None:
        raise AssertionError


class Rows:
    """Only what the series read: pages of tenants and sums of the ledger."""

    def __init__(self, *rows: doors.TenantRow) -> None:
        self.rows = list(rows)
        self.window: tuple[str, datetime, datetime] | None = None

        self.read: list[str] = []

    async def versions(self) -> dict[str, str]:
        return {one.name: str(id(one)) for one in self.rows}

    async def list_tenants(self, *, names: Sequence[str], limit: int) -> doors.TenantPage:
        self.read += names
        found = [one for one in self.rows if one.name in names]
        assert len(found) <= limit
        return doors.TenantPage(count=len(found), rows=found)

    async def costs(self, by: str, since: datetime, until: datetime) -> list[doors.CostRow]:
        self.window = (by, since, until)
        return [
            doors.CostRow(key="acme", usd=Decimal("31.04"), usd_per_month=Decimal(1), usd_forecast=Decimal(1)),
        ]


def status(phase: Phase, *, you: str = "", drifted: str = "False") -> Status:
    condition = Condition(
        type=ConditionType.DRIFTED,
        status=drifted,
        reason=Reason.IN_SYNC,
        message="",
        since=NOW,
        observed_generation=2,
    )
    return Status(
        phase=phase,
        observed_generation=2,
        revision=12,
        conditions=(condition,),
        you=you,
        monthly_usd=Decimal("41.50"),
        monthly_usd_desired=Decimal("125.50"),
    )


def row(name: str, shown: Status | None, **others: Any) -> doors.TenantRow:
    given: dict[str, Any] = {
        "number": 1,
        "name": name,
        "external_id": None,
        "display_name": name,
        "blueprint": "crm",
        "tier": "pro",
        "state": "running",
        "params": {},
        "labels": {},
        "region": "frankfurt",
        "priority": 50,
        "details": {},
        "generation": 2,
        "revision": 12,
        "created_by": "signup",
        "created_at": NOW,
        "updated_at": NOW,
        "status": shown,
        "fresh": shown is not None,
        "reconciled_at": NOW if shown else None,
    }
    return doors.TenantRow(**{**given, **others})


def series(rows: Rows, mode: PerTenant, metrics: Metrics | None = None) -> TenantSeries:
    return TenantSeries(rows, Clock(), metrics or Metrics(), mode)


def samples(page: bytes) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(page.decode())
    return {(sample.name, sample.labels["tenant"]): sample.value for f in families for sample in f.samples}


async def test_eight_series_a_tenant_from_every_page_of_rows():
    rows = Rows(
        row("acme", status(Phase.READY)),
        row("bolt", status(Phase.BLOCKED, you="set it", drifted="True")),
        row("cora", None),
    )
    metrics = Metrics()
    shown = series(rows, PerTenant.ALL, metrics)
    assert shown.page() == b""
    await shown.refresh()
    found = samples(shown.page())
    assert shown.page() in metrics.exposition()
    assert len(FAMILIES) == 8
    assert len(found) == 8 * 3
    assert found["reconciler_tenant_ready", "acme"] == 1
    assert found["reconciler_tenant_stalled", "acme"] == 0
    assert found["reconciler_tenant_stalled", "bolt"] == 1
    assert found["reconciler_tenant_drifted", "bolt"] == 1
    assert found["reconciler_tenant_status_observed_generation", "cora"] == 0
    assert found["reconciler_tenant_metadata_generation", "cora"] == 2
    assert found["reconciler_tenant_last_reconcile_timestamp_seconds", "acme"] == NOW.timestamp()
    assert found["reconciler_tenant_month_to_date_cost", "acme"] == 31.04
    assert rows.window == ("tenant", datetime(2026, 3, 1, tzinfo=UTC), NOW)


async def test_a_status_of_an_older_generation_is_not_ready():
    shown = series(Rows(row("acme", status(Phase.READY), fresh=False)), PerTenant.ALL)
    await shown.refresh()
    assert samples(shown.page())["reconciler_tenant_ready", "acme"] == 0


async def test_problem_shows_those_that_should_be_ready_and_says_how_many_it_left_out():
    metrics = Metrics()
    suspended = row("dune", status(Phase.SUSPENDED), state="suspended")
    rows = Rows(row("acme", status(Phase.READY)), row("bolt", status(Phase.DEGRADED)), suspended)
    shown = series(rows, PerTenant.PROBLEM, metrics)
    await shown.refresh()
    assert {tenant for _, tenant in samples(shown.page())} == {"bolt"}
    assert metrics.registry.get_sample_value("reconciler_tenant_series_truncated") == 2


async def test_none_shows_nobody_and_still_sums_the_fleet():
    metrics = Metrics()
    rows = Rows(row("acme", status(Phase.READY)), row("bolt", None))
    shown = series(rows, PerTenant.NONE, metrics)
    await shown.refresh()
    assert shown.page() == b""
    assert rows.window is None
    assert metrics.registry.get_sample_value("reconciler_tenants", {"phase": "Ready"}) == 1
    assert metrics.registry.get_sample_value("reconciler_tenants", {"phase": "Pending"}) == 1
    assert metrics.registry.get_sample_value("reconciler_cost_usd_month", {"state": "desired"}) == 125.5
    assert metrics.registry.get_sample_value("reconciler_cost_usd_month", {"state": "observed"}) == 41.5


async def test_the_page_follows_the_rows():
    rows = Rows(row("acme", status(Phase.PROVISIONING)), row("bolt", None))
    shown = series(rows, PerTenant.ALL)
    await shown.refresh()
    rows.rows = [row("acme", status(Phase.READY))]
    await shown.refresh()
    found = samples(shown.page())
    assert found["reconciler_tenant_ready", "acme"] == 1
    assert {tenant for _, tenant in found} == {"acme"}


async def test_only_rows_that_were_written_since_are_read_again():
    metrics = Metrics()
    rows = Rows(*(row(f"t{number:04}", status(Phase.READY)) for number in range(2500)))
    shown = series(rows, PerTenant.ALL, metrics)
    await shown.refresh()
    assert len(rows.read) == 2500
    rows.read.clear()
    rows.rows[7] = row("t0007", status(Phase.BLOCKED))
    del rows.rows[9]
    rows.rows.append(row("t9999", status(Phase.READY)))
    await shown.refresh()
    assert rows.read == ["t0007", "t9999"]
    found = samples(shown.page())
    assert (found["reconciler_tenant_ready", "t0007"], found["reconciler_tenant_ready", "t0008"]) == (0, 1)
    assert ("reconciler_tenant_ready", "t0009") not in found and ("reconciler_tenant_ready", "t9999") in found
    assert metrics.registry.get_sample_value("reconciler_tenants", {"phase": "Ready"}) == 2499
    assert metrics.registry.get_sample_value("reconciler_cost_usd_month", {"state": "observed"}) == 2500 * 41.5
    rows.rows.clear()
    await shown.refresh()
    assert shown.page() == b""
    assert (shown._tenants, shown._lines) == ({}, {}), "nothing is kept of tenants that are gone"


async def test_what_takes_long_is_done_seldom(monkeypatch):
    real_s = [1000.0]
    monkeypatch.setattr(calm.time, "monotonic", lambda: real_s[0])
    done: list[float] = []

    async def slow() -> None:
        done.append(real_s[0])
        real_s[0] += 0.1

    read = calmly(slow)
    while real_s[0] < 1140:
        await read()
        real_s[0] += 5
    assert len(done) == 3, "0.1 s of work each 50 s is 0.2 %"


async def test_what_costs_nothing_is_done_each_time():
    done: list[int] = []

    async def quick() -> None:
        done.append(1)

    read = calmly(quick)
    for _ in range(3):
        await read()
        await asyncio.sleep(0.02)
    assert len(done) == 3


async def test_a_hostile_label_stays_a_label():
    hostile = 'x"} 1\nreconciler_tenant_ready{tenant="forged\\'
    shown = series(Rows(row("acme", None, region=hostile)), PerTenant.ALL)
    await shown.refresh()
    families = {family.name: family.samples for family in text_string_to_metric_families(shown.page().decode())}
    (info,) = families["reconciler_tenant_info"]
    assert info.labels["region"] == hostile


@pytest.mark.parametrize(
    ("phase", "you", "stalled"),
    [
        (Phase.BLOCKED, "", True),
        (Phase.INVALID, "", True),
        (Phase.DEGRADED, "look at the deploy", True),
        (Phase.DEGRADED, "", False),
        (Phase.DEGRADED, "nothing to do", False),
        (Phase.PROVISIONING, "wait", False),
    ],
)
def test_stalled_means_a_person_must_act(phase, you, stalled):
    assert is_stalled(row("acme", status(phase, you=you))) is stalled
