"""Declares every metric of the operator, with its name, labels, unit and meaning; it knows nobody who sets them.

Names shared with controller-runtime and client-go are spelled exactly as there (`controller="tenant"`), so that stock
dashboards and alerts work; ours begin with `reconciler_`. No metric here has a tenant label: the eight series a tenant
are in telemetry.tenants. Series whose labels are known beforehand exist from the start with 0, so that rate() works
from the first scrape. Times called "world" run at the simulator's speed.
"""

from collections.abc import Callable, Iterable
from importlib import metadata
from itertools import product

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from reconciler.core.actions import Verb
from reconciler.core.kinds import BUCKET_LIMITS, GROUPING, SERVICES, SUSPENDABLE, Bucket, Kind
from reconciler.core.status import Phase
from reconciler.ports import Brake, WakeClass

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_PLAIN_0_0_4
"""What `Metrics.exposition` writes."""

CONTROLLER = "tenant"
RESULTS = ("success", "error", "requeue", "requeue_after")
OUTCOMES = ("succeeded", "refused", "unknown", "throttled")
COST_STATES = ("desired", "observed")
WEBHOOK_OUTCOMES = ("accepted", "repeated", "refused", "unowned")

RECONCILE_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 1.75, 2.0),
    *(2.5, 3.0, 3.5, 4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60),
)
"""controller-runtime's own boundaries, seconds."""
QUEUE_BUCKETS = tuple(10.0**power for power in range(-8, 4))
"""client-go's: 10 ns to 1,000 s by factors of ten."""
REQUEST_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
WORLD_BUCKETS = (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 86400)

SWEPT = tuple(sorted(set(Kind) - (SERVICES - {Kind.WEB})))
"""Kinds that have a sweep of their own; services of all five kinds come with WEB."""

ORPHANED = tuple(sorted(set(Kind) - GROUPING))
"""Kinds of what can be left over; a project without an owner is nobody's business."""

_DEPLOYED = SERVICES - {Kind.CRON}
VERB_KINDS = {
    Verb.CREATE: frozenset(Kind),
    Verb.UPDATE: frozenset(Kind) - {Kind.ENV_GROUP},
    Verb.DELETE: frozenset(Kind),
    Verb.SUSPEND: SUSPENDABLE,
    Verb.RESUME: SUSPENDABLE,
    Verb.SCALE: _DEPLOYED - {Kind.STATIC},
    Verb.SET_ENV: SERVICES,
    Verb.SET_FILES: SERVICES,
    Verb.SET_GROUP_VAR: frozenset({Kind.ENV_GROUP}),
    Verb.LINK_GROUP: frozenset({Kind.ENV_GROUP}),
    Verb.DEPLOY: SERVICES,
    Verb.MOVE: frozenset({Kind.ENVIRONMENT}),
}
"""Effects whose series exist from the start; rarer verbs appear with their first effect."""


class Metrics:
    """Every metric, registered in a registry of its own: a test or a second daemon in a process makes another one."""

    def __init__(self, registry: CollectorRegistry | None = None, *, process: bool = False) -> None:
        """Declare and pre-initialise; `process` adds process_* and python_* of this process."""
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a `_created` twin of each counter doubles the page for nothing
        self.registry = CollectorRegistry() if registry is None else registry
        self._pages: list[Callable[[], bytes]] = []
        self._declare_reconcile()
        self._declare_queue()
        self._declare_requests()
        self._declare_effects()
        self._declare_budgets()
        self._declare_fleet()
        self._declare_doors()
        self._initialise_engine()
        self._initialise_fleet()
        self.build.labels(metadata.version("reconciler")).set(1)
        if process:
            prometheus_client.ProcessCollector(registry=self.registry)
            prometheus_client.PlatformCollector(registry=self.registry)
            prometheus_client.GCCollector(registry=self.registry)

    def attach(self, page: Callable[[], bytes]) -> None:
        """Add lines made elsewhere (telemetry.tenants) to every exposition; `page` must answer at once."""
        self._pages.append(page)

    def exposition(self) -> bytes:
        """Write everything in the Prometheus text format; takes milliseconds, so call it off the event loop."""
        return prometheus_client.generate_latest(self.registry) + b"".join(page() for page in self._pages)

    def _counter(self, name: str, help: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(name, help, tuple(labels), registry=self.registry)

    def _gauge(self, name: str, help: str, labels: Iterable[str] = ()) -> Gauge:
        return Gauge(name, help, tuple(labels), registry=self.registry)

    def _histogram(self, name: str, help: str, labels: Iterable[str], buckets: Iterable[float]) -> Histogram:
        return Histogram(name, help, tuple(labels), registry=self.registry, buckets=tuple(buckets))

    def _declare_reconcile(self) -> None:
        prefix, labels = "controller_runtime", ("controller",)
        # How passes end; requeue_after is the usual one (the next poll), requeue is work left over.
        self.reconciles = self._counter(f"{prefix}_reconcile_total", "Passes by result.", (*labels, "result"))
        self.errors = self._counter(f"{prefix}_reconcile_errors_total", "Passes that failed.", labels)
        # Terminal: Invalid or refused, not retried until the spec changes.
        self.terminal_errors = self._counter(
            f"{prefix}_terminal_reconcile_errors_total", "Passes that ended in an error only an edit can mend.", labels
        )
        self.panics = self._counter(
            f"{prefix}_reconcile_panics_total", "Passes that ended in an exception nobody foresaw.", labels
        )
        self.timeouts = self._counter(f"{prefix}_reconcile_timeouts_total", "Passes cut off by their deadline.", labels)
        self.reconcile_seconds = self._histogram(
            f"{prefix}_reconcile_time_seconds", "Length of a pass, real seconds.", labels, RECONCILE_BUCKETS
        )
        self.concurrency = self._gauge(
            f"{prefix}_max_concurrent_reconciles", "Passes this process may run at once.", labels
        )
        self.active_workers = self._gauge(f"{prefix}_active_workers", "Passes running in this process.", labels)

    def _declare_queue(self) -> None:
        labels = ("name", "controller")
        # Depth is the fleet's, read from the database; the priority is the wake class, drawn by shares.
        self.depth = self._gauge("workqueue_depth", "Tenants that are due, by wake class.", (*labels, "priority"))
        self.adds = self._counter("workqueue_adds_total", "Tenants claimed by this process.", labels)
        self.retries = self._counter("workqueue_retries_total", "Passes put back with a backoff.", labels)
        self.queue_seconds = self._histogram(
            "workqueue_queue_duration_seconds", "From due to claimed, world seconds.", labels, QUEUE_BUCKETS
        )
        self.work_seconds = self._histogram(
            "workqueue_work_duration_seconds", "From claimed to released, real seconds.", labels, QUEUE_BUCKETS
        )
        self.unfinished = self._gauge(
            "workqueue_unfinished_work_seconds", "Real seconds of all passes now running, summed.", labels
        )
        self.longest = self._gauge(
            "workqueue_longest_running_processor_seconds", "Real seconds of the pass running longest.", labels
        )

    def _declare_requests(self) -> None:
        # Code is the status, or <error> when nothing answered, as in client-go.
        self.requests = self._counter(
            "rest_client_requests_total", "Requests to Render by answer.", ("code", "method", "host")
        )
        self.request_seconds = self._histogram(
            "rest_client_request_duration_seconds",
            "Length of a request, real seconds.",
            ("verb", "host"),
            REQUEST_BUCKETS,
        )
        self.request_retries = self._counter(
            "rest_client_request_retries_total", "Reads asked again.", ("code", "verb", "host")
        )
        # By path template, never by path: ids are unbounded.
        self.endpoints = self._counter(
            "reconciler_render_requests_total", "Requests to Render by endpoint.", ("method", "path", "code")
        )

    def _declare_effects(self) -> None:
        self.operations = self._counter(
            "reconciler_ops_total", "Effects on Render by outcome.", ("kind", "verb", "outcome")
        )
        self.unknown_open = self._gauge("reconciler_ops_unknown_open", "Effects whose outcome is not known yet.")
        self.drift_fields = self._counter(
            "reconciler_drift_fields_total", "Fields found different without a spec asking for it.", ("kind", "field")
        )
        self.drift_healed = self._counter(
            "reconciler_drift_healed_total", "Drifted fields put right.", ("kind", "field")
        )
        self.guard_blocks = self._counter("reconciler_guard_blocks_total", "Effects a guard stopped.", ("guard",))
        self.stale_writes = self._counter(
            "reconciler_stale_writes_rejected_total", "Writes refused because another worker held the tenant."
        )
        self.convergence = self._histogram(
            "reconciler_convergence_seconds", "From a spec change to Ready at it, world seconds.", (), WORLD_BUCKETS
        )
        # The first ETA told of a generation against the moment it was Ready: half early, half late is honest.
        self.eta_error = self._histogram(
            "reconciler_eta_error_seconds", "How far the ETA first told was off, world seconds.", ("direction",),
            WORLD_BUCKETS,
        )  # fmt: skip

    def _declare_budgets(self) -> None:
        self.budget_tokens = self._gauge("reconciler_budget_tokens", "Calls left in the present window.", ("class",))
        # source=doc is what Render documents, source=header what its answers say.
        self.budget_limit = self._gauge("reconciler_budget_limit", "Calls a window allows.", ("class", "source"))
        self.budget_wait = self._histogram(
            "reconciler_budget_wait_seconds", "Waits for a budget, world seconds.", ("class",), WORLD_BUCKETS
        )
        # 1 while calls of a class fail one after the other: nothing of it is sent but a probe a minute.
        self.breakers = self._gauge("reconciler_circuit_breaker_open", "Circuit breakers that are open.", ("class",))
        self.create_queue = self._gauge("reconciler_create_queue_tenants", "Tenants in the queue for creates.")

    def _declare_fleet(self) -> None:
        self.build = self._gauge("reconciler_build_info", "Which version runs; always 1.", ("version",))
        self.tenants = self._gauge("reconciler_tenants", "Tenants by phase.", ("phase",))
        self.overdue = self._gauge("reconciler_overdue_seconds", "How late the latest tenant is, world seconds.")
        self.observation_age = self._gauge(
            "reconciler_observation_age_seconds", "Age of the last full sweep, world seconds.", ("kind",)
        )
        self.cost = self._gauge("reconciler_cost_usd_month", "US dollars a month at the present rate.", ("state",))
        self.cost_unknown = self._gauge(
            "reconciler_cost_unknown_resources", "Resources whose price the book does not know; never counted as zero."
        )
        # What carries our marks at Render and belongs to no tenant; deleted only by a person.
        self.orphans = self._gauge("reconciler_orphan_resources", "Live objects that nobody owns.", ("kind",))
        self.orphan_cost = self._gauge("reconciler_orphan_hourly_cost", "US dollars an hour of what nobody owns.")
        self.brake = self._gauge("reconciler_brake", "The brake as a state set: 1 on the state it is in.", ("state",))
        self.tenant_series_truncated = self._gauge(
            "reconciler_tenant_series_truncated", "Tenants left out of the per-tenant series by --metrics-per-tenant."
        )
        self.refresh_errors = self._counter(
            "reconciler_metrics_refresh_errors_total", "Figures that could not be read for this page.", ("source",)
        )
        self.refreshed = self._gauge(
            "reconciler_metrics_refresh_timestamp_seconds", "When figures were last read, real time.", ("source",)
        )

    def _declare_doors(self) -> None:
        # Route templates, never paths; `unmatched` for what no route answers.
        self.http_requests = self._counter(
            "reconciler_http_requests_total", "Requests to this operator's API.", ("method", "route", "code")
        )
        self.http_seconds = self._histogram(
            "reconciler_http_request_duration_seconds", "Length of a request, seconds.", ("method",), REQUEST_BUCKETS
        )
        self.http_limited = self._counter("reconciler_http_rate_limited_total", "Requests answered 429 by us.")
        self.webhooks = self._counter(
            "reconciler_webhooks_total", "Webhooks from Render by what became of them.", ("outcome",)
        )

    def _initialise_engine(self) -> None:
        for result in RESULTS:
            self.reconciles.labels(CONTROLLER, result)
        by_controller = (self.errors, self.terminal_errors, self.panics, self.timeouts, self.reconcile_seconds)
        for metric in (*by_controller, self.concurrency, self.active_workers):
            metric.labels(CONTROLLER)
        for metric in (self.adds, self.retries, self.queue_seconds, self.work_seconds, self.unfinished, self.longest):
            metric.labels(CONTROLLER, CONTROLLER)
        for wake_class in WakeClass:
            self.depth.labels(CONTROLLER, CONTROLLER, wake_class.value)
        for direction in ("early", "late"):
            self.eta_error.labels(direction)
        for verb, kinds in VERB_KINDS.items():
            for kind, outcome in product(sorted(kinds), OUTCOMES):
                self.operations.labels(kind.value, verb.value, outcome)

    def _initialise_fleet(self) -> None:
        for bucket in Bucket:
            self.budget_tokens.labels(bucket.value).set(BUCKET_LIMITS[bucket])
            self.budget_limit.labels(bucket.value, "doc").set(BUCKET_LIMITS[bucket])
            self.budget_wait.labels(bucket.value)
            self.breakers.labels(bucket.value)
        for kind in ORPHANED:
            self.orphans.labels(kind.value)
        for kind in SWEPT:
            self.observation_age.labels(kind.value)
        states: tuple[tuple[Gauge | Counter, Iterable[str]], ...] = (
            (self.tenants, Phase),
            (self.cost, COST_STATES),
            (self.brake, Brake),
            (self.webhooks, WEBHOOK_OUTCOMES),
        )
        for metric, values in states:
            for value in values:
                metric.labels(str(value))
