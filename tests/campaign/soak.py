"""Lives of tenants by the ten thousand, one after another and many at once: what does the operator keep of the dead?

One worker with the real client and the real metrics, over the store in memory and the simulator, in virtual time.
Limits are off, so that lives are short. What store and simulator remember is no part of the operator: it is cleared
away every few lives, as retention does it in ninety days.
"""

import asyncio
import random as chance
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from reconciler import manifest
from reconciler.core.guard import Caps
from reconciler.core.kinds import Bucket
from reconciler.core.spec import BlueprintSpec
from reconciler.core.status import Phase
from reconciler.daemon.wiring import Gate, Learner
from reconciler.engine.options import Ports
from reconciler.engine.worker import Worker
from reconciler.manifest import reader
from reconciler.render.calls import Hooks
from reconciler.simulator.limits import Limits
from reconciler.telemetry.adapter import MeteredTelemetry
from reconciler.telemetry.metrics import Metrics
from tests.campaign import fleet, weight
from tests.campaign.cloud import Cloud, CloudClient, Moods, WorldClock
from tests.campaign.loop import STEPS_MAX, Process, SeededLoop
from tests.campaign.memory import Database, MemoryStore
from tests.campaign.memory.database import BucketRow
from tests.campaign.weight import Weight

HEAD = "apiVersion: reconciler/v1\nkind: Blueprint\n"
LEAN = """
metadata: {name: lean}
spec:
  template:
    services:
      - {type: web, name: app, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter,
         envVars: [{key: MODE, value: live}]}
  entrypoint: app
  ready: {path: /, within: 15m}
  tiers: {small: {}, big: {patch: {app: {plan: standard}}}}
  onDelete: {keepFor: 7d, export: false}
"""
STORED = """
metadata: {name: stored}
spec:
  template:
    services:
      - {type: keyvalue, name: cache, plan: starter, ipAllowList: []}
      - {type: web, name: app, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter,
         envVars: [{key: REDIS_URL, fromService: {type: keyvalue, name: cache, property: connectionString}},
                   {key: TOKEN, generateValue: true}]}
  entrypoint: app
  ready: {path: /, within: 15m}
  tiers: {small: {}, big: {patch: {app: {plan: standard}}}}
  onDelete: {keepFor: 7d, export: false}
"""
STORED_SHARE = 0.1
AT_ONCE = 50
ALONE_SHARE = 0.02
"""Of the lives of a stretch that run one after another."""
POINTS_MIN = 3
"""The way up, and two for a line: more are needed for a slope."""
BURIED_AT_ONCE = 10
LOOK_S = 20.0
STUCK_S = 24 * 3600.0
STEPS_A_LIFE_MAX = 2_000
NO_LIMIT = 1_000_000
SETTLE_S = 1_000.0
"""After the last death of a stretch a sweep comes and the picture is calm."""
OPTIONS = replace(
    fleet.OPTIONS, workers=16, caps=Caps(deletes=NO_LIMIT, suspends=NO_LIMIT, mass_share=1.0, mass_minimum=NO_LIMIT)
)
SETTINGS = {
    "limit_read_per_minute": NO_LIMIT, "limit_write_per_minute": NO_LIMIT, "limit_create_per_hour": NO_LIMIT,
    "limit_service_per_minute": NO_LIMIT, "keep_writes": 100,
    "build_image_s": 1.0, "go_live_s": 1.0, "key_value_creating_s": 1.0,
}  # fmt: skip
MOODS = Moods(lost_share=0.0005, late_share=0.0005, broken_share=0.001)
"""A little goes wrong all the time: ways of failing keep things too."""


class Counted(MeteredTelemetry):
    """The operator's own telemetry; what it would log is counted by its event."""

    def __init__(self, clock: WorldClock) -> None:
        super().__init__(Metrics(), host="render.invalid", clock=clock)
        self.said: Counter[str] = Counter()

    def log(self, event: str, **_: object) -> None:
        self.said[event] += 1

    problem = log


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured after so many lives."""

    cycles: int
    rss_bytes: int
    blocks: int
    weight: Weight
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Growth:
    """How one figure goes with the number of lives, by least squares without the first point, which is the way up."""

    name: str
    unit: str
    a_life: float
    lives: int
    allowed_at_all: float
    allowed_a_life: float

    @property
    def bounded(self) -> bool:
        """Say whether it grows by no more than what comes once (a label of a rare failure) and what is too little."""
        return self.a_life * self.lives <= self.allowed_at_all + self.allowed_a_life * self.lives

    def __str__(self) -> str:
        verdict = "does not grow" if self.bounded else "GROWS"
        return f"{self.name:<22} {self.a_life * 100_000:+14,.0f} {self.unit} per 100,000 lives: {verdict}"


GROWTHS: Sequence[tuple[str, str, Callable[[Point], float], float, float]] = (
    ("the operator's objects", "bytes", lambda point: point.weight.bytes, 20_000.0, 1.0),
    ("blocks given out", "blocks", lambda point: point.blocks, 40_000.0, 0.05),
    ("RSS of the process", "bytes", lambda point: point.rss_bytes, 8e6, 50.0),
)
"""Name, unit, figure, and what may be gained at all and by each life. The least that a tenant can leave behind, its
name in a set, is some 100 bytes in two blocks. Libraries fill caches of their own (pydantic's holds 16,384 strings)."""


def growths(points: Sequence[Point]) -> list[Growth]:
    """Answer how the figures grew; at least three points are needed."""
    settled = points[1:]
    lives = settled[-1].cycles - settled[0].cycles
    found = []
    for name, unit, figure, at_all, a_life in GROWTHS:
        line = statistics.linear_regression([one.cycles for one in settled], [figure(one) for one in settled])
        found.append(Growth(name, unit, line.slope, lives, at_all, a_life))
    return found


@dataclass
class Soak:
    """One soak: its parts, and how many lives have ended."""

    seed: int
    loop: SeededLoop
    at_once: int = AT_ONCE
    cycles: int = 0
    points: list[Point] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(f"soak:{self.seed}")  # noqa: S311 - schedules, not secrets
        self.cloud = Cloud(self.loop, Random(self.random.random()), settings=SETTINGS, moods=replace(MOODS))  # noqa: S311
        self.clock = WorldClock(self.loop)
        self.database = Database(reader, self.loop.time, self.clock.now)
        for bucket in Bucket:  # as earlier headers would have told
            self.database.budget[bucket, ""] = BucketRow(limit_seen=NO_LIMIT)
        for text in (LEAN, STORED):
            self.database.put_blueprint(_read(text))
        self.telemetry = Counted(self.clock)
        store = MemoryStore(self.database)
        gate, learner = Gate(self.clock), Learner(self.telemetry)  # type: ignore[arg-type]
        gate.store = learner.store = store  # type: ignore[assignment]
        hooks = Hooks(read_gate=gate, learned=learner, on_request=self.telemetry.requested)
        self.client = CloudClient(self.cloud, self.clock, hooks)
        ports = Ports(
            clock=self.clock, render=self.client, store=store, resolver=fleet.Digests(), telemetry=self.telemetry,
            book=fleet.BOOK, options=OPTIONS,
        )  # fmt: skip
        self.worker = Worker(ports, "host:1:0", seed=self.random.randrange(2**30))
        self.others = (self.loop, self.cloud, self.cloud.world, self.database, store, self.random)

    def weigh(self) -> Point:
        """Measure now."""
        weight_ = weight.weigh([self.worker, self.client, self.telemetry], self.others)
        return Point(self.cycles, weight.rss_bytes(), weight.blocks(), weight_, time.process_time())

    # ------------------------------------------------------------ lives

    async def live(self, cycles: int, every: int, go_on: Callable[[Point], bool]) -> None:
        """Let so many tenants live and die, and measure every so many; `go_on` says whether there is time for more."""
        running = self.loop.spawn(Process("operator"), self.worker.run())
        more = True
        while self.cycles < cycles and more:
            count = min(every, cycles - self.cycles)
            alone = max(1, int(count * ALONE_SHARE))
            for number in range(self.cycles, self.cycles + alone):
                await self._life(number)
            await self._many(range(self.cycles + alone, self.cycles + count))
            self.cycles += count
            await asyncio.sleep(SETTLE_S)
            self._bury()
            self.points.append(self.weigh())
            more = go_on(self.points[-1])
        self.worker.stop()
        await running

    async def _many(self, numbers: Sequence[int]) -> None:
        waiting = iter(numbers)

        async def lane() -> None:
            for number in waiting:
                await self._life(number)
                if number % BURIED_AT_ONCE == 0:
                    self._bury()

        await asyncio.gather(*(lane() for _ in range(min(self.at_once, len(numbers)))))

    async def _life(self, number: int) -> None:
        """One tenant: signed up, Ready, edited, perhaps switched off and on, meddled with, refused, held; purged."""
        name, put = f"t{number:06d}", self.database.put_tenant
        stored = self.random.random() < STORED_SHARE
        put(name=name, blueprint="stored" if stored else "lean", tier="small", display_name=f"Tenant {number}")
        await self._until(name, Phase.READY)
        put(name=name, tier="big")
        await self._until(name, Phase.READY)
        await self._more(name, self.random.random())
        self.database.purge_now(name)
        await self._until(name, Phase.DELETED)

    async def _more(self, name: str, chance: float) -> None:
        put = self.database.put_tenant
        if chance < 0.2:
            put(name=name, state="suspended")
            await self._until(name, Phase.SUSPENDED)
            put(name=name, state="running")
        elif chance < 0.3:
            self.cloud.person("env-set", f"app-{name}", key="MODE", value=f"meddled with {name}")
            self.database.ask(name, f"look {name}")
        elif chance < 0.35:
            put(name=name, details={"overrides": {f"nobody-{name}": {"plan": "starter"}}})
            await self._until(name, Phase.INVALID)
            put(name=name, details={"env": {"app": {f"OF_{name.upper()}": "1"}}})
        elif chance < 0.4:
            self.cloud.person("delete", f"app-{name}")
        await self._until(name, Phase.READY)

    async def _until(self, name: str, phase: Phase) -> None:
        ends_s = self.loop.time() + STUCK_S
        while self.loop.time() < ends_s:
            await asyncio.sleep(LOOK_S)
            row, status = self.database.tenants.get(name), self.database.status.get(name)
            if row is None or row.purged_at is not None:
                return
            if status is not None and status.phase is phase and status.observed_generation == row.generation:
                return
        raise AssertionError(f"{name} is {status and status.phase}, not {phase}: {status and status.why}")

    # ------------------------------------------------------------ what is not the operator's

    def _bury(self) -> None:
        """Clear away what store and simulator remember of the dead."""
        database, world = self.database, self.cloud.world
        dead = {name for name, row in database.tenants.items() if row.purged_at is not None}
        by_tenant: tuple[dict[str, Any], ...] = (
            database.tenants, database.status, database.passes, database.demand, database.holds,
        )  # fmt: skip
        for table in by_tenant:
            for name in dead & table.keys():
                del table[name]
        for table in (database.events, database.refusals, database.open):
            _drop(table, lambda key, _: key[0] in dead)
        _drop(database.journal, lambda _, row: row.tenant in dead)
        _drop(database.picture, lambda id, row: row.gone and id not in database.inventory)
        _drop(database.budget, lambda key, _: key[1] and key[1] not in database.inventory)
        database.billed = [one for one in database.billed if one.interval.tenant not in dead]
        for meter in [one for one in world.meters.rows.values() if one.deleted_ns]:
            world.meters.remove(meter)
        for ghost in list(world.ghosts.rows.values()):
            world.ghosts.remove(ghost)
        world.limits = Limits()
        world.flush()


def _drop(table: dict[Any, Any], old: Callable[[Any, Any], bool]) -> None:
    for key in [key for key, row in table.items() if old(key, row)]:
        del table[key]


def _read(text: str) -> BlueprintSpec:
    (document,) = manifest.load_documents(HEAD + text.lstrip(), file="soak.yaml")
    return manifest.reader.blueprint(document.name, manifest.blueprint_document(document))


def run(cycles: int, every: int, go_on: Callable[[Point], bool], seed: int = 0) -> Soak:
    """Let so many tenants live and die; answers what was measured."""
    loop = SeededLoop(seed, cycles * STEPS_A_LIFE_MAX + STEPS_MAX)
    loop.set_exception_handler(lambda *_: None)
    asyncio.set_event_loop(loop)
    chance.seed(seed)
    soak = Soak(seed, loop)
    try:
        loop.run_until_complete(soak.live(cycles, every, go_on))
    finally:
        loop.abandon()
        asyncio.set_event_loop(None)
        loop.close()
    return soak


def report(cycles: int, every: int, minutes: float, seed: int = 0) -> int:
    """Soak, print what is measured as it comes, and the slopes; 0 if nothing grows and nothing was left undone."""
    ends_s = time.monotonic() + minutes * 60
    print(f"{'lives':>9}  {'RSS, MB':>8}  {'blocks':>9}  {'operator, bytes':>15}  {'objects':>8}  {'CPU, s':>7}")

    def tell(point: Point) -> bool:
        own = point.weight
        print(f"{point.cycles:>9,}  {point.rss_bytes / 1e6:>8.1f}  {point.blocks:>9,}  {own.bytes:>15,}"
              f"  {own.objects:>8,}  {point.cpu_s:>7.0f}", flush=True)  # fmt: skip
        return time.monotonic() < ends_s

    soak = run(cycles, every, tell, seed)
    said = ", ".join(f"{count:,} {event}" for event, count in sorted(soak.telemetry.said.items()))
    print(f"{soak.loop.time() / 86_400:.1f} virtual days, {soak.cloud.calls:,} calls; {said}")
    if len(soak.points) <= POINTS_MIN:
        print(f"{len(soak.points)} points: too few for a slope")
        return 1
    found = growths(soak.points)
    print("\n".join(map(str, found)))
    if soak.cycles < cycles:
        print(f"out of time: {soak.cycles:,} of {cycles:,} lives")
    return 0 if all(one.bounded for one in found) and soak.cycles == cycles else 1
