"""What Render refuses: said to a person in words, paused or terminal, never fought, and over without a restart."""

import pytest

from tests.engine.documents import ONE_WEB, tenant
from tests.engine.drifting import asked, calm, conditions, no_effort, told
from tests.engine.world import KEY, World


async def turned(world: World, steps: int = 1, step_s: float = 10.0) -> None:
    for _ in range(steps):
        while await world.turn():
            pass
        await world.step(step_s)
    while await world.turn():
        pass


async def foreign_service(world: World, name: str) -> str:
    owner = (await world.simulator.call("GET", "/_sim/health"))["owner_id"]
    body = {
        "type": "web_service", "name": name, "ownerId": owner,
        "image": {"ownerId": owner, "imagePath": "docker.io/x/y:1"},
        "serviceDetails": {"runtime": "image", "plan": "starter"},
    }  # fmt: skip
    reply = await world.simulator.http.post(
        f"{world.simulator.base}/v1/services", json=body, headers={"authorization": f"Bearer {KEY}"}
    )
    assert reply.status_code == 201, reply.text
    return str(reply.json()["service"]["id"])


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_what_is_not_allowed_pauses_creates_says_so_and_recovers_by_itself(world: World, status: int) -> None:
    rule = await world.simulator.fault(
        fault="status", status=status, method="POST", path="/v1/services$", message="payment information needed"
    )
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await world.apply(tenant("bolt"))
    await turned(world, 12)
    for name in ("acme", "bolt"):
        status_now = (await world.tenant(name)).status
        assert status_now is not None and status_now.phase == "Blocked", await world.picture()
        assert "payment information needed" in status_now.why and "Render dashboard" in status_now.you
        assert "5 minutes" in status_now.why
        assert (await conditions(world, name))["Ready"][1] == "Denied"
    struck = (await world.simulator.call("GET", "/_sim/faults"))[0]["struck"]
    assert struck <= 2, "one question of each, at the same moment, for the whole class of calls"
    await turned(world, 60)
    struck = (await world.simulator.call("GET", "/_sim/faults"))[0]["struck"]
    assert 3 <= struck <= 8, struck
    await world.simulator.call("DELETE", f"/_sim/faults/{rule['id']}")
    await world.settle("acme", "bolt", within_s=900)
    await no_effort(world)


async def test_a_refused_key_is_told_everybody_and_is_over_without_a_restart(world: World) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await world.settle("acme")
    rule = await world.simulator.fault(fault="status", status=401, path="/v1/", message="unauthorized")
    await world.change("acme", tier="big")
    await turned(world, 12)
    status = (await world.tenant("acme")).status
    assert status is not None and "unauthorized" in status.why, await world.picture()
    assert "API key" in status.you
    await world.simulator.call("DELETE", f"/_sim/faults/{rule['id']}")
    await calm(world, within_s=1800)
    assert (await world.live("services", "app-acme"))["serviceDetails"]["plan"] == "standard"
    await no_effort(world)


async def test_a_refusal_is_final_for_the_generation_until_edited(world: World) -> None:
    await world.simulator.fault(
        fault="status", status=400, method="POST", path="/v1/services$", message="image is not reachable", count=1
    )
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await turned(world, 30, 60.0)
    status = (await world.tenant("acme")).status
    assert status is not None and status.phase == "Blocked"
    assert "image is not reachable" in status.why and "reconciler reconcile acme" in status.you
    assert (await world.simulator.call("GET", "/_sim/faults"))[0]["struck"] == 1
    assert len((await world.simulator.truth())["services"]) == 0
    assert len(await told(world, "Refused", "app")) == 1
    await world.change("acme", tier="big")
    await world.settle("acme")
    await no_effort(world)


async def test_a_refusal_is_lifted_by_reconcile(world: World) -> None:
    await world.simulator.fault(fault="status", status=400, method="POST", path="/v1/services$", count=1)
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await turned(world, 3)
    assert (await conditions(world))["Ready"][1] == "Refused"
    await asked(world)
    await world.settle("acme")
    await no_effort(world)


async def test_a_foreign_object_of_the_wanted_name_is_a_conflict_and_never_touched(world: World) -> None:
    theirs = await foreign_service(world, "app-acme")
    await world.turn()
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await turned(world, 6, 60.0)
    status = (await world.tenant("acme")).status
    assert status is not None and status.phase == "Blocked" and "app-acme" in status.why and theirs in status.why
    assert "rename or delete it" in status.you
    touched = [w for w in await world.simulator.writes() if theirs in w["path"]]
    assert touched == []
    assert [one["id"] for one in (await world.simulator.truth())["services"]] == [theirs]

    await world.simulator.human("delete", "app-acme")
    await world.step(900)
    await world.settle("acme", within_s=3600)
    await no_effort(world)


async def test_a_name_taken_since_the_last_look_ends_in_the_same_conflict(world: World) -> None:
    await world.turn()
    theirs = await foreign_service(world, "app-acme")
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await turned(world, 12)
    status = (await world.tenant("acme")).status
    assert status is not None and status.phase == "Blocked" and theirs in status.why, await world.picture()
    writes = [w for w in await world.simulator.writes() if w["path"] == "/v1/services"]
    assert len(writes) == 1, "only theirs was ever made"
    assert "not ours" in (await conditions(world))["Ready"][2]
    await world.simulator.human("delete", "app-acme")
    await asked(world)
    await world.settle("acme", within_s=3600)
    await no_effort(world)
