"""`reconciler reconcile TENANT` does what status promises of it: what failed is tried anew."""

from tests.engine.drifting import PLAIN, asked, calm, no_effort, settled, swept
from tests.engine.world import World


async def test_a_deploy_that_failed_is_started_anew_when_a_person_asks(world: World) -> None:
    await settled(world, PLAIN)
    rule = await world.simulator.fault(fault="deploy_failed", service="app-acme")
    await world.detail("acme", env={"app": {"MODE": "new"}})
    await world.settle("acme", phase="Degraded", step_s=30.0)
    status = (await world.tenant("acme")).status
    assert status is not None and status.you.endswith("reconciler reconcile acme")
    before = (await world.simulator.truth())["write_seq"]
    await swept(world)
    assert await world.simulator.writes(before) == [], "nothing is tried by itself"
    await world.simulator.call("DELETE", f"/_sim/faults/{rule['id']}")
    await asked(world)
    await calm(world)
    app = await world.live("services", "app-acme")
    assert app["running"]["env"]["MODE"] == "new"
    await no_effort(world)
