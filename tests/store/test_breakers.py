"""Circuit breakers: a class whose calls fail one after the other, and what a tenant gets again and again."""

from datetime import timedelta

import pytest

from reconciler.core.actions import Verb
from reconciler.core.kinds import Bucket
from reconciler.ports import Claim, OperationState, Settlement, Store
from tests.postgres.conftest import NOW, action
from tests.store.acts import NUMBERS, asks, claim_all, seconds, sent
from tests.store.lab import Lab

WRITE = Bucket.WRITE
FAILED = Settlement(state=OperationState.UNKNOWN, status=502)
DONE = Settlement(state=OperationState.SUCCEEDED)


@pytest.fixture
async def claims(store: Store, lab: Lab) -> dict[str, Claim]:
    await lab.sign_up("acme", "bolt", "cora")
    return await claim_all(store)


async def one(store: Store, claim: Claim, settlement: Settlement, bucket: Bucket = WRITE) -> None:
    """Send an effect on a component of its own and write down how it ended."""
    operation = await sent(store, claim, f"c{next(NUMBERS)}", Verb.UPDATE, bucket=bucket)
    await store.settle_operation(claim, operation, settlement, NOW)


async def test_failures_are_counted_back_to_the_newest_answer(
    store: Store, second: Store, claims: dict[str, Claim]
) -> None:
    await one(store, claims["acme"], FAILED)
    await one(store, claims["acme"], DONE)
    assert await second.failures(WRITE, NOW) == (0, 0)
    for name in ("acme", "bolt", "bolt"):
        await one(store, claims[name], FAILED)
    await one(store, claims["cora"], FAILED, Bucket.DOMAIN)
    await sent(store, claims["cora"], "under-way", Verb.UPDATE)
    assert await second.failures(WRITE, NOW) == (3, 2)
    assert await second.failures(WRITE, NOW + seconds(1)) == (0, 0), "of old failures nothing follows"
    for answered in (
        Settlement(state=OperationState.REFUSED, status=400),
        Settlement(state=OperationState.NEVER_HAPPENED, status=404),
        DONE,
    ):
        await one(store, claims["cora"], FAILED)
        await one(store, claims["cora"], answered)
        assert await second.failures(WRITE, NOW) == (0, 0)


async def test_what_is_known_by_looking_alone_was_not_answered(
    store: Store, second: Store, claims: dict[str, Claim]
) -> None:
    """An unanswered change is compared with what Render shows, and sent again: the class still fails."""
    unknown = {name: await sent(store, claim, "app", Verb.UPDATE) for name, claim in claims.items()}
    for name, operation in unknown.items():
        await store.settle_operation(claims[name], operation, FAILED, NOW)
    await store.break_class(WRITE, NOW + seconds(1), "failed")
    for name, operation in unknown.items():
        await second.settle_operation(claims[name], operation, DONE, NOW)
    assert await second.failures(WRITE, NOW) == (3, 3)
    throttle = await asks(second, claims["acme"], bucket=WRITE)
    assert throttle is not None and throttle.broken
    assert not any((await second.repeats("acme", 1, NOW)).effects.values())


async def test_an_open_breaker_lets_nothing_through_then_a_probe_a_minute_until_an_answer_closes_it(
    store: Store, second: Store, claims: dict[str, Claim]
) -> None:
    until = NOW + timedelta(minutes=2)
    await store.break_class(WRITE, until, "5 failed")
    await second.break_class(WRITE, NOW + timedelta(minutes=1), "6 failed")
    throttle = await asks(second, claims["acme"], bucket=WRITE)
    assert throttle is not None and (throttle.until, throttle.broken, throttle.message) == (until, "6 failed", "")
    assert await asks(second, claims["acme"], bucket=Bucket.DOMAIN) is None, "another class goes on"
    after = until + seconds(1)
    probe = await sent(store, claims["bolt"], "probe", Verb.UPDATE, now=after)
    throttle = await asks(second, claims["cora"], bucket=WRITE, now=after)
    assert throttle is not None and (throttle.until, throttle.broken) == (after + timedelta(minutes=1), "6 failed")
    await store.settle_operation(claims["bolt"], probe, FAILED, after)
    throttle = await asks(second, claims["cora"], bucket=WRITE, now=after + seconds(5))
    assert throttle is not None and throttle.broken, "a failure closes nothing"
    late = after + timedelta(minutes=2)
    probe = await sent(second, claims["cora"], "again", Verb.UPDATE, now=late)
    await second.settle_operation(claims["cora"], probe, Settlement(state=OperationState.REFUSED, status=400), late)
    assert await asks(store, claims["acme"], "free", bucket=WRITE, now=late) is None


async def test_a_breaker_of_services_is_that_of_all_of_them(store: Store, claims: dict[str, Claim]) -> None:
    await store.break_class(Bucket.SERVICE, NOW + timedelta(minutes=2), "5 failed")
    throttle = await asks(store, claims["acme"], bucket=Bucket.SERVICE, id="srv-1")
    assert throttle is not None and throttle.broken == "5 failed"


async def test_what_succeeds_again_and_again_is_counted_by_what_it_asks(
    store: Store, second: Store, lab: Lab, claims: dict[str, Claim]
) -> None:
    claim = claims["acme"]

    async def done(
        request: str, component: str, bucket: Bucket = WRITE, *, at_s: float = 0, fails: bool = False
    ) -> None:
        at = NOW + seconds(at_s)
        operation = await store.open_operation(claim, action(component, bucket=bucket), request, at)
        assert await store.send_operation(claim, operation, bucket, "", at) is None
        await store.settle_operation(claim, operation, FAILED if fails else DONE, at)

    await done("h1", "app")
    await done("h1", "app", at_s=1)
    await done("h2", "app", at_s=2)
    await done("h3", "db", Bucket.CREATE, at_s=3)
    await done("h4", "db", Bucket.CREATE, at_s=4)
    await done("h1", "lost", at_s=5, fails=True)
    found = await second.repeats("acme", 1, NOW + seconds(10))
    assert {key: count for key, count in found.effects.items() if count} == {"h1": 2, "h2": 1, "h3": 1, "h4": 1}
    assert {key: count for key, count in found.creates.items() if count} == {"db": 2}
    later = await second.repeats("acme", 2, NOW + seconds(10))
    assert not any(later.effects.values()) and later.creates["db"] == 2, "creates are counted over generations"
    assert not any((await second.repeats("acme", 1, NOW + timedelta(hours=1, seconds=9))).effects.values())
    assert not any((await second.repeats("acme", 1, NOW + timedelta(hours=25))).creates.values())
    assert not any((await second.repeats("bolt", 1, NOW)).effects.values())
