from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler import doors
from reconciler.core.status import Condition, ConditionType, Phase, Reason, Status
from reconciler.telemetry.metrics import Metrics
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

    async def list_tenants(self, *, limit: int, offset: int) -> doors.TenantPage:
        return doors.TenantPage(count=len(self.rows), rows=self.rows[offset : offset + min(limit, 2)])

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
    return TenantSeries(cast(doors.Registry, rows), Clock(), metrics or Metrics(), mode)


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
