"""The sweep: page by page, within its share of reads; broken off it goes on, and misses nothing for want of a page."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.errors import RenderError, Throttled
from reconciler.core.kinds import Bucket, Kind
from reconciler.engine.snapshot import Step
from tests.engine.documents import ONE_WEB, tenant
from tests.engine.world import World, open_world


@pytest.fixture
async def world(database_url, tmp_path):
    async with open_world(database_url, tmp_path) as world:
        yield world


async def many(world: World, count: int, *, first: int = 0) -> None:
    """Projects of somebody else, in each one environment."""
    await world.simulator.call("PATCH", "/_sim/settings", {"limits_enabled": False})
    owner = world.wiring.render.owner_id
    for number in range(first, first + count):
        body = {"name": f"p{number}", "ownerId": owner, "environments": [{"name": "production"}]}
        reply = await world.simulator.http.post(
            f"{world.simulator.base}/v1/projects", json=body, headers={"Authorization": "Bearer other"}
        )
        assert reply.status_code == 201, reply.text


async def requests(world: World) -> int:
    return sum((await world.simulator.truth())["requests"].values())


async def counted(world: World, kind: Kind) -> int:
    return await world.wiring.store.count_snapshot([kind])


async def test_one_sweep_asks_for_each_page_once_and_for_no_project_twice(world):
    await many(world, 250)
    before = await requests(world)
    await world.workers[0].sweeper.sweep()
    environments = 3
    assert await requests(world) - before == 4 * 1 + 3 + environments
    assert (await counted(world, Kind.PROJECT), await counted(world, Kind.ENVIRONMENT)) == (250, 250)


async def test_a_full_read_limit_breaks_a_sweep_off_and_the_next_one_goes_on_from_there(world):
    await many(world, 350)
    sweeper = world.workers[0].sweeper
    sweeper.begin()
    while not (sweeper._list is not None and len(sweeper._list.seen) == 200):
        assert await sweeper.step() is Step.MORE
    before = await requests(world)
    until = await world.now() + timedelta(seconds=30)
    await world.wiring.store.penalise(Bucket.READ, "", until)
    with pytest.raises(Throttled):
        await sweeper.step()
    assert await requests(world) == before
    await world.step(60)
    await sweeper.sweep()
    assert await requests(world) - before == 2 + 4, "the services and the first pages were not listed again"
    assert (await counted(world, Kind.PROJECT), await counted(world, Kind.ENVIRONMENT)) == (350, 350)


async def test_after_any_other_error_all_is_listed_anew(world):
    await many(world, 150)
    sweeper = world.workers[0].sweeper
    rule = await world.simulator.fault(fault="status", status=500, method="GET", path="/v1/projects")
    with pytest.raises(RenderError):
        await sweeper.sweep()
    await world.simulator.call("DELETE", f"/_sim/faults/{rule['id']}")
    assert await world.wiring.store.swept_at(Kind.PROJECT) is None
    before = await requests(world)
    await sweeper.sweep()
    assert await requests(world) - before == 4 * 1 + 2 + 2
    assert await counted(world, Kind.ENVIRONMENT) == 150


async def test_a_sweep_takes_no_more_than_its_share_of_a_minute(world):
    await many(world, 350)
    options = world.wiring.ports.options
    sweeper = type(world.workers[0].sweeper)(_with(world.wiring.ports, sweep_share=3 / 400), world.workers[0].owner)
    assert options.sweep_share == 0.5
    sweeper.begin()
    before, calls = await requests(world), []
    step = Step.MORE
    while step is Step.MORE:
        waits = sweeper.waits()
        if waits is None:
            step = await sweeper.step()
            continue
        assert timedelta(0) < waits <= timedelta(minutes=1)
        calls.append(await requests(world) - before)
        before += calls[-1]
        await world.step(waits.total_seconds())
    assert calls == [3, 3, 3, 3], "twelve pages in four minutes"
    assert await counted(world, Kind.ENVIRONMENT) == 350


async def test_an_environment_of_a_project_made_meanwhile_is_not_missed(world):
    """Its project was not in the list of projects, so no list of environments could have shown it."""
    await world.apply(ONE_WEB)
    sweeper = world.workers[0].sweeper
    sweeper.begin()
    while await world.wiring.store.swept_at(Kind.PROJECT) is None:
        assert await sweeper.step() is Step.MORE
    await world.apply(tenant("acme"))
    await world.step(5)
    await world.workers[0].turn()
    assert await counted(world, Kind.ENVIRONMENT) == 1
    while await sweeper.step() is Step.MORE:
        pass
    owned = (await world.wiring.store.load("acme", await world.now())).owned
    assert {row.absent_looks for row in owned.values()} == {0}


async def test_lists_that_keep_failing_are_asked_for_more_and_more_calmly(world):
    """Half an hour of the world: a try every few seconds would be hundreds of calls, of the reads that people need."""
    rule = await world.simulator.fault(fault="status", status=400, method="GET", path="^/v1/services$")
    await world.simulator.call("POST", "/_sim/clock", {"speed": 600, "frozen": False})
    worker = await world.add_replica()
    running = asyncio.create_task(worker.run())
    try:
        await asyncio.sleep(3.0)
        tried = (await world.simulator.call("GET", "/_sim/faults"))[0]["struck"]
        assert 4 <= tried <= 40, tried
        await world.simulator.call("DELETE", f"/_sim/faults/{rule['id']}")
        await asyncio.wait_for(worker.swept.wait(), 2.0)
    finally:
        worker.stop()
        await running


async def test_only_one_replica_sweeps(database_url, tmp_path):
    async with open_world(database_url, tmp_path, replicas=2) as world:
        first, second = (worker.sweeper for worker in world.workers)
        assert await first.sweep() == 0
        before = await requests(world)
        assert await second.sweep() == -1
        assert await requests(world) == before
        await world.wiring.store.release_all(world.workers[0].owner)
        assert await second.sweep() == 0


def _with(ports, **changes):
    return replace(ports, options=replace(ports.options, **changes))
