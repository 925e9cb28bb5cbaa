"""One run of the campaign: a seed in, what was broken out; the same seed gives the same run, step by step."""

import asyncio
import random as chance
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from reconciler.core.kinds import Bucket
from tests.campaign.cloud import Cloud
from tests.campaign.fleet import Fleet
from tests.campaign.gates import Chaos, Strike
from tests.campaign.loop import SeededLoop, Stuck
from tests.campaign.memory import Database
from tests.campaign.memory.database import BucketRow
from tests.campaign.oracles import Oracles
from tests.campaign.scenario import SPAN_S, Deed, Scenario, chaos_of
from tests.campaign.stacks import BLUEPRINTS

HEAL_WITHIN_S = 24 * 3600.0
LOOK_EVERY_S = 60.0
HEARD_WITHIN_S = 1_800.0
"""So long after the faults every last word of a person has been looked at, whatever became of it."""
SWEPT_S = 1_200.0
QUIET_S = 2_100.0
TIGHT = 0.3
"""After the heal everybody is asked for a deep check, and so long nothing may be written: two sweeps."""


@dataclass
class Outcome:
    """What one run came to."""

    seed: int
    broken: list[str]
    tenants: int = 0
    replicas: int = 0
    healed_s: float = 0.0
    """World seconds from the end of the faults until all was well."""
    virtual_s: float = 0.0
    calls: int = 0
    writes: int = 0
    kills: int = 0
    stops: int = 0
    story: list[str] = field(default_factory=list)


@dataclass
class Run:
    """The parts of a run, for tests that drive it themselves."""

    seed: int
    loop: SeededLoop
    random: Random
    cloud: Cloud
    fleet: Fleet
    oracles: Oracles
    scenario: Scenario


def prepare(
    seed: int, loop: SeededLoop, strike: Strike | None = None, replicas: int = 0, *, scripted: bool = False
) -> Run:
    """Build everything a run needs; `strike` and `replicas` replace what the seed would draw.

    A script that is written down counts on Render's real limits.
    """
    random = Random(f"campaign:{seed}")  # noqa: S311 - schedules, not secrets
    chance.seed(seed)
    cloud = Cloud(loop, Random(random.random()))  # noqa: S311
    count = replicas or random.choices((1, 2, 3), (50, 30, 20))[0]
    fleet = Fleet(loop, Random(random.random()), cloud, strike or chaos_of(Random(random.random())), count)  # noqa: S311
    oracles = Oracles(cloud, fleet.database, {})
    cloud.wrote = oracles.wrote
    fleet.database.finished = oracles.finished
    for spec in BLUEPRINTS.values():
        fleet.database.put_blueprint(spec)
    if random.random() < TIGHT and not scripted:
        _tighten(cloud, fleet.database)
    scenario = Scenario(Random(random.random()), cloud, fleet.database, oracles)  # noqa: S311
    return Run(seed, loop, random, cloud, fleet, oracles, scenario)


def _tighten(cloud: Cloud, database: Database) -> None:
    """Give the key small limits, known from earlier headers: then the budgets decide what happens when."""
    for bucket, setting, limit in (
        (Bucket.CREATE, "limit_create_per_hour", 5), (Bucket.WRITE, "limit_write_per_minute", 6),
        (Bucket.SERVICE, "limit_service_per_minute", 3),
    ):  # fmt: skip
        cloud.world.settings.change({setting: limit})
        if bucket is not Bucket.SERVICE:  # of single services nothing is known before they are there
            database.budget[bucket, ""] = BucketRow(limit_seen=limit)


async def perform(run: Run, script: Sequence[Deed], story: list[str]) -> float:
    """Play the script, heal, and wait until all is well; answers how long the last took."""
    fleet, loop = run.fleet, run.loop
    for replica in fleet.replicas:
        fleet.start(replica)
    supervisor = loop.create_task(fleet.watch())
    for deed in script:
        await asyncio.sleep(max(0.0, deed.at_s - loop.time()))
        story.append(f"{loop.time():8.1f}  {deed.name}")
        deed.do()
    await asyncio.sleep(max(0.0, SPAN_S - loop.time()))
    healed_s = await settle(run, story)
    supervisor.cancel()
    return healed_s


async def settle(run: Run, story: list[str]) -> float:
    """Heal, wait until all is well and stays so, and judge the end; answers how long it took until all was well."""
    fleet, loop = run.fleet, run.loop
    fleet.heal()
    run.scenario.heal()
    began_s = loop.time()
    await _well(run)
    healed_s = loop.time() - began_s
    await _quiet(run, story)
    run.oracles.settled()
    return healed_s


async def _well(run: Run) -> None:
    """Wait until everybody is where he should be; what failed for good while faults lasted is asked for once more."""
    ends_s, asked = run.loop.time() + HEAL_WITHIN_S, 0
    heard = False
    while run.loop.time() < ends_s:
        await asyncio.sleep(LOOK_EVERY_S)
        if not heard and run.loop.time() > ends_s - HEAL_WITHIN_S + HEARD_WITHIN_S:
            heard = True
            run.oracles.acted()
        if not run.oracles.unsettled():
            return
        if asked < 2 and run.loop.time() > ends_s - HEAL_WITHIN_S + (asked + 1) * 3600:
            asked += 1
            for name in run.oracles.wishes:
                run.fleet.database.ask(name, f"heal{asked}")


async def _quiet(run: Run, story: list[str]) -> None:
    """Ask everybody for a deep check and let three sweeps pass: then nothing may be written any more."""
    await asyncio.sleep(SWEPT_S)  # whatever a person did last has been seen
    await _well(run)
    run.oracles.swept()
    for name in run.oracles.wishes:
        run.fleet.database.ask(name, "quiet")
    await asyncio.sleep(SWEPT_S)
    before = run.oracles.writes
    for name in run.oracles.wishes:
        run.fleet.database.ask(name, "quiet too")
    await asyncio.sleep(QUIET_S)
    written = run.oracles.writes - before
    if written:
        last = [f"{one.method} {one.path}" for one in list(run.cloud.world.writes)[-written:]]
        run.oracles.break_("P6", f"{written} writes where nothing was to do: {last[:6]}")


def _drawn(run: Run) -> Sequence[Deed]:
    return run.scenario.script()


def run_seed(
    seed: int,
    *,
    script: Callable[[Run], Sequence[Deed]] = _drawn,
    strike: Strike | None = None,
    replicas: int = 0,
    prepared: Callable[[Run], None] | None = None,
) -> Outcome:
    """Run one seed from beginning to end; what is given stands in for what the seed would draw."""
    loop = SeededLoop(seed)
    loop.set_exception_handler(lambda *_: None)
    asyncio.set_event_loop(loop)
    outcome = Outcome(seed, [])
    try:
        run = prepare(seed, loop, strike, replicas, scripted=script is not _drawn)
        if prepared is not None:
            prepared(run)
        try:
            outcome.healed_s = loop.run_until_complete(perform(run, script(run), outcome.story))
        except Stuck as stuck:
            run.oracles.break_("P1", str(stuck))
        _count(outcome, run)
    finally:
        loop.abandon()
        asyncio.set_event_loop(None)
        loop.close()
    return outcome


def _count(outcome: Outcome, run: Run) -> None:
    outcome.broken = run.oracles.broken
    outcome.tenants, outcome.replicas = len(run.oracles.wishes), len(run.fleet.replicas)
    outcome.virtual_s, outcome.calls, outcome.writes = run.loop.time(), run.cloud.calls, run.oracles.writes
    strike = run.fleet.strike
    if isinstance(strike, Chaos):
        outcome.kills = sum("killed" in one for one in strike.struck)
        outcome.stops = sum("stopped" in one for one in strike.struck)
        outcome.story += strike.struck
    if outcome.broken:
        outcome.story += run.fleet.telemetry.problems[-60:]
