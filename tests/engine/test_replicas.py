"""Several replicas on one database share the work; one that dies or comes back late does no harm."""

import asyncio
from pathlib import Path

import pytest

from reconciler.core.errors import StaleLease
from reconciler.ports import Turns, WakeClass
from tests.engine.documents import ONE_WEB, tenant
from tests.engine.world import World, open_world


@pytest.mark.parametrize("replicas", [2, 3])
async def test_replicas_share_the_work_and_create_everything_once(
    database_url: str, tmp_path: Path, replicas: int
) -> None:
    async with open_world(database_url, tmp_path, replicas=replicas) as world:
        await world.apply(ONE_WEB)
        for number in range(6):
            await world.apply(tenant(f"t{number}"))
        await world.settle()
        truth = await world.simulator.truth()
        assert sorted(one["name"] for one in truth["services"]) == [f"app-t{number}" for number in range(6)]
        assert sorted(one["name"] for one in truth["projects"]) == [f"t{number}" for number in range(6)]
        creates = [one for one in truth["writes"] if one["method"] == "POST" and one["path"] == "/v1/services"]
        assert len(creates) == 6 and truth["throttled"] == 0
        assert await world.quiet() == []


async def test_who_dies_silently_loses_its_tenants_and_its_late_writes_are_rejected(
    database_url: str, tmp_path: Path
) -> None:
    async with open_world(database_url, tmp_path, replicas=2) as world:
        await world.apply(ONE_WEB)
        await world.apply(tenant("acme"))
        await world.turn()  # sweeps, and everybody has had a first pass
        await world.wake_all()
        dead, alive = world.workers
        store, now = dead.ports.store, await world.now()
        stale = await store.claim({WakeClass.USER: Turns()}, 1, dead.owner, 1.0, now)
        assert [one.tenant for one in stale] == ["acme"], "taken, and never heard of again"
        world.workers = [alive]
        assert await alive.turn() == 0, "its lease still runs"
        await asyncio.sleep(1.2)

        await world.settle("acme")
        for late in (
            store.give_back(stale[0], now, "late", now),
            store.save_owned(stale[0], ()),
        ):
            with pytest.raises(StaleLease):
                await late
        assert len((await world.simulator.truth())["services"]) == 1
        assert (await world.tenant("acme")).status is not None
        assert await world.quiet() == []


async def test_a_replica_that_stops_leaves_its_duties_to_the_others_at_once(world: World) -> None:
    first = world.workers[0]
    second = await world.add_replica()
    assert await first.ports.store.singleton("sweep", first.owner, 120.0)
    assert not await second.ports.store.singleton("sweep", second.owner, 120.0)
    await first.ports.store.release_all(first.owner)
    assert await second.ports.store.singleton("sweep", second.owner, 120.0)


async def test_only_leases_of_passes_under_way_are_renewed(world: World) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await world.apply(tenant("bolt"))
    store, worker = world.wiring.store, world.workers[0]
    claims = await store.claim({WakeClass.USER: Turns()}, 2, worker.owner, 60.0, await world.now())
    assert {one.tenant for one in claims} == {"acme", "bolt"}
    assert await store.renew(worker.owner, 60.0, ["acme"]) == {"acme"}
    assert await store.renew(worker.owner, 60.0) == {"acme", "bolt"}
