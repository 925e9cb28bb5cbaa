"""How the picture is written: only changes, whole, without deadlocks; what a caller relies on is in tests/store."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType

import pytest

from reconciler.core.inventory import Owned
from reconciler.core.kinds import Kind
from reconciler.core.observed import Observed
from reconciler.ports import Claim
from reconciler.postgres import codec, snapshot
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import NOW, Database, claim_one, observed

LATER = NOW + timedelta(minutes=15)
ALL = (Kind.WEB,)


@pytest.fixture
async def claim(store: PostgresStore, database: Database) -> Claim:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    await store.save_owned(claim, [own("srv-1")])
    return claim


async def sweep(
    store: PostgresStore, seen: Sequence[Observed], kinds: Sequence[Kind], began: datetime, now: datetime
) -> list[str]:
    """Take a look in; with kinds it was a full sweep of them. Answers who was woken."""
    woken = set(await store.observe(seen, now))
    if kinds:
        woken |= set(await store.swept(kinds, [one.id for one in seen], began))
    return sorted(woken)


def own(id: str, component: str = "app") -> Owned:
    return Owned(component=component, kind=Kind.WEB, id=id, name=id, observed=observed(id, plan="starter"))


async def test_an_unchanged_object_is_not_written_and_wakes_nobody(
    store: PostgresStore, claim: Claim, database: Database
) -> None:
    before = database.one("SELECT xmin::text, ctid::text FROM reconciler.snapshot")
    assert await sweep(store, [observed("srv-1", seen_at=LATER, plan="starter")], ALL, LATER, LATER) == []
    assert database.one("SELECT xmin::text, ctid::text FROM reconciler.snapshot") == before
    # As fresh as the sweep, all the same.
    seen = (await store.load("acme", LATER)).owned["app"].observed
    assert seen is not None and seen.seen_at == LATER
    assert await store.swept_at(Kind.CRON) == LATER
    assert await store.swept_at(Kind.POSTGRES) is None


async def test_a_large_sweep_is_written_whole(store: PostgresStore, claim: Claim) -> None:
    many = [observed(f"srv-{n:05}", seen_at=LATER, plan="starter", image=f"i{n}") for n in range(1201)]
    await sweep(store, many, ALL, LATER, LATER)
    assert await store.count_snapshot(ALL) == 1202


async def test_hostile_text_is_stored(store: PostgresStore, claim: Claim) -> None:
    nasty = "a\x00b'; DROP TABLE x; --\ud800\u2028"
    await sweep(store, [observed("srv-1", seen_at=LATER, startCommand=nasty)], (), LATER, LATER)
    seen = (await store.load("acme", LATER)).owned["app"].observed
    assert seen is not None and seen.fields["startCommand"] == "a\ufffdb'; DROP TABLE x; --\ufffd\u2028"
    again = observed("srv-1", seen_at=LATER + timedelta(seconds=1), startCommand=nasty)
    assert await sweep(store, [again], (), LATER, LATER) == []


async def test_passes_and_sweeps_on_the_same_objects_do_not_deadlock(
    store: PostgresStore, second: PostgresStore, claim: Claim, database: Database
) -> None:
    """Both change the same rows again and again; neither may be chosen as the victim of a deadlock."""
    ids = [f"srv-{n}" for n in range(1, 9)]

    async def look() -> None:
        for n in range(25):
            at = NOW + timedelta(seconds=2 * n)
            seen = [observed(id, seen_at=at, plan=f"s{n}") for id in ids if n % 3 or id != "srv-1"]
            await sweep(second, seen, ALL, at, at)

    async def save() -> None:
        for n in range(25):
            at = NOW + timedelta(seconds=2 * n + 1)
            rows = [
                Owned(component=id, kind=Kind.WEB, id=id, name=id, observed=observed(id, seen_at=at, plan=f"p{n}"))
                for id in reversed(ids[1:])
            ]
            await store.save_owned(claim, rows)

    async def edit() -> None:
        for n in range(25):
            async with store.pool.connection() as connection:
                await connection.execute("UPDATE reconciler.tenants SET priority = %s", [n])

    await asyncio.gather(look(), save(), edit())


async def test_what_is_written_for_a_sweep_is_what_the_codec_writes() -> None:
    """The short way of writing observations must never differ from the long one: every sweep would see changes."""
    zone = timezone(timedelta(hours=2))
    whole = Observed(
        id="srv-1", kind=Kind.WEB, name="n\u00e4me", environment_id="evm-1", status="live", suspenders=("user", "us"),
        fields={"plan": "pro", "list": [1, 2.5, None, True, {"a": []}], "emoji": "\U0001f600", "quote": '"\\u0000'},
        attributes={"url": "https://x"}, created_at=NOW.astimezone(zone), updated_at=NOW + timedelta(microseconds=7),
        seen_at=LATER,
    )  # fmt: skip
    nul = replace(whole, fields={"command": "a\x00b\udfff"}, name="\ud800")
    folded = replace(whole, fields=MappingProxyType({"tuple": ("a", Decimal("1.50"))}))
    for one in (whole, nul, folded, observed("srv-2")):
        [[row]] = snapshot._chunks([one])
        long = codec.encode(one)
        assert isinstance(long, dict)
        seen_at = long.pop("seen_at")
        columns = {name: long[name] for name in ("id", "kind", "name")}
        assert json.loads(row.json) == {**columns, "observed": long, "seen_at": seen_at}


async def test_a_sweep_reads_what_it_knows_and_locks_nothing(store: PostgresStore, claim: Claim) -> None:
    await store.observe([observed("srv-1", seen_at=LATER, plan="pro")], LATER)
    async with store.pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT * FROM reconciler.tenant_queue FOR UPDATE")
        await connection.execute("SELECT * FROM reconciler.inventory FOR UPDATE")
        await connection.execute("SELECT * FROM reconciler.snapshot FOR UPDATE")
        again = observed("srv-1", seen_at=LATER + timedelta(seconds=1), plan="pro")
        assert await asyncio.wait_for(store.observe([again], LATER), 3.0) == []


async def test_what_lists_leave_out_stays_as_a_look_at_the_object_showed_it(
    store: PostgresStore, claim: Claim, database: Database
) -> None:
    """Else every deep check of a database would be a change, and the next sweep another one."""
    looked = observed(
        "dpg-1", kind=Kind.POSTGRES, seen_at=LATER, plan="pro_4gb", parameterOverrides={"work_mem": "8MB"}
    )
    await store.save_owned(
        claim, [Owned(component="db", kind=Kind.POSTGRES, id="dpg-1", name="dpg-1", observed=looked)]
    )
    listed = observed("dpg-1", kind=Kind.POSTGRES, seen_at=LATER + timedelta(minutes=1), plan="pro_4gb")
    assert await store.observe([listed], LATER) == []
    moved = observed("dpg-1", kind=Kind.POSTGRES, seen_at=LATER + timedelta(minutes=2), plan="pro_8gb")
    assert await store.observe([moved], LATER) == ["acme"]
    kept = database.one("SELECT observed -> 'fields' AS fields FROM reconciler.snapshot WHERE id = 'dpg-1'")
    assert kept["fields"] == {"plan": "pro_8gb", "parameterOverrides": {"work_mem": "8MB"}}
