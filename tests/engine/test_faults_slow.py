"""Render answers late, drips, or does a thing after its caller has left: one object all the same, and few calls."""

import pytest

from tests.engine.conftest import HASTE_S
from tests.engine.drifting import DATA, PLAIN, settled
from tests.engine.faulty import (
    DATA_COUNT,
    PLAIN_COUNT,
    birth,
    counted,
    spent,
    standing,
    status_of,
    struck,
    through,
)
from tests.engine.world import World

CREATES = "^/v1/(projects|services|postgres|key-value)$"


async def test_a_create_that_takes_13_seconds_is_waited_for(world: World) -> None:
    await world.simulator.fault(fault="latency", method="POST", path=CREATES, sim_latency_s=13)
    await birth(world, DATA, "acme")
    await world.settle("acme", step_s=20.0)
    assert await struck(world) == 5
    assert {"OutcomeUnknown", "Adopted", "Conflict"}.isdisjoint(await world.events("acme"))
    await through(world, "acme", counts=DATA_COUNT)


async def test_answers_slower_than_the_deadline_are_looked_up_and_nothing_is_made_twice(hasty: World) -> None:
    await hasty.simulator.fault(fault="latency", method="POST", path=CREATES, latency_s=2 * HASTE_S)
    await birth(hasty, DATA, "acme")
    await hasty.settle("acme", step_s=20.0)
    assert await struck(hasty) == 5, "every create was sent once"
    assert (await hasty.events("acme")).count("Adopted") == 5
    await through(hasty, "acme", counts=DATA_COUNT)


async def test_what_is_done_after_its_caller_has_left_is_found_and_not_done_again(hasty: World) -> None:
    await hasty.simulator.fault(fault="late_effect", method="POST", path=CREATES, sim_latency_s=60)
    await birth(hasty, DATA, "acme")
    await hasty.settle("acme", step_s=20.0)
    assert await struck(hasty) == 5, "every create was sent once"
    await through(hasty, "acme", counts=DATA_COUNT)


@pytest.mark.long
async def test_changes_slower_than_the_deadline_are_compared_and_not_repeated(hasty: World) -> None:
    await settled(hasty, PLAIN)
    before = (await hasty.simulator.truth())["write_seq"]
    await hasty.simulator.fault(fault="latency", service="app-acme", method="PUT", latency_s=2 * HASTE_S)
    await hasty.simulator.fault(fault="latency", service="app-acme", method="POST", latency_s=2 * HASTE_S)
    await hasty.detail("acme", env={"app": {"MODE": "new"}})
    await hasty.settle("acme", step_s=20.0)
    writes = await hasty.simulator.writes(before)
    assert [one["path"].rsplit("/", 1)[1] for one in writes] == ["env-vars", "deploys"], writes
    assert (await hasty.live("services", "app-acme"))["running"]["env"]["MODE"] == "new"
    await through(hasty, "acme", counts=PLAIN_COUNT)


@pytest.mark.long
async def test_reads_slower_than_the_deadline_cost_few_calls_and_change_nothing(hasty: World) -> None:
    await settled(hasty, PLAIN)
    before = (await hasty.simulator.truth())["write_seq"]
    async with standing(hasty, "latency", method="GET", latency_s=2 * HASTE_S):
        await hasty.wake_all()
        assert await spent(hasty, 600, step_s=120) <= 60
        assert (await status_of(hasty)).phase == "Ready"
    assert await hasty.simulator.writes(before) == []
    await through(hasty, "acme", counts=PLAIN_COUNT)


async def test_a_body_that_drips_is_cut_off_and_the_create_is_found(hasty: World) -> None:
    await hasty.simulator.fault(fault="slow_body", method="POST", path="^/v1/services$", count=1, bytes_per_s=4)
    await hasty.simulator.fault(fault="slow_body", method="GET", path="^/v1/services", count=2, bytes_per_s=4)
    await birth(hasty, PLAIN, "acme")
    await hasty.settle("acme", step_s=20.0)
    assert await struck(hasty) == 3
    assert {"OutcomeUnknown", "Adopted"} <= set(await hasty.events("acme"))
    assert await counted(hasty) == PLAIN_COUNT
    await through(hasty, "acme", counts=PLAIN_COUNT)
