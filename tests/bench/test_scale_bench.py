"""What a fleet costs: calls, memory, CPU, start, reaction; up to 10,000 tenants. `make bench ARGS="-k scale"`.

Daemon, simulator and database are processes of their own, as in a rehearsal; CPU is that of the daemon's process alone.
Sizes can be chosen (RECONCILER_BENCH_TENANTS=1000,10000), and how long idleness is watched (RECONCILER_BENCH_IDLE_S).
"""

import gc
import json
import os
import statistics
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from reconciler.core.errors import Throttled
from reconciler.core.kinds import Kind
from reconciler.daemon.process import COLLECT_AFTER
from reconciler.postgres import migrate
from reconciler.postgres.embedded import EmbeddedPostgres
from tests.bench.conftest import Bench, Cell
from tests.bench.fleet import Fleet, name_of, open_fleet, worker_of
from tests.conftest import fresh_database
from tests.daemon.harness import Process, until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1200)]

SIZES = tuple(int(size) for size in os.environ.get("RECONCILER_BENCH_TENANTS", "1000,3000,10000").split(","))
IDLE_S = float(os.environ.get("RECONCILER_BENCH_IDLE_S", "60"))
TARGETS = {"memory_mb": 400, "pass_cpu_s": 60, "idle_percent": 3, "start_s": 5}
PROVIDER_GETS = 29
"""What Terraform's provider reads to refresh a stack of six such resources (Render API 3, recordings)."""
SAMPLES = 200
CHANGED = {"type": "instance_count_changed"}
RESYNC_S = 3600.0
SWEEP_S = 900.0


@pytest.fixture(scope="module")
def durable_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server that waits for the disk, as one in production does."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("scale") / "pg") as server:
        migrate.upgrade(server.url)
        yield server


@pytest.fixture
def fleet_url(durable_server: EmbeddedPostgres) -> Iterator[str]:
    yield from fresh_database(durable_server.url, "postgres")


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def peak_mb(process: psutil.Process) -> float:
    """The most memory that was ever resident."""
    line = next(line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in line)
    return int(line.split()[1]) * 1024 / 1e6


# ---------------------------------------------------------------- calls


async def test_scale_calls(database_url: str, tmp_path: Path, bench: Bench) -> None:
    """A no-op check of 1,000 tenants in calls, kind by kind, and what deep checks add in the steady state."""
    tenants, rows = 1000, list[tuple[Cell, ...]]()
    async with open_fleet(database_url, tmp_path, tenants) as fleet, fleet.wired() as wiring:
        worker = worker_of(wiring)
        before, kinds = calls(fleet), dict[str, int]()
        worker.sweeper.begin()
        while worker.sweeper.under_way:
            kind = worker.sweeper._left[0][0]
            await worker.sweeper.step()
            after = calls(fleet)
            kinds[str(kind)] = kinds.get(str(kind), 0) + after - before
            before = after
        swept = await wiring.store.sweeps()
        assert set(swept) == set(Kind), "every kind was verified by listing"
        fleet.due_within(0.0, wiring.clock.now())
        writes = len(fleet.sim.truth()["writes"])
        passes = 0
        while ran := await worker.turn():
            passes += ran
        assert passes == tenants
        looked = calls(fleet) - before
        assert len(fleet.sim.truth()["writes"]) == writes, "nothing is to be done"
        total = sum(kinds.values()) + looked
        rows += [(f"list {kind}", count, None, None) for kind, count in kinds.items()]
        rows += [
            (f"{passes:,} passes", looked, None, None),
            ("together", total, 100, verdict(total <= 100)),
            ("Terraform's provider, a GET per resource and part", PROVIDER_GETS * tenants, None, None),
        ]
        hours = await deep_checks(fleet, wiring, worker)
    bench.table(
        "a no-op check of 1,000 tenants (3 services, Postgres, Key Value, env group each), API calls",
        ("what", "calls", "target", "verdict"),
        rows,
    )
    bench.table(
        "deep checks of 1,000 tenants made at the same time: calls an hour, a day long",
        ("median", "least", "most", "a day", "share of all reads allowed, %"),
        [
            (
                statistics.median(hours),
                min(hours),
                max(hours),
                sum(hours),
                100 * statistics.mean(hours) / (400 * 60),
            )
        ],
    )
    assert total <= 100, "calls do not depend on the machine"


def calls(fleet: Fleet) -> int:
    return sum(fleet.sim.truth()["requests"].values())


async def deep_checks(fleet: Fleet, wiring: Any, worker: Any) -> list[int]:
    """Let a day go by without sweeps, each tenant woken for its turn and once an hour; answers calls an hour."""
    hours = []
    for _ in range(24):
        before = calls(fleet)
        for _ in range(4):
            fleet.sim.call("POST", "/clock", {"step_s": 900})
            await wiring.clock.refresh()
            await wiring.store.set_clock(wiring.clock.now(), 1.0)
            while await worker.turn():
                pass
        hours.append(calls(fleet) - before)
    return hours


# ---------------------------------------------------------------- sizes


@dataclass(slots=True)
class Measured:
    """The figures of one size."""

    tenants: int
    start_s: float = 0.0
    start_cpu_s: float = 0.0
    pass_cpu_s: float = 0.0
    pass_s: float = 0.0
    sweep_cpu_s: float = 0.0
    idle_percent: float = 0.0
    memory_mb: float = 0.0

    @property
    def with_sweeps(self) -> float:
        return self.idle_percent + 100 * self.sweep_cpu_s / SWEEP_S

    def row(self) -> tuple[Cell, ...]:
        return (
            self.tenants,
            self.memory_mb,
            self.pass_cpu_s,
            1000 * self.pass_cpu_s / self.tenants,
            self.pass_s,
            self.sweep_cpu_s,
            self.idle_percent,
            self.with_sweeps,
            self.start_s,
            self.start_cpu_s,
        )


def now_of(fleet: Fleet) -> datetime:
    return datetime.fromtimestamp(fleet.sim.call("GET", "/clock")["epoch_s"], UTC)


def one(fleet: Fleet, query: str, *values: object) -> Any:
    with psycopg.connect(fleet.settings.database_url) as connection:
        row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return row[0]


def left(fleet: Fleet) -> int:
    """How many tenants are due or under way."""
    return int(
        one(
            fleet,
            "SELECT count(*) FROM reconciler.tenant_queue WHERE due_at <= %s OR lease_until IS NOT NULL",
            now_of(fleet),
        )
    )


def start(fleet: Fleet, measured: Measured) -> tuple[Process, psutil.Process]:
    """Start a daemon that finds one customer's change waiting; measures until that was worked on."""
    fleet.due_within(RESYNC_S, now_of(fleet) + timedelta(hours=2))
    with psycopg.connect(fleet.settings.database_url) as connection:
        connection.execute("SELECT reconciler.wake(ARRAY[%s], 'user')", [name_of(1)])
    began = time.monotonic()
    daemon = fleet.daemon("--role", "engine", RECONCILER_SWEEP_SHARE=1)
    done = "SELECT handled_seq = wake_seq FROM reconciler.tenant_queue WHERE tenant = %s"
    until(lambda: one(fleet, done, name_of(1)), 120.0, lambda: daemon.text[-3000:])
    measured.start_s = time.monotonic() - began
    process = psutil.Process(daemon.popen.pid)
    measured.start_cpu_s = cpu_s(process)
    return daemon, process


def picture_at(fleet: Fleet) -> datetime:
    found = one(fleet, "SELECT min(started_at) FROM reconciler.sweeps")
    assert isinstance(found, datetime)
    return found


async def sweep(fleet: Fleet) -> float:
    """Answer the CPU seconds of a full sweep, done in this process as the daemon would; the first one warms up."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        return await _swept(fleet)
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def _swept(fleet: Fleet) -> float:
    async with fleet.wired() as wiring:
        sweeper, me, spent = worker_of(wiring).sweeper, psutil.Process(), 0.0
        for _ in range(2):
            spent = cpu_s(me)
            sweeper.begin()
            while sweeper.under_way:
                try:
                    await sweeper.step()
                except Throttled:  # what a minute allows is used: let it be over
                    fleet.sim.call("POST", "/clock", {"step_s": 60})
                    await wiring.clock.refresh()
            spent = cpu_s(me) - spent
        await wiring.store.release_all("bench:0:0")
    return spent


def full_pass(fleet: Fleet, process: psutil.Process, measured: Measured) -> None:
    began, spent = time.monotonic(), cpu_s(process)
    fleet.due_within(0.0, now_of(fleet))
    until(lambda: not left(fleet), 600.0)
    measured.pass_s, measured.pass_cpu_s = time.monotonic() - began, cpu_s(process) - spent


def idle(fleet: Fleet, process: psutil.Process) -> float:
    """Answer what the daemon costs while resyncs come as they do in the long run, in per cent of one core."""
    fleet.due_within(RESYNC_S, now_of(fleet))
    time.sleep(5.0)
    began, spent = time.monotonic(), cpu_s(process)
    time.sleep(IDLE_S)
    return 100 * (cpu_s(process) - spent) / (time.monotonic() - began)


@pytest.mark.parametrize("tenants", SIZES)
async def test_scale_fleet(fleet_url: str, tmp_path: Path, bench: Bench, tenants: int) -> None:
    measured = Measured(tenants)
    async with open_fleet(fleet_url, tmp_path, tenants, speed=1.0) as fleet:
        measured.sweep_cpu_s = await sweep(fleet)
        daemon, process = start(fleet, measured)
        began = now_of(fleet)
        until(lambda: picture_at(fleet) > began - timedelta(seconds=30), 300.0)  # the first look has ended
        full_pass(fleet, process, measured)
        measured.idle_percent = idle(fleet, process)
        measured.memory_mb = peak_mb(process)
        assert '"event": "effect"' not in daemon.text, "nothing was to be done"
        assert '"event": "pass_failed"' not in daemon.text, daemon.text[-3000:]
        if tenants == max(SIZES):
            reaction(fleet, bench)
    columns = (
        *("tenants", "peak memory MB", "full pass CPU s", "CPU ms/tenant", "full pass real s", "sweep CPU s"),
        *("idle % of a core", "with its sweeps %", "start to first pass s", "its CPU s"),
    )
    bench.table(
        f"one daemon, {tenants:,} tenants of 6 resources; idle watched for {IDLE_S:g} s", columns, [measured.row()]
    )
    if tenants >= 10_000:
        met = [
            ("resident memory, MB", measured.memory_mb, TARGETS["memory_mb"]),
            ("full no-op pass, CPU s", measured.pass_cpu_s, TARGETS["pass_cpu_s"]),
            ("idle with sweeps, % of a core", measured.with_sweeps, TARGETS["idle_percent"]),
            ("start to first useful pass, s", measured.start_s, TARGETS["start_s"]),
        ]
        rows = [(what, figure, target, verdict(figure < target)) for what, figure, target in met]
        bench.table("10,000 tenants against their targets", ("what", "figure", "target", "verdict"), rows)
        assert measured.memory_mb < TARGETS["memory_mb"], "memory does not depend on what else runs on this machine"


# ---------------------------------------------------------------- reaction


def reaction(fleet: Fleet, bench: Bench) -> None:
    """From COMMIT of a spec by SQL to the first request at the API, with all the other tenants at rest.

    The change is one call (another number of instances), so that no limit of writes is met. The simulator stamps what
    happens with its clock, which runs as the machine's; the distance of the two is measured beside.
    """
    latencies: list[float] = []
    headers = {"Authorization": "Bearer somebody-else"}
    with (
        httpx.Client(base_url=f"{fleet.sim.base}/v1", headers=headers, timeout=10.0) as http,
        psycopg.connect(fleet.settings.database_url) as connection,
    ):
        for number in range(1, SAMPLES + 1):
            name = name_of(number)
            app = one(fleet, "SELECT id FROM reconciler.inventory WHERE tenant = %s AND component = 'app'", name)
            connection.execute("UPDATE reconciler.tenants SET tier = 'big' WHERE name = %s", [name])
            committing = time.time()
            connection.commit()
            found = until(lambda where=f"/services/{app}/events": http.get(where, params=CHANGED).json(), 60.0)
            at = datetime.fromisoformat(found[0]["event"]["timestamp"]).timestamp()
            latencies.append(at - offset_s(fleet) - committing)
            time.sleep(0.1 + 0.001 * (number % 97))
    ordered = sorted(1000 * latency for latency in latencies)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    bench.table(
        f"from COMMIT to the first API request, {fleet.tenants:,} tenants at rest, {SAMPLES} samples; {load()}",
        ("p50 ms", "target", "verdict", "p99 ms", "target ms", "verdict p99", "least ms", "most ms"),
        [(p50, 20, verdict(p50 < 20), p99, 100, verdict(p99 < 100), ordered[0], ordered[-1])],
    )


def load() -> str:
    """Say what else runs here: seconds by the clock on the wall suffer from it, CPU seconds hardly."""
    return f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def offset_s(fleet: Fleet) -> float:
    """Answer how far the simulator's clock is ahead of the machine's: the best of a few questions."""
    best = (1.0, 0.0)
    for _ in range(5):
        asked = time.time()
        with urllib.request.urlopen(f"{fleet.sim.base}/_sim/clock") as reply:  # noqa: S310 - our own simulator
            told = float(json.load(reply)["epoch_s"])
        answered = time.time()
        best = min(best, (answered - asked, told - (asked + answered) / 2))
    return best[1]
