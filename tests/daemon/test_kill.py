"""`kill -9` at any moment, then restart: nothing twice, nothing orphaned, nobody forgotten, no stranger touched."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.daemon import promises
from tests.daemon.fleet import BLUEPRINT, Fleet, open_fleet
from tests.daemon.users import Users

SEED = int(os.environ.get("KILL_SEED", "0")) or random.randrange(1, 1_000_000)  # noqa: S311
"""Printed; set KILL_SEED to repeat a run."""


@pytest.fixture
async def fleet(database_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with open_fleet(database_url, tmp_path) as opened:
        yield opened


async def survive(fleet: Fleet, kills: int, seed: int) -> None:
    """Kill a daemon so many times while people change things; after every restart all must be as if nothing was."""
    chance = random.Random(seed)  # noqa: S311 - what a test does, not a secret
    print(f"\nseed {seed}")
    await fleet.apply(BLUEPRINT)
    await promises.watch(fleet)
    foreign = await promises.strangers(fleet)
    users = Users(fleet, chance)
    daemon = fleet.start()
    for number in range(kills):
        done = [await users.act() for _ in range(chance.randint(1, 3))]
        after_s = chance.uniform(0.0, 2.5)
        await asyncio.sleep(after_s)
        daemon.kill()
        daemon = fleet.start()
        took_s = await fleet.settle(90)
        print(f"kill {number + 1} {after_s:.2f} s after {', '.join(done)}: settled {took_s:.1f} s after the restart")
        assert await promises.broken(fleet, foreign) == [], (seed, number, done, fleet.words())
    assert await promises.unrest(fleet) == [], (seed, fleet.words())
    assert daemon.end() == 0
    text = "".join(one.text for one in fleet.daemons)
    assert "Traceback" not in text
    rows = {row.name: row.status.phase for row in await fleet.rows() if row.status is not None}
    assert rows["taken"] == "Blocked" and len(rows) == users.made + 1


@pytest.mark.timeout(240)
async def test_five_kills_at_random_points_leave_no_trace(fleet: Fleet) -> None:
    await survive(fleet, 5, SEED)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_fifty_kills_at_random_points_leave_no_trace(fleet: Fleet) -> None:
    await survive(fleet, 50, SEED)


@pytest.mark.timeout(180)
async def test_what_was_created_while_the_daemon_died_is_adopted_not_created_twice(fleet: Fleet) -> None:
    await fleet.apply(BLUEPRINT)
    await fleet.put("acme", new=True)
    for path, kind, name in (("/v1/postgres", "postgres", "db-acme"), ("/v1/services", "services", "app-acme")):
        rule = fleet.sim.fault(fault="timeout_after", method="POST", path=path, hold_s=120)
        daemon = fleet.start(RECONCILER_REQUEST_TIMEOUT_S=20)
        await fleet.until(lambda k=kind: bool(fleet.sim.truth()[k]))
        daemon.kill()
        fleet.sim.call("DELETE", f"/faults/{rule}")
        assert [one["name"] for one in fleet.sim.truth()[kind]] == [name]
    daemon = fleet.start()
    took_s = await fleet.settle(60)
    print(f"\nsettled {took_s:.1f} s after the restart")
    assert await fleet.wrongs({}) == []
    found = "SELECT component FROM reconciler.operations WHERE message = 'found by look-up' ORDER BY component"
    assert [row["component"] for row in await fleet.ask(found)] == ["app", "db"]
    assert "Adopted" in [one.reason for one in await fleet.wiring.registry.events("acme")]
    writes = fleet.sim.truth()["writes"]
    assert sum(one["path"] == "/v1/postgres" for one in writes) == 1
    assert sum(one["path"] == "/v1/services" for one in writes) == 1
    assert daemon.end() == 0
