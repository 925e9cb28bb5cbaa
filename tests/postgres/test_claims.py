"""Claims under concurrency, and what only SQL sees of the end of a pass; what a caller relies on is in tests/store."""

import asyncio
from datetime import timedelta

from reconciler.core.status import Event, Reason
from reconciler.ports import Turns, WakeClass
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import NOW, Database, claim_one, verdict


async def test_many_workers_never_claim_a_tenant_twice(
    store: PostgresStore, second: PostgresStore, database: Database
) -> None:
    names = [f"t{n}" for n in range(60)]
    database.sign_up(*names)
    takers = [(s, f"w{n}") for n in range(10) for s in (store, second)]
    claims = await asyncio.gather(*(s.claim({WakeClass.USER: Turns()}, 5, owner, 90, NOW) for s, owner in takers))
    taken = [claim.tenant for batch in claims for claim in batch]
    assert sorted(taken) == sorted(names)


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


async def test_a_quiet_pass_keeps_the_stored_status_and_says_when_it_was(
    store: PostgresStore, database: Database
) -> None:
    database.sign_up("acme")
    await store.finish(await claim_one(store, "acme"), verdict(due_s=0), NOW)
    claim = await claim_one(store, "acme")
    before = database.one("SELECT * FROM reconciler.status")
    later = NOW + timedelta(hours=1)
    await store.finish(claim, verdict(due_s=7200, unchanged=True), later)
    assert database.one("SELECT * FROM reconciler.status") == before | {"updated_at": later}
