"""Suspend, resume, delete, undo and purge: in the right order, followed to the tombstone, visible at every step."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from reconciler.doors import TenantRow
from tests.engine.documents import FULL, ONE_WEB, tenant
from tests.engine.following import Followed, assert_still, follow
from tests.engine.world import ACTOR, World, give_secret

DAY = 86_400
STOPPED = ["nightly", "backend", "site", "jobs", "search", "cache", "db"]
"""cron, web, static, worker, private, Key Value, Postgres."""


def touched(made: Followed, verb: str) -> list[str]:
    """Components in the order in which they were suspended or resumed."""
    return [one.split("/")[1].rsplit("-", 1)[0] for one in made.writes if one.endswith(f"/{verb}")]


async def test_suspension_and_resumption_keep_their_order_and_changes_wait(world: World) -> None:
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full"))
    await world.apply(tenant("none", "full", state="suspended"))
    await world.settle("bolt")
    await world.settle("none", phase="Suspended")
    truth = await world.simulator.truth()
    assert not [one for kind in ("services", "postgres", "projects") for one in truth[kind] if "none" in one["name"]]
    status = (await world.tenant("none")).status
    assert status is not None and status.why == "suspended in its spec; nothing was created"
    assert (status.monthly_usd, {one.state for one in status.components}) == (0, {"not created"})

    off = await follow(world, world.registry.set_state("bolt", "suspended", ACTOR), "bolt", phase="Suspended")
    assert touched(off, "suspend") == STOPPED and len(off.writes) == len(STOPPED)
    status = (await world.tenant("bolt")).status
    assert status is not None and status.why == "suspended in its spec" and status.you.startswith("nothing to do")
    assert status.monthly_usd == Decimal("5.75"), "15 GB of database and 5 GB of disk are billed on, nothing else"
    assert off.said("Suspended", "suspended in its spec")
    assert await world.quiet(300) == []

    changed = await follow(world, world.change("bolt", params={"theme": "dark"}), "bolt", phase="Suspended")
    assert changed.writes == [], "changes wait until resume"

    on = await follow(world, world.registry.set_state("bolt", "running", ACTOR), "bolt")
    resumed = touched(on, "resume")
    assert set(resumed[:2]) == {"db", "cache"} and resumed.index("search") < resumed.index("backend")
    assert resumed[-1] == "nightly" and sorted(resumed) == sorted(STOPPED)
    assert on.count("PUT services/backend-bolt/env-vars") == 1
    assert on.live("services", "backend-bolt")["running"]["env"]["THEME"] == "dark"
    assert on.said("Available", "Ready after")
    await assert_still(world)


async def test_a_deleted_tenant_is_suspended_undone_and_in_the_end_purged_for_good(world: World) -> None:
    await world.apply(FULL.replace("secrets:", "onDelete: {keepFor: 3d}\n  secrets:"))
    await world.apply(tenant("bolt", "full", externalId="sub_1"))
    await world.settle("bolt")
    ids = (await world.tenant("bolt")).resource_ids

    gone = await follow(world, world.registry.set_state("bolt", "deleted", ACTOR), "bolt", until=_asleep)
    assert touched(gone, "suspend") == STOPPED and len(gone.writes) == len(STOPPED), "nothing is deleted yet"
    row = await world.tenant("bolt")
    assert row.status is not None and row.purge_at is not None
    assert row.purge_at - await world.now() > timedelta(days=2, hours=20)
    assert row.status.why == f"suspended; its data is kept until {row.purge_at:%Y-%m-%d %H:%M} UTC"
    assert row.status.you == "to undo: reconciler resume bolt"
    assert gone.said("Deleting", "its data is kept until")
    assert await world.quiet(300) == []

    back = await follow(world, world.registry.set_state("bolt", "running", ACTOR), "bolt")
    assert back.count(".*/resume") == len(STOPPED) and back.count("POST (services|postgres|key-value)") == 0
    assert (await world.tenant("bolt")).resource_ids == ids
    await assert_still(world)

    await follow(world, world.registry.set_state("bolt", "deleted", ACTOR), "bolt", until=_asleep)
    purge = await follow(world, world.step(3 * DAY), "bolt", phase="Deleted")
    deleted = [one.removeprefix("DELETE ") for one in purge.writes if one.startswith("DELETE")]
    services, stores, rest = set(deleted[:5]), set(deleted[5:7]), deleted[7:]
    assert services == {f"services/{one}-bolt" for one in ("backend", "search", "jobs", "nightly", "site")}
    assert stores == {"postgres/db-bolt", "key-value/cache-bolt"}
    assert rest[0] == "env-groups/shared-bolt" and rest[1] == "projects/bolt"
    await _proved_gone(world, purge, "bolt")

    with pytest.raises(Exception, match="purged"):
        await world.registry.set_state("bolt", "running", ACTOR)
    assert await world.quiet(300) == []


def _asleep(row) -> bool:
    status = row.status
    return (
        row.fresh
        and status is not None
        and status.phase == "Deleting"
        and all(one.state.startswith("suspended") or one.kind == "env group" for one in status.components)
    )


async def _proved_gone(world: World, made: Followed, name: str) -> None:
    """Nothing is left at Render, in the inventory, in the open ledger or among the secrets."""
    kinds = ("services", "postgres", "key_values", "env_groups", "projects", "environments", "disks")
    assert {kind: made.truth[kind] for kind in kinds if made.truth[kind]} == {}
    row = await world.tenant(name)
    assert row.purged and row.resource_ids == {} and row.status is not None and row.status.why == "purged"
    assert row.status.monthly_usd == 0
    now = await world.now()
    costs = await world.registry.costs("tenant", now - timedelta(days=30), now)
    assert [(one.key, one.usd_per_month) for one in costs] == [(name, 0)]
    assert costs[0].usd > 0, "what was used stays in the ledger"
    assert await world.registry.list_secrets("tenant", name) == {}
    async with world.wiring.pool.connection() as connection:
        left = await connection.execute("SELECT count(*) AS n FROM reconciler.secrets WHERE owner = %s", [name])
        assert (await left.fetchone())["n"] == 0
    assert made.said("Purged")


async def test_delete_now_skips_the_wait_and_orphan_leaves_everything_running(world: World) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await world.apply(tenant("beta"))
    await world.settle("acme", "beta")
    await give_secret(world, "acme", "TOKEN_2", "x")

    purge = await follow(
        world, world.registry.set_state("acme", "deleted", ACTOR, purge_mode="now"), "acme", phase="Deleted"
    )
    assert purge.count("DELETE services/app-acme") == 1 and purge.count("DELETE projects/acme") == 1
    assert not [one for one in purge.truth["services"] if one["name"] == "app-acme"]
    assert (await world.tenant("acme")).purged

    left = await follow(
        world, world.registry.set_state("beta", "deleted", ACTOR, purge_mode="orphan"), "beta", phase="Deleted"
    )
    assert left.writes == [] and left.live("services", "app-beta")["suspended"] == "not_suspended"
    assert left.said("Orphaned", "left as they are") and left.said("Orphaned", left.live("services", "app-beta")["id"])
    row = await world.tenant("beta")
    assert row.purged and row.resource_ids == {}
    now = await world.now()
    assert sum(one.usd_per_month for one in await world.registry.costs("tenant", now - timedelta(days=1), now)) == 0
    await assert_still(world)


async def test_a_database_is_exported_before_it_is_purged(world: World) -> None:
    await world.apply(
        """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: data}
spec:
  template:
    databases: [{name: db, plan: basic-256mb, ipAllowList: []}]
  onDelete: {keepFor: 1h, export: true}
"""
    )
    await world.apply("apiVersion: reconciler/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {blueprint: data}\n")
    await world.settle("acme")
    await follow(world, world.registry.set_state("acme", "deleted", ACTOR), "acme", until=_asleep)
    exporting = await follow(world, world.step(3600), "acme", until=_exporting, step_s=5.0, within_s=900)
    assert exporting.count("DELETE .*") == 0, "an export takes its time: the database stays until it is done"
    purge = await follow(world, world.step(1), "acme", phase="Deleted")
    assert _seconds_between(purge.truth, "/export", "DELETE") >= 60
    steps = [one for one in purge.writes if "db-acme" in one]
    assert steps == ["DELETE postgres/db-acme"]
    assert exporting.writes == ["POST postgres/db-acme/resume", "POST postgres/db-acme/export"]
    assert exporting.said("Changed", "export postgres db")
    assert await world.quiet(300) == []


def _exporting(row: TenantRow) -> bool:
    return row.status is not None and "the export of postgres db" in row.status.why


def _seconds_between(truth: dict[str, Any], first: str, then: str) -> float:
    at = {
        mark: one["at"] for one in truth["writes"] for mark in (first, then) if mark in f"{one['method']} {one['path']}"
    }
    return (datetime.fromisoformat(at[then]) - datetime.fromisoformat(at[first])).total_seconds()
