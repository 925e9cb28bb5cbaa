"""Many tenants at once under Render's real limits: every hour's creates are used, none is answered 429."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.engine.documents import tenant
from tests.engine.world import World, open_world

FOUR = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: four}
spec:
  template:
    databases: [{name: db, plan: basic-256mb, ipAllowList: []}]
    services:
      - {type: keyvalue, name: cache, plan: starter, ipAllowList: []}
      - type: web
        name: app
        runtime: image
        image: {url: docker.io/acme/app:1}
        plan: starter
        envVars:
          - {key: DATABASE_URL, fromDatabase: {name: db, property: connectionString}}
          - {key: REDIS_URL, fromService: {type: keyvalue, name: cache, property: connectionString}}
      - type: worker
        name: jobs
        runtime: image
        image: {url: docker.io/acme/app:1}
        plan: starter
        envVars:
          - {key: DATABASE_URL, fromDatabase: {name: db, property: connectionString}}
  entrypoint: app
  ready: {path: /up, within: 15m}
  tiers: {small: {}}
"""
CREATES = ("/v1/services", "/v1/postgres", "/v1/key-value")
TENANTS = 30
AN_HOUR = 20


def creates(truth: Any) -> list[tuple[datetime, str]]:
    """When each budgeted create was accepted, and of which object."""
    names = {one["id"]: one["name"] for kind in ("services", "postgres", "key_values") for one in truth[kind]}
    made = [one for one in truth["writes"] if one["method"] == "POST" and one["path"] in CREATES]
    return [
        (datetime.fromisoformat(one["at"]), next(names[id] for id in one["affected"] if id in names)) for one in made
    ]


def hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def owner(name: str) -> str:
    return name.split("-", 1)[1]


def assert_full_hours(made: list[tuple[datetime, str]]) -> None:
    """Between the first and the last create every full hour has exactly as many creates as Render allows."""
    counts = Counter(hour(at) for at, _ in made)
    first, last = hour(made[0][0]), hour(made[-1][0])
    at = first + timedelta(hours=1)
    while at < last:
        assert counts[at] == AN_HOUR, {str(key): count for key, count in sorted(counts.items())}
        at += timedelta(hours=1)
    assert max(counts.values()) <= AN_HOUR


@pytest.mark.timeout(300)
async def test_thirty_tenants_use_every_create_of_every_hour_and_nothing_is_refused(world: World) -> None:
    await world.apply(FOUR)
    for number in range(TENANTS):
        # the last three are the most important customers
        priority = 90 if number >= TENANTS - 3 else 50
        await world.apply(tenant(f"t{number:02}", "four", priority=priority))
    queues: list[Any] = []

    async def all_ready() -> bool:
        now = await world.now()
        rows = (await world.registry.list_tenants(limit=100)).rows
        if not queues or (hour(queues[-1][0]) != hour(now) and now.minute >= 30):
            queues.append((now, await world.registry.queue(), rows))
        return all(row.status is not None and row.status.phase == "Ready" for row in rows)

    await world.run(all_ready, within_s=12 * 3600, step_s=30.0)

    truth = await world.simulator.truth()
    made = creates(truth)
    assert len(made) == 4 * TENANTS
    assert truth["throttled"] == 0
    assert len({name for _, name in made}) == len(made)
    assert_full_hours(made)
    assert_stacks_are_finished_first(made)
    assert_important_first(made)
    assert_queue_told(queues, made)
    assert_foretold(world)
    assert await world.quiet() == []


def assert_stacks_are_finished_first(made: list[tuple[datetime, str]]) -> None:
    """When an hour's creates are used up, at most one stack stands half done."""
    done: Counter[str] = Counter()
    for index, (at, name) in enumerate(made):
        done[owner(name)] += 1
        if index + 1 == len(made) or hour(made[index + 1][0]) != hour(at):
            half = [tenant for tenant, count in done.items() if count < 4]
            assert len(half) <= 1, (at, half)


def assert_important_first(made: list[tuple[datetime, str]]) -> None:
    """Who is more important begins in the first hour after its row was seen; the others as they came."""
    began: dict[str, datetime] = {}
    for at, name in made:
        began.setdefault(owner(name), hour(at))
    first = min(began.values())
    assert {began[name] for name in ("t27", "t28", "t29")} <= {first, first + timedelta(hours=1)}, began
    plain = [began[name] for name in sorted(began) if name < "t27"]
    assert plain == sorted(plain), "first come, first served"


def assert_queue_told(queues: list[Any], made: list[tuple[datetime, str]]) -> None:
    """Positions count from one, times do not go back, and what was promised after the first hour came true."""
    for _, queue, _ in queues:
        assert [row.position for row in queue] == list(range(1, len(queue) + 1))
        assert [row.eta for row in queue] == sorted(row.eta for row in queue)
    first = hour(made[0][0])
    told = next((queue, rows) for now, queue, rows in queues if hour(now) == first + timedelta(hours=1))
    last = {owner(name): at for at, name in made}
    for row in told[0]:
        assert row.eta is not None
        assert abs((hour(last[row.tenant]) - hour(row.eta)).total_seconds()) <= 3600, (row, last[row.tenant])
    waiting = {row.tenant for row in told[0]}
    status = {row.name: row.status for row in told[1]}
    for name in waiting:
        assert status[name] is not None
    texts = [status[name].why for name in sorted(waiting)]
    assert any("position" in text and "of 20 used" in text for text in texts), texts[:5]


def assert_foretold(world: World) -> None:
    """What everybody was told first, urgent ones still to be looked at included, came true to the hour of the limit."""
    value = world.wiring.metrics.registry.get_sample_value
    name, ways = "reconciler_eta_error_seconds", ({"direction": "early"}, {"direction": "late"})
    assert sum(value(f"{name}_count", way) or 0 for way in ways) == TENANTS, "each once"
    near = sum(value(f"{name}_bucket", {**way, "le": "3600.0"}) or 0 for way in ways)
    assert near >= 0.9 * TENANTS, near


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_the_same_with_a_clock_that_runs(database_url: str, tmp_path: Path) -> None:
    """At 600 times real time with the real limits: the daemon's own loop, nobody steps anything."""
    import asyncio

    async with open_world(database_url, tmp_path) as world:
        await world.simulator.call("POST", "/_sim/clock", {"speed": 600, "frozen": False})
        worker = await world.add_replica(guard_band_s=2.0, request_timeout_s=10.0, read_timeout_s=10.0)
        await world.apply(FOUR)
        for number in range(TENANTS):
            await world.apply(tenant(f"t{number:02}", "four"))
        running = asyncio.create_task(worker.run())
        try:
            for _ in range(1200):
                rows = (await world.registry.list_tenants(limit=100)).rows
                if all(row.status is not None and row.status.phase == "Ready" for row in rows):
                    break
                await asyncio.sleep(0.25)
            else:
                raise AssertionError(await world.picture())
        finally:
            worker.stop()
            await running
        truth = await world.simulator.truth()
        made = creates(truth)
        assert len(made) == 4 * TENANTS
        assert truth["throttled"] == 0
        assert_full_hours(made)
