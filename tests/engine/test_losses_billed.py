"""What somebody deleted at Render costs nothing from then on, whether it is replaced or not."""

from datetime import timedelta
from decimal import Decimal

from reconciler.doors import CostRow
from tests.engine.drifting import DATA, PLAIN, settled, swept, told
from tests.engine.world import World


async def costs(world: World) -> dict[str, CostRow]:
    now = await world.now()
    return {one.key: one for one in await world.registry.costs("component", now - timedelta(days=2), now)}


async def test_a_service_that_vanished_and_was_replaced_costs_what_one_does(world: World) -> None:
    await settled(world, PLAIN)
    before = (await costs(world))["acme/jobs"]
    lost = (await world.live("services", "jobs-acme"))["id"]
    await world.simulator.human("delete", "jobs-acme")

    async def replaced() -> bool:
        services = (await world.simulator.truth())["services"]
        return any(one["name"] == "jobs-acme" and one["id"] != lost for one in services)

    await world.run(replaced, step_s=30.0)
    await world.settle("acme", step_s=30.0)
    assert (await costs(world))["acme/jobs"].usd_per_month == before.usd_per_month > 0


async def test_a_database_that_vanished_costs_nothing_while_it_waits_for_a_person(world: World) -> None:
    await settled(world, DATA)
    before, gone_at = (await costs(world))["acme/db"], await world.now()
    await world.simulator.human("delete", "db-acme")

    async def noticed() -> bool:
        return bool(await told(world, "DataLoss"))

    await world.run(noticed, step_s=30.0)
    noticed_s = ((await world.now()) - gone_at).total_seconds()
    found = (await costs(world))["acme/db"]
    assert found.usd_per_month == 0 < before.usd_per_month
    assert 0 < found.uncertainty_s - before.uncertainty_s <= noticed_s + 900, "it went between two looks"
    assert found.usd - before.usd <= before.usd_per_month * Decimal(noticed_s) / (28 * 86_400)
    await world.step(5 * 3_600)
    await swept(world)
    assert (await costs(world))["acme/db"].usd == found.usd
