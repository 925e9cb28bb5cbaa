"""Builds and deploys that fail or hang, a database that never comes up: said in time, healed by a new one."""

import pytest

from tests.engine.drifting import DATA, PLAIN, conditions, settled
from tests.engine.faulty import DATA_COUNT, PLAIN_COUNT, birth, counted, spent, standing, status_of, through
from tests.engine.world import ACTOR, World

DOCKER = PLAIN.replace("runtime: image, image: {url: docker.io/acme/app:1}", "runtime: docker")
HOUR_S = 3600.0


async def test_a_build_that_fails_is_said_and_left_alone_until_asked_for_again(world: World) -> None:
    async with standing(world, "build_failed", service="jobs-acme"):
        await birth(world, PLAIN, "acme")
        await world.settle("acme", phase="Degraded", step_s=30.0)
        status = await status_of(world)
        assert "jobs: deploy ended as build failed" in status.why and "logs of jobs" in status.you
        assert (await conditions(world))["Ready"][1] == "DeployFailed"
        before = (await world.simulator.truth())["write_seq"]
        assert await spent(world, HOUR_S, step_s=120) <= 40
        assert await world.simulator.writes(before) == [], "a deploy that fails is not tried again by itself"
    await world.detail("acme", env={"jobs": {"SIDE": "right"}})
    await through(world, "acme", counts=PLAIN_COUNT)
    assert (await world.live("services", "jobs-acme"))["running"]["env"]["SIDE"] == "right"


async def test_a_deploy_that_fails_leaves_the_old_one_running_and_the_next_one_heals(world: World) -> None:
    await settled(world, PLAIN)
    async with standing(world, "deploy_failed", service="app-acme"):
        await world.detail("acme", env={"app": {"MODE": "new"}})
        await world.settle("acme", phase="Degraded", step_s=30.0)
        assert "app: deploy ended as update failed" in (await status_of(world)).why
        assert (await world.live("services", "app-acme"))["running"]["env"]["MODE"] == "live", "the old one serves on"
        assert await spent(world, HOUR_S, step_s=120) <= 40
    await world.detail("acme", env={"app": {"MODE": "newer"}})
    await through(world, "acme", counts=PLAIN_COUNT)
    assert (await world.live("services", "app-acme"))["running"]["env"]["MODE"] == "newer"


async def test_a_deploy_that_hangs_is_degraded_after_its_deadline_and_healed_by_the_next_one(world: World) -> None:
    async with standing(world, "deploy_stuck", service="app-acme", phase="build", forever=True, count=1):
        await birth(world, DOCKER, "acme")
        await world.settle("acme", phase="Degraded", within_s=8 * HOUR_S, step_s=300.0)
        status = await status_of(world)
        assert "app: deploy stuck in build in progress for more than 125 min" in status.why
        assert "app" in status.you and (await conditions(world))["Ready"][1] == "DeployFailed"
        before = (await world.simulator.truth())["write_seq"]
        assert await spent(world, HOUR_S, step_s=120) <= 150
        assert await world.simulator.writes(before) == []
        await world.detail("acme", env={"app": {"MODE": "new"}})  # queued at Render behind the one that hangs
        await world.turn()
        assert await spent(world, HOUR_S, step_s=120) <= 150
        assert (await status_of(world)).phase != "Ready"
    await through(world, "acme", counts=PLAIN_COUNT)
    assert (await world.live("services", "app-acme"))["running"]["env"]["MODE"] == "new"


@pytest.mark.long
async def test_where_a_new_deploy_replaces_a_hanging_one_nobody_has_to_wait(world: World) -> None:
    await world.simulator.call("PATCH", "/_sim/settings", {"deploy_overlap": "override"})
    await world.simulator.fault(fault="deploy_stuck", service="app-acme", forever=True, count=1)
    await birth(world, DOCKER, "acme")
    await world.settle("acme", phase="Degraded", within_s=8 * HOUR_S, step_s=300.0)
    await world.detail("acme", env={"app": {"MODE": "new"}})
    await world.settle("acme", step_s=30.0)
    await through(world, "acme", counts=PLAIN_COUNT)


async def test_a_database_that_never_comes_up_is_waited_for_with_a_deadline_and_nothing_is_made_in_vain(
    world: World,
) -> None:
    async with standing(world, "postgres_stuck", service="db-acme"):
        await birth(world, DATA, "acme")
        await spent(world, 600)
        status = await status_of(world)
        assert status.phase == "Provisioning" and "waits for" in status.why and "db" in status.why, status.why
        assert await counted(world) == DATA_COUNT | {"services": 1}, "what needs the database is not made yet"
        await world.settle("acme", phase="Degraded", step_s=60.0)
        status = await status_of(world)
        assert "db: creating for more than 30 min" in status.why and "db" in status.you
        assert (await conditions(world))["Ready"][:2] == ("False", "Failed")
        before = (await world.simulator.truth())["write_seq"]
        assert await spent(world, HOUR_S, step_s=120) <= 150
        await world.registry.reconcile("acme", ACTOR)
        await spent(world, 600)
        assert await world.simulator.writes(before) == []
    await through(world, "acme", counts=DATA_COUNT)
    app = await world.live("services", "app-acme")
    assert app["running"]["env"]["DATABASE_URL"].startswith("postgres")
