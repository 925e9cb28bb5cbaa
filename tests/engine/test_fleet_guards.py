"""Guards, each in the case that would cost somebody a fleet, with the whole operator."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.actions import Verb
from reconciler.core.guard import BIRTHS_MAX, SPINS_MAX
from reconciler.core.kinds import Bucket
from reconciler.core.observed import Observed
from reconciler.core.plan import subject
from reconciler.core.stack import Stack
from reconciler.daemon.wiring import ourselves
from reconciler.engine import desired
from reconciler.ports import Brake, Limits, Unasked
from reconciler.postgres.store import PostgresStore
from reconciler.render import normalise
from tests.engine.documents import ONE_WEB, tenant
from tests.engine.test_recover import WIDE
from tests.engine.world import ACTOR, World, open_world

TENANTS = 12
FEW = 4
"""So many tenants with a plan nobody asked for are a mass here."""
THREE = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: one}
spec:
  template:
    databases: [{name: db, plan: basic-256mb, ipAllowList: []}]
    services:
      - {type: web, name: app, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter, healthCheckPath: /up}
      - {type: worker, name: jobs, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter}
  entrypoint: app
  ready: {path: /up, within: 15m}
  rollout: {step: 100%}
  tiers: {small: {}}
"""


@pytest.fixture
async def fleet(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Two replicas of eight passes each, under wide limits and tight guards; tenants sign up in the test."""
    tight = {"mass_change_min": FEW, "suspends_per_10min": 5, "deletes_per_10min": 3}
    async with open_world(database_url, tmp_path, replicas=2, **tight) as world:
        await world.simulator.call("PATCH", "/_sim/settings", WIDE)
        yield world


async def born(world: World, blueprint: str = ONE_WEB, count: int = TENANTS) -> int:
    """Bring a fleet up; answers the number of the last write."""
    await world.apply("---\n".join([blueprint, *(tenant(f"t{number:02}") for number in range(count))]))
    await world.settle(step_s=30.0)
    assert await world.quiet() == []
    return int((await world.simulator.truth())["write_seq"])


async def hours(world: World, count: float, step_s: float = 300.0) -> None:
    """Let time pass, with sweeps and resyncs as they come."""
    for _ in range(int(count * 3600 / step_s)):
        while await world.turn():
            pass
        await world.step(step_s)


def touched(writes: list[dict[str, object]]) -> set[str]:
    """The services that were written to."""
    return {str(one["path"]).split("/")[3] for one in writes if str(one["path"]).startswith("/v1/services/")}


# ------------------------------------------------------------ an upgrade, a change at Render


async def test_an_upgrade_that_reads_render_otherwise_stops_before_it_reaches_the_fleet(
    fleet: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every tenant is suddenly found different; the heal would be a deploy each, again and again."""
    before = await born(fleet)
    right = normalise.service

    def wrong(*given: object) -> Observed:
        found = right(*given)  # type: ignore[arg-type]
        return replace(found, fields={**found.fields, "healthCheckPath": "/UP"})

    monkeypatch.setattr(normalise, "service", wrong)
    await hours(fleet, 3)
    brake, why = await fleet.wiring.store.brake()
    assert brake is Brake.OBSERVE and f"of {TENANTS} tenants got a plan within an hour" in why
    assert len(touched(await fleet.simulator.writes(before))) < FEW
    braked = [row for row in (await fleet.registry.list_tenants()).rows if row.status and "brake" in row.status.why]
    assert len(braked) > TENANTS / 2
    assert {row.status.you for row in braked if row.status} == {"reconciler brake normal"}

    monkeypatch.setattr(normalise, "service", right)
    before = int((await fleet.simulator.truth())["write_seq"])
    await hours(fleet, 1)
    await fleet.registry.set_brake(Brake.NORMAL, "the upgrade was taken back", ACTOR)
    await fleet.settle(step_s=60.0)
    await hours(fleet, 2)
    assert await fleet.simulator.writes(before) == [], "all is as it was"


async def test_a_mass_change_that_a_person_wants_is_asked_about_once(
    fleet: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await born(fleet)
    compiled = desired.stack_of

    def newer(*given: object) -> Stack:
        stack = compiled(*given)  # type: ignore[arg-type]
        app = stack.resources["app"]
        more = replace(app, env={**app.env, "NEW": ("1",)})
        return replace(stack, resources={**stack.resources, "app": more})

    monkeypatch.setattr(desired, "stack_of", newer)
    await fleet.step(3600)
    while await fleet.turn():
        pass
    brake, _ = await fleet.wiring.store.brake()
    assert brake is Brake.OBSERVE
    assert len(touched(await fleet.simulator.writes(before))) < FEW
    await fleet.registry.set_brake(Brake.NORMAL, "it is what we want", ACTOR)
    await hours(fleet, 2)
    assert (await fleet.wiring.store.brake())[0] is Brake.NORMAL, "nobody is asked again for each tenant"
    assert len(touched(await fleet.simulator.writes(before))) == TENANTS


async def test_a_brake_that_a_person_pulls_at_that_moment_is_not_loosened_by_the_guard(
    fleet: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await born(fleet)
    count = PostgresStore.unasked

    async def pulled(store: PostgresStore, *given: Any) -> Unasked:
        await store.set_brake(Brake.STOP, "hands off", "ann")
        return await count(store, *given)

    monkeypatch.setattr(PostgresStore, "unasked", pulled)
    for number in range(TENANTS):
        await fleet.simulator.human("plan", f"app-t{number:02}", plan="pro")
    await fleet.step(900)
    await fleet.turn()
    assert await fleet.wiring.store.brake() == (Brake.STOP, "hands off")
    assert len(touched(await fleet.simulator.writes(before))) < FEW


# ------------------------------------------------------------ pictures that are not to be believed


async def test_lists_that_show_nothing_for_hours_cost_nobody_anything(fleet: World) -> None:
    before = await born(fleet)
    await fleet.simulator.fault(fault="list_empty", method="GET", path="^/v1/(services|postgres|env-groups|projects)$")
    await hours(fleet, 1.5)
    assert await fleet.simulator.writes(before) == []
    struck = {"guard": "shrunken_snapshot"}
    assert (fleet.wiring.metrics.registry.get_sample_value("reconciler_guard_blocks_total", struck) or 0) >= 12
    await fleet.simulator.call("DELETE", "/_sim/faults")
    await hours(fleet, 1)
    assert await fleet.simulator.writes(before) == []


@pytest.mark.long
async def test_a_workspace_that_denies_everything_is_not_built_a_second_time(fleet: World) -> None:
    """Lists are empty and every id is 404, as with the key of another workspace: two means agree, and both lie."""
    before = await born(fleet)
    await fleet.simulator.fault(fault="list_empty", method="GET")
    await fleet.simulator.fault(fault="status", status=404, method="GET", path="^/v1/[a-z-]+/[a-z]+-[a-z0-9-]+")
    await hours(fleet, 6)
    made = [one for one in await fleet.simulator.writes(before) if one["method"] == "POST"]
    assert len(made) < FEW, made
    await fleet.simulator.call("DELETE", "/_sim/faults")


# ------------------------------------------------------------ a component that left the Blueprint


@pytest.mark.long
async def test_a_component_deleted_from_a_blueprint_costs_no_data_and_goes_slowly(fleet: World) -> None:
    before = await born(fleet, THREE)
    shrunk = THREE.replace("    databases: [{name: db, plan: basic-256mb, ipAllowList: []}]\n", "")
    shrunk = "".join(line for line in shrunk.splitlines(keepends=True) if "name: jobs" not in line)
    await fleet.apply(shrunk)
    await hours(fleet, 2, step_s=60.0)
    truth = await fleet.simulator.truth()
    assert len(truth["postgres"]) == TENANTS, "data waits for a person, in every tenant"
    gone = [datetime.fromisoformat(str(one["at"])) for one in await fleet.simulator.writes(before)
            if one["method"] == "DELETE" and str(one["path"]).startswith("/v1/services/")]  # fmt: skip
    assert len(gone) == TENANTS, "in the end all follow"
    assert most_within(gone, timedelta(minutes=10)) == 3
    status = (await fleet.tenant("t00")).status
    assert status is not None and "allowDataLoss" in status.you


async def test_a_mistaken_suspension_of_everybody_goes_slowly_and_can_be_undone(fleet: World) -> None:
    before = await born(fleet)
    for number in range(TENANTS):
        await fleet.change(f"t{number:02}", state="suspended")
    await hours(fleet, 0.1, step_s=60.0)
    asleep = [one for one in await fleet.simulator.writes(before) if str(one["path"]).endswith("/suspend")]
    assert len(asleep) == 5, "two replicas of eight passes each count as one"
    waiting = [row for row in (await fleet.registry.list_tenants()).rows if row.status and "cap of" in row.status.why]
    assert len(waiting) == TENANTS - 5
    for number in range(TENANTS):
        await fleet.change(f"t{number:02}", state="running")
    await fleet.settle(step_s=30.0)
    assert len(touched(await fleet.simulator.writes(before))) == 5, "the others never noticed"


def most_within(times: list[datetime], span: timedelta) -> int:
    """The most of these moments that lie within one span."""
    return max((sum(at <= other < at + span for other in times) for at in times), default=0)


# ------------------------------------------------------------ calls run short


async def test_where_calls_run_short_people_are_served_and_drift_waits(fleet: World) -> None:
    """Somebody else's scripts use the same key; the next answer of Render's says so."""
    before = await born(fleet, count=2)
    await fleet.simulator.human("plan", "app-t01", plan="pro")
    await fleet.workers[0].sweeper.sweep()
    now = await fleet.now()
    foreign = Limits(limit=400, remaining=80, resets_at=now + timedelta(seconds=50), date=now)
    await fleet.wiring.store.learn(Bucket.READ, "", foreign)
    await fleet.change("t00", tier="big")
    while await fleet.turn():
        pass
    services = {one["name"]: one["id"] for one in (await fleet.simulator.truth())["services"]}
    assert touched(await fleet.simulator.writes(before)) == {services["app-t00"]}
    await fleet.step(60)
    await fleet.settle(step_s=30.0)
    assert touched(await fleet.simulator.writes(before)) == set(services.values())


# ------------------------------------------------------------ circuit breakers


@pytest.mark.long
async def test_a_class_of_calls_that_fails_for_everybody_is_not_hammered_by_a_fleet(fleet: World) -> None:
    """All tenants want a change, and Render answers 500 to all of them: a probe now and then."""
    before = await born(fleet, count=6)
    rule = await fleet.simulator.fault(fault="status", status=500, method="PATCH", path="^/v1/services/")
    for number in range(6):
        await fleet.change(f"t{number:02}", tier="big")
    await hours(fleet, 0.1, step_s=30.0)
    assert await fleet.wiring.store.broken() == [Bucket.SERVICE]
    early = struck(await fleet.simulator.call("GET", "/_sim/faults"))
    await hours(fleet, 1, step_s=60.0)
    late = struck(await fleet.simulator.call("GET", "/_sim/faults"))
    assert late - early <= 12, "in an hour, from six tenants on two replicas: a few probes, ten minutes apart"
    waits = [row.status for row in (await fleet.registry.list_tenants()).rows if row.status is not None]
    assert any("waits for Render to recover" in one.conditions[1].message for one in waits)
    await fleet.simulator.call("DELETE", f"/_sim/faults/{rule['id']}")
    await fleet.settle(step_s=30.0, within_s=1800)
    assert await fleet.wiring.store.broken() == []
    assert len(touched(await fleet.simulator.writes(before))) == 6


def struck(rules: list[dict[str, Any]]) -> int:
    return sum(int(rule["struck"]) for rule in rules)


async def test_a_service_that_vanishes_again_and_again_is_not_paid_for_for_ever(
    database_url: str, tmp_path: Path
) -> None:
    async with open_world(database_url, tmp_path) as world:
        await world.simulator.call("PATCH", "/_sim/settings", WIDE)
        await world.apply(ONE_WEB + "---\n" + tenant("acme"))
        await world.settle()
        before = int((await world.simulator.truth())["write_seq"])
        for _ in range(7):
            if (await world.simulator.truth())["services"]:
                await world.simulator.human("delete", "app-acme")
            await hours(world, 1, step_s=300.0)
        assert len(made(await world.simulator.writes(before))) == BIRTHS_MAX - 1
        status = (await world.tenant("acme")).status
        assert status is not None and "was created 5 times within a day and is missing again" in status.why
        assert "reconciler reconcile acme" in status.you
        await world.registry.reconcile("acme", ACTOR)
        await world.settle("acme", within_s=3600)
        assert len(made(await world.simulator.writes(before))) == BIRTHS_MAX, "a person's word is enough"


def made(writes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in writes if one["method"] == "POST" and one["path"] == "/v1/services"]


async def test_an_endless_change_that_no_other_guard_knows_is_stopped_within_the_hour(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the limit on heals broken, somebody who keeps changing a field back would cost deploys for ever."""
    monkeypatch.setattr(subject, "futile", lambda *_: None)
    async with open_world(database_url, tmp_path) as world:
        await world.apply(ONE_WEB + "---\n" + tenant("acme"))
        await world.settle()
        before = int((await world.simulator.truth())["write_seq"])
        live = await world.live("services", "app-acme")
        for _ in range(SPINS_MAX + 4):
            await world.simulator.human("plan", "app-acme", plan="pro")
            assert await world.wiring.wake_resource(str(live["id"]))
            await hours(world, 0.04, step_s=48.0)
        patches = [one for one in await world.simulator.writes(before) if one["method"] == "PATCH"]
        assert len(patches) == SPINS_MAX
        status = (await world.tenant("acme")).status
        assert status is not None and "was done 12 times within an hour" in status.conditions[1].message


# ------------------------------------------------------------ what the operator itself runs on


async def test_a_tenant_that_holds_the_operators_own_service_cannot_cost_it_its_life(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(database_url, tmp_path) as world:
        await world.apply(THREE + "---\n" + tenant("acme"))
        await world.settle(step_s=30.0)
        own = str((await world.live("services", "jobs-acme"))["id"])
        monkeypatch.setenv("RENDER_SERVICE_ID", own)
        await world.add_replica()
        del world.workers[0]
        before = int((await world.simulator.truth())["write_seq"])
        await world.change("acme", state="suspended")
        await hours(world, 0.5, step_s=60.0)
        assert (await world.live("services", "jobs-acme"))["suspended"] == "not_suspended"
        assert "what this operator runs on" in (await world.tenant("acme")).status.why  # type: ignore[union-attr]
        await world.registry.set_state("acme", "deleted", ACTOR, purge_mode="now")
        await hours(world, 3)
        writes = await world.simulator.writes(before)
        assert [one for one in writes if own in str(one["path"])] == []
        truth = await world.simulator.truth()
        assert [one["name"] for one in truth["services"]] == ["jobs-acme"]
        assert len(truth["postgres"]) == 1, "nor is what it may use deleted while it lives"
        url = "postgresql://u:p@dpg-abc123-a/reconciler"
        assert ourselves(world.settings.model_copy(update={"database_url": url})) == {own, "dpg-abc123-a"}


def test_every_verb_that_takes_something_from_customers_has_a_cap() -> None:
    from reconciler.core.guard import CAPPED, Caps

    assert {verb for verb in Verb if Caps().of(verb) is not None} == CAPPED
