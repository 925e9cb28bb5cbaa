"""Budgets: never more than the limit in a window over all processes, and creates in the order of the queue."""

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.inventory import Owned
from reconciler.core.kinds import BUCKET_LIMITS, BUCKET_WINDOWS_S, Bucket, Kind
from reconciler.ports import Claim, Demand, Limits, OperationState, Settlement, Throttle, Turns, WakeClass
from reconciler.postgres import windows
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


async def test_each_service_has_a_budget_of_its_own(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    for id in ("srv-1", "srv-2"):
        answers = await send_many([store], claim, 12, bucket=Bucket.SERVICE, id=id)
        assert answers.count(None) == 10


async def test_nothing_is_sent_at_the_edges(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    for offset_s, until_s in ((1.9, 2), (3598.5, 3602), (3599.9, 3602)):
        throttle = await send(store, claim, "app", HOUR + timedelta(seconds=offset_s))
        assert throttle is not None and throttle.until == HOUR + timedelta(seconds=until_s)
        assert await store.read_token(HOUR + timedelta(seconds=offset_s)) is not None
    assert await send(store, claim, "app", HOUR + timedelta(seconds=2)) is None


async def test_lower_headers_are_believed_and_higher_ones_not(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    end = MINUTE + timedelta(minutes=1)
    await send_many([store], claim, 10, bucket=Bucket.WRITE, now=NOW + timedelta(seconds=5))
    at = NOW + timedelta(seconds=6)
    await store.learn(Bucket.WRITE, "", Limits(limit=100, remaining=99, resets_at=end, date=at))
    assert database.one("SELECT used FROM reconciler.budget")["used"] == 10
    await store.learn(Bucket.WRITE, "", Limits(limit=30, remaining=2, resets_at=end, date=at))
    answers = await send_many([store], claim, 5, bucket=Bucket.WRITE, now=NOW + timedelta(seconds=7))
    assert answers.count(None) == 2
    # An answer of a window that is over changes nothing.
    await store.learn(Bucket.WRITE, "", Limits(limit=30, remaining=0, resets_at=NOW, date=NOW - timedelta(minutes=1)))
    assert await send(store, claim, "next", end + timedelta(seconds=3), Bucket.WRITE) is None


async def test_creates_of_others_are_learned_from_headers(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    operation = await store.open_operation(claim, action("first"), "h", NOW)
    assert await store.send_operation(claim, operation, Bucket.CREATE, "", NOW) is None
    limits = Limits(limit=20, remaining=12, resets_at=HOUR + timedelta(hours=1), date=NOW)
    await store.settle_operation(claim, operation, Settlement(state=OperationState.SUCCEEDED, limits=limits), NOW)
    answers = await send_many([store], claim, 20)
    assert answers.count(None) == 12


async def test_a_create_counts_in_the_hour_that_render_says(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    late = HOUR + timedelta(minutes=59, seconds=57)
    operation = await store.open_operation(claim, action("first"), "h", late)
    assert await store.send_operation(claim, operation, Bucket.CREATE, "", late) is None
    date = HOUR + timedelta(hours=1, seconds=1)
    limits = Limits(limit=20, remaining=19, resets_at=HOUR + timedelta(hours=2), date=date)
    await store.settle_operation(claim, operation, Settlement(state=OperationState.SUCCEEDED, limits=limits), date)
    answers = await send_many([store], claim, 25, now=HOUR + timedelta(hours=1, minutes=5))
    assert answers.count(None) == 19


@pytest.mark.parametrize(
    ("state", "status", "looked", "left"),
    [
        (OperationState.NEVER_HAPPENED, 0, False, 20),  # the bytes never left
        (OperationState.NEVER_HAPPENED, 429, False, 20),
        (OperationState.NEVER_HAPPENED, 409, False, 19),
        (OperationState.NEVER_HAPPENED, 0, True, 19),  # a verdict: nobody knows what Render counted
        (OperationState.REFUSED, 400, False, 19),
        (OperationState.UNKNOWN, 500, False, 19),
    ],
)
async def test_only_what_may_have_reached_render_costs_a_create(
    store: PostgresStore, database: Database, state: OperationState, status: int, looked: bool, left: int
) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    operation = await store.open_operation(claim, action("first"), "h", NOW)
    await store.send_operation(claim, operation, Bucket.CREATE, "", NOW)
    if looked:
        await store.look_operation(operation, NOW)
    await store.settle_operation(claim, operation, Settlement(state=state, status=status), NOW)
    assert (await send_many([store], claim, 22)).count(None) == left


async def test_an_answer_without_news_takes_no_lock(store: PostgresStore, database: Database) -> None:
    limits = Limits(limit=400, remaining=390, resets_at=MINUTE + timedelta(minutes=1), date=NOW)
    await store.read_token(NOW)
    await store.learn(Bucket.READ, "", limits)
    async with store.pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT * FROM reconciler.budget FOR UPDATE")
        await store.learn(Bucket.READ, "", limits)
    assert database.one("SELECT used FROM reconciler.budget")["used"] == 20


async def test_a_penalty_and_a_pause_stop_their_class(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    until = NOW + timedelta(minutes=5)
    await store.penalise(Bucket.SERVICE, "srv-1", until)
    throttle = await send(store, claim, "a", bucket=Bucket.SERVICE, id="srv-1")
    assert throttle is not None and throttle.until == until
    assert await send(store, claim, "b", bucket=Bucket.SERVICE, id="srv-2") is None
    await store.pause(Bucket.SERVICE, until, "402: payment information needed")
    throttle = await send(store, claim, "c", bucket=Bucket.SERVICE, id="srv-3")
    assert throttle is not None and throttle.message == "402: payment information needed"
    assert await send(store, claim, "d", NOW + timedelta(minutes=6), Bucket.SERVICE, "srv-3") is None
    await store.unpause(Bucket.SERVICE)
    assert await send(store, claim, "e", bucket=Bucket.SERVICE, id="srv-3") is None
    await store.pause(Bucket.READ, until, "401: who are you")
    assert await store.read_token(NOW + timedelta(seconds=3)) is not None


async def test_read_tokens_of_two_processes_stay_below_the_limit(store: PostgresStore, second: PostgresStore) -> None:
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
    assert not isinstance(await waiting, BaseException)
    start = database.one("SELECT window_start FROM reconciler.budget WHERE bucket = 'write'")["window_start"]
    assert start > NOW


# ------------------------------------------------------------ the create queue


async def test_a_started_stack_goes_before_a_new_one(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme", "bolt")
    await wants(store, "acme", 10, 10, since_s=500)
    await wants(store, "bolt", 19, 19, started=True)
    claim = await claim_one(store, "acme")
    answers = await send_many([store], claim, 5)
    assert answers.count(None) == 1
    throttle = next(answer for answer in answers if answer)
    assert (throttle.position, throttle.ahead, throttle.limit) == (2, 19, 20)
    assert throttle.until == HOUR + timedelta(hours=1, seconds=2)
    claim = await claim_one(store, "bolt")
    assert (await send_many([store], claim, 19)).count(None) == 19


async def test_priority_then_age_decide_among_new_stacks(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme", "bolt", "cora")
    await wants(store, "acme", 10, 10, priority=20)
    await wants(store, "bolt", 10, 10, priority=90, since_s=100)
    await wants(store, "cora", 10, 10, priority=90)
    database.run("INSERT INTO reconciler.budget (workspace, bucket, limit_seen) VALUES ('tea-1', 'create', 0)")
    positions = {}
    for name in ("acme", "bolt", "cora"):
        throttle = await send(store, await claim_one(store, name, name), "app")
        await store.release_all(name)
        positions[name] = throttle.position if throttle else 0
    assert positions == {"cora": 1, "bolt": 2, "acme": 3}


async def test_what_a_started_stack_cannot_send_yet_is_kept_until_the_hour_ends(
    store: PostgresStore, database: Database
) -> None:
    database.sign_up("acme", "bolt")
    await wants(store, "bolt", 20, 0, started=True)
    await wants(store, "acme", 5, 5)
    claim = await claim_one(store, "acme")
    throttle = await send(store, claim, "app")
    assert throttle is not None and throttle.until == HOUR + timedelta(minutes=58, seconds=30)
    assert await send(store, claim, "app", throttle.until) is None


async def test_a_new_stack_that_can_begin_is_kept_whole_before_those_behind_it(
    store: PostgresStore, database: Database
) -> None:
    database.sign_up("acme", "bolt")
    await wants(store, "bolt", 20, 2, priority=90)
    await wants(store, "acme", 5, 5)
    throttle = await send(store, await claim_one(store, "acme"), "app")
    assert throttle is not None and throttle.position == 2


async def test_a_new_stack_that_cannot_send_reserves_nothing(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme", "bolt")
    await wants(store, "bolt", 20, 0, priority=90)
    await wants(store, "acme", 5, 5)
    claim = await claim_one(store, "acme")
    assert await send(store, claim, "app") is None


async def test_a_tenant_whose_pass_fails_reserves_nothing(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme", "bolt")
    await wants(store, "bolt", 20, 20, started=True)
    await wants(store, "acme", 5, 5)
    database.run("UPDATE reconciler.tenant_queue SET failures = 3 WHERE tenant = 'bolt'")
    claim = await claim_one(store, "acme")
    assert await send(store, claim, "app") is None


async def test_a_grant_lowers_the_demand(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    await wants(store, "acme", 3, 2)
    claim = await claim_one(store, "acme")
    await send(store, claim, "app")
    row = database.one("SELECT wanted, ready, started FROM reconciler.create_demand")
    assert row == {"wanted": 2, "ready": 1, "started": True}, "with its first create a stack is started"


async def test_before_its_first_pass_ends_a_tenant_has_its_place_by_what_it_is(
    store: PostgresStore, database: Database
) -> None:
    await store.set_clock(NOW, 0.0)
    database.sign_up("acme", "bolt")
    await wants(store, "bolt", 20, 20, priority=50, since_s=-100)
    claim = await claim_one(store, "acme")
    assert await send(store, claim, "app") is not None
    database.run("UPDATE reconciler.tenants SET priority = 90 WHERE name = 'acme'")
    assert await send(store, claim, "app") is None


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


async def test_stacks_that_exist_count_as_started(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme", "bolt")
    await wants(store, "bolt", 20, 20, priority=90)
    claim = await claim_one(store, "acme")
    await store.save_owned(claim, [Owned(component="db", kind=Kind.POSTGRES, id="dpg-1", name="db-acme")])
    assert await send(store, claim, "app") is None


def test_a_guard_band_leaves_something_of_a_minute(store: PostgresStore) -> None:
    with pytest.raises(ValueError, match="guard_band_s"):
        PostgresStore(store.pool, store.reader, store.vault, "tea", 30.0)


async def test_deep_checks_share_a_minute_over_all_replicas(store: PostgresStore, second: PostgresStore) -> None:
    taken = [await one.take_deep(4, 20, NOW) for one in (store, second) * 4]
    assert taken == [True] * 5 + [False] * 3
    assert await second.take_deep(4, 20, NOW + timedelta(minutes=1))
    assert not await store.take_deep(4, 20, NOW), "a minute that is over for another replica is not opened again"
    assert await store.take_deep(7, 0, NOW + timedelta(minutes=2)), "one check always fits into an empty minute"
    assert not await store.take_deep(1, 0, NOW + timedelta(minutes=2))


async def test_deep_checks_are_counted_beside_the_reads_not_in_them(store: PostgresStore) -> None:
    assert await store.take_deep(100, 100, NOW)
    reads = next(level for level in await store.levels(NOW) if level.bucket is Bucket.READ)
    assert reads.tokens == reads.limit
