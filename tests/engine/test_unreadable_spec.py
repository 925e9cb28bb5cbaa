"""A spec that cannot be read any more still says `suspended` or `deleted`, and takes no data with it when it goes."""

import psycopg
import pytest

from reconciler.doors import TenantRow
from tests.engine.following import follow
from tests.engine.world import ACTOR, World

DATA = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: data}
spec:
  template:
    databases: [{name: db, plan: basic-256mb, ipAllowList: []}]
  onDelete: {keepFor: 1h, export: true}
"""
ACME = "---\napiVersion: reconciler/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {blueprint: data}\n"
WRONG = (
    '{"pin": {"revision": 1, "until": "soon", "why": "no day"}}',
    '{"pin": {"revision": 9, "until": "2099-01-01", "why": "no such revision"}}',
)


async def spoil(world: World, details: str) -> None:
    """Write what no constraint of the SQL door judges."""
    with psycopg.connect(world.settings.database_url) as connection:
        connection.execute("UPDATE reconciler.tenants SET details = %s WHERE name = 'acme'", [details])
    await world.settle("acme", phase="Invalid")


@pytest.mark.parametrize("details", WRONG)
async def test_it_is_suspended_all_the_same(world: World, details: str) -> None:
    await world.apply(DATA + ACME)
    await world.settle("acme")
    await spoil(world, details)
    off = await follow(world, world.registry.set_state("acme", "suspended", ACTOR), "acme", until=_asleep)
    assert off.writes == ["POST postgres/db-acme/suspend"]
    status = (await world.tenant("acme")).status
    assert status is not None and "spec.pin" in status.conditions[1].message, "what is wrong is said all the same"


@pytest.mark.parametrize("details", WRONG)
async def test_its_database_is_exported_before_it_is_purged(world: World, details: str) -> None:
    await world.apply(DATA + ACME)
    await world.settle("acme")
    await spoil(world, details)
    deleted = world.registry.set_state("acme", "deleted", ACTOR, purge_mode="now")
    gone = await follow(world, deleted, "acme", until=_purged, step_s=5.0)
    steps = [one for one in gone.writes if "db-acme" in one]
    assert steps == ["POST postgres/db-acme/export", "DELETE postgres/db-acme"]


def _asleep(row: TenantRow) -> bool:
    return row.fresh and row.status is not None and row.status.phase == "Suspended"


def _purged(row: TenantRow) -> bool:
    return row.purged
