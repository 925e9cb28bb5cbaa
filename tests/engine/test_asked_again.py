"""`reconciler reconcile TENANT` does what status promises of it: what failed is tried anew."""

from tests.engine.drifting import PLAIN, asked, calm, no_effort, settled, swept, told
from tests.engine.world import ACTOR, World


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


async def test_a_resume_that_somebody_else_did_before_us_starts_no_deploy_to_wait_for(world: World) -> None:
    await settled(world, PLAIN)
    await world.registry.set_state("acme", "suspended", ACTOR)
    await world.settle("acme", phase="Suspended", step_s=20.0)
    for name in ("app-acme", "jobs-acme"):
        await world.simulator.human("resume", name)
    await world.step(600)  # Render's answer to a resume of what runs already: accepted, and nothing happens
    await world.registry.set_state("acme", "running", ACTOR)
    await world.settle("acme", within_s=3600, step_s=30.0)
    await no_effort(world)


async def test_what_a_person_did_in_the_dashboard_is_seen_at_once_by_who_asks(world: World) -> None:
    await settled(world, PLAIN)
    await world.simulator.human("suspend", "jobs-acme")
    await world.simulator.human("plan", "app-acme", plan="standard")
    await asked(world)
    assert [one for one, _ in await told(world, "Drifted", "jobs")] == [
        "jobs was suspended, not by us and not by a spec"
    ]
    assert await told(world, "Healed", "app") and await told(world, "Healed", "jobs")
    await calm(world)
    await no_effort(world)
