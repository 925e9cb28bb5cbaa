"""How fast the simulator is with 10,000 resources in it, on one core, and what it costs in memory: `make bench`.

The simulator is a process of its own, pinned to one core; this process sends the load from another. Rates by the
clock on the wall suffer from whatever else runs here, so CPU time a request is measured beside them: its reciprocal
is what a whole core would do, and the share says how much of one the simulator was given.
"""

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.bench.conftest import Bench, Cell
from tests.bench.load import Script, drive, each, request
from tests.bench.population import CONNECTIONS, Population, fill, group, services, step, unlimited, variables
from tests.daemon.harness import Sim

pytestmark = pytest.mark.bench

RESOURCES = 10_000
RUNS = 5
GETS, WRITES, CREATES, PAGES_OF = 4_000, 700, 600, 100
GETS_A_SECOND, WRITES_A_SECOND, MEMORY_MB = 1_000, 300, 300
BUSY_SHARE = 0.5
"""A simulator that always has work and gets less of its core shares it with somebody."""
HOURS, HOURS_A_STEP = 10_000, 100
SPEED_COLUMNS = (
    *("what", "median 1/s", "least 1/s", "most 1/s", "p50 ms", "p99 ms", "CPU ms/request", "core %", "1/s per core"),
    *("target 1/s", "verdict"),
)
MEMORY_COLUMNS = ("memory (RSS)", "MB", "target MB", "verdict")
Requests = Callable[[int], list[bytes]]


@dataclass(slots=True)
class Server:
    """The simulator under load."""

    sim: Sim
    process: psutil.Process
    where: str

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    def memory_mb(self) -> float:
        return self.process.memory_info().rss / 1e6


@pytest.fixture(params=["memory", "state file"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A simulator on a frozen clock and on a core of its own, where there are several; this process on another."""
    state = ["--state", str(tmp_path / "state.db")] if request.param == "state file" else []
    sim = Sim(tmp_path / "simulator.log", "--frozen", *state)
    cores: list[int] = []
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(sim.popen.pid, {cores[0]})
        os.sched_setaffinity(0, {cores[1]})
    pinned = "pinned to one core" if len(cores) > 1 else "not pinned: one core, or no say in it"
    try:
        yield Server(sim, psutil.Process(sim.popen.pid), f"world in {request.param}, {pinned}")
    finally:
        if len(cores) > 1:
            os.sched_setaffinity(0, cores)
        sim.stop()


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def speed(server: Server, what: str, scripts: Callable[[int], list[Script]], target: int | None = None) -> list[Cell]:
    """Play the same sort of load several times; a row of the table of speeds."""
    rates, latencies, cpu_before_s, real_s = [], [], server.cpu_s(), 0.0
    for run in range(RUNS):
        played = scripts(run)
        began = time.perf_counter()
        answered = drive(server.sim.port, played)
        took_s = time.perf_counter() - began
        rates.append(len(answered) / took_s)
        latencies += answered
        real_s += took_s
    used_s = server.cpu_s() - cpu_before_s
    cpu_s = used_s / len(latencies)
    latencies.sort()
    at = [1e3 * latencies[int(share * (len(latencies) - 1))] for share in (0.5, 0.99)]
    median = statistics.median(rates)
    met = None
    if target is not None:
        busy = median < target <= 1 / cpu_s and used_s / real_s < BUSY_SHARE
        met = "met per core; busy machine" if busy else verdict(median >= target)
    return [what, median, min(rates), max(rates), *at, 1e3 * cpu_s, 100 * used_s / real_s, 1 / cpu_s, target, met]


def shared(requests: Requests) -> Callable[[int], list[Script]]:
    """Let the connections take requests from one pile."""

    def scripts(run: int) -> list[Script]:
        pile = iter(requests(run))
        return [each(pile) for _ in range(CONNECTIONS)]

    return scripts


def walk() -> Script:
    """Read the whole list of services, page by page."""
    cursor = ""
    while page := (yield request("GET", f"/v1/services?limit={PAGES_OF}{cursor}")).json():
        cursor = f"&cursor={page[-1]['cursor']}"


class Draw:
    """Makes requests about random objects; the same seed draws the same ones every time."""

    def __init__(self, made: Population) -> None:
        self._made = made
        self._chance = random.Random(1)  # noqa: S311 - it must be repeatable, not secret

    def _service(self) -> str:
        return f"/v1/services/{self._chance.choice(self._made.services)}"

    def gets(self, _run: int) -> list[bytes]:
        return [request("GET", self._service()) for _ in range(GETS)]

    def patches(self, run: int) -> list[bytes]:
        return [request("PATCH", self._service(), {"rootDir": f"app-{run}-{n}"}) for n in range(WRITES)]

    def puts(self, run: int) -> list[bytes]:
        return [request("PUT", f"{self._service()}/env-vars", variables(f"NEW_{run}_{n}")) for n in range(WRITES)]

    def posts(self, run: int) -> list[bytes]:
        return [request("POST", "/v1/env-groups", group(f"more-{run}-{n}")) for n in range(WRITES)]

    def writes(self, run: int) -> list[bytes]:
        """All three in turn, under names of their own."""
        kinds = zip(self.patches(-run - 1), self.puts(-run - 1), self.posts(-run - 1), strict=True)
        return [one for turn in kinds for one in turn]

    def creates(self, run: int) -> list[bytes]:
        """Services of all five types."""
        bodies = [
            services(RESOURCES + run * CREATES + n, self._chance.choice(self._made.environments))[n % 5]
            for n in range(CREATES)
        ]
        return [request("POST", "/v1/services", body) for body in bodies]


def speeds(server: Server, made: Population) -> list[list[Cell]]:
    """Measure reads, then writes, then creates."""
    draw = Draw(made)
    return [
        speed(server, "GET one service", shared(draw.gets), GETS_A_SECOND),
        speed(server, f"list services, pages of {PAGES_OF}", lambda _run: [walk() for _ in range(CONNECTIONS)]),
        speed(server, "writes, all three", shared(draw.writes), WRITES_A_SECOND),
        speed(server, "  PATCH a service", shared(draw.patches)),
        speed(server, "  PUT 8 env vars", shared(draw.puts)),
        speed(server, "  POST an env group", shared(draw.posts)),
        speed(server, "  POST a service", shared(draw.creates)),
    ]


@pytest.mark.timeout(600)
def test_speed_and_memory_with_ten_thousand_resources(server: Server, bench: Bench) -> None:
    unlimited(server.sim.port)
    empty_mb = server.memory_mb()
    began = time.perf_counter()
    made = fill(server.sim.port, RESOURCES)
    filled_s, filled_mb = time.perf_counter() - began, server.memory_mb()
    assert len(made) == RESOURCES
    rows = speeds(server, made)
    truth = server.sim.truth()
    exists = sum(len(truth[kind]) for kind in ("services", "postgres", "key_values", "env_groups", "projects"))
    assert exists >= RESOURCES - len(made.environments), "it is all there, whatever the speed"
    after_mb = server.memory_mb()
    bench.table(
        f"simulator with {RESOURCES:,} resources, {server.where}; {CONNECTIONS} connections, {RUNS} runs "
        f"(filled over HTTP in {filled_s:.0f} s)",
        SPEED_COLUMNS,
        rows,
    )
    bench.table(
        f"simulator's memory, {server.where}",
        MEMORY_COLUMNS,
        [
            ("empty", empty_mb, None, None),
            (f"{RESOURCES:,} resources", filled_mb, MEMORY_MB, verdict(filled_mb < MEMORY_MB)),
            ("after the measurements", after_mb, MEMORY_MB, verdict(after_mb < MEMORY_MB)),
        ],
    )
    assert filled_mb < MEMORY_MB, "memory does not depend on what else runs on this machine"


@pytest.mark.timeout(900)
def test_ten_thousand_simulated_hours(server: Server, bench: Bench) -> None:
    unlimited(server.sim.port)
    made = fill(server.sim.port, RESOURCES)
    crons = len(made.services) // 5
    before_mb, cpu_s, began = server.memory_mb(), server.cpu_s(), time.perf_counter()
    for _ in range(HOURS // HOURS_A_STEP):
        step(server.sim.port, HOURS_A_STEP * 3_600.0)
    real_s, cpu_s = time.perf_counter() - began, server.cpu_s() - cpu_s
    bill = server.sim.call("GET", "/truth/bill")
    runs = sum(1 for line in bill["lines"] if line["sku"].startswith("run:"))
    assert runs == crons, "every nightly job ran, and was metered"
    bench.table(
        f"{HOURS:,} simulated hours of {RESOURCES:,} resources, {crons:,} nightly jobs among them; {server.where}",
        ("what", "figure"),
        [
            ("real seconds", real_s),
            ("CPU seconds", cpu_s),
            ("simulated hours a real second", HOURS / real_s),
            ("memory before, MB", before_mb),
            ("memory after, MB", server.memory_mb()),
        ],
    )
