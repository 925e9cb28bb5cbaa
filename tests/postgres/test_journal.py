"""The journal: at most one effect under way for a component, and a fact once known is never unlearned."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.actions import Change, Verb
from reconciler.core.errors import NotFound, StaleLease
from reconciler.core.inventory import Known, Owned
from reconciler.core.kinds import Bucket, Kind
from reconciler.ports import Claim, OperationState, Settlement
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import NOW, Database, action, claim_one, observed, verdict

SUCCEEDED, REFUSED, UNKNOWN = OperationState.SUCCEEDED, OperationState.REFUSED, OperationState.UNKNOWN
NEVER = OperationState.NEVER_HAPPENED


@pytest.fixture
async def claim(store: PostgresStore, database: Database) -> Claim:
    database.sign_up("acme", "bolt")
    return await claim_one(store, "acme")


async def sent(store: PostgresStore, claim: Claim, component: str = "app", verb: Verb = Verb.CREATE) -> int:
    operation = await store.open_operation(claim, action(component, verb), "h1", NOW)
    assert await store.send_operation(claim, operation, Bucket.CREATE, "", NOW) is None
    return operation


def app(id: str = "srv-1", component: str = "app", **more: object) -> Owned:
    row = Owned(component=component, kind=Kind.WEB, id=id, name="app-acme", observed=observed(id, "app-acme"))
    return replace(row, **more)


async def test_a_sent_effect_is_found_after_a_crash(store: PostgresStore, second: PostgresStore, claim: Claim) -> None:
    change = Change(field="plan", before="starter", after="standard")
    planned = replace(action(), changes=(change,), payload={"environmentId": "evm-1"})
    operation = await store.open_operation(claim, planned, "h1", NOW)
    assert (await second.load("acme", NOW)).operations == ()  # planned is nothing
    await store.send_operation(claim, operation, Bucket.CREATE, "", NOW)
    (found,) = (await second.load("acme", NOW)).operations
    assert (found.id, found.state, found.verb, found.request_hash) == (operation, OperationState.SENT, "create", "h1")
    assert (found.environment_id, found.summary) == ("evm-1", "plan starter -> standard")
    assert found.sent_at is not None and NOW <= found.sent_at < NOW + timedelta(seconds=10)
    assert found.sent_ago_s is not None and 0 <= found.sent_ago_s < 60


async def test_one_effect_at_a_time_for_a_component(store: PostgresStore, second: PostgresStore, claim: Claim) -> None:
    async def race(n: int) -> int | None:
        try:
            mine = (store, second)[n % 2]
            operation = await mine.open_operation(claim, action(), "h1", NOW)
            await mine.send_operation(claim, operation, Bucket.CREATE, "", NOW)
        except StaleLease:
            return None
        return operation

    sent_ones = [one for one in await asyncio.gather(*(race(n) for n in range(12))) if one is not None]
    assert len(sent_ones) == 1
    with pytest.raises(StaleLease, match="under way"):
        await store.open_operation(claim, action(), "h2", NOW)
    await store.open_operation(claim, action("other"), "h2", NOW)


async def test_an_unsent_plan_leaves_with_its_pass(store: PostgresStore, claim: Claim, database: Database) -> None:
    await store.open_operation(claim, action(), "h1", NOW)
    await store.finish(claim, verdict(), NOW)
    assert database.run("SELECT * FROM reconciler.operations") == []


async def test_success_brings_inventory_and_picture_at_once(store: PostgresStore, claim: Claim) -> None:
    operation = await sent(store, claim)
    row = app(known=Known(env={"A": "d"}, dirty=True, deploy_asked_at=NOW, heals=(("plan", NOW),)), since=NOW)
    await store.settle_operation(claim, operation, Settlement(state=SUCCEEDED, owned=[row], observed=[]), NOW)
    record = await store.load("acme", NOW)
    assert record.owned == {"app": row} and record.operations == ()
    assert await store.unowned([(Kind.WEB, "app-acme")]) == []
    assert await store.count_snapshot([Kind.WEB]) == 1


async def test_a_refusal_is_remembered_for_its_generation(
    store: PostgresStore, claim: Claim, database: Database
) -> None:
    operation = await sent(store, claim)
    await store.settle_operation(claim, operation, Settlement(state=REFUSED, message="bad plan", status=400), NOW)
    (refusal,) = (await store.load("acme", NOW)).refusals
    assert (refusal.component, refusal.request_hash, refusal.generation, refusal.status) == ("app", "h1", 1, 400)
    database.run("UPDATE reconciler.tenants SET tier = 'pro'")
    assert (await store.load("acme", NOW)).refusals == ()


@pytest.mark.parametrize(
    ("first", "then", "stands"),
    [
        (SUCCEEDED, NEVER, SUCCEEDED),
        (SUCCEEDED, UNKNOWN, SUCCEEDED),
        (SUCCEEDED, REFUSED, SUCCEEDED),
        (NEVER, SUCCEEDED, SUCCEEDED),
        (NEVER, UNKNOWN, NEVER),
        (REFUSED, UNKNOWN, REFUSED),
        (UNKNOWN, SUCCEEDED, SUCCEEDED),
        (UNKNOWN, NEVER, NEVER),
        (UNKNOWN, OperationState.PLANNED, OperationState.PLANNED),
    ],
)
async def test_the_fact_wins_over_the_verdict(
    store: PostgresStore, claim: Claim, database: Database,
    first: OperationState, then: OperationState, stands: OperationState,
) -> None:  # fmt: skip
    operation = await sent(store, claim)
    await store.settle_operation(claim, operation, Settlement(state=first), NOW)
    await store.settle_operation(None, operation, Settlement(state=then), NOW + timedelta(seconds=1))
    assert database.one("SELECT state FROM reconciler.operations")["state"] == stands


async def test_looks_are_counted_while_it_is_open(store: PostgresStore, claim: Claim) -> None:
    operation = await sent(store, claim)
    assert await store.look_operation(operation, NOW) == 1
    assert await store.look_operation(operation, NOW + timedelta(seconds=60)) == 2
    (found,) = (await store.load("acme", NOW)).operations
    assert (found.state, found.looks, found.looked_at) == (UNKNOWN, 2, NOW + timedelta(seconds=60))
    await store.settle_operation(claim, operation, Settlement(state=NEVER), NOW)
    with pytest.raises(NotFound):
        await store.look_operation(operation, NOW)
    with pytest.raises(NotFound):
        await store.settle_operation(claim, 999_999, Settlement(state=NEVER), NOW)


async def test_a_replaced_object_makes_room(store: PostgresStore, claim: Claim) -> None:
    await store.save_owned(claim, [app("srv-1")])
    operation = await sent(store, claim)
    settlement = Settlement(state=SUCCEEDED, owned=[app("srv-2")], forgotten=["srv-1"])
    await store.settle_operation(claim, operation, settlement, NOW)
    assert (await store.load("acme", NOW)).owned["app"].id == "srv-2"
    assert await store.unowned([(Kind.WEB, "app-acme")]) == []


async def test_two_objects_for_one_place_are_told_not_swapped(
    store: PostgresStore, claim: Claim, database: Database
) -> None:
    await store.save_owned(claim, [app("srv-1")])
    await store.save_owned(claim, [app("srv-2")])
    assert (await store.load("acme", NOW)).owned["app"].id == "srv-1"
    event = database.one("SELECT reason, warning, message FROM reconciler.events")
    assert event["reason"] == "Duplicate" and event["warning"] and "srv-2" in event["message"]


async def test_nobody_takes_another_tenant_s_object(store: PostgresStore, claim: Claim, database: Database) -> None:
    await store.save_owned(claim, [app("srv-1")])
    thief = await claim_one(store, "bolt")
    await store.save_owned(thief, [app("srv-1", component="stolen")])
    assert (await store.load("acme", NOW)).owned["app"].id == "srv-1"
    assert (await store.load("bolt", NOW)).owned == {}
    await store.save_owned(thief, [], ["srv-1"])
    assert "app" in (await store.load("acme", NOW)).owned


async def test_an_orphaned_object_stays_in_the_picture(store: PostgresStore, claim: Claim, database: Database) -> None:
    await store.save_owned(claim, [app("srv-1"), app("srv-2", component="web")])
    await store.save_owned(claim, [], ["srv-1"])
    assert [one.id for one in await store.unowned([(Kind.WEB, "app-acme")])] == []
    database.run("UPDATE reconciler.tenants SET state = 'deleted', purge_mode = 'orphan' WHERE name = 'acme'")
    await store.save_owned(claim, [], ["srv-2"])
    assert [one.id for one in await store.unowned([(Kind.WEB, "app-acme")])] == ["srv-2"]
    assert (await store.load("acme", NOW)).owned == {}


async def test_the_deletion_knows_whether_everything_was_exported(
    store: PostgresStore, claim: Claim, database: Database
) -> None:
    await store.set_clock(NOW, 0.0)
    assert not (await store.load("acme", NOW)).exported
    db = Owned(component="db", kind=Kind.POSTGRES, id="dpg-1", name="db-acme")
    await store.save_owned(claim, [db])
    before = await sent(store, claim, "db", Verb.EXPORT)
    await store.settle_operation(claim, before, Settlement(state=SUCCEEDED), NOW)
    await store.set_clock(NOW + timedelta(minutes=5), 0.0)
    database.run("UPDATE reconciler.tenants SET state = 'deleted' WHERE name = 'acme'")
    record = await store.load("acme", NOW)
    assert not record.exported  # that export is older than the deletion
    later = NOW + timedelta(minutes=6)
    operation = await store.open_operation(claim, action("db", Verb.EXPORT), "h", later)
    await store.send_operation(claim, operation, Bucket.WRITE, "", later)
    await store.settle_operation(claim, operation, Settlement(state=SUCCEEDED), later)
    assert (await store.load("acme", NOW)).exported


async def test_recent_effects_are_counted_over_all_tenants(store: PostgresStore, claim: Claim) -> None:
    await sent(store, claim, "a", Verb.DELETE)
    await sent(store, claim, "b", Verb.SUSPEND)
    await sent(store, claim, "c", Verb.UPDATE)
    assert await store.count_recent(["delete", "suspend"], NOW - timedelta(minutes=10)) == 2
    assert await store.count_recent(["delete"], NOW + timedelta(seconds=1)) == 0


async def test_what_is_past_its_keeping_goes(store: PostgresStore, claim: Claim, database: Database) -> None:
    for component, verb in (("a", Verb.UPDATE), ("b", Verb.EXPORT), ("c", Verb.CREATE)):
        operation = await sent(store, claim, component, verb)
        if component != "c":
            await store.settle_operation(claim, operation, Settlement(state=SUCCEEDED), NOW)
    assert await store.trim(NOW + timedelta(days=80)) == 0
    assert await store.trim(NOW + timedelta(days=91)) == 1
    rows = database.run("SELECT component FROM reconciler.operations ORDER BY component")
    assert [row["component"] for row in rows] == ["b", "c"]


async def test_a_success_told_twice_brings_nothing_back(store: PostgresStore, claim: Claim, database: Database) -> None:
    """Its sender slept; meanwhile it was found by look-up, and its object deleted: the late word changes nothing."""
    operation = await sent(store, claim)
    success = Settlement(state=SUCCEEDED, owned=[app()])
    await store.settle_operation(claim, operation, success, NOW)
    await store.save_owned(claim, (), ["srv-1"])
    await store.settle_operation(claim, operation, success, NOW + timedelta(minutes=10))
    assert database.run("SELECT id FROM reconciler.inventory") == []
    assert database.run("SELECT gone FROM reconciler.snapshot WHERE id = 'srv-1'") == [{"gone": True}]
