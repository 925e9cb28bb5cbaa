"""A Blueprint edit reaches its tenants in steps and stops when one fails; pinned, held or braked ones stay."""

from datetime import timedelta

from reconciler.core.values import Sensitive
from reconciler.ports import Brake
from tests.engine.documents import ONE_WEB, tenant
from tests.engine.following import at, follow, in_words, names_of
from tests.engine.world import ACTOR, World

STEPS = ONE_WEB.replace("  tiers:", "  rollout: {step: 3, stopAfter: 1}\n  tiers:")
NAMES = [f"t{number}" for number in range(10)]


def edited(mode: str) -> str:
    return STEPS.replace("value: live", f"value: {mode}")


async def revisions(world: World) -> dict[str, int]:
    return {row.name: row.revision for row in (await world.registry.list_tenants()).rows}


async def modes(world: World) -> dict[str, str]:
    """What really runs: the variable of every live service."""
    services = (await world.simulator.truth())["services"]
    return {
        one["name"].removeprefix("app-"): one["running"]["env"]["MODE"] for one in services if one["running"]["env"]
    }


async def under_way(world: World, revision: int) -> int:
    """Tenants that were given the revision and have not arrived."""
    rows = (await world.registry.list_tenants()).rows
    return sum(row.revision == revision and not at("Ready", revision)(row) for row in rows)


async def open_ten(world: World, first: str = STEPS) -> None:
    await world.apply(first)
    for name in NAMES:
        await world.apply(tenant(name))
    await world.settle(*NAMES, step_s=30.0)


async def test_an_edit_moves_at_most_a_step_at_once_and_stops_when_one_fails(world: World) -> None:
    await open_ten(world)
    pin = {"revision": 1, "until": (await world.now() + timedelta(days=30)).date().isoformat(), "why": "freeze"}
    await follow(world, world.detail("t4", pin=pin), "t4")

    await world.apply(edited("two"))
    most = 0

    async def arrived() -> bool:
        nonlocal most
        most = max(most, await under_way(world, 2))
        row = await world.registry.get_blueprint("one")
        return row.rollout == "" and await under_way(world, 2) == 0

    await world.run(arrived, within_s=7200, step_s=30.0)
    assert most == 3, "never more than the step, and the whole step is used"
    assert await modes(world) == {name: "live" if name == "t4" else "two" for name in NAMES}
    pinned = await world.tenant("t4")
    assert pinned.status is not None and (pinned.status.revision, pinned.status.phase) == (1, "Ready")
    assert await world.quiet(300) == []
    await _stops_at_a_failure(world)
    await _goes_on_when_mended(world)


async def _stops_at_a_failure(world: World) -> None:
    """The next edit fails for its second tenant: the rollout stops there, and nobody else is touched."""
    await world.simulator.fault(fault="deploy_failed", service="app-t1", count=1)
    await world.apply(edited("three"))

    async def stopped() -> bool:
        return "stopped" in (await world.registry.get_blueprint("one")).rollout

    await world.run(stopped, within_s=7200, step_s=30.0)
    reached = {name for name, revision in (await revisions(world)).items() if revision == 3}
    assert {"t0", "t1"} <= reached and len(reached) < 9
    failed = (await world.tenant("t1")).status
    assert failed is not None and failed.phase == "Degraded" and "update failed" in failed.why
    assert "reconciler reconcile t1" in failed.you
    word = (await world.registry.get_blueprint("one")).rollout
    assert word.startswith("r3 stopped at ") and "revision 3 failed for t1" in word
    assert "DeployFailed" in await world.events("t1")
    before = len((await world.simulator.truth())["writes"])
    for _ in range(4):
        await world.turn()
        await world.step(120)
    assert len((await world.simulator.truth())["writes"]) == before, "a stopped rollout is quiet"

    # Who signs up now gets the revision that works.
    await world.apply(tenant("fresh"))
    await world.settle("fresh", step_s=30.0)
    fresh = await world.tenant("fresh")
    assert fresh.revision == 2 and (await modes(world))["fresh"] == "two"


async def _goes_on_when_mended(world: World) -> None:
    """Somebody mends what was wrong and lets the rollout go on."""
    await world.registry.reconcile("t1", ACTOR)
    await world.simulator.human("deploy", "app-t1")
    await world.settle("t1", step_s=30.0)
    await world.registry.retry_rollout("one", ACTOR)

    async def done() -> bool:
        row = await world.registry.get_blueprint("one")
        return row.rollout == "" and await under_way(world, 3) == 0

    await world.run(done, within_s=7200, step_s=30.0)
    assert await modes(world) == {name: "live" if name == "t4" else "three" for name in [*NAMES, "fresh"]}
    assert await world.quiet(300) == []
    assert (await world.simulator.truth())["throttled"] == 0


BLOCKING = STEPS.replace("{key: TOKEN, generateValue: true}", "{key: KEY, sync: false}")


async def test_who_was_blocked_or_broken_before_does_not_stop_an_edit_for_the_others(world: World) -> None:
    await world.apply(BLOCKING)
    for name in ("early", "mid", "late"):
        await world.apply(tenant(name))
        if name != "early":
            await world.registry.set_secret("tenant", name, "KEY", Sensitive("x"), ACTOR)
    await world.apply(tenant("dozing", state="suspended"))
    await world.settle("mid", "late")
    await world.settle("early", phase="Blocked")
    await world.apply(BLOCKING.replace("value: live", "value: two"))

    async def done() -> bool:
        return (await world.registry.get_blueprint("one")).rollout == ""

    await world.run(done, within_s=7200, step_s=30.0)
    assert set((await revisions(world)).values()) == {2}
    assert await modes(world) == {"mid": "two", "late": "two"}
    # An edit after which a tenant is newly blocked is that edit's failure.
    await world.apply(
        BLOCKING.replace("{key: KEY, sync: false}", "{key: KEY, sync: false}, {key: NEW, sync: false}").replace(
            "live", "three"
        )
    )

    async def stopped() -> bool:
        return "stopped" in (await world.registry.get_blueprint("one")).rollout

    await world.run(stopped, within_s=7200, step_s=30.0)
    word = (await world.registry.get_blueprint("one")).rollout
    assert "revision 3 failed for" in word and ("late" in word or "mid" in word)
    assert await modes(world) == {"mid": "two", "late": "two"}, "nothing goes out without the secret that came with it"
    status = (await world.tenant("mid")).status
    assert status is not None and status.phase == "Ready" and status.why.endswith("but secret NEW (app) has no value")
    assert status.you == "reconciler secret set mid NEW"
    assert await world.quiet(300) == []


async def test_a_held_tenant_is_untouched_until_released_and_says_so(world: World) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await world.apply(tenant("beta"))
    await world.settle("acme", "beta")
    until = await world.now() + timedelta(hours=4)
    await world.registry.set_hold("acme", "incident 311", until, ACTOR)

    held = await follow(world, world.change("acme", tier="big"), "acme")
    status = (await world.tenant("acme")).status
    assert held.writes == [] and status is not None
    assert f"held by test until {until:%Y-%m-%d %H:%M} UTC, incident 311" in status.why
    assert status.you == "reconciler hold acme --release"
    assert (status.conditions[1].status, status.conditions[1].reason) == ("False", "Held")
    assert held.said("Held", "incident 311")
    assert status.phase == "Ready", "it still answers"
    assert await world.quiet(300) == []

    let = await follow(world, world.registry.clear_hold("acme", ACTOR), "acme")
    assert sorted(let.writes) == [
        "PATCH services/app-acme", "POST services/app-acme/deploys", "POST services/app-acme/scale",
    ]  # fmt: skip

    # A hold ends by itself; what changed meanwhile is followed then.
    await world.registry.set_hold("beta", "audit", await world.now() + timedelta(hours=1), ACTOR)
    await follow(world, world.change("beta", tier="big"), "beta")
    ended = await follow(world, world.step(3700), "beta", until=_synced)
    assert ended.count("PATCH services/app-beta") == 1
    assert await world.quiet(300) == []


def _synced(row) -> bool:
    return at("Ready")(row) and row.status.conditions[1].status == "True"


async def test_the_brake_observes_or_stops_everybody(world: World) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await world.settle("acme")
    await world.registry.set_brake(Brake.OBSERVE, "rehearsal", ACTOR)

    seen = await follow(world, world.change("acme", tier="big"), "acme")
    status = (await world.tenant("acme")).status
    assert seen.writes == [] and status is not None
    assert "brake is on observe (rehearsal)" in status.why and status.you == "reconciler brake normal"
    assert status.conditions[1].reason == "Braked"
    assert "app" in status.next, "what would be done is said"
    await world.apply(tenant("beta"))
    await world.settle("beta", phase="Blocked")
    assert "brake is on observe" in (await world.tenant("beta")).status.why
    await world.apply(ONE_WEB.replace("value: live", "value: two"))
    assert await world.quiet(300) == []
    assert set((await revisions(world)).values()) == {1}, "nobody is given a revision that could not be followed"

    before = await world.simulator.truth()
    await world.registry.set_brake(Brake.NORMAL, "", ACTOR)
    await world.wake_all()
    await follow(world, world.step(1), "acme", "beta", revision=2)
    after = await world.simulator.truth()
    names = names_of(before, after)
    sent = [in_words(one, names) for one in after["writes"] if one["seq"] > before["write_seq"]]
    assert sent.count("PATCH services/app-acme") == 1 and sent.count("POST services") == 1
    assert await world.quiet(300) == []
