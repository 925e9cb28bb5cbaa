"""Three replicas on one workspace: each effect once, the work shared, and what a dead one held is taken up."""

import asyncio
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from tests.engine.documents import ONE_WEB, tenant
from tests.engine.world import World, open_world

TENANTS = 60
CREATES = {"/v1/services": TENANTS, "/v1/projects": TENANTS}


async def raised(world: World) -> None:
    await world.simulator.call("PATCH", "/_sim/settings", {"limits_enabled": False})
    await world.apply(ONE_WEB)
    for number in range(TENANTS):
        await world.apply(tenant(f"t{number:02}"))


def created(writes: list[dict[str, object]]) -> Counter[str]:
    """Accepted creates by path."""
    return Counter(str(one["path"]) for one in writes if one["method"] == "POST" and one["path"] in CREATES)


def passes(world: World) -> list[float]:
    """How many passes each replica has ended."""
    return [
        sum(
            sample.value
            for family in wiring.metrics.registry.collect()
            for sample in family.samples
            if sample.name == "controller_runtime_reconcile_total"
        )
        for wiring in world.wirings
    ]


async def as_fast_as_each_can(world: World) -> int:
    """Let every replica claim whenever it has room, as its loop does, until nobody is due."""

    async def work(worker) -> int:
        ran = 0
        while now := await worker.turn():
            ran += now
        return ran

    return sum(await asyncio.gather(*(work(worker) for worker in world.workers)))


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_each_effect_happens_once_and_the_passes_are_shared_evenly(database_url: str, tmp_path: Path) -> None:
    async with open_world(database_url, tmp_path, replicas=3, workers=4) as world:
        await raised(world)
        await world.settle(within_s=8 * 3600, step_s=60)
        assert created(await world.simulator.writes()) == CREATES, "each create exactly once"
        before = passes(world)
        for _ in range(3):
            await world.wake_all()
            assert await as_fast_as_each_can(world) == TENANTS, "each tenant once, whoever takes it"
        shares = [after - first for first, after in zip(before, passes(world), strict=True)]
        assert sum(shares) == 3 * TENANTS
        assert all(abs(share - TENANTS) <= 0.2 * TENANTS for share in shares), shares
        assert await world.quiet() == []


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_what_a_dead_replica_held_is_taken_up_once_its_leases_are_over(database_url: str, tmp_path: Path) -> None:
    async with open_world(database_url, tmp_path, replicas=3, workers=4) as world:
        await raised(world)
        dead, *living = world.workers
        held = await dead.ports.store.claim(dead._shares.turns(), 10, dead.owner, 3600.0, await world.now())
        assert len(held) == 10
        world.workers[:] = living
        await world.run(lambda: others_ready(world, {claim.tenant for claim in held}), within_s=6 * 3600, step_s=60)
        writes = await world.simulator.writes()
        assert created(writes) == {path: count - 10 for path, count in CREATES.items()}, "nobody touched what is leased"
        with psycopg.connect(database_url) as connection:  # the lease time, which is real, goes by
            connection.execute(
                "UPDATE reconciler.tenant_queue SET lease_until = now() WHERE lease_owner = %s", [dead.owner]
            )
        ran = await as_fast_as_each_can(world)
        assert ran >= 10, "they are claimed at the first opportunity"
        await world.settle(within_s=8 * 3600, step_s=60)
        assert created(await world.simulator.writes()) == CREATES


async def others_ready(world: World, held: set[str]) -> bool:
    rows = (await world.registry.list_tenants()).rows
    return all(row.status is not None and row.status.phase == "Ready" for row in rows if row.name not in held)
