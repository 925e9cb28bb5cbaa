"""Effects whose answers are lost: looked up, adopted or taken as done, and never sent twice."""

from tests.engine.documents import FULL, tenant
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
