"""Effects whose answers are lost: looked up, adopted or taken as done, and never sent twice."""

import asyncio

from tests.engine.documents import FULL, tenant
from tests.engine.drifting import PLAIN, settled
from tests.engine.world import ACTOR, World

LISTS = ("services", "postgres", "key_values", "env_groups", "projects", "environments")


async def test_a_purge_whose_every_answer_is_lost_ends_with_nothing_left(world: World) -> None:
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full"))
    await world.settle("bolt")
    for path in ("services", "postgres", "key-value", "env-groups", "projects", "environments"):
        await world.simulator.fault(fault="status", method="DELETE", path=f"^/v1/{path}/[^/]+$", after=True)
    await world.registry.set_state("bolt", "deleted", ACTOR, purge_mode="now")
    await world.settle("bolt", phase="Deleted", within_s=900, step_s=20)
    truth = await world.simulator.truth()
    assert {kind: truth[kind] for kind in LISTS} == {kind: [] for kind in LISTS}
    assert await world.quiet() == []


async def test_a_stack_whose_every_create_is_unanswered_stands_once(world: World) -> None:
    for path in ("services", "postgres", "key-value", "env-groups", "projects"):
        await world.simulator.fault(fault="reset", method="POST", path=f"/v1/{path}")
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full"))
    await world.settle("bolt", within_s=1800, step_s=20)
    truth = await world.simulator.truth()
    assert sorted(one["name"] for one in truth["services"]) == [
        f"{one}-bolt" for one in ("backend", "jobs", "nightly", "search", "site")
    ]
    assert [len(truth[kind]) for kind in LISTS[1:]] == [1, 1, 1, 1, 1]
    assert (await world.events("bolt")).count("Adopted") == 9
    assert await world.quiet() == []


async def test_the_deploy_that_a_resume_starts_is_not_taken_for_one_whose_request_was_lost(world: World) -> None:
    """What was written after the resume is not in that deploy: taken for ours, the change would never run."""
    await settled(world, PLAIN)
    await world.registry.set_state("acme", "suspended", ACTOR)
    await world.settle("acme", phase="Suspended", step_s=20.0)
    await world.detail("acme", env={"app": {"MODE": "new"}})
    await world.simulator.fault(fault="timeout_before", method="POST", path="/deploys$", count=2, hold_s=2.5)
    await world.registry.set_state("acme", "running", ACTOR)
    await world.settle("acme", within_s=3600, step_s=20.0)
    app = await world.live("services", "app-acme")
    assert app["running"]["env"]["MODE"] == "new"
    assert await world.quiet() == []


async def test_what_a_group_carries_runs_although_the_answer_to_its_change_was_lost(world: World) -> None:
    """The change is seen at Render, so nothing is left to write: the services linked to it still run without it."""
    await settled(world, PLAIN)
    await world.simulator.fault(fault="status", status=502, method="PUT", path="/env-groups/", count=1, after=True)
    await world.detail("acme", env={"shared": {"LOG_LEVEL": "debug"}})
    await world.settle("acme", within_s=3600, step_s=20.0)
    assert (await world.live("services", "app-acme"))["running"]["env"]["LOG_LEVEL"] == "debug"
    assert await world.quiet() == []


async def test_a_link_whose_answer_was_lost_reaches_what_runs(world: World) -> None:
    await settled(world, PLAIN)
    await world.simulator.fault(fault="status", status=502, method="POST", path="/env-groups/", count=1, after=True)
    side = "envVars: [{key: SIDE, value: left}]"
    assert side in PLAIN
    await world.apply(PLAIN.replace(side, side.replace("[", "[{fromGroup: shared}, ")))
    await world.settle("acme", within_s=3600, step_s=20.0)
    assert (await world.live("services", "jobs-acme"))["running"]["env"]["LOG_LEVEL"] == "info"
    assert await world.quiet() == []


async def test_a_deploy_without_an_answer_on_a_service_that_is_gone_holds_nobody_up(world: World) -> None:
    """Somebody deletes the service before the lost request is looked up: there is no deploy to ask for any more."""
    await settled(world, PLAIN)
    await world.simulator.fault(fault="status", status=502, method="POST", path="/deploys$", count=1)
    await world.detail("acme", env={"app": {"MODE": "new"}})

    async def unknown() -> bool:
        return any(one.verb == "deploy" and one.state == "unknown" for one in await world.registry.operations("acme"))

    await world.run(unknown, within_s=600, step_s=5.0)
    lost = (await world.live("services", "app-acme"))["id"]
    await world.simulator.human("delete", lost)
    await world.settle("acme", within_s=7200, step_s=20.0)
    app = await world.live("services", "app-acme")
    assert app["id"] != lost and app["running"]["env"]["MODE"] == "new"
    assert await world.quiet() == []


async def test_what_a_sweep_sees_while_its_create_waits_for_an_answer_is_nobody_else_s(world: World) -> None:
    await world.simulator.fault(fault="timeout_after", method="POST", path="/v1/services", count=1, hold_s=3.0)
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full"))

    async def sent() -> bool:
        return bool((await world.simulator.truth())["services"])

    passes = asyncio.create_task(world.run(sent, step_s=5.0))
    while not await sent():  # noqa: ASYNC110 - another process gets there, and tells nobody
        await asyncio.sleep(0.02)
    await world.workers[0].sweeper.sweep()
    await passes
    await world.settle("bolt", within_s=1800, step_s=20)
    said = await world.events("bolt")
    assert "OutcomeUnknown" in said and "Adopted" in said
    assert "Conflict" not in said


async def test_a_stack_is_forgotten_and_left_although_an_effect_on_it_is_still_open(world: World) -> None:
    rule = await world.simulator.fault(fault="timeout_before", method="POST", path="^/v1/services$")
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full"))
    while not await unknown(world):
        await world.turn()
        await world.step(1)
    await world.simulator.call("DELETE", f"/_sim/faults/{rule['id']}")
    truth = await world.simulator.truth()
    before, stands = len(truth["writes"]), {kind: {one["name"] for one in truth[kind]} for kind in LISTS}
    assert stands["postgres"] and stands["projects"]
    await world.registry.set_state("bolt", "deleted", ACTOR, purge_mode="orphan")
    await world.settle("bolt", phase="Deleted", within_s=3600, step_s=10)
    truth = await world.simulator.truth()
    assert [f"{one['method']} {one['path']}" for one in truth["writes"][before:]] == []
    assert {kind: {one["name"] for one in truth[kind]} for kind in LISTS} == stands


async def unknown(world: World) -> bool:
    """Say whether an effect's outcome is not known."""
    return (await world.wiring.store.backlog(await world.now())).unknown_operations > 0
