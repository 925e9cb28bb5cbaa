"""Budgets: fixed windows, never more than the limit in one over all replicas, and what Render says is believed."""

import asyncio
from datetime import timedelta

import pytest

from reconciler.core.actions import Verb
from reconciler.core.kinds import BUCKET_LIMITS, Bucket
from reconciler.ports import Claim, Limits, OperationState, Settlement, Store, Throttle
from reconciler.postgres import windows
from tests.postgres.conftest import NOW, action, claim_one
from tests.store.acts import HOUR, MINUTE, NUMBERS, asks, claim_all, granted, seconds, sent
from tests.store.lab import Lab

NEXT_MINUTE, NEXT_HOUR = MINUTE + timedelta(minutes=1), HOUR + timedelta(hours=1)


@pytest.fixture
async def claim(store: Store, lab: Lab) -> Claim:
    await lab.sign_up("acme")
    return await claim_one(store, "acme")


def limits(limit: int, remaining: int, bucket: Bucket = Bucket.CREATE, **more: object) -> Limits:
    """What an answer of now says of its bucket."""
    given = {"resets_at": windows.window_of(bucket, NOW).end, "date": NOW}
    return Limits(limit=limit, remaining=remaining, **(given | more))  # type: ignore[arg-type]


@pytest.mark.parametrize("bucket", [Bucket.CREATE, Bucket.CRON, Bucket.DOMAIN])
async def test_two_replicas_never_exceed_a_window(
    store: Store, second: Store, lab: Lab, claim: Claim, bucket: Bucket
) -> None:
    limit = BUCKET_LIMITS[bucket]
    assert await granted([store, second], claim, limit + 3, bucket=bucket) == limit
    end = windows.window_of(bucket, NOW).end
    throttle = await asks(second, claim, "another", bucket=bucket)
    assert throttle is not None and throttle.message == ""
    assert (throttle.until, throttle.used, throttle.limit) == (end + seconds(2), limit, limit)
    kept = await lab.operations("acme")
    assert [one.state for one in kept] == [OperationState.SENT] * limit, "what was not granted left no row"
    assert await granted([store, second], claim, 3, bucket=bucket, now=throttle.until) == 3


async def test_each_service_has_a_budget_of_its_own(store: Store, claim: Claim) -> None:
    for id in ("srv-1", "srv-2"):
        assert await granted([store], claim, 12, bucket=Bucket.SERVICE, id=id) == 10
    assert await granted([store], claim, 12, bucket=Bucket.CRON, id="crn-1") == 10
    assert await granted([store], claim, 2, bucket=Bucket.CRON, id="crn-2") == 0, "all crons share one"


@pytest.mark.parametrize(("offset_s", "until_s"), [(0, 2), (1.9, 2), (3598, 3602), (3599.9, 3602)])
async def test_nothing_is_sent_at_the_edges(store: Store, claim: Claim, offset_s: float, until_s: float) -> None:
    at = HOUR + seconds(offset_s)
    for throttle in (await asks(store, claim, now=at), await asks(store, claim, bucket=Bucket.WRITE, now=at)):
        assert throttle is not None and throttle.until == HOUR + seconds(until_s)
    reading = await store.read_token(at)
    assert reading is not None and reading.until == HOUR + seconds(until_s)
    assert await store.read_token(HOUR + seconds(until_s)) is None
    assert await asks(store, claim, now=HOUR + seconds(until_s)) is None


async def test_lower_headers_are_believed_and_higher_ones_not(store: Store, second: Store, claim: Claim) -> None:
    write = Bucket.WRITE
    assert await granted([store], claim, 10, bucket=write) == 10
    await second.learn(write, "", limits(100, 99, write))
    await second.learn(write, "", limits(13, 13, write))  # a lower limit, of which nobody used anything
    assert await granted([store], claim, 5, bucket=write) == 3
    await second.learn(write, "", limits(40, 2, write))
    assert await granted([store], claim, 5, bucket=write, now=NOW + seconds(1)) == 2
    await second.learn(write, "", limits(40, 0, write, date=NOW - timedelta(minutes=1), resets_at=MINUTE))
    assert await asks(store, claim, "next", bucket=write, now=NEXT_MINUTE + seconds(2)) is None
    await second.learn(write, "", limits(40, 0, write))  # of a window that is over
    assert await asks(store, claim, "more", bucket=write, now=NEXT_MINUTE + seconds(3)) is None
    assert await granted([store], claim, 50, bucket=write, now=NEXT_MINUTE + seconds(4)) == 38, "the limit stays"


async def test_a_window_that_is_longer_than_we_thought_is_waited_for(store: Store, claim: Claim) -> None:
    ends = NEXT_MINUTE + timedelta(minutes=4)
    await store.learn(Bucket.WRITE, "", limits(100, 0, Bucket.WRITE, resets_at=ends))
    throttle = await asks(store, claim, bucket=Bucket.WRITE, now=NEXT_MINUTE + seconds(30))
    assert throttle is not None and throttle.until == ends
    assert await asks(store, claim, bucket=Bucket.WRITE, now=ends + seconds(2)) is None


async def test_creates_of_others_are_learned_when_ours_are_answered(store: Store, second: Store, claim: Claim) -> None:
    operation = await sent(store, claim, "first", bucket=Bucket.CREATE)
    settlement = Settlement(state=OperationState.SUCCEEDED, limits=limits(20, 4))
    await store.settle_operation(claim, operation, settlement, NOW)
    throttle = await asks(second, claim, "none") if await granted([second], claim, 4) == 4 else None
    assert throttle is not None and (throttle.used, throttle.limit, throttle.until) == (20, 20, NEXT_HOUR + seconds(2))


async def test_a_create_counts_in_the_hour_that_render_says(store: Store, claim: Claim) -> None:
    late, date = NEXT_HOUR - seconds(3), NEXT_HOUR + seconds(1)
    await store.learn(Bucket.CREATE, "", limits(3, 3))
    operation = await sent(store, claim, "first", bucket=Bucket.CREATE, now=late)
    told = limits(3, 2, date=date, resets_at=NEXT_HOUR + timedelta(hours=1))
    await store.settle_operation(claim, operation, Settlement(state=OperationState.SUCCEEDED, limits=told), date)
    assert await granted([store], claim, 5, now=NEXT_HOUR + timedelta(minutes=5)) == 2


@pytest.mark.parametrize(
    ("state", "status", "looked", "left"),
    [
        (OperationState.NEVER_HAPPENED, 0, False, 3),  # the bytes never left
        (OperationState.NEVER_HAPPENED, 429, False, 3),
        (OperationState.PLANNED, 429, False, 3),
        (OperationState.NEVER_HAPPENED, 409, False, 2),
        (OperationState.NEVER_HAPPENED, 0, True, 2),  # a verdict: nobody knows what Render counted
        (OperationState.REFUSED, 400, False, 2),
        (OperationState.UNKNOWN, 500, False, 2),
        (OperationState.SUCCEEDED, 201, False, 2),
    ],
)
async def test_only_what_may_have_reached_render_costs_a_create(
    store: Store, claim: Claim, state: OperationState, status: int, looked: bool, left: int
) -> None:
    await store.learn(Bucket.CREATE, "", limits(3, 3))
    operation = await sent(store, claim, "first", bucket=Bucket.CREATE)
    if looked:
        await store.look_operation(operation, NOW)
    await store.settle_operation(claim, operation, Settlement(state=state, status=status), NOW)
    assert await granted([store], claim, 5) == left


async def test_a_penalty_empties_its_bucket_until_it_ends(store: Store, second: Store, claim: Claim) -> None:
    until = NOW + timedelta(minutes=5)
    await store.penalise(Bucket.SERVICE, "srv-1", until)
    await second.penalise(Bucket.SERVICE, "srv-1", NOW + timedelta(minutes=1))
    throttle = await asks(second, claim, bucket=Bucket.SERVICE, id="srv-1")
    assert throttle is not None and (throttle.until, throttle.message) == (until, ""), "the longer one counts"
    assert await asks(second, claim, bucket=Bucket.SERVICE, id="srv-2") is None
    assert await asks(second, claim, "later", bucket=Bucket.SERVICE, id="srv-1", now=until) is None
    await store.penalise(Bucket.CREATE, "", until)
    throttle = await asks(second, claim, "create")
    assert throttle is not None and throttle.until == until


async def test_a_pause_stops_its_class_and_says_why(store: Store, second: Store, claim: Claim) -> None:
    until, why = NOW + timedelta(minutes=5), "402: payment information needed"
    await store.pause(Bucket.SERVICE, until, why)
    throttle = await asks(second, claim, "c", bucket=Bucket.SERVICE, id="srv-3")
    assert throttle is not None and (throttle.message, throttle.until) == (why, until)
    assert await asks(second, claim, "w", bucket=Bucket.WRITE) is None, "another class goes on"
    probe = await asks(second, claim, "d", bucket=Bucket.SERVICE, id="srv-3", now=until + timedelta(minutes=1))
    assert probe is None, "it is probed again"
    await second.unpause(Bucket.SERVICE)
    assert await asks(store, claim, "e", bucket=Bucket.SERVICE, id="srv-3") is None
    await store.pause(Bucket.CREATE, until, why)
    await store.pause(Bucket.CREATE, until + seconds(60), "401: who are you")
    throttle = await asks(store, claim, "f")
    assert throttle is not None and (throttle.message, throttle.until) == ("401: who are you", until + seconds(60))
    await store.unpause(Bucket.CREATE)
    assert await asks(store, claim, "g") is None
    await store.unpause(Bucket.JOB)  # of which nobody ever spoke


async def test_a_penalty_outlasts_the_end_of_a_pause(store: Store, claim: Claim) -> None:
    until = NOW + timedelta(minutes=5)
    await store.penalise(Bucket.WRITE, "", until)
    await store.pause(Bucket.WRITE, NOW + timedelta(minutes=1), "403")
    await store.unpause(Bucket.WRITE)
    throttle = await asks(store, claim, bucket=Bucket.WRITE)
    assert throttle is not None and (throttle.until, throttle.message) == (until, "")


async def test_a_share_of_the_writes_is_kept_for_people_and_for_settling(store: Store, claim: Claim) -> None:
    async def writes(count: int, keeps: float) -> int:
        sent = 0
        for _ in range(count):
            planned = action(f"k{next(NUMBERS)}", bucket=Bucket.WRITE)
            operation = await store.open_operation(claim, planned, "h", NOW)
            sent += await store.send_operation(claim, operation, Bucket.WRITE, "", NOW, keeps=keeps) is None
        return sent

    await store.learn(Bucket.WRITE, "", limits(20, 20, Bucket.WRITE))
    assert await writes(20, 0.25) == 15
    assert await writes(20, 0.1) == 3
    assert await writes(20, 0.0) == 2


async def test_a_cap_on_a_verb_is_exact_over_tenants_and_replicas(store: Store, second: Store, lab: Lab) -> None:
    """Each of many passes of one moment sees room for its own deletes: only the grant can count them all."""
    names = [f"t{n}" for n in range(6)]
    await lab.sign_up(*names)
    claims = await claim_all(store)

    async def delete(n: int, at: timedelta = timedelta(0)) -> Throttle | None:
        replica, claim = (store, second)[n % 2], claims[names[n % 6]]
        planned = action(f"c{n}", Verb.DELETE, Bucket.WRITE, id=f"srv-{n}")
        operation = await replica.open_operation(claim, planned, "h", NOW + at)
        return await replica.send_operation(claim, operation, Bucket.WRITE, "", NOW + at, cap=4)

    answers = await asyncio.gather(*(delete(n) for n in range(12)))
    assert answers.count(None) == 4
    throttle = next(one for one in answers if one is not None)
    assert throttle.guard == "the cap of deletes in ten minutes over all tenants"
    assert throttle.until == NOW + timedelta(minutes=10)
    assert await asks(store, claims["t0"], "other", bucket=Bucket.WRITE) is None, "another verb is not capped"
    assert await delete(13, timedelta(minutes=10, seconds=1)) is None


# ------------------------------------------------------------ reads


async def reads(store: Store, count: int) -> list[Throttle | None]:
    return [await store.read_token(NOW) for _ in range(count)]


async def test_read_tokens_of_two_replicas_stay_below_the_limit(store: Store, second: Store, lab: Lab) -> None:
    await store.learn(Bucket.READ, "", limits(50, 50, Bucket.READ))
    one, two = await reads(store, 25), await reads(second, 20)
    assert one.count(None) == 25 and two.count(None) == 10, "two blocks are the first one's, ten tokens are left"
    assert two[-1] == Throttle(until=NEXT_MINUTE + seconds(2), used=50, limit=50)
    assert (await reads(store, 20)).count(None) == 15
    assert await second.read_token(NEXT_MINUTE + seconds(2)) is None


async def test_read_tokens_that_are_not_used_in_time_are_lost(store: Store, lab: Lab) -> None:
    await store.learn(Bucket.READ, "", limits(40, 40, Bucket.READ))
    for _ in range(2):
        assert await store.read_token(NOW) is None
        await lab.wait(3.5)
    assert await store.read_token(NOW) is not None


async def test_deep_checks_share_their_part_of_a_minute(store: Store, second: Store) -> None:
    taken = [await one.take_deep(4, 20, NOW) for one in (store, second) * 4]
    assert taken == [True] * 5 + [False] * 3
    assert await second.take_deep(4, 20, NOW + timedelta(minutes=1))
    assert not await store.take_deep(4, 20, NOW), "a minute that is over for another replica is not opened again"
    assert await store.take_deep(7, 0, NOW + timedelta(minutes=2)), "one check always fits into an empty minute"
    assert not await store.take_deep(1, 0, NOW + timedelta(minutes=2))
    assert await store.read_token(NOW) is None, "reads are counted beside"


async def test_a_penalty_and_a_pause_of_reads_end_the_block_under_way(store: Store) -> None:
    until = NOW + seconds(30)
    assert await store.read_token(NOW) is None
    await store.penalise(Bucket.READ, "", until)
    throttle = await store.read_token(NOW)
    assert throttle is not None and throttle.until == until
    assert await store.read_token(until) is None
    await store.pause(Bucket.READ, until + seconds(300), "401: who are you")
    throttle = await store.read_token(until)
    assert throttle is not None and (throttle.message, throttle.until) == ("401: who are you", until + seconds(300))
