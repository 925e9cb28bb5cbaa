"""Turns what the engine and the Render client say into log lines and figures; it decides nothing and keeps no state."""

import re

import structlog

from reconciler.ports import Clock
from reconciler.telemetry.metrics import CONTROLLER, Metrics

_FIELD_CLASS = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class MeteredTelemetry:
    """`ports.Telemetry` on structlog and Prometheus, with the hooks of the Render client and the worker beside it.

    `host` labels requests (`api.render.com`). With a clock whose speed is not 1, lines carry world time as `world`.
    """

    def __init__(self, metrics: Metrics, *, host: str = "api.render.com", clock: Clock | None = None) -> None:
        """Write to these metrics and to the logger named `reconciler`."""
        self.metrics = metrics
        self._host = host
        self._clock = clock
        self._logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("reconciler")

    # ------------------------------------------------------------ ports.Telemetry

    def log(self, event: str, **fields: object) -> None:
        """Write one structured line at info level."""
        self._logger.info(event, **self._timed(fields))

    def problem(self, event: str, **fields: object) -> None:
        """Write one structured line at warning level."""
        self._logger.warning(event, **self._timed(fields))

    def passed(self, result: str, seconds: float, wake_class: str, queued_s: float) -> None:
        """Count a finished pass; `seconds` are real, `queued_s` world."""
        metrics = self.metrics
        metrics.reconciles.labels(CONTROLLER, result).inc()
        metrics.reconcile_seconds.labels(CONTROLLER).observe(seconds)
        metrics.work_seconds.labels(CONTROLLER, CONTROLLER).observe(seconds)
        metrics.queue_seconds.labels(CONTROLLER, CONTROLLER).observe(max(queued_s, 0.0))
        metrics.adds.labels(CONTROLLER, CONTROLLER).inc()
        if wake_class == "retry":
            metrics.retries.labels(CONTROLLER, CONTROLLER).inc()
        if result == "error":
            metrics.errors.labels(CONTROLLER).inc()

    def operated(self, kind: str, verb: str, outcome: str) -> None:
        """Count an effect by outcome."""
        self.metrics.operations.labels(kind, verb, outcome).inc()

    def drifted(self, kind: str, field: str, healed: bool) -> None:
        """Count a drifted field; of `env.SMTP_HOST` only `env` becomes a label, which bounds the series."""
        match = _FIELD_CLASS.match(field)
        counter = self.metrics.drift_healed if healed else self.metrics.drift_fields
        counter.labels(kind, match[0] if match else "other").inc()

    def guarded(self, guard: str) -> None:
        """Count an effect stopped by a guard."""
        self.metrics.guard_blocks.labels(guard).inc()

    def stale(self) -> None:
        """Count a write rejected because the epoch moved."""
        self.metrics.stale_writes.inc()

    def waited(self, bucket: str, world_s: float) -> None:
        """Observe the wait for a budget, world seconds."""
        self.metrics.budget_wait.labels(bucket).observe(max(world_s, 0.0))

    def converged(self, world_s: float) -> None:
        """Observe the time from a spec change to Ready at that generation, world seconds."""
        self.metrics.convergence.observe(max(world_s, 0.0))

    def foretold(self, late_s: float) -> None:
        """Observe how much later than first told a tenant was Ready, world seconds; negative: earlier."""
        self.metrics.eta_error.labels("late" if late_s > 0 else "early").observe(abs(late_s))

    # ------------------------------------------------------------ hooks beyond the port

    def requested(self, method: str, path_template: str, status: int | None, seconds: float) -> None:
        """Count one request to Render: `status` None or 0 when nothing answered, real seconds."""
        code = str(status) if status else "<error>"
        self.metrics.requests.labels(code, method, self._host).inc()
        self.metrics.request_seconds.labels(method, self._host).observe(seconds)
        self.metrics.endpoints.labels(method, path_template, code).inc()

    def retried(self, method: str, status: int | None) -> None:
        """Count a read that is asked again."""
        self.metrics.request_retries.labels(str(status) if status else "<error>", method, self._host).inc()

    def terminal(self) -> None:
        """Count a pass that ended in an error only an edit can mend."""
        self.metrics.terminal_errors.labels(CONTROLLER).inc()

    def panicked(self) -> None:
        """Count a pass that ended in an exception nobody foresaw."""
        self.metrics.panics.labels(CONTROLLER).inc()

    def timed_out(self) -> None:
        """Count a pass cut off by its deadline."""
        self.metrics.timeouts.labels(CONTROLLER).inc()

    def working(self, active: int, concurrency: int, unfinished_s: float = 0.0, longest_s: float = 0.0) -> None:
        """Set how many passes run now of how many may, their real seconds summed, and those of the longest."""
        self.metrics.active_workers.labels(CONTROLLER).set(active)
        self.metrics.concurrency.labels(CONTROLLER).set(concurrency)
        self.metrics.unfinished.labels(CONTROLLER, CONTROLLER).set(unfinished_s)
        self.metrics.longest.labels(CONTROLLER, CONTROLLER).set(longest_s)

    def _timed(self, fields: dict[str, object]) -> dict[str, object]:
        if self._clock is not None and self._clock.speed() != 1 and "world" not in fields:
            return {**fields, "world": self._clock.now().isoformat(timespec="seconds")}
        return fields
