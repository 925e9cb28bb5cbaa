"""Render suspends the whole account for an unpaid bill: said, not fought, asked about rarely, over by itself."""

from typing import Any

import pytest

from tests.engine.documents import tenant
from tests.engine.drifting import DATA, PLAIN, conditions, settled, swept
from tests.engine.faulty import DATA_COUNT, PLAIN_COUNT, birth, counted, spent, standing, status_of, through
from tests.engine.world import World

HOUR_S = 3600.0
CARD = "Add a card"


async def unpaid(world: World) -> int:
    """How many calls were answered 402."""
    requests: dict[str, int] = (await world.simulator.truth())["requests"]
    return sum(count for name, count in requests.items() if name.endswith(" 402"))


async def suspenders(world: World) -> dict[str, list[str]]:
    truth: dict[str, Any] = await world.simulator.truth()
    return {one["name"]: one["suspenders"] for one in truth["services"] + truth["postgres"] + truth["key_values"]}


async def test_a_suspended_account_is_reported_not_fought_and_heals_by_itself(world: World) -> None:
    await settled(world, DATA)
    before = (await world.simulator.truth())["write_seq"]
    async with standing(world, "billing_suspended"):
        await swept(world)
        status = await status_of(world)
        assert status.phase == "Degraded" and "billing" in status.why, await world.picture()
        assert "settle it with Render" in status.you and "billing" in status.you
        assert (await conditions(world))["Ready"][:2] == ("False", "SuspendedByRender")
        assert await spent(world, 2 * HOUR_S, step_s=120) <= 200
        assert (await world.simulator.truth())["write_seq"] == before, "nothing was sent against it"
        assert await unpaid(world) == 0, "not even tried"
        assert set(map(tuple, (await suspenders(world)).values())) == {("billing",)}
    assert set(map(tuple, (await suspenders(world)).values())) == {()}
    await swept(world)
    await world.settle("acme", step_s=30.0)
    assert await world.simulator.writes(before) == [], "Render itself has resumed everything"
    await through(world, "acme", counts=DATA_COUNT)


async def test_signups_and_edits_meanwhile_wait_are_asked_every_five_minutes_and_go_on_by_themselves(
    world: World,
) -> None:
    await settled(world, PLAIN)
    async with standing(world, "billing_suspended"):
        await swept(world)
        before = (await world.simulator.truth())["write_seq"]
        await world.detail("acme", env={"app": {"MODE": "new"}})
        await world.apply(tenant("bolt", "plain", tier=None).replace("  tier: null\n", ""))
        await spent(world, 60)
        for name in ("acme", "bolt"):
            status = await status_of(world, name)
            assert status.phase == ("Degraded" if name == "acme" else "Blocked"), await world.picture()
            assert "payment method" in status.you or "billing" in status.you, status.you
        status = await status_of(world, "bolt")
        assert CARD in status.why and "5 minutes" in status.why
        assert (await conditions(world, "bolt"))["Ready"][1] == "Denied"
        asked = await unpaid(world)
        assert asked <= 3, "one question a class of calls, for all tenants"
        assert await spent(world, HOUR_S) <= 250
        assert 11 <= await unpaid(world) - asked <= 26, "every five minutes, of at most two classes"
        assert (await world.simulator.truth())["write_seq"] == before
        assert await counted(world) == PLAIN_COUNT
    await world.settle(within_s=1200, step_s=30.0)
    await through(world, counts={kind: 2 * count for kind, count in PLAIN_COUNT.items()})
    assert (await world.live("services", "app-acme"))["running"]["env"]["MODE"] == "new"


@pytest.mark.long
async def test_what_a_spec_suspended_stays_so_when_the_account_is_free_again(world: World) -> None:
    await settled(world, DATA)
    await birth(world, PLAIN, "bolt")
    await world.settle("bolt", step_s=30.0)
    await world.change("acme", state="suspended")
    await world.settle("acme", phase="Suspended", step_s=30.0)
    before = (await world.simulator.truth())["write_seq"]
    async with standing(world, "billing_suspended"):
        await swept(world)
        assert (await status_of(world)).phase == "Suspended"
        assert (await status_of(world, "bolt")).phase == "Degraded"
        await spent(world, HOUR_S, step_s=120)
    await swept(world)
    await world.settle("bolt", step_s=30.0)
    assert (await status_of(world)).phase == "Suspended"
    assert await world.simulator.writes(before) == [], await world.picture()
    found = await suspenders(world)
    assert {name: held for name, held in found.items() if name.endswith("-acme")} == {
        name: ["user"] for name in ("app-acme", "search-acme", "db-acme", "cache-acme")
    }
    await world.change("acme", state="running")
    await through(world, counts={kind: count + PLAIN_COUNT[kind] for kind, count in DATA_COUNT.items()})


@pytest.mark.long
async def test_a_resume_asked_for_during_the_suspension_waits_for_its_end(world: World) -> None:
    await settled(world, DATA)
    await world.change("acme", state="suspended")
    await world.settle("acme", phase="Suspended", step_s=30.0)
    async with standing(world, "billing_suspended"):
        await swept(world)
        before = (await world.simulator.truth())["write_seq"]
        await world.change("acme", state="running")
        await spent(world, HOUR_S, step_s=120)
        status = await status_of(world)
        assert status.phase == "Degraded" and "billing" in status.why, await world.picture()
        assert await unpaid(world) <= 14
        assert (await world.simulator.truth())["write_seq"] == before
    await through(world, "acme", counts=DATA_COUNT)
