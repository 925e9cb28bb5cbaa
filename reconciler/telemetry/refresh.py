"""Reads, every few seconds, the figures that nobody counts as they happen; it is handed callables and knows no SQL.

Each source is asked on its own: one that fails is counted and logged, and the others are still read.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.kinds import Bucket
from reconciler.doors import OrphanRow
from reconciler.ports import Brake, WakeClass
from reconciler.telemetry.adapter import MeteredTelemetry
from reconciler.telemetry.calm import Calm
from reconciler.telemetry.metrics import CONTROLLER, ORPHANED, Metrics
from reconciler.telemetry.tenants import TenantSeries

HOURS_PER_MONTH = 730
"""Hours in the month that a monthly price means: 365 days x 24 / 12."""
REFRESH_S = 7.5
"""Real seconds between readings; half of the shortest scrape interval in use, so that no scrape sees one twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLevel:
    """One bucket's window: calls left and allowed; `learned` when Render's headers named the limit."""

    bucket: Bucket
    tokens: int
    limit: int
    learned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where figures are read from; absent ones stay as they are. Times are world seconds.

    `depth` counts due tenants by wake class, `observation_age` is the age of each kind's last full sweep by
    `Kind.value`, `brake` the state and reason as `Registry.brake` answers them, `workers` how many passes this process
    runs now and how many it may, `breakers` the classes whose circuit breaker is not closed.
    """

    overdue: Callable[[], Awaitable[float]] | None = None
    depth: Callable[[], Awaitable[Mapping[str, int]]] | None = None
    budgets: Callable[[], Awaitable[Sequence[BudgetLevel]]] | None = None
    unknown_open: Callable[[], Awaitable[int]] | None = None
    create_queue: Callable[[], Awaitable[int]] | None = None
    breakers: Callable[[], Awaitable[Collection[Bucket]]] | None = None
    observation_age: Callable[[], Awaitable[Mapping[str, float]]] | None = None
    brake: Callable[[], Awaitable[tuple[Brake, str]]] | None = None
    workers: Callable[[], Awaitable[tuple[int, int]]] | None = None
    orphans: Callable[[], Awaitable[Sequence[OrphanRow]]] | None = None


class Refresher:
    """Owns the loop; `once` reads everything now, `run` does so until cancelled."""

    def __init__(
        self,
        telemetry: MeteredTelemetry,
        sources: Sources,
        series: TenantSeries | None = None,
        every_s: float = REFRESH_S,
    ) -> None:
        """Read `sources` and `series` each `every_s` real seconds into the metrics of `telemetry`."""
        self._telemetry = telemetry
        self._metrics = telemetry.metrics
        self._readers = readers(telemetry.metrics, sources)
        if series is not None:
            self._readers["tenants"] = calmly(series.refresh)
        self._every_s = every_s
        for source in self._readers:
            self._metrics.refresh_errors.labels(source)

    async def once(self) -> None:
        """Read every source; a failure is counted under its name and does not keep the others from being read."""
        for source, read in self._readers.items():
            try:
                await read()
            except Exception as error:  # a figure that cannot be read must not end the process that shows it
                self._metrics.refresh_errors.labels(source).inc()
                self._telemetry.problem("metrics_refresh_failed", source=source, error=str(error))
            else:
                self._metrics.refreshed.labels(source).set(time.time())

    async def run(self) -> None:
        """Read until cancelled, the first time at once."""
        while True:
            await self.once()
            await asyncio.sleep(self._every_s)


def calmly(read: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Leave a reading out while it would take more than its share of the time."""
    calm = Calm()

    async def reader() -> None:
        if calm.due:
            with calm.measured():
                await read()

    return reader


def readers(metrics: Metrics, sources: Sources) -> dict[str, Callable[[], Awaitable[None]]]:
    """Pair every source that is there with the gauge it sets, by the name under which failures are counted."""
    made: dict[str, Callable[[], Awaitable[None]]] = {}
    for name, read, gauge in (
        ("overdue", sources.overdue, metrics.overdue),
        ("unknown_open", sources.unknown_open, metrics.unknown_open),
        ("create_queue", sources.create_queue, metrics.create_queue),
    ):
        if read is not None:
            made[name] = _number(read, gauge.set)
    if sources.breakers is not None:
        made["breakers"] = _breakers(sources.breakers, metrics)
    if sources.depth is not None:
        made["depth"] = _depth(sources.depth, metrics)
    if sources.observation_age is not None:
        made["observation_age"] = _numbers(
            sources.observation_age, lambda kind, value: metrics.observation_age.labels(kind).set(value)
        )
    if sources.budgets is not None:
        made["budgets"] = _budgets(sources.budgets, metrics)
    if sources.brake is not None:
        made["brake"] = _brake(sources.brake, metrics)
    if sources.orphans is not None:
        made["orphans"] = calmly(_orphans(sources.orphans, metrics))
    if sources.workers is not None:
        made["workers"] = _workers(sources.workers, metrics)
    return made


def _number(
    read: Callable[[], Awaitable[float]] | Callable[[], Awaitable[int]], set_to: Callable[[float], None]
) -> Callable[[], Awaitable[None]]:
    async def reader() -> None:
        set_to(await read())

    return reader


def _numbers(
    read: Callable[[], Awaitable[Mapping[str, float]]],
    set_to: Callable[[str, float], None],
) -> Callable[[], Awaitable[None]]:
    async def reader() -> None:
        for name, value in (await read()).items():
            set_to(name, value)

    return reader


def _depth(read: Callable[[], Awaitable[Mapping[str, int]]], metrics: Metrics) -> Callable[[], Awaitable[None]]:
    async def reader() -> None:
        found = await read()
        for wake_class in WakeClass:  # a class that nobody is due in any more must fall to 0
            metrics.depth.labels(CONTROLLER, CONTROLLER, wake_class.value).set(found.get(wake_class.value, 0))

    return reader


def _orphans(read: Callable[[], Awaitable[Sequence[OrphanRow]]], metrics: Metrics) -> Callable[[], Awaitable[None]]:
    async def reader() -> None:
        rows = await read()
        for kind in ORPHANED:
            metrics.orphans.labels(kind.value).set(sum(row.kind == kind.value for row in rows))
        known = (row.usd_per_month for row in rows if row.usd_per_month is not None)
        metrics.orphan_cost.set(float(sum(known) / HOURS_PER_MONTH))

    return reader


def _workers(read: Callable[[], Awaitable[tuple[int, int]]], metrics: Metrics) -> Callable[[], Awaitable[None]]:
    async def reader() -> None:
        active, concurrency = await read()
        metrics.active_workers.labels(CONTROLLER).set(active)
        metrics.concurrency.labels(CONTROLLER).set(concurrency)

    return reader


def _budgets(read: Callable[[], Awaitable[Sequence[BudgetLevel]]], metrics: Metrics) -> Callable[[], Awaitable[None]]:
    async def reader() -> None:
        for level in await read():
            metrics.budget_tokens.labels(level.bucket.value).set(level.tokens)
            if level.learned:
                metrics.budget_limit.labels(level.bucket.value, "header").set(level.limit)

    return reader


def _breakers(read: Callable[[], Awaitable[Collection[Bucket]]], metrics: Metrics) -> Callable[[], Awaitable[None]]:
    async def reader() -> None:
        broken = await read()
        for bucket in Bucket:
            metrics.breakers.labels(bucket.value).set(bucket in broken)

    return reader


def _brake(read: Callable[[], Awaitable[tuple[Brake, str]]], metrics: Metrics) -> Callable[[], Awaitable[None]]:
    async def reader() -> None:
        stands, _ = await read()
        for brake in Brake:
            metrics.brake.labels(brake.value).set(brake is stands)

    return reader
