"""Builds the adapters from settings and joins them to the engine's ports; nothing outside knows which ones they are."""

import asyncio
import os
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from reconciler.core.errors import Invalid, Problem, Throttled
from reconciler.core.guard import Caps
from reconciler.core.kinds import Bucket
from reconciler.core.schedule import Pace
from reconciler.core.values import Sensitive
from reconciler.engine.options import Options, Ports
from reconciler.manifest import Reader, price_book
from reconciler.ports import Limits
from reconciler.postgres import vault as sealing
from reconciler.postgres.pool import Pool, make_pool
from reconciler.postgres.registry import PostgresRegistry
from reconciler.postgres.store import PostgresStore
from reconciler.postgres.vault import Vault
from reconciler.render.calls import Hooks
from reconciler.render.calls import Settings as CallSettings
from reconciler.render.client import RenderClient
from reconciler.render.clock import RenderClock, SimulatedClock
from reconciler.settings import Settings
from reconciler.telemetry.adapter import MeteredTelemetry
from reconciler.telemetry.metrics import Metrics

CLOCK_WITHIN_S = 5.0
"""Real seconds for the simulator's clock to answer; the daemon asks again, with a word about it."""
GUARD_BAND_S = 20.0
"""At most so many world seconds of a minute are given away at each edge."""
DATABASE_ID = re.compile(r"dpg-[a-z0-9]+(-[a-z])?")
"""The first part of a host name by which Render's databases are reached."""
LATENCY_ALLOWED_S = 0.2
"""Real seconds a request may be on its way before it reaches a window that it was not counted for."""


def ourselves(settings: Settings) -> frozenset[str]:
    """Name what this operator itself runs on, as far as one can know from here: it is never written to."""
    host = (urlsplit(settings.database_url).hostname or "").split(".", 1)[0]
    own = {os.environ.get("RENDER_SERVICE_ID", ""), host if DATABASE_ID.fullmatch(host) else ""}
    return frozenset(own - {""})


def vault_of(settings: Settings) -> Vault:
    """Make the vault from the key setting or its file."""
    keys = settings.encryption_key.get_secret_value()
    if keys:
        return Vault([sealing.read_key(Sensitive(one.strip())) for one in keys.split(",")])
    if settings.encryption_key_file is not None:
        return Vault([sealing.read_key_file(settings.encryption_key_file)])
    problem = Problem(path="RECONCILER_ENCRYPTION_KEY", message="is not set", remedy="set it, or its _FILE twin")
    raise Invalid([problem])


def owner_name() -> str:
    """Name this process in leases: host, pid and the second it started in."""
    return f"{socket.gethostname()}:{os.getpid()}:{int(datetime.now(UTC).timestamp())}"


@dataclass(slots=True)
class Wiring:
    """The adapters of one process, open."""

    settings: Settings
    pool: Pool
    vault: Vault
    clock: RenderClock | SimulatedClock
    render: RenderClient
    store: PostgresStore
    registry: PostgresRegistry
    metrics: Metrics
    telemetry: MeteredTelemetry
    ports: Ports
    simulator: str
    learner: "Learner"

    def use_workspace(self, workspace: str) -> None:
        """Say which workspace the store speaks of, once Render has told."""
        self.store.workspace = workspace

    async def wake_resource(self, live_id: str) -> bool:
        """Wake the tenant that owns a live object; False when nobody does."""
        async with self.pool.connection() as connection:
            rows = await connection.execute(
                "SELECT reconciler.wake(array_agg(DISTINCT tenant), 'settle') AS woken "
                "FROM reconciler.inventory WHERE id = %(id)s HAVING count(*) > 0",
                {"id": live_id},
            )
            return await rows.fetchone() is not None

    async def close(self) -> None:
        """Close what is open, in the reverse order."""
        await self.render.close(5.0)
        await self.learner.finish()  # what the last answers taught is on its way to the database
        await self.clock.stop()
        await self.pool.close()


def _clock(simulator: str) -> RenderClock | SimulatedClock:
    return SimulatedClock(simulator, start_within_s=CLOCK_WITHIN_S) if simulator else RenderClock()


def engine_options(settings: Settings) -> Options:
    """Translate settings into the engine's own words."""
    return Options(
        workers=settings.workers,
        lease_s=settings.lease_s,
        renew_s=settings.renew_s,
        request_timeout_s=settings.request_timeout_s,
        poll_s=settings.poll_s,
        shutdown_s=max(1.0, settings.shutdown_s - 3.0),
        grace_s=settings.grace_s,
        sweep_s=settings.sweep_s,
        sweep_share=settings.sweep_share,
        deep_s=settings.deep_check_s,
        deep_share=settings.deep_check_share,
        pace=Pace(
            resync_s=settings.resync_s,
            jitter=settings.resync_jitter,
            backoff_base_s=settings.backoff_base_s,
            backoff_max_s=settings.backoff_max_s,
        ),
        caps=Caps(
            deletes=settings.deletes_per_10min,
            suspends=settings.suspends_per_10min,
            mass_share=settings.mass_change_share,
            mass_minimum=settings.mass_change_min,
        ),
    )


def simulator_of(settings: Settings) -> str:
    """Answer the simulator's base URL when the API address is a simulator of this machine, else nothing."""
    parts = urlsplit(settings.render_api_url)
    return f"{parts.scheme}://{parts.netloc}" if parts.hostname in ("127.0.0.1", "localhost", "::1") else ""


class Gate:
    """Lets a read pass once its token is taken; a full window is waited for if that is soon, else Throttled."""

    def __init__(self, clock: RenderClock | SimulatedClock, patience_s: float = 10.0) -> None:
        """Wait at most `patience_s` real seconds."""
        self._clock = clock
        self._patience_s = patience_s
        self.store: PostgresStore | None = None

    async def __call__(self) -> None:
        """Take a token, or raise Throttled."""
        while self.store is not None:
            now = self._clock.now()
            throttle = await self.store.read_token(now)
            if throttle is None:
                return
            world_s = max(0.05, (throttle.until - now).total_seconds())
            if world_s / max(self._clock.speed(), 0.001) > self._patience_s:
                raise Throttled("the budget of reads is used up", until=throttle.until, bucket=Bucket.READ)
            await self._clock.sleep(world_s)


class Learner:
    """Hands the headers of answers to the store, in tasks of its own; only the newest of each bucket counts."""

    def __init__(self, telemetry: MeteredTelemetry) -> None:
        """Say where problems go; `store` is given once it stands."""
        self.store: PostgresStore | None = None
        self._telemetry = telemetry
        self._newest: dict[tuple[Bucket, str], Limits] = {}
        self._task: asyncio.Task[None] | None = None

    def __call__(self, bucket: Bucket, live_id: str, limits: Limits) -> None:
        """Take the headers of one answer."""
        self._newest[(bucket, live_id)] = limits
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write())

    async def finish(self) -> None:
        """Wait until what was learned is written."""
        if self._task is not None:
            await self._task

    async def _write(self) -> None:
        while self._newest and self.store is not None:
            (bucket, live_id), limits = self._newest.popitem()
            try:
                await self.store.learn(bucket, live_id, limits)
            except Exception as error:  # the next answer teaches the same
                self._telemetry.problem("limits_not_kept", bucket=str(bucket), error=type(error).__name__)


def _guard_band(settings: Settings, clock: RenderClock | SimulatedClock) -> float:
    """World seconds to keep from the edges of windows; a frozen clock would never leave an edge, and needs none."""
    if clock.frozen():
        return 0.0
    speed = clock.speed()
    return min(settings.guard_band_s + (LATENCY_ALLOWED_S * speed if speed > 1 else 0.0), GUARD_BAND_S)


async def wire(settings: Settings, *, application_name: str = "reconciler") -> Wiring:
    """Open everything. Errors say which setting is wrong or what cannot be reached."""
    simulator = simulator_of(settings)
    clock = _clock(simulator)
    metrics = Metrics(process=True)
    host = urlsplit(settings.render_api_url).hostname or "api.render.com"
    telemetry = MeteredTelemetry(metrics, host=host, clock=clock)
    vault = vault_of(settings)
    pool = make_pool(settings.database_url, max_size=settings.workers + 8, application_name=application_name)
    try:
        await clock.start()
        await pool.open()
        await vault.unlock(pool)
    except BaseException:
        await pool.close()
        await clock.stop()
        raise
    gate = Gate(clock)
    learner = Learner(telemetry)
    render = RenderClient(
        settings=CallSettings(
            base_url=settings.render_api_url,
            write_timeout_s=settings.request_timeout_s,
            read_timeout_s=settings.read_timeout_s,
        ),
        api_key=Sensitive(settings.render_api_key.get_secret_value()),
        clock=clock,
        owner_id=settings.render_owner_id,
        probe_via=simulator or None,
        hooks=Hooks(
            read_gate=gate,
            learned=learner,
            on_request=telemetry.requested,
        ),
        protected_ids=ourselves(settings),
    )
    reader = Reader()
    store = PostgresStore(
        pool, reader=reader, vault=vault, workspace=settings.render_owner_id, guard_band_s=_guard_band(settings, clock),
        passes_max=settings.passes_kept, passes_s=settings.passes_kept_s, direct_url=settings.database_direct_url,
    )  # fmt: skip
    gate.store = store
    learner.store = store
    registry = PostgresRegistry(pool, reader=reader, vault=vault, clock=clock, book=price_book)
    ports = Ports(
        clock=clock,
        render=render,
        store=store,
        resolver=vault,
        telemetry=telemetry,
        book=price_book(),
        options=engine_options(settings),
    )
    return Wiring(settings, pool, vault, clock, render, store, registry, metrics, telemetry, ports, simulator, learner)
