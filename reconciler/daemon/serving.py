"""Serves HTTP beside the engine: the API, health and metrics; it answers liveness by progress, not by sockets."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from reconciler.api import ApiOptions, Server, build_api, build_probes, serve
from reconciler.core.kinds import Kind
from reconciler.core.values import Json, Sensitive
from reconciler.daemon import planner
from reconciler.daemon.wiring import Wiring
from reconciler.engine.worker import Worker
from reconciler.ports import Backlog
from reconciler.settings import Settings
from reconciler.telemetry.refresh import BudgetLevel, Refresher, Sources
from reconciler.telemetry.tenants import PerTenant, TenantSeries

STALL_S = 60.0
"""Real seconds without a claim or a finished pass after which the process counts as stuck."""
OVERDUE_S = 900.0
"""Real seconds that a due tenant may wait before the process counts as stuck."""


ROUND_S = 1.0
"""Figures asked for within so many real seconds are those of one reading."""
LOOPBACK = "127.0.0.1"


def public_url() -> str:
    """Answer the address under which Render serves this very process, empty elsewhere."""
    return os.environ.get("RENDER_EXTERNAL_URL", "")


def _shared(read: Callable[[], Awaitable[Backlog]]) -> Callable[[], Awaitable[Backlog]]:
    """Read the backlog once for all figures of one round."""
    kept: list[tuple[float, Backlog]] = []

    async def shared() -> Backlog:
        now_s = time.monotonic()
        if not kept or now_s - kept[0][0] >= ROUND_S:
            kept[:] = [(now_s, await read())]
        return kept[0][1]

    return shared


class EngineHealth:
    """Whether the engine makes progress and the database answers."""

    def __init__(self, wiring: Wiring, worker: Worker | None) -> None:
        """Watch a worker, or none when this process only serves."""
        self._wiring = wiring
        self._worker = worker
        self.stopping = False

    async def live(self) -> Sequence[str]:
        """Say why the process should be restarted."""
        if self._worker is None:
            return ()
        silent_s = time.monotonic() - self._worker.progress_at
        if silent_s > STALL_S:
            return (f"no claim and no finished pass for {silent_s:.0f} s",)
        try:
            backlog = await self._wiring.store.backlog(self._wiring.clock.now())
        except Exception as error:  # the database being away is no reason to restart this process
            self._wiring.telemetry.problem("health_blind", error=type(error).__name__)
            return ()
        if backlog.oldest_overdue_s > OVERDUE_S:
            return (f"the oldest overdue tenant waits for {backlog.oldest_overdue_s:.0f} s",)
        return ()

    async def ready(self) -> Sequence[str]:
        """Say why no request should be sent here."""
        if self.stopping:
            return ("the process is stopping",)
        try:
            async with self._wiring.pool.connection(timeout=3.0) as connection:
                await connection.execute("SELECT 1")
        except Exception as error:  # whatever it is, it is the answer
            return (f"the database does not answer ({type(error).__name__})",)
        return ()


class ApiPlanner:
    """Plans for the HTTP API."""

    def __init__(self, wiring: Wiring) -> None:
        """Plan with the daemon's own adapters."""
        self._wiring = wiring

    async def plan(self, name: str, columns: Mapping[str, Json] | None = None) -> Json:
        """Plan a tenant as machines read it."""
        return planner.plan_json(await planner.make(self._wiring, name, columns))

    async def plan_text(self, name: str, columns: Mapping[str, Json] | None = None) -> str:
        """Plan the same as people read it: a line per action, then what stands in the way."""
        made = await planner.make(self._wiring, name, columns)
        lines = [
            f"{action.verb} {action.kind} {action.name}"
            + "".join(f"; {change.field} {change.before} -> {change.after}" for change in action.changes)
            for action in made.plan.actions
        ]
        lines += [f"waits: {wait.message}" + (f" ({wait.you})" if wait.you else "") for wait in made.plan.waits]
        return "\n".join(lines or ["no changes"])


class Serving:
    """The HTTP side of one process."""

    def __init__(self, settings: Settings, wiring: Wiring, worker: Worker | None, *, local: bool) -> None:
        """Keep what is served."""
        self._settings = settings
        self._wiring = wiring
        self._worker = worker
        self._local = local
        self.health = EngineHealth(wiring, worker)
        self._servers: list[Server] = []
        self._refresh: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self, *, with_api: bool) -> None:
        """Start the refresher of figures, and the API if this process has that role."""
        wiring, settings = self._wiring, self._settings
        series = TenantSeries(wiring.registry, wiring.clock, wiring.metrics, PerTenant(settings.metrics_per_tenant))
        refresher = Refresher(wiring.telemetry, self._sources(), series)
        self._refresh = asyncio.create_task(refresher.run(), name="figures")
        if settings.metrics_port:
            probes = build_probes(wiring.metrics, self.health)
            own = await serve(probes, LOOPBACK, settings.metrics_port, setting="RECONCILER_METRICS_PORT")
            self._servers.append(own)
        if not with_api:
            return
        app = build_api(wiring.registry, wiring.clock, ApiPlanner(wiring), wiring.metrics, self.health, self._options())
        trusted = "*" if public_url() else LOOPBACK
        server = await serve(app, settings.api_host, settings.api_port, trusted_proxies=trusted)
        self._servers.append(server)
        self.url = server.url

    def _options(self) -> ApiOptions:
        settings = self._settings
        return ApiOptions(
            default_blueprint=settings.default_blueprint,
            default_tier=settings.default_tier,
            webhook_secret=Sensitive(settings.webhook_secret.get_secret_value()),
            wake_resource=self._wiring.wake_resource,
            metrics_open=self._local,
            public_url=public_url(),
            secure_cookies=public_url().startswith("https:"),
            session_secret=Sensitive(self._wiring.vault.digest("console", "session secret")),
        )

    def _sources(self) -> Sources:
        store, clock = self._wiring.store, self._wiring.clock

        backlog = _shared(lambda: store.backlog(clock.now()))

        async def overdue() -> float:
            return (await backlog()).oldest_overdue_s

        async def depth() -> Mapping[str, int]:
            return {str(key): count for key, count in (await backlog()).due.items()}

        async def unknown() -> int:
            return (await backlog()).unknown_operations

        async def queue() -> int:
            return len(await self._wiring.registry.queue())

        async def ages() -> Mapping[str, float]:
            kinds = (Kind.WEB, Kind.POSTGRES, Kind.KEY_VALUE, Kind.ENV_GROUP, Kind.PROJECT, Kind.ENVIRONMENT)
            stamps, now = await store.sweeps(), clock.now()
            return {kind.value: (now - stamps[kind]).total_seconds() for kind in kinds if kind in stamps}

        async def budgets() -> Sequence[BudgetLevel]:
            levels = await store.levels(clock.now())
            return [
                BudgetLevel(bucket=one.bucket, tokens=one.tokens, limit=one.limit, learned=one.learned)
                for one in levels
            ]

        async def workers() -> tuple[int, int]:
            return (self._worker.active if self._worker else 0), self._settings.workers

        return Sources(
            budgets=budgets,
            workers=workers,
            orphans=self._wiring.registry.orphans,
            overdue=overdue,
            depth=depth,
            unknown_open=unknown,
            create_queue=queue,
            breakers=store.broken,
            observation_age=ages,
            brake=store.brake,
        )

    async def stop(self) -> None:
        """Stop answering: after the engine, before the database."""
        self.health.stopping = True
        for server in self._servers:
            await server.stop()
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.gather(self._refresh, return_exceptions=True)
