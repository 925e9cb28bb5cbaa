"""Budgets under concurrency: racing processes never exceed a window; what a caller relies on is in tests/store."""

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.kinds import BUCKET_LIMITS, BUCKET_WINDOWS_S, Bucket
from reconciler.ports import Claim, Demand, Limits, Throttle, Turns, WakeClass
from reconciler.postgres import budgets, windows
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import NOW, Database, action, claim_one, verdict

HOUR = NOW.replace(minute=0, second=0)
MINUTE = NOW.replace(second=0)


async def send(
    store: PostgresStore,
    claim: Claim,
    component: str,
    now: datetime = NOW,
    bucket: Bucket = Bucket.CREATE,
    id: str = "",
) -> Throttle | None:
    operation = await store.open_operation(claim, action(component, bucket=bucket, id=id), "h", now)
    return await store.send_operation(claim, operation, bucket, id, now)


async def send_many(
    stores: list[PostgresStore],
    claim: Claim,
    count: int,
    now: datetime = NOW,
    bucket: Bucket = Bucket.CREATE,
    id: str = "",
) -> list[Throttle | None]:
    tag = f"{bucket}{id}{now:%H%M%S}"
    return await asyncio.gather(
        *(send(stores[n % len(stores)], claim, f"{tag}-{n}", now, bucket, id) for n in range(count))
    )


async def wants(
    store: PostgresStore,
    name: str,
    wanted: int,
    ready: int,
    *,
    started: bool = False,
    priority: int = 50,
    since_s: float = 0,
) -> None:
    """Record a tenant's demand by ending a pass of it."""
    since = NOW + timedelta(seconds=since_s)
    demand = Demand(wanted=wanted, ready=ready, started=started, priority=priority, since=since)
    await store.finish(await claim_one(store, name, name), verdict(demand=demand, due_s=0), NOW)
    await store.release_all(name)


@given(st.sampled_from(Bucket), st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))
def test_windows_are_aligned_and_hold_their_moment(bucket: Bucket, at: datetime) -> None:
    moment = at.replace(tzinfo=NOW.tzinfo)
    window = windows.window_of(bucket, moment)
    assert window.start <= moment < window.end
    assert window.start.timestamp() % BUCKET_WINDOWS_S[bucket] == 0
    assert (window.end - window.start).total_seconds() == BUCKET_WINDOWS_S[bucket]
    assert windows.window_of(bucket, window.end).start == window.end


@pytest.mark.parametrize("bucket", [Bucket.CREATE, Bucket.WRITE, Bucket.CRON, Bucket.DOMAIN])
async def test_two_processes_never_exceed_a_window(
    store: PostgresStore, second: PostgresStore, database: Database, bucket: Bucket
) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    limit = BUCKET_LIMITS[bucket]
    answers = await send_many([store, second], claim, limit + 15, bucket=bucket)
    assert answers.count(None) == limit
    throttle = next(answer for answer in answers if answer)
    end = windows.window_of(bucket, NOW).end
    assert (throttle.until, throttle.used, throttle.limit) == (end + timedelta(seconds=2), limit, limit)
    sent = database.one("SELECT count(*) AS n FROM reconciler.operations WHERE state = 'sent'")
    assert sent["n"] == limit
    assert database.one("SELECT count(*) AS n FROM reconciler.operations")["n"] == limit
    later = await send_many([store, second], claim, 3, now=throttle.until, bucket=bucket)
    assert later == [None, None, None]


async def test_an_answer_without_news_takes_no_lock(store: PostgresStore, database: Database) -> None:
    limits = Limits(limit=400, remaining=390, resets_at=MINUTE + timedelta(minutes=1), date=NOW)
    await store.read_token(NOW)
    await store.learn(Bucket.READ, "", limits)
    async with store.pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT * FROM reconciler.budget FOR UPDATE")
        await store.learn(Bucket.READ, "", limits)
    assert database.one("SELECT used FROM reconciler.budget")["used"] == 20


async def test_read_tokens_of_two_processes_stay_below_the_limit(
    store: PostgresStore, second: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "READ_BLOCK_S", 600.0)  # a slow machine loses none to the real time that goes by
    at = NOW + timedelta(seconds=10)
    answers = await asyncio.gather(*((store, second)[n % 2].read_token(at) for n in range(500)))
    assert answers.count(None) == BUCKET_LIMITS[Bucket.READ]
    throttle = next(answer for answer in answers if answer)
    assert throttle.until == MINUTE + timedelta(seconds=62)
    assert await store.read_token(throttle.until) is None


async def test_waiting_for_the_lock_moves_the_world_on(store: PostgresStore, database: Database) -> None:
    """A grant belongs to the window in which it is given, not to the one in which it was asked for."""
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    await store.set_clock(NOW, 3600.0)
    operation = await store.open_operation(claim, action("app", bucket=Bucket.WRITE), "h", NOW)
    await store.read_token(NOW + timedelta(seconds=10))
    async with store.pool.connection() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO reconciler.budget (workspace, bucket) VALUES ('tea-1', 'write') ON CONFLICT DO NOTHING"
        )
        await connection.execute("SELECT 1 FROM reconciler.budget WHERE bucket = 'write' FOR UPDATE")
        waiting = asyncio.create_task(
            store.send_operation(claim, operation, Bucket.WRITE, "", NOW + timedelta(seconds=5))
        )
        await asyncio.sleep(0.1)
    throttle = await waiting
    start = database.one("SELECT window_start FROM reconciler.budget WHERE bucket = 'write'")["window_start"]
    # Wherever in a minute it came to, the edge of a window included, that was a later one.
    assert (start if throttle is None else throttle.until) >= MINUTE + timedelta(minutes=1)


async def test_a_whole_hour_is_used_and_not_more(
    store: PostgresStore, second: PostgresStore, database: Database
) -> None:
    """Eight stacks of five, racing in two processes: twenty creates, and whole stacks at the head of the queue."""
    names = [f"t{n}" for n in range(8)]
    database.sign_up(*names)
    for n, name in enumerate(names):
        await wants(store, name, 5, 5, since_s=n)
    granted = dict.fromkeys(names, 0)

    database.run("UPDATE reconciler.tenant_queue SET wake_class = 'user', due_at = 'epoch'")
    claims = {claim.tenant: claim for claim in await store.claim({WakeClass.USER: Turns()}, 20, "w", 90, NOW)}

    async def work(n: int, name: str) -> None:
        mine = (store, second)[n % 2]
        for component in range(5):
            if await send(mine, claims[name], f"c{component}") is None:
                granted[name] += 1

    await asyncio.gather(*(work(n, name) for n, name in enumerate(names)))
    assert sum(granted.values()) == 20
    assert [granted[name] for name in names] == [5, 5, 5, 5, 0, 0, 0, 0]


def test_a_guard_band_leaves_something_of_a_minute(store: PostgresStore) -> None:
    with pytest.raises(ValueError, match="guard_band_s"):
        PostgresStore(store.pool, store.reader, store.vault, "tea", 30.0)


async def test_deep_checks_are_counted_beside_the_reads_not_in_them(store: PostgresStore) -> None:
    assert await store.take_deep(100, 100, NOW)
    reads = next(level for level in await store.levels(NOW) if level.bucket is Bucket.READ)
    assert reads.tokens == reads.limit
