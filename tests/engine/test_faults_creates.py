"""A create whose answer is lost, broken or refused makes one object, never two, and its journal row is settled."""

import pytest

from tests.engine.drifting import DATA, PLAIN, no_effort, told
from tests.engine.faulty import DATA_COUNT, PLAIN_COUNT, birth, counted, open_operations
from tests.engine.world import World


@pytest.mark.parametrize("fault", ["timeout_after", "timeout_before", "reset", "malformed_json"])
async def test_every_create_with_a_lost_answer_makes_one_object(world: World, fault: str) -> None:
    held = {"hold_s": 2.5} if fault.startswith("timeout") else {}
    for path in ("/v1/projects$", "/v1/postgres$", "/v1/key-value$", "/v1/services$"):
        await world.simulator.fault(fault=fault, method="POST", path=path, count=1, **held)
    await birth(world, DATA, "acme")
    await world.settle("acme", step_s=20.0)
    assert await counted(world) == DATA_COUNT
    assert await open_operations(world) == 0
    reasons = await world.events("acme")
    assert "OutcomeUnknown" in reasons
    assert ("Recovered" if fault == "timeout_before" else "Adopted") in reasons, await world.picture()
    await no_effort(world)


@pytest.mark.parametrize("fault", ["timeout_after", "timeout_before"])
async def test_an_env_group_with_a_lost_answer_is_made_once(world: World, fault: str) -> None:
    await world.simulator.fault(fault=fault, method="POST", path="/v1/env-groups$", count=1, hold_s=2.5)
    await birth(world, PLAIN, "acme")
    await world.settle("acme", step_s=20.0)
    assert await counted(world) == PLAIN_COUNT
    assert await open_operations(world) == 0
    app = await world.live("services", "app-acme")
    assert app["running"]["env"]["LOG_LEVEL"] == "info"
    await no_effort(world)


async def test_bursts_of_server_errors_delay_and_double_nothing(world: World) -> None:
    for status, after in ((500, True), (502, False), (503, True)):
        await world.simulator.fault(
            fault="status", status=status, probability=0.3, seed=status, path="/v1/", after=after, count=25
        )
    await birth(world, DATA, "acme")
    await world.settle("acme", step_s=20.0)
    assert await counted(world) == DATA_COUNT
    await world.simulator.call("DELETE", "/_sim/faults")
    await world.settle("acme", step_s=20.0)
    assert await open_operations(world) == 0
    await no_effort(world)


async def test_a_lost_service_whose_second_create_lost_its_answer_is_adopted_in_its_place(world: World) -> None:
    await birth(world, PLAIN, "acme")
    await world.settle("acme", step_s=20.0)
    await world.simulator.human("delete", "jobs-acme")
    await world.simulator.fault(fault="timeout_after", method="POST", path="/v1/services$", count=1, hold_s=2.5)
    await world.step(900)

    async def back() -> bool:
        return bool(await told(world, "Adopted", "jobs"))

    await world.run(back, step_s=20.0)
    await world.settle("acme", step_s=20.0)
    assert await counted(world) == PLAIN_COUNT
    assert "Duplicate" not in await world.events("acme")
    assert await open_operations(world) == 0
    await no_effort(world)


@pytest.mark.parametrize("headers", [True, False])
async def test_429_is_waited_out_and_is_nobodys_failure(world: World, headers: bool) -> None:
    for path in ("/v1/services$", "/v1/postgres$", "/v1/key-value$", "/deploys$"):
        await world.simulator.fault(fault="status", status=429, method="POST", path=path, count=2, headers=headers)
    await birth(world, DATA, "acme")
    await world.settle("acme", within_s=6 * 3600, step_s=60.0)
    assert await counted(world) == DATA_COUNT
    assert {"Failed", "Refused", "Denied"}.isdisjoint(await world.events("acme")), await world.picture()
    await world.simulator.call("DELETE", "/_sim/faults")
    assert await world.quiet() == []
