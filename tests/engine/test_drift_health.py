"""Ready is not for ever: crashes, dead entrypoints, failed and stuck deploys move it, and it comes back by itself."""

from tests.engine.drifting import PLAIN, asked, calm, conditions, no_effort, settled, swept
from tests.engine.world import ACTOR, World


async def resynced(world: World) -> None:
    """Let the time of a resync pass in one go."""
    await world.step(4200)
    while await world.turn():
        pass


async def test_a_dead_entrypoint_is_noticed_at_the_resync_and_its_return_soon(world: World) -> None:
    await settled(world, PLAIN)
    await world.simulator.human("app-down", "app-acme")
    await resynced(world)
    status = (await world.tenant("acme")).status
    assert status is not None and status.phase == "Degraded", await world.picture()
    assert (await conditions(world))["Ready"][:2] == ("False", "NotAnswering")
    assert "https://app-acme.onrender.com" in status.why and "logs of app" in status.you
    await world.simulator.human("app-up", "app-acme")
    await calm(world, within_s=300.0)
    await no_effort(world)


async def test_a_crash_loop_of_the_entrypoint_says_why(world: World) -> None:
    await settled(world, PLAIN)
    await world.simulator.human("crash", "app-acme")
    await resynced(world)
    status = (await world.tenant("acme")).status
    assert status is not None and status.phase == "Degraded", await world.picture()
    assert "app: server failed" in status.why, status.why
    await world.simulator.human("recover", "app-acme")
    await calm(world, within_s=300.0)
    await no_effort(world)


async def test_a_crashing_worker_is_noticed_when_render_says_so_or_somebody_asks(world: World) -> None:
    await settled(world, PLAIN)
    await world.simulator.human("crash", "jobs-acme")
    jobs = (await world.live("services", "jobs-acme"))["id"]
    assert await world.wiring.wake_resource(jobs)
    while await world.turn():
        pass
    status = (await world.tenant("acme")).status
    assert status is not None and status.phase == "Degraded" and "jobs: server failed" in status.why, (
        await world.picture()
    )
    await world.simulator.human("recover", "jobs-acme")
    await calm(world, within_s=300.0)
    await world.simulator.human("crash", "jobs-acme")
    await asked(world)
    assert (await conditions(world))["Ready"][0] == "False"
    await world.simulator.human("recover", "jobs-acme")
    await calm(world, within_s=300.0)
    await no_effort(world)


async def test_a_failed_deploy_that_a_person_repeats_in_the_dashboard_is_well_again(world: World) -> None:
    await settled(world, PLAIN)
    rule = await world.simulator.fault(fault="deploy_failed", service="app-acme")
    await world.detail("acme", env={"app": {"MODE": "new"}})
    await world.settle("acme", phase="Degraded", step_s=30.0)
    status = (await world.tenant("acme")).status
    assert status is not None and "app: deploy ended as update failed" in status.why
    assert await world.quiet(asked=False) == []
    await world.simulator.call("DELETE", f"/_sim/faults/{rule['id']}")
    await world.simulator.human("deploy", "app-acme")
    await swept(world)
    await calm(world)
    await no_effort(world)


async def test_a_frozen_clock_and_steps_of_a_day_change_nothing(world: World) -> None:
    await settled(world, PLAIN)
    before = (await world.simulator.truth())["write_seq"]
    for _ in range(3):
        while await world.turn():
            pass
    for _ in range(3):
        await world.step(86_400)
        while await world.turn():
            pass
    assert await world.simulator.writes(before) == []
    await world.registry.reconcile("acme", ACTOR)
    await calm(world)
