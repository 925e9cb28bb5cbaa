"""Stacks that people built by hand become tenants' as they are: nothing is written to Render, then or later."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from reconciler.core.adoption.match import Standing
from reconciler.core.errors import Invalid
from reconciler.daemon import proposing
from reconciler.daemon.adopting import Adopter, Request
from reconciler.doors import Taken
from reconciler.engine.adopt import Examined
from tests.engine import byhand
from tests.engine.documents import ONE_WEB, tenant
from tests.engine.world import ACTOR, World, env_of


async def examined(
    world: World, name: str, columns: Mapping | None = None, **chosen: str
) -> tuple[Adopter, Request, Examined]:
    """Look at everything and examine a tenant of specs/ against it."""
    adopter = Adopter(world.wiring)
    await adopter.look()
    request = Request(tenant=name, columns=byhand.columns_of(name) if columns is None else columns, chosen=chosen)
    return adopter, request, await adopter.examine(request)


async def seq(world: World) -> int:
    return int((await world.simulator.truth())["write_seq"])


async def built(world: World, name: str) -> dict[str, str]:
    if name == "cora":
        return await byhand.build_docs(world)
    ids = await byhand.build_crm(world, {"acme": byhand.ACME, "bolt": byhand.BOLT, "dune": byhand.DUNE}[name])
    if name == "dune":
        for component in ("scheduler", "worker", "frontend", "backend"):
            await byhand.Hand(world).call("POST", f"/services/{ids[component]}/suspend")
        await byhand.Hand(world).call("POST", f"/key-value/{ids['cache']}/suspend")
        await byhand.Hand(world).call("POST", f"/postgres/{ids['db']}/suspend")
        await world.step(300)
    return ids


LONG = pytest.mark.long
"""`make test` builds every kind of object by hand at least once; `make check` every tenant of specs/."""


@pytest.mark.parametrize("name", ["acme", "cora", pytest.param("bolt", marks=LONG), pytest.param("dune", marks=LONG)])
async def test_a_stack_of_specs_built_by_hand_is_adopted_with_an_empty_plan_and_no_write_ever(
    world: World, name: str
) -> None:
    await byhand.apply_blueprints(world)
    ids = await built(world, name)
    adopter, request, found = await examined(world, name)
    assert found.fits, (found.invalid, found.plan.actions, found.plan.waits)
    assert found.plan.drift == ()
    assert {key: one.found.id for key, one in found.matched.matches.items() if key in ids and one.found} == ids
    before = await seq(world)
    await adopter.take(request, found, ACTOR)
    await world.settle(name, phase="Suspended" if name == "dune" else "Ready")
    assert await world.quiet() == []
    await world.step(90_000)  # a deep check of everything
    assert await world.quiet() == []
    assert await world.simulator.writes(before) == [] and (await world.simulator.truth())["throttled"] == 0
    row = await world.tenant(name)
    assert ids.items() <= row.resource_ids.items()
    assert row.status is not None and row.status.you == "nothing to do" and row.status.drift == ()
    assert "Adopted" in await world.events(name)
    assert {"adopt", "create tenant"} <= {one.action for one in await world.registry.audit(subject=name)}


@pytest.mark.parametrize("name", ["cora", *(pytest.param(name, marks=LONG) for name in ("acme", "bolt", "dune"))])
async def test_a_stack_that_no_blueprint_describes_is_proposed_adopted_and_left_alone(world: World, name: str) -> None:
    ids = await built(world, name)
    adopter = Adopter(world.wiring)
    await adopter.look()
    made = await proposing.proposed(adopter, name, f"of-{name}", proposing.Source(project=name))
    written = json.dumps([made.blueprint, made.tenant])
    for secret in (byhand.SECRET_KEY, byhand.FIELD_KEY, byhand.DSN, f"smtp-password-of-{name}", "[search]"):
        assert secret not in written
    assert made.notes == ()
    found = await adopter.examine(made.request)
    assert found.fits, (found.invalid, found.plan.actions, found.plan.waits)
    assert found.plan.drift == ()
    before = await seq(world)
    await adopter.take(made.request, found, ACTOR)
    await world.settle(name, phase="Suspended" if name == "dune" else "Ready")
    await world.step(90_000)
    assert await world.quiet() == []
    assert await world.simulator.writes(before) == []
    assert set((await world.tenant(name)).resource_ids.values()) >= set(ids.values())


# ---------------------------------------------------------------- small stacks, and what a person may get wrong

ONE = {"name": "acme", "blueprint": "one", "tier": "small"}


async def one_web(world: World, name: str = "app-acme", project: str = "acme", **env: str) -> tuple[str, str]:
    """Build the stack of the Blueprint `one` by hand; answers the ids of its service and environment."""
    hand = byhand.Hand(world)
    await hand.begin()
    home = await hand.project(project) if project else ""
    who = {"TENANT_SLUG": "acme", "TENANT_NAME": "acme"}
    made = await hand.service(
        "web_service", name, home,
        {"runtime": "image", "plan": "starter", "healthCheckPath": "/up"},
        image={"ownerId": hand.owner, "imagePath": "docker.io/acme/app:1"},
        envVars=byhand.pairs({**who, "MODE": "live", "TOKEN": "the-token-of-acme", **env}),
    )  # fmt: skip
    await world.step(300)
    return str(made["id"]), home


async def test_a_tenant_whose_names_are_taken_is_told_to_adopt_and_then_has_them(world: World) -> None:
    app, _ = await one_web(world)
    before = await seq(world)
    await world.apply(ONE_WEB + "---\n" + tenant("acme"))
    await world.settle("acme", phase="Blocked")
    status = (await world.tenant("acme")).status
    assert status is not None and "reconciler adopt acme" in status.you
    adopter = Adopter(world.wiring)
    await adopter.look()
    request = Request(tenant="acme")
    found = await adopter.examine(request)
    assert found.fits, (found.plan.actions, found.plan.waits)
    assert [ref.name for ref in found.secrets] == ["app/TOKEN"], "made here before anybody looked, and never sent"
    await adopter.take(request, found, ACTOR)
    await world.settle("acme")
    assert await world.quiet() == [] and await world.simulator.writes(before) == []
    assert (await world.tenant("acme")).resource_ids["app"] == app


async def test_a_stack_in_a_project_of_another_name_is_not_begun_a_second_time(world: World) -> None:
    _, home = await one_web(world, project="Acme Production")
    before = await seq(world)
    await world.apply(ONE_WEB + "---\n" + tenant("acme"))
    await world.settle("acme", phase="Blocked")
    assert await world.simulator.writes(before) == []
    adopter, request, found = await examined(world, "acme", ONE)
    assert found.fits and found.matched.found["@environment"].id == home
    await adopter.take(replace(request, columns=None), found, ACTOR)
    await world.settle("acme")
    assert await world.quiet() == [] and await world.simulator.writes(before) == []


async def test_objects_of_other_names_are_adopted_by_a_persons_word_or_as_the_only_ones_and_keep_their_names(
    world: World,
) -> None:
    await world.apply(ONE_WEB)
    app, _ = await one_web(world, name="the-old-shop")
    _, _, found = await examined(world, "acme", ONE)
    match = found.matched.matches["app"]
    assert match.standing is Standing.FOUND and "by membership" in match.note
    adopter, request, found = await examined(world, "acme", ONE, app="the-old-shop")
    assert found.fits and found.record.tenant is not None and found.record.tenant.names == {"app": "the-old-shop"}
    before = await seq(world)
    await adopter.take(request, found, ACTOR)
    await world.settle("acme")
    assert (await world.tenant("acme")).details == {"names": {"app": "the-old-shop"}}
    assert await world.quiet() == [] and await world.simulator.writes(before) == []
    assert (await world.live("services", "the-old-shop"))["id"] == app


async def test_what_differs_is_shown_and_done_by_the_next_pass_and_what_people_added_stays(world: World) -> None:
    await world.apply(ONE_WEB)
    await one_web(world, MODE="test", MINE="their own")
    adopter, request, found = await examined(world, "acme", ONE)
    assert not found.fits
    assert [change.field for action in found.plan.actions for change in action.changes] == ["variable MODE"]
    assert found.plan.drift == ("app: variable MINE was added",)
    await adopter.take(request, found, ACTOR)
    await world.settle("acme")
    env = env_of(await world.live("services", "app-acme"))
    assert (env["MODE"], env["MINE"], env["TOKEN"]) == ("live", "their own", "the-token-of-acme")
    assert await world.quiet() == []


async def test_what_another_tenant_has_and_what_runs_an_operator_is_never_taken(world: World, monkeypatch) -> None:
    await world.apply(ONE_WEB)
    adopter, request, found = await examined(world, "acme", ONE)
    assert not found.rows and {one.standing for one in found.matched.matches.values()} == {Standing.MISSING}
    app, _ = await one_web(world)
    adopter, request, found = await examined(world, "acme", ONE)
    await adopter.take(request, found, ACTOR)
    await world.settle("acme")
    _, _, other = await examined(world, "bolt", {**ONE, "name": "bolt"}, app=app)
    match = other.matched.matches["app"]
    assert match.standing is Standing.TAKEN and match.note == "belongs to acme as its app" and not other.rows
    with pytest.raises(Taken, match=f"{app} cannot become bolt's app: acme/app has {app}"):
        stolen = replace(other, rows={"app": found.rows["app"]})
        await adopter.take(Request(tenant="bolt", columns={**ONE, "name": "bolt"}), stolen, ACTOR)
    assert [row.name for row in (await world.registry.list_tenants()).rows] == ["acme"], "all or nothing"

    keyed, _ = await one_web(world, name="app-cora", project="cora", RECONCILER_ENCRYPTION_KEY="k")
    _, _, ours = await examined(world, "cora", {**ONE, "name": "cora"})
    assert ours.matched.matches["app"].standing is Standing.OURSELVES and "app" not in ours.rows
    await byhand.Hand(world).call("DELETE", f"/services/{keyed}/env-vars/RECONCILER_ENCRYPTION_KEY")
    monkeypatch.setenv("RENDER_SERVICE_ID", keyed)
    _, _, ours = await examined(world, "cora", {**ONE, "name": "cora"})
    assert ours.matched.matches["app"].note == "is the operator itself"
    with pytest.raises(Invalid, match="this operator runs on"):
        adopter = Adopter(world.wiring)
        await adopter.look()
        await proposing.proposed(adopter, "cora", "cora", proposing.Source(resources=[keyed]))


async def test_who_was_quicker_wins_and_an_effect_under_way_is_waited_for(world: World) -> None:
    await world.apply(ONE_WEB + "---\n" + tenant("acme"))
    await one_web(world)
    adopter, request, found = await examined(world, "acme", ONE)
    request = replace(request, columns=None)
    await world.change("acme", priority=60)
    with pytest.raises(Taken, match="was changed meanwhile, it is at generation 2"):
        await adopter.take(request, found, ACTOR)
    found = await adopter.examine(request)
    async with world.wiring.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO reconciler.operations (workspace, tenant, component, verb, kind, name, request_hash, state, "
            "epoch, generation, planned_at, sent_at, sent_real_at) VALUES ('w', 'acme', 'app', 'create', "
            "'web service', 'app-acme', 'h', 'sent', 1, 1, now(), now(), now())"
        )
    with pytest.raises(Taken, match="create of acme's app is under way"):
        await adopter.take(request, found, ACTOR)
    assert (await world.tenant("acme")).resource_ids == {}


async def test_a_tenant_that_is_being_deleted_or_was_purged_adopts_nothing(world: World) -> None:
    await world.apply(ONE_WEB + "---\n" + tenant("acme"))
    await world.registry.set_state("acme", "deleted", ACTOR)
    with pytest.raises(Invalid, match="is being deleted; reconciler resume acme"):
        await Adopter(world.wiring).examine(Request(tenant="acme"))
    await world.registry.set_state("acme", "deleted", ACTOR, purge_mode="now")
    await world.settle("acme", phase="Deleted")
    with pytest.raises(Invalid, match="was purged"):
        await Adopter(world.wiring).examine(Request(tenant="acme"))
