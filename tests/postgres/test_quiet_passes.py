"""A pass that changes nothing ends in one statement, and in no other way than any pass."""

from datetime import timedelta
from decimal import Decimal

import pytest

from reconciler.core.errors import StaleLease
from reconciler.engine import metering
from reconciler.ports import Claim, Demand, End, Interval, Metered
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import NOW, Database, action, claim_one, verdict

LATER = NOW + timedelta(hours=1)


async def settled(store: PostgresStore, database: Database) -> Claim:
    """A claim on a tenant whose status was written by an earlier pass."""
    database.sign_up("acme")
    await store.finish(await claim_one(store, "acme"), verdict(due_s=0), NOW)
    return await claim_one(store, "acme")


def queue(database: Database) -> dict[str, object]:
    return database.one("SELECT * FROM reconciler.tenant_queue WHERE tenant = 'acme'")


async def test_it_keeps_the_status_and_says_when_it_was(store: PostgresStore, database: Database) -> None:
    claim = await settled(store, database)
    before = database.one("SELECT * FROM reconciler.status")
    await store.finish(claim, verdict(due_s=7200, unchanged=True), LATER)
    assert database.one("SELECT * FROM reconciler.status") == before | {"updated_at": LATER}
    row = queue(database)
    assert (row["due_at"], row["wake_class"], row["lease_until"]) == (NOW + timedelta(hours=2), "drift", None)


async def test_it_writes_nothing_under_an_old_epoch(store: PostgresStore, database: Database) -> None:
    claim = await settled(store, database)
    database.run("UPDATE reconciler.tenant_queue SET lease_until = now() - interval '1 second'")
    await claim_one(store, "acme", owner="w2")
    before = queue(database), database.one("SELECT * FROM reconciler.status")
    with pytest.raises(StaleLease):
        await store.finish(claim, verdict(unchanged=True), LATER)
    assert (queue(database), database.one("SELECT * FROM reconciler.status")) == before


async def test_a_wake_meanwhile_is_not_lost(store: PostgresStore, database: Database) -> None:
    claim = await settled(store, database)
    database.run("SELECT reconciler.wake(ARRAY['acme'], 'user')")
    await store.finish(claim, verdict(unchanged=True), NOW)
    again = await claim_one(store, "acme")
    assert (again.wake_class, again.wake_seq) == ("user", claim.wake_seq + 1)


async def test_what_was_wanted_and_planned_before_is_dropped(store: PostgresStore, database: Database) -> None:
    claim = await settled(store, database)
    await store.declare(claim, Demand(wanted=2, ready=1, started=True, priority=50, since=NOW))
    await store.open_operation(claim, action(), "hash", NOW)
    await store.finish(claim, verdict(unchanged=True), NOW)
    assert database.run("SELECT * FROM reconciler.create_demand") == []
    assert database.run("SELECT * FROM reconciler.operations") == []


async def test_a_failure_is_still_counted(store: PostgresStore, database: Database) -> None:
    claim = await settled(store, database)
    await store.finish(claim, verdict(unchanged=True, failed=True), NOW)
    assert queue(database)["failures"] == 1


def interval(**changes: object) -> Interval:
    given = {
        **{"tenant": "acme", "component": "app", "resource_id": "srv-1", "at": NOW, "uncertainty_s": 0.0},
        **{"facts": {"plan": "starter", "instances": 1}, "usd_per_month": Decimal("7"), "book": "b1"},
    }
    return Interval(**(given | changes))  # type: ignore[arg-type]


async def test_only_what_differs_from_the_ledger_is_metered(store: PostgresStore, database: Database) -> None:
    await settled(store, database)
    database.run(
        "INSERT INTO reconciler.inventory (workspace, id, tenant, component, kind, name) "
        "VALUES (%s, 'srv-1', 'acme', 'app', 'web service', 'app-acme')",
        [store.workspace],
    )
    assert metering.news([interval()], (await store.load("acme", NOW)).metered) == [interval()], "nothing is open yet"
    await store.meter([interval()], {})
    metered = (await store.load("acme", NOW)).metered
    assert metered == {
        "srv-1": Metered(
            tenant="acme", component="app", facts={"plan": "starter", "instances": 1}, usd_per_month=Decimal("7")
        )
    }
    assert metering.news([interval(), interval(at=LATER, uncertainty_s=9.0, book="b2")], metered) == []
    changes: list[dict[str, object]] = [
        {"usd_per_month": Decimal("7.01")},
        {"usd_per_month": None},
        {"facts": {"plan": "starter", "instances": 2}},
        {"component": "web"},
        {"resource_id": "srv-2"},
    ]
    for changed in changes:
        assert metering.news([interval(**changed)], metered) == [interval(**changed)]
    await store.meter([], {"srv-1": End(at=LATER)})
    assert (await store.load("acme", NOW)).metered == {}
