"""Lists and reads that lag, lose, double or invent: nothing is deleted, re-created or healed because of them."""

from tests.engine.documents import tenant
from tests.engine.drifting import DATA, PLAIN, calm, no_effort, settled, swept_soon
from tests.engine.faulty import DATA_COUNT, PLAIN_COUNT, birth, counted
from tests.engine.world import ACTOR, World, env_of

WHOLE = "services|postgres|key-value|env-groups|projects|environments"


async def test_lists_that_lag_and_reads_that_are_stale_do_not_double_a_birth(world: World) -> None:
    await world.simulator.fault(fault="list_lag", lag_s=60)
    await world.simulator.fault(fault="stale_read", lag_s=15)
    await birth(world, DATA, "acme")
    await world.settle("acme", step_s=10.0)
    assert await counted(world) == DATA_COUNT
    await world.simulator.call("DELETE", "/_sim/faults")
    await world.settle("acme", step_s=10.0)
    await no_effort(world)


async def test_stale_reads_after_a_change_do_not_cause_a_second_one(world: World) -> None:
    await settled(world, PLAIN)
    await world.simulator.fault(fault="stale_read", lag_s=15)
    before = (await world.simulator.truth())["write_seq"]
    await world.detail("acme", env={"app": {"MODE": "new"}})
    await world.settle("acme", step_s=10.0)
    writes = await world.simulator.writes(before)
    assert [w["path"].rsplit("/", 1)[1] for w in writes] == ["env-vars", "deploys"], writes
    await no_effort(world)


async def test_lists_that_lose_double_or_show_nothing_delete_and_create_nothing(world: World) -> None:
    await settled(world, PLAIN)
    await birth(world, DATA, "bolt")
    await world.settle(step_s=30.0)
    before = (await world.simulator.truth())["write_seq"]
    for rule in (
        {"fault": "list_missing", "probability": 0.7, "seed": 3, "path": f"^/v1/({WHOLE})$"},
        {"fault": "list_missing", "count": 1, "path": "/env-vars$"},
        {"fault": "list_missing", "count": 1, "path": "/custom-domains$"},
        {"fault": "list_duplicate"},
        {"fault": "list_lag", "lag_s": 10**7},
    ):
        made = await world.simulator.fault(method="GET", **rule)
        for _ in range(3):
            await swept_soon(world)
        await world.wake_all()
        await swept_soon(world)
        await world.simulator.call("DELETE", f"/_sim/faults/{made['id']}")
    assert await world.simulator.writes(before) == [], await world.picture()
    await calm(world, "acme")
    await calm(world, "bolt")
    await no_effort(world)


async def test_a_list_that_shows_nothing_while_variables_are_written_costs_no_variable_of_a_person(
    world: World,
) -> None:
    await settled(world, PLAIN)
    await world.simulator.human("env-set", "app-acme", key="EXTRA", value="a person's")
    rule = await world.simulator.fault(fault="list_empty", count=1, method="GET", path="/env-vars$")
    await world.detail("acme", env={"app": {"MODE": "new"}})
    await world.settle("acme", step_s=10.0)
    assert (await world.simulator.call("GET", "/_sim/faults"))[0]["struck"] == 1, rule
    env = env_of(await world.live("services", "app-acme"))
    assert (env["EXTRA"], env["MODE"], env["COLOUR"]) == ("a person's", "new", "blue")


async def test_fields_nobody_knows_are_no_difference(world: World) -> None:
    await world.simulator.fault(fault="extra_fields")
    await settled(world, DATA)
    await no_effort(world)


async def test_words_nobody_knows_are_reported_and_not_fought_for_ever(world: World) -> None:
    await settled(world, PLAIN)
    before = (await world.simulator.truth())["write_seq"]
    rule = await world.simulator.fault(fault="unknown_enum", method="GET", path="^/v1/(services|env-groups|projects)")
    for _ in range(4):
        await swept_soon(world)
    writes = await world.simulator.writes(before)
    assert len(writes) <= 6, writes
    assert await counted(world) == PLAIN_COUNT
    await world.simulator.call("DELETE", f"/_sim/faults/{rule['id']}")
    await world.registry.reconcile("acme", ACTOR)
    await calm(world)
    await no_effort(world)


async def test_halved_limits_are_learned_and_kept(world: World) -> None:
    await world.simulator.fault(fault="limits_halved")
    await birth(world, PLAIN, "acme")
    for name in ("bolt", "cora", "dune", "echo", "fern"):
        await world.apply(tenant(name, "plain", tier=None).replace("  tier: null\n", ""))
    await world.settle(within_s=3 * 3600, step_s=60.0)
    assert (await world.simulator.truth())["throttled"] <= 1
