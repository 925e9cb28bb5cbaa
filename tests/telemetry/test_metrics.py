import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.core.kinds import Bucket
from reconciler.ports import Brake
from reconciler.telemetry.adapter import MeteredTelemetry
from reconciler.telemetry.metrics import Metrics
from reconciler.telemetry.refresh import BudgetLevel, Refresher, Sources


def value(metrics: Metrics, name: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


SHARED = [
    "controller_runtime_reconcile_total",
    "controller_runtime_reconcile_errors_total",
    "controller_runtime_terminal_reconcile_errors_total",
    "controller_runtime_reconcile_panics_total",
    "controller_runtime_reconcile_timeouts_total",
    "controller_runtime_reconcile_time_seconds_bucket",
    "controller_runtime_max_concurrent_reconciles",
    "controller_runtime_active_workers",
    "workqueue_depth",
    "workqueue_adds_total",
    "workqueue_queue_duration_seconds_bucket",
    "workqueue_work_duration_seconds_bucket",
    "workqueue_unfinished_work_seconds",
    "workqueue_longest_running_processor_seconds",
    "workqueue_retries_total",
    "reconciler_observation_age_seconds",
    "reconciler_convergence_seconds_bucket",
    "reconciler_eta_error_seconds_bucket",
    "reconciler_overdue_seconds",
    "reconciler_budget_tokens",
    "reconciler_budget_limit",
    "reconciler_budget_wait_seconds_bucket",
    "reconciler_ops_total",
    "reconciler_ops_unknown_open",
    "reconciler_cost_usd_month",
    "reconciler_stale_writes_rejected_total",
]


@pytest.mark.parametrize("name", SHARED)
def test_a_series_of_every_promised_name_stands_from_the_start(name):
    page = prometheus_client.generate_latest(Metrics().registry).decode()
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    assert any(sample.name == name for sample in samples)


def test_nothing_has_a_tenant_label_and_everything_has_help():
    page = prometheus_client.generate_latest(Metrics().registry).decode()
    families = list(text_string_to_metric_families(page))
    assert all(family.documentation for family in families)
    assert not any("tenant" in sample.labels for family in families for sample in family.samples)


def test_two_sets_of_metrics_live_in_one_process():
    first, second = Metrics(), Metrics()
    MeteredTelemetry(first).stale()
    assert value(first, "reconciler_stale_writes_rejected_total") == 1
    assert value(second, "reconciler_stale_writes_rejected_total") == 0


def test_a_pass_is_counted_with_its_times():
    metrics = Metrics()
    telemetry = MeteredTelemetry(metrics)
    telemetry.passed("success", 0.2, "user", 3.0)
    telemetry.passed("error", 0.1, "retry", -1.0)
    assert value(metrics, "controller_runtime_reconcile_total", controller="tenant", result="success") == 1
    assert value(metrics, "controller_runtime_reconcile_errors_total", controller="tenant") == 1
    assert value(metrics, "workqueue_retries_total", name="tenant", controller="tenant") == 1
    assert value(metrics, "workqueue_queue_duration_seconds_sum", name="tenant", controller="tenant") == 3.0
    assert value(metrics, "controller_runtime_reconcile_time_seconds_count", controller="tenant") == 2


def test_what_the_engine_and_the_client_say_is_counted():
    metrics = Metrics()
    telemetry = MeteredTelemetry(metrics, host="api.render.com")
    telemetry.operated("postgres", "create", "unknown")
    telemetry.drifted("web service", "env.SMTP_PASSWORD", healed=False)
    telemetry.drifted("web service", "env.SMTP_PASSWORD", healed=True)
    telemetry.drifted("web service", "", healed=True)
    telemetry.guarded("mass-delete")
    telemetry.waited("create", 90)
    telemetry.converged(400)
    telemetry.foretold(90)
    telemetry.foretold(-30)
    telemetry.requested("GET", "/services/{id}", None, 0.5)
    telemetry.requested("POST", "/services", 201, 0.5)
    telemetry.retried("GET", 503)
    telemetry.terminal()
    telemetry.panicked()
    telemetry.timed_out()
    telemetry.working(2, 8, 5.0, 4.0)
    assert value(metrics, "reconciler_ops_total", kind="postgres", verb="create", outcome="unknown") == 1
    assert value(metrics, "reconciler_drift_fields_total", kind="web service", field="env") == 1
    assert value(metrics, "reconciler_drift_healed_total", kind="web service", field="env") == 1
    assert value(metrics, "reconciler_drift_healed_total", kind="web service", field="other") == 1
    assert value(metrics, "reconciler_guard_blocks_total", guard="mass-delete") == 1
    assert value(metrics, "reconciler_budget_wait_seconds_sum", **{"class": "create"}) == 90
    assert value(metrics, "reconciler_convergence_seconds_sum") == 400
    assert value(metrics, "reconciler_eta_error_seconds_sum", direction="late") == 90
    assert value(metrics, "reconciler_eta_error_seconds_sum", direction="early") == 30
    host = {"method": "GET", "host": "api.render.com"}
    assert value(metrics, "rest_client_requests_total", code="<error>", **host) == 1
    assert value(metrics, "reconciler_render_requests_total", method="POST", path="/services", code="201") == 1
    assert value(metrics, "rest_client_request_retries_total", code="503", verb="GET", host="api.render.com") == 1
    for name in ("terminal_reconcile_errors_total", "reconcile_panics_total", "reconcile_timeouts_total"):
        assert value(metrics, f"controller_runtime_{name}", controller="tenant") == 1
    assert value(metrics, "controller_runtime_max_concurrent_reconciles", controller="tenant") == 8


async def test_the_refresher_reads_every_source_though_one_fails():
    async def overdue() -> float:
        return 12.5

    async def broken() -> int:
        raise ConnectionError("the database is away")

    async def depth() -> dict[str, int]:
        return {"user": 3}

    async def budgets() -> list[BudgetLevel]:
        return [
            BudgetLevel(bucket=Bucket.CREATE, tokens=4, limit=15, learned=True),
            BudgetLevel(bucket=Bucket.READ, tokens=9, limit=400),
        ]

    async def brake() -> tuple[Brake, str]:
        return Brake.OBSERVE, "first run"

    async def age() -> dict[str, float]:
        return {"postgres": 22.0}

    async def workers() -> tuple[int, int]:
        return 3, 8

    async def breakers() -> list[Bucket]:
        return [Bucket.CREATE]

    metrics = Metrics()
    metrics.breakers.labels("write").set(1)
    metrics.depth.labels("tenant", "tenant", "retry").set(7)
    sources = Sources(
        overdue=overdue,
        unknown_open=broken,
        depth=depth,
        budgets=budgets,
        brake=brake,
        observation_age=age,
        workers=workers,
        breakers=breakers,
    )
    await Refresher(MeteredTelemetry(metrics), sources).once()
    assert value(metrics, "reconciler_overdue_seconds") == 12.5
    assert value(metrics, "reconciler_metrics_refresh_errors_total", source="unknown_open") == 1
    assert value(metrics, "reconciler_metrics_refresh_errors_total", source="overdue") == 0
    assert value(metrics, "workqueue_depth", name="tenant", controller="tenant", priority="user") == 3
    assert value(metrics, "workqueue_depth", name="tenant", controller="tenant", priority="retry") == 0
    assert value(metrics, "controller_runtime_active_workers", controller="tenant") == 3
    assert value(metrics, "reconciler_budget_tokens", **{"class": "create"}) == 4
    assert value(metrics, "reconciler_circuit_breaker_open", **{"class": "create"}) == 1
    assert value(metrics, "reconciler_circuit_breaker_open", **{"class": "write"}) == 0, "a closed one falls to 0"
    assert value(metrics, "reconciler_budget_limit", source="header", **{"class": "create"}) == 15
    assert value(metrics, "reconciler_budget_limit", source="header", **{"class": "read"}) is None
    assert value(metrics, "reconciler_brake", state="observe") == 1
    assert value(metrics, "reconciler_brake", state="normal") == 0
    assert value(metrics, "reconciler_observation_age_seconds", kind="postgres") == 22.0
