"""Render says that something happened to an object: its tenant is looked at then, not at the next sweep."""

import pytest

from tests.engine.documents import ONE_WEB, tenant
from tests.engine.world import open_world


@pytest.fixture
async def world(database_url, tmp_path):
    async with open_world(database_url, tmp_path) as world:
        await world.apply(ONE_WEB)
        await world.apply(tenant("acme"))
        await world.settle("acme")
        await world.quiet()
        yield world


async def told(world, name: str) -> list[dict[str, object]]:
    """Wake the owner of a service as a webhook does, and let the passes that follow run; answers what was written."""
    live = await world.live("services", name)
    before = (await world.simulator.truth())["write_seq"]
    assert await world.wiring.wake_resource(live["id"])
    while await world.turn():
        pass
    return await world.simulator.writes(before)


async def test_a_suspension_in_the_dashboard_is_undone_without_a_sweep(world):
    await world.simulator.human("suspend", "app-acme")
    swept = await world.wiring.store.sweeps()
    assert [str(one["path"]).rsplit("/", 1)[-1] for one in await told(world, "app-acme")] == ["resume"]
    assert await world.wiring.store.sweeps() == swept
    assert "Healed" in await world.events("acme")


async def test_a_changed_plan_is_put_back_without_a_sweep(world):
    await world.simulator.human("plan", "app-acme", plan="pro")
    assert [one["method"] for one in await told(world, "app-acme")][:1] == ["PATCH"]


async def test_a_webhook_about_what_is_as_it_should_be_changes_nothing(world):
    assert await told(world, "app-acme") == []
