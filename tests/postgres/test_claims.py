"""Claims: nobody works twice on a tenant, no wake-up is lost, an old epoch writes nothing."""

import asyncio
from datetime import timedelta

import pytest

from reconciler.core.errors import NotFound, StaleLease
from reconciler.core.inventory import Owned
from reconciler.core.kinds import Kind
from reconciler.core.status import Event, Phase, Reason
from reconciler.core.values import Sensitive
from reconciler.ports import Brake, OperationState, Settlement, Turns, WakeClass
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import NOW, Database, action, claim_one, observed, verdict


async def test_a_new_tenant_is_due_at_once_and_its_record_is_whole(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    record = await store.load("acme", NOW)
    assert (claim.epoch, claim.wake_seq, claim.failures) == (1, 1, 0)
    assert record.tenant is not None and record.tenant.tier == "starter" and record.tenant.params == {"locale": "de"}
    assert record.invalid == ()
    assert record.blueprint is not None and record.blueprint.entrypoint == "app"
    assert (record.revision, record.generation, record.brake, record.invalid) == (1, 1, Brake.NORMAL, ())


async def test_an_unknown_tenant_is_not_found(store: PostgresStore) -> None:
    with pytest.raises(NotFound, match="nobody"):
        await store.load("nobody", NOW)


async def test_many_workers_never_claim_a_tenant_twice(
    store: PostgresStore, second: PostgresStore, database: Database
) -> None:
    names = [f"t{n}" for n in range(60)]
    database.sign_up(*names)
    takers = [(s, f"w{n}") for n in range(10) for s in (store, second)]
    claims = await asyncio.gather(*(s.claim({WakeClass.USER: Turns()}, 5, owner, 90, NOW) for s, owner in takers))
    taken = [claim.tenant for batch in claims for claim in batch]
    assert sorted(taken) == sorted(names)


async def test_a_leased_tenant_is_not_due_and_an_expired_lease_is(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    first = await claim_one(store, "acme")
    assert await store.claim({WakeClass.USER: Turns()}, 9, "w2", 90, NOW) == []
    database.run("UPDATE reconciler.tenant_queue SET lease_until = now() - interval '1 second'")
    (again,) = await store.claim({WakeClass.USER: Turns()}, 9, "w2", 90, NOW)
    assert again.epoch == first.epoch + 1
    with pytest.raises(StaleLease):
        await store.finish(first, verdict(phase=Phase.DEGRADED), NOW)
    assert database.run("SELECT * FROM reconciler.status") == []
    await store.finish(again, verdict(), NOW)
    with pytest.raises(StaleLease):
        await store.finish(again, verdict(), NOW)


async def test_an_old_epoch_can_neither_open_nor_send_nor_save(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    old = await claim_one(store, "acme")
    operation = await store.open_operation(old, action(), "h", NOW)
    await store.release_all("w1")
    with pytest.raises(StaleLease):
        await store.open_operation(old, action("other"), "h", NOW)
    with pytest.raises(StaleLease):
        await store.send_operation(old, operation, action().bucket, "", NOW)
    with pytest.raises(StaleLease):
        await store.save_owned(old, [Owned(component="app", kind=Kind.WEB, id="srv-1", name="app-x")])
    # The fact of an outcome is true whoever holds the lease.
    await store.settle_operation(None, operation, Settlement(state=OperationState.NEVER_HAPPENED), NOW)


async def test_a_wake_during_a_pass_is_not_lost(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    database.run("UPDATE reconciler.tenants SET tier = 'pro'")
    await store.finish(claim, verdict(due_s=3600), NOW)
    (again,) = await store.claim({WakeClass.USER: Turns()}, 9, "w1", 90, NOW)
    assert again.wake_seq == claim.wake_seq + 1


async def test_no_wake_is_lost_while_passes_and_wakes_race(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    edits, done = 40, asyncio.Event()

    async def edit() -> None:
        for n in range(edits):
            async with store.pool.connection() as connection:
                await connection.execute("UPDATE reconciler.tenants SET priority = %s", [n])
        done.set()

    async def work() -> int:
        passes = 0
        while True:
            finished = done.is_set()
            claims = await store.claim({WakeClass.USER: Turns()}, 1, "w1", 90, NOW)
            for claim in claims:
                record = await store.load("acme", NOW)
                await store.finish(claim, verdict(generation=record.generation), NOW)
                passes += 1
            if finished and not claims:
                return passes

    _, passes = await asyncio.gather(edit(), work())
    row = database.one(
        "SELECT q.*, s.observed_generation, t.generation FROM reconciler.tenant_queue q, reconciler.status s, "
        "reconciler.tenants t"
    )
    assert row["observed_generation"] == row["generation"] == edits + 1
    assert row["handled_seq"] == row["wake_seq"]
    assert passes <= edits + 1


async def test_a_tenant_waits_until_its_world_time(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    await store.finish(claim, verdict(due_s=600, wake_class=WakeClass.RETRY, failed=True), NOW)
    assert await store.claim({WakeClass.RETRY: Turns()}, 9, "w1", 90, NOW + timedelta(seconds=599)) == []
    (later,) = await store.claim({WakeClass.RETRY: Turns()}, 9, "w1", 90, NOW + timedelta(seconds=601))
    assert later.failures == 1 and later.overdue_s == pytest.approx(1.0)


async def test_renewal_answers_what_is_still_held(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme", "bolt")
    await store.claim({WakeClass.USER: Turns()}, 9, "w1", 90, NOW)
    assert await store.renew("w1", 90) == {"acme", "bolt"}
    database.run("UPDATE reconciler.tenant_queue SET lease_owner = 'w2' WHERE tenant = 'bolt'")
    assert await store.renew("w1", 90) == {"acme"}


async def test_a_pass_that_broke_is_given_back_and_told(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    await store.give_back(claim, NOW + timedelta(seconds=30), "KeyError: 'x'", NOW)
    assert await store.claim({WakeClass.RETRY: Turns()}, 9, "w1", 90, NOW) == []
    (again,) = await store.claim({WakeClass.RETRY: Turns()}, 9, "w1", 90, NOW + timedelta(seconds=31))
    assert again.failures == 1
    assert database.one("SELECT reason, message FROM reconciler.events") == {
        "reason": "Failed",
        "message": "KeyError: 'x'",
    }
    with pytest.raises(StaleLease):
        await store.give_back(claim, NOW, "", NOW)


async def test_events_are_counted_and_get_a_new_id(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    for n in range(2):
        claim = await claim_one(store, "acme")
        database.run("UPDATE reconciler.tenants SET priority = priority + 1")
        events = [Event(reason=Reason.QUEUED, message=f"{n}\x00 of 20"), Event(reason=Reason.CREATED, message="db")]
        await store.finish(claim, verdict(events=events), NOW + timedelta(minutes=n))
    rows = database.run(
        "SELECT id, reason, message, count, last_at - first_at AS age FROM reconciler.events ORDER BY id"
    )
    assert [(r["reason"], r["count"], r["age"]) for r in rows] == [
        ("Queued", 2, timedelta(minutes=1)), ("Created", 2, timedelta(minutes=1)),
    ]  # fmt: skip
    assert rows[0]["message"] == "1\ufffd of 20" and rows[0]["id"] > 2


async def test_purging_leaves_a_tombstone(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    await store.put_secrets("acme", {"KEY": Sensitive("x")})
    await store.finish(claim, verdict(phase=Phase.DELETED, purged=True), NOW)
    assert (await store.load("acme", NOW)).purged
    assert database.run("SELECT * FROM reconciler.secrets WHERE scope = 'tenant'") == []
    assert await store.claim({WakeClass.DRIFT: Turns()}, 9, "w1", 90, NOW + timedelta(days=9)) == []
    assert database.one("SELECT phase FROM reconciler.tenant_status") == {"phase": "Deleted"}


async def test_one_process_has_a_singleton(store: PostgresStore, database: Database) -> None:
    assert await store.singleton("sweep", "a", 60)
    assert not await store.singleton("sweep", "b", 60)
    assert await store.singleton("sweep", "a", 60)
    database.run("UPDATE reconciler.singletons SET until = now() - interval '1 second'")
    assert await store.singleton("sweep", "b", 60)


async def test_the_backlog_counts_what_is_due(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme", "bolt", "cora")
    await store.claim({WakeClass.USER: Turns()}, 1, "w1", 90, NOW)
    database.run("UPDATE reconciler.tenant_queue SET queued_at = now() - interval '50 seconds' WHERE tenant = 'cora'")
    backlog = await store.backlog(NOW)
    assert backlog.due[WakeClass.USER] == 2 and backlog.leased == 1
    assert backlog.oldest_overdue_s == pytest.approx(50, abs=5)


async def test_the_brake_is_kept_with_its_reason(store: PostgresStore, database: Database) -> None:
    await store.set_brake(Brake.OBSERVE, "first run", "daemon")
    assert await store.brake() == (Brake.OBSERVE, "first run")
    assert database.one("SELECT actor, action, detail FROM reconciler.audit WHERE action LIKE 'brake%%'") == {
        "actor": "daemon", "action": "brake observe", "detail": "first run",
    }  # fmt: skip


async def test_observed_objects_reach_the_record(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    seen = observed("srv-1", plan="starter")
    await store.save_owned(claim, [Owned(component="app", kind=Kind.WEB, id="srv-1", name="app-x", observed=seen)])
    record = await store.load("acme", NOW)
    assert record.owned["app"].observed == seen
