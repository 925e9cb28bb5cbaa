"""The control database was lost, or an older one restored: the fleet is owned again before anything is done."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.core.adoption.match import Standing
from reconciler.core.errors import NotFound, Refused
from reconciler.core.values import Sensitive
from reconciler.daemon import leftovers
from reconciler.daemon.adopting import Adopter
from reconciler.daemon.recovering import Recovery, TenantReport
from reconciler.engine import restored
from reconciler.ports import Brake
from reconciler.postgres import vault
from reconciler.postgres.embedded import EmbeddedPostgres
from tests import conftest as shared
from tests.engine import byhand
from tests.engine.documents import FULL, ONE_WEB, tenant
from tests.engine.world import ACTOR, World, env_of, give_secret

_keys = itertools.count(1)
WIDE = {
    "limit_create_per_hour": 50_000, "limit_write_per_minute": 50_000, "limit_read_per_minute": 200_000,
    "limit_service_per_minute": 5_000,
}  # fmt: skip


@pytest.fixture
def other_database_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """A second database, empty: the one that comes after the loss."""
    yield from shared.fresh_database(postgres_server.url, migrated_template)


@asynccontextmanager
async def after_the_loss(world: World, database_url: str, tmp: Path, *, new_key: bool = True) -> AsyncIterator[World]:
    """A new operator on another database, with another encryption key, in the same workspace."""
    changes: dict[str, object] = {"database_url": database_url}
    if new_key:
        changes["encryption_key_file"] = tmp / f"encryption.{next(_keys)}.key"
        vault.make_key_file(changes["encryption_key_file"])
    found = World(world.simulator, world.settings.model_copy(update=changes))
    await found.add_replica()
    try:
        yield found
    finally:
        for wiring in found.wirings:
            await wiring.close()


async def recovered(world: World, *, take: bool = True) -> tuple[Recovery, dict[str, TenantReport]]:
    recovery = Recovery(Adopter(world.wiring), ACTOR)
    return recovery, {report.tenant: report async for report in recovery.tenants(take=take)}


async def seq(world: World) -> int:
    return int((await world.simulator.truth())["write_seq"])


FLEET = "---\n".join([
    ONE_WEB, FULL, tenant("acme", "full", region="frankfurt"), tenant("bolt", "full", tier="big"), tenant("cora"),
    tenant("dune", state="suspended"),
])  # fmt: skip


async def brought_up(world: World) -> None:
    """A small fleet: two full stacks, a small one that is suspended later, one that never was built."""
    await world.simulator.call("PATCH", "/_sim/settings", WIDE)
    await world.apply(FLEET)
    await world.settle("acme", "bolt", "cora")
    await world.change("cora", state="suspended")
    await world.settle("cora", phase="Suspended")


async def test_a_fleet_is_owned_again_after_the_database_was_dropped_and_nothing_is_written(
    world: World, other_database_url: str, tmp_path: Path
) -> None:
    await brought_up(world)
    ids = {row.name: dict(row.resource_ids) for row in (await world.registry.list_tenants()).rows}
    envs = {one["name"]: env_of(one) for one in (await world.simulator.truth())["services"]}
    before = await seq(world)
    async with after_the_loss(world, other_database_url, tmp_path) as new:
        await new.registry.set_brake(Brake.OBSERVE, "restoring", ACTOR)
        await new.apply(FLEET)
        await new.change("cora", state="suspended")
        while await new.turn():  # the daemon runs already: it makes secrets that were never sent, and does nothing
            pass
        assert (await new.tenant("acme")).resource_ids == {}
        _, shown = await recovered(new, take=False)
        assert (await new.tenant("acme")).resource_ids == {} and all(report.fine for report in shown.values())
        recovery, reports = await recovered(new)
        assert {row.name: dict(row.resource_ids) for row in (await new.registry.list_tenants()).rows} == ids
        assert all(report.fine for report in reports.values()), {k: r.unsure for k, r in reports.items()}
        assert (recovery.totals.missing, recovery.totals.unsure, await recovery.orphans()) == (0, 0, ())
        assert recovery.totals.secrets == 5, "two of each full stack, and one of the small one"
        assert recovery.totals.reads == 5, "no more objects than hold them"
        while await new.turn():
            pass
        for row in (await new.registry.list_tenants()).rows:
            assert row.status is not None and row.status.conditions[1].status == "True", await new.picture()
        await new.registry.set_brake(Brake.NORMAL, "", ACTOR)
        await new.wake_all()
        await new.settle("acme", "bolt")
        await new.settle("cora", "dune", phase="Suspended")
        await new.step(90_000)
        assert await new.quiet() == []
        assert await new.simulator.writes(before) == []
        assert {one["name"]: env_of(one) for one in (await new.simulator.truth())["services"]} == envs
        assert "Recovered" in await new.events("acme")
        assert "recover" in {one.action for one in await new.registry.audit(subject="acme")}
        again, _ = await recovered(new)
        assert again.totals.found == 0 and again.totals.reads == 0, "a second time finds nothing to do"


@pytest.mark.long
async def test_what_is_missing_doubled_elsewhere_or_left_over_is_told_and_not_taken(
    world: World, other_database_url: str, tmp_path: Path
) -> None:
    await world.simulator.call("PATCH", "/_sim/settings", WIDE)
    await world.apply("---\n".join([ONE_WEB, FULL, tenant("acme", "full"), tenant("bolt", "full"), tenant("cora")]))
    await world.settle()
    hand = byhand.Hand(world)
    await hand.begin()
    homes = {row.name: row.resource_ids["@environment"] for row in (await world.registry.list_tenants()).rows}
    await hand.postgres("db-acme", plan="basic_256mb", environmentId=homes["acme"])
    theirs = await hand.key_value("scratch", plan="starter", environmentId=homes["acme"], ipAllowList=[])
    await world.simulator.human("delete", "jobs-bolt")
    await hand.call(
        "DELETE", f"/environments/{homes['bolt']}/resources?resourceIds={await id_of(world, 'search-bolt')}"
    )
    before = await seq(world)
    async with after_the_loss(world, other_database_url, tmp_path) as new:
        await new.registry.set_brake(Brake.OBSERVE, "restoring", ACTOR)
        await new.apply(
            "---\n".join([ONE_WEB, FULL, tenant("acme", "full"), tenant("bolt", "full")])
        )  # cora signed up later
        recovery, reports = await recovered(new)
        acme, bolt = reports["acme"], reports["bolt"]
        assert [(one.component, one.standing, len(one.others)) for one in acme.unsure] == [
            ("db", Standing.AMBIGUOUS, 2)
        ]
        assert [one.component for one in bolt.missing] == ["jobs"]
        assert [(one.component, one.standing) for one in bolt.unsure] == [("search", Standing.ELSEWHERE)]
        assert not acme.fine and not bolt.fine and acme.found and bolt.found
        left = {one.observed.name: one for one in await recovery.orphans()}
        assert set(left) == {"db-acme", "scratch", "app-cora"}
        assert left["scratch"].tenant == "acme" and "whose spec does not want it" in left["scratch"].why
        assert left["app-cora"].why == "is named as for tenant cora, who has no record here"
        assert await new.simulator.writes(before) == []
        while await new.turn():
            pass
        rows = {row.name: row for row in await new.registry.orphans()}
        assert set(rows) == {"db-acme", "scratch", "app-cora"}
        assert rows["scratch"].usd_per_month == 10 and rows["scratch"].bears_data and rows["scratch"].id == theirs["id"]
        assert await new.simulator.writes(before) == []


async def id_of(world: World, name: str) -> str:
    return str((await world.live("services", name))["id"])


async def test_secrets_that_people_gave_are_read_back_and_those_they_gave_again_are_theirs(
    world: World, other_database_url: str, tmp_path: Path
) -> None:
    asked = ONE_WEB.replace("{key: TOKEN, generateValue: true}", "{key: TOKEN, sync: false}, {key: DSN, sync: false}")
    asked = asked.replace("  tiers:", "  secrets: {DSN: {shared: true}}\n  tiers:")
    await world.apply(f"{asked}---\n{tenant('acme')}---\n{tenant('bolt')}")
    for name in ("acme", "bolt"):
        await give_secret(world, name, "TOKEN", f"given to {name}")
    await world.registry.set_secret("blueprint", "one", "DSN", Sensitive("the dsn"), ACTOR)
    await world.settle()
    before = await seq(world)
    async with after_the_loss(world, other_database_url, tmp_path) as new:
        await new.apply(f"{asked}---\n{tenant('acme')}---\n{tenant('bolt')}")
        await give_secret(new, "bolt", "TOKEN", "given anew to bolt")
        recovery, reports = await recovered(new)
        assert {ref.name for ref in reports["acme"].examined.secrets} == {"TOKEN", "DSN"}
        assert recovery.totals.secrets == 2, "the shared one only once, and bolt's own stays"
        await new.settle()
        assert [one["path"].rpartition("/")[2] for one in await new.simulator.writes(before)] == ["env-vars", "deploys"]
        assert env_of(await new.live("services", "app-bolt"))["TOKEN"] == "given anew to bolt"


# ---------------------------------------------------------------- an older database


async def snapshot_of(world: World, postgres_server: EmbeddedPostgres) -> str:
    """A copy of the control database as it stands: a backup."""
    name = f"backup_{next(_keys)}"
    for wiring in world.wirings:
        await wiring.close()  # a database is copied while nobody is connected
    world.wirings.clear()
    world.workers.clear()
    shared.execute(
        postgres_server.url,
        shared.sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            shared.sql.Identifier(name), shared.sql.Identifier(world.settings.database_url.rpartition("/")[2])
        ),
    )
    await world.add_replica()
    return shared.url_of(postgres_server.url, name)


@pytest.mark.long
async def test_an_older_database_starts_in_observe_and_recover_fills_what_it_lacks(
    world: World, postgres_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    await world.simulator.call("PATCH", "/_sim/settings", WIDE)
    await world.apply(f"{ONE_WEB}---\n{FULL}---\n{tenant('acme')}---\n{tenant('bolt')}---\n{tenant('echo')}")
    await world.settle()
    backup = await snapshot_of(world, postgres_server)
    taken_at = await world.now()
    await world.step(3600)
    await world.apply(tenant("cora") + "---\n" + tenant("dune", "full"))
    await world.settle()
    await world.registry.set_state("bolt", "deleted", ACTOR, purge_mode="now")
    await world.settle("bolt", phase="Deleted")
    before = await seq(world)
    async with after_the_loss(world, backup, tmp_path, new_key=False) as old:
        alive_at = await old.wiring.store.told_at()
        assert alive_at is not None and abs(alive_at - taken_at) < timedelta(minutes=1)
        await old.workers[0].sweeper.sweep()
        assert await restored.check(old.wiring.ports, alive_at)
        brake, why = await old.wiring.store.brake()
        assert brake is Brake.OBSERVE and "app-cora" in why and "stacks of bolt" in why
        while await old.turn():
            pass
        assert await old.simulator.writes(before) == []
        await old.apply(tenant("cora") + "---\n" + tenant("dune", "full"))
        recovery, reports = await recovered(old)
        assert reports["cora"].fine and reports["dune"].fine and reports["cora"].found
        assert {(tenant, component) for tenant, component, _ in recovery.totals.gone} == {
            ("bolt", "@project"), ("bolt", "@environment"), ("bolt", "app")
        }  # fmt: skip
        assert await recovery.orphans() == ()
        await old.registry.set_state("bolt", "deleted", ACTOR, purge_mode="now")
        await old.registry.set_brake(Brake.NORMAL, "", ACTOR)
        await old.settle("acme", "echo", "cora", "dune")
        await old.settle("bolt", phase="Deleted")
        assert await old.quiet() == []
        assert await old.simulator.writes(before) == []


async def test_a_daemon_that_was_merely_down_is_not_taken_for_a_restored_one(world: World) -> None:
    await world.apply(f"{ONE_WEB}---\n{tenant('acme')}")
    await world.settle()
    alive_at = await world.now()
    assert not await restored.check(world.wiring.ports, alive_at), "it was here a moment ago"
    await world.step(7200)
    await world.simulator.human("env-set", "app-acme", key="MODE", value="test")
    await world.simulator.human("crash", "app-acme")
    await world.workers[0].sweeper.sweep()
    assert not await restored.check(world.wiring.ports, alive_at)
    assert (await world.wiring.store.brake())[0] is Brake.NORMAL


# ---------------------------------------------------------------- what is left over


async def test_what_is_left_over_is_deleted_on_command_only_within_the_guards(world: World) -> None:
    await world.apply(f"{ONE_WEB}---\n{tenant('acme')}---\n{tenant('gone')}")
    await world.settle()
    hand = byhand.Hand(world)
    await hand.begin()
    home = (await world.tenant("acme")).resource_ids["@environment"]
    app = (await world.tenant("acme")).resource_ids["app"]
    details = {"runtime": "image", "plan": "starter"}
    image = {"ownerId": hand.owner, "imagePath": "docker.io/x/y:1"}
    stray = (await hand.service("background_worker", "try-out", home, details, image=image))["id"]
    foreign = (await hand.service("web_service", "not-ours", "", details, image=image))["id"]
    await world.registry.set_state("gone", "deleted", ACTOR, purge_mode="orphan")
    await world.settle("gone", phase="Deleted")
    left = await id_of(world, "app-gone")

    adopter = Adopter(world.wiring)
    assert {row.id: row.tenant for row in await leftovers.chosen(adopter, [stray, left])} == {
        stray: "acme",
        left: "gone",
    }
    for id, said in ((app, "it is app of tenant acme"), (foreign, "is no orphan"), ("srv-none", "is no orphan")):
        with pytest.raises(NotFound, match=said):
            await leftovers.chosen(adopter, [id])
    rows = await leftovers.chosen(adopter, [stray, stray])
    assert len(rows) == 1
    before = await seq(world)
    await world.registry.set_brake(Brake.OBSERVE, "why not", ACTOR)
    with pytest.raises(Refused, match="brake is on observe"):
        assert [row async for row in leftovers.delete(adopter, rows, ACTOR)]
    await world.registry.set_brake(Brake.NORMAL, "", ACTOR)
    with pytest.raises(Refused, match="the cap is"):
        assert [row async for row in leftovers.delete(adopter, rows * 50, ACTOR)]
    assert await world.simulator.writes(before) == []
    assert [row.id async for row in leftovers.delete(adopter, rows, ACTOR)] == [stray]
    assert [one["path"] for one in await world.simulator.writes(before)] == [f"/v1/services/{stray}"]
    assert {one["name"] for one in (await world.simulator.truth())["services"]} == {"app-acme", "app-gone", "not-ours"}
    assert [one.detail for one in await world.registry.audit() if one.action == "delete orphan"] == [
        "worker try-out: lies in the project of acme, whose spec does not want it"
    ]
    assert [row.id for row in await world.registry.orphans()] == [left]
    assert await world.quiet() == []


# ---------------------------------------------------------------- a fleet


TENANTS = 200
TRIO = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: trio}
spec:
  template:
    envVarGroups: [{name: shared, envVars: [{key: LEVEL, value: info}, {key: SALT, value: "${secrets.SALT}"}]}]
    databases: [{name: db, plan: basic-256mb, ipAllowList: []}]
    services:
      - type: web
        name: app
        runtime: image
        image: {url: docker.io/acme/app:1}
        plan: starter
        envVars:
          - fromGroup: shared
          - {key: DATABASE_URL, fromDatabase: {name: db, property: connectionString}}
          - {key: TOKEN, generateValue: true}
          - {key: SMTP, sync: false}
      - type: worker
        name: jobs
        runtime: image
        image: {url: docker.io/acme/app:1}
        plan: starter
        envVars: [{key: SMTP, sync: false}, {key: TOKEN, fromService: {type: web, name: app, envVarKey: TOKEN}}]
  secrets: {SALT: {generate: 20}, SMTP: {perTenant: true}}
  tiers: {small: {}}
"""


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_two_hundred_tenants_are_recovered_without_one_write(
    world: World, other_database_url: str, tmp_path: Path
) -> None:
    await world.simulator.call("PATCH", "/_sim/settings", WIDE)
    fleet = "---\n".join([TRIO, *(tenant(f"t{number:03}", "trio") for number in range(TENANTS))])
    await world.apply(fleet)
    for number in range(TENANTS):
        await give_secret(world, f"t{number:03}", "SMTP", f"smtp of {number}")
    await world.settle(step_s=60.0)
    ids = {row.name: dict(row.resource_ids) for row in (await world.registry.list_tenants()).rows}
    assert len(ids) == TENANTS and all(len(each) == 6 for each in ids.values())
    before, requests = await seq(world), (await world.simulator.truth())["requests"]
    async with after_the_loss(world, other_database_url, tmp_path) as new:
        await new.registry.set_brake(Brake.OBSERVE, "restoring", ACTOR)
        await new.apply(fleet)
        recovery, reports = await recovered(new)
        asked = (await world.simulator.truth())["requests"]
        reads = sum(count for key, count in asked.items() if key.startswith("GET")) - sum(
            count for key, count in requests.items() if key.startswith("GET")
        )
        assert reads <= 2 * TENANTS + 60, "one read of variables an object that needs it, and the lists"
        assert all(report.fine for report in reports.values())
        assert {row.name: dict(row.resource_ids) for row in (await new.registry.list_tenants()).rows} == ids
        assert (recovery.totals.found, recovery.totals.secrets) == (6 * TENANTS, 3 * TENANTS)
        await new.registry.set_brake(Brake.NORMAL, "", ACTOR)
        await new.settle(step_s=60.0)
        await new.step(90_000)
        await new.wake_all()  # deep checks of everything
        while await new.turn():
            pass
        assert await new.simulator.writes(before) == [] and (await new.simulator.truth())["throttled"] == 0
        assert all(
            row.status is not None and row.status.phase == "Ready" for row in (await new.registry.list_tenants()).rows
        )
