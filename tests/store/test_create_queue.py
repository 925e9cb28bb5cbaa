"""The create queue: started stacks first, then priority, then age, and what is reserved for those ahead."""

from datetime import timedelta

import pytest

from reconciler.core.errors import StaleLease
from reconciler.core.kinds import Bucket, Kind
from reconciler.ports import Claim, Demand, Limits, Store, Throttle
from tests.postgres.conftest import NOW, verdict
from tests.store.acts import HOUR, asks, claim_all, granted, own, seconds
from tests.store.lab import Lab

END = HOUR + timedelta(hours=1)
RESERVES_END = END - timedelta(seconds=90)


def wants(wanted: int, ready: int, *, started: bool = False, priority: int = 50, since_s: float = 0) -> Demand:
    since = NOW + seconds(since_s)
    return Demand(wanted=wanted, ready=ready, started=started, priority=priority, since=since)


@pytest.fixture
async def claims(store: Store, lab: Lab) -> dict[str, Claim]:
    """Three tenants that were looked at before."""
    await lab.sign_up("acme", "bolt", "cora")
    for claim in (await claim_all(store)).values():
        await store.finish(claim, verdict(due_s=0), NOW)
    return await claim_all(store)


async def test_a_started_stack_goes_before_a_new_one(store: Store, second: Store, claims: dict[str, Claim]) -> None:
    await store.declare(claims["acme"], wants(10, 10, since_s=-500, priority=90))
    await store.declare(claims["bolt"], wants(20, 20, started=True))
    throttle = await asks(second, claims["acme"])
    assert throttle == Throttle(until=END + seconds(2), position=2, ahead=20, used=0, limit=20)
    assert await granted([second], claims["bolt"], 20) == 20


async def test_what_is_left_by_those_ahead_goes_to_the_next(
    store: Store, second: Store, claims: dict[str, Claim]
) -> None:
    await store.declare(claims["acme"], wants(10, 10, since_s=500))
    await store.declare(claims["bolt"], wants(19, 19, started=True))
    assert await granted([second], claims["acme"], 5) == 1
    throttle = await asks(second, claims["acme"])
    assert throttle == Throttle(until=END + seconds(2), position=2, ahead=19, used=1, limit=20)
    assert await granted([second], claims["bolt"], 20) == 19


async def test_priority_then_age_decide_among_new_stacks(store: Store, lab: Lab, claims: dict[str, Claim]) -> None:
    await store.declare(claims["acme"], wants(10, 10, priority=20))
    await store.declare(claims["bolt"], wants(10, 10, priority=90, since_s=100))
    await store.declare(claims["cora"], wants(10, 10, priority=90))
    await store.learn(Bucket.CREATE, "", Limits(limit=0, remaining=0, resets_at=END, date=NOW))
    throttles = {name: await asks(store, claim) for name, claim in claims.items()}
    places = {name: (one.position, one.ahead) for name, one in throttles.items() if one is not None}
    assert places == {"cora": (1, 0), "bolt": (2, 10), "acme": (3, 20)}


async def test_what_a_started_stack_cannot_send_yet_is_kept_until_the_hour_ends(
    store: Store, claims: dict[str, Claim]
) -> None:
    await store.declare(claims["bolt"], wants(20, 0, started=True))
    await store.declare(claims["acme"], wants(5, 5))
    throttle = await asks(store, claims["acme"])
    assert throttle is not None and (throttle.until, throttle.position, throttle.ahead) == (RESERVES_END, 2, 20)
    assert await asks(store, claims["acme"], now=RESERVES_END) is None


async def test_what_can_be_sent_at_once_is_kept_to_the_end(store: Store, claims: dict[str, Claim]) -> None:
    await store.declare(claims["bolt"], wants(20, 20, started=True))
    await store.declare(claims["acme"], wants(5, 5))
    for now in (NOW, RESERVES_END):
        throttle = await asks(store, claims["acme"], now=now)
        assert throttle is not None and throttle.until == END + seconds(2)


async def test_a_new_stack_that_can_begin_is_kept_whole_before_those_behind_it(
    store: Store, claims: dict[str, Claim]
) -> None:
    await store.declare(claims["bolt"], wants(20, 2, priority=90))
    await store.declare(claims["acme"], wants(5, 5))
    throttle = await asks(store, claims["acme"])
    assert throttle is not None and (throttle.position, throttle.ahead) == (2, 20)


async def test_a_new_stack_that_cannot_send_reserves_nothing(store: Store, claims: dict[str, Claim]) -> None:
    await store.declare(claims["bolt"], wants(20, 0, priority=90))
    await store.declare(claims["acme"], wants(5, 5))
    assert await asks(store, claims["acme"]) is None


async def test_nobody_has_more_ready_than_he_wants(store: Store, lab: Lab, claims: dict[str, Claim]) -> None:
    await store.declare(claims["bolt"], wants(19, 30, started=True))
    assert await lab.demand("bolt") == wants(19, 19, started=True)
    assert await asks(store, claims["acme"]) is None


async def test_a_tenant_whose_passes_fail_reserves_nothing_but_one_failure_loses_nobody_its_place(
    store: Store, claims: dict[str, Claim]
) -> None:
    demand = wants(20, 20, started=True)
    bolt = claims["bolt"]
    for failures in (1, 2, 3):
        await store.finish(bolt, verdict(demand=demand, due_s=0, failed=True), NOW)
        kept = await asks(store, claims["acme"], f"after {failures}") is not None
        assert kept == (failures < 3), failures
        bolt = (await claim_all(store))["bolt"]
    await store.finish(bolt, verdict(demand=demand), NOW)
    assert await asks(store, claims["acme"], "other") is not None


async def test_a_grant_lowers_the_demand(store: Store, lab: Lab, claims: dict[str, Claim]) -> None:
    await store.declare(claims["acme"], wants(3, 1))
    for left in ((2, 0), (1, 0)):
        assert await granted([store], claims["acme"], 1, now=NOW + seconds(left[0])) == 1
        assert await lab.demand("acme") == wants(*left, started=True), "with its first create a stack is started"


async def test_who_wants_nothing_leaves_the_queue(store: Store, lab: Lab, claims: dict[str, Claim]) -> None:
    await store.declare(claims["bolt"], wants(20, 20, started=True))
    await store.declare(claims["bolt"], wants(0, 0))
    assert await lab.demand("bolt") is None
    assert await asks(store, claims["acme"]) is None
    await store.finish(claims["bolt"], verdict(), NOW)
    with pytest.raises(StaleLease):
        await store.declare(claims["bolt"], wants(20, 20))


async def test_who_has_not_declared_yet_has_the_place_of_what_it_is(
    store: Store, lab: Lab, claims: dict[str, Claim]
) -> None:
    await store.declare(claims["bolt"], wants(20, 20, since_s=-100))
    assert await asks(store, claims["acme"]) is not None, "it is younger"
    await lab.change("acme", priority=90)
    assert await asks(store, claims["acme"]) is None
    await store.save_owned(claims["cora"], [own("evg-1", "group", Kind.ENV_GROUP)])
    assert await asks(store, claims["cora"]) is not None, "a group costs no create"
    await store.save_owned(claims["cora"], [own("dpg-1", "db", Kind.POSTGRES)])
    assert await asks(store, claims["cora"]) is None, "what has begun is started"


async def test_no_stack_is_begun_before_who_goes_before_it_was_looked_at(store: Store, second: Store, lab: Lab) -> None:
    """A batch of claims has no order among its passes, nor have those of two replicas; the create queue has."""
    await lab.sign_up("acme", "bolt", "cora")
    await lab.sign_up("urgent", priority=90)
    claims = await claim_all(store)
    for name in ("acme", "bolt", "cora"):
        throttle = await asks(second, claims[name])
        assert throttle is not None and throttle.until == NOW + seconds(5), "not even the first of the plain ones"
    await store.declare(claims["urgent"], wants(3, 1, priority=90))
    assert await asks(second, claims["cora"]) is not None and await asks(second, claims["bolt"]) is not None
    assert await asks(store, claims["acme"]) is None, "as important as the others, and the first of them"
    await store.declare(claims["acme"], wants(1, 1, started=True))
    await store.finish(claims["bolt"], verdict(), NOW)
    assert await asks(second, claims["cora"]) is None, "bolt was looked at and wants nothing"
    await store.declare(claims["cora"], wants(1, 1, started=True))
    await lab.sign_up("vip", priority=95)
    assert await asks(second, claims["cora"], "more") is None, "what was begun is finished"
    assert await asks(store, claims["urgent"]) is not None
    await lab.change("vip", state="suspended")
    assert await asks(store, claims["urgent"]) is None, "who is not to run wants nothing"


@pytest.mark.parametrize("away_s", [0, 4000])
async def test_whoever_nobody_looks_at_is_waited_for_a_while_and_no_longer(store: Store, lab: Lab, away_s: int) -> None:
    """Its worker was killed, or hangs: everybody behind it would stand still for as long as the lease is renewed.

    Of those who signed up while nobody worked here none was looked at, so nobody was waited for either.
    """
    await lab.sign_up("acme", "bolt")
    claims = await claim_all(store)
    for s in (0, 299):
        assert await asks(store, claims["bolt"], now=NOW + seconds(away_s + s)) is not None, s
    assert await asks(store, claims["bolt"], now=NOW + seconds(away_s + 301)) is None


async def test_a_whole_hour_is_used_and_whole_stacks_come_of_it(store: Store, second: Store, lab: Lab) -> None:
    names = [f"t{n}" for n in range(6)]
    await lab.sign_up(*names)
    claims = await claim_all(store)
    for n, name in enumerate(names):
        await store.declare(claims[name], wants(5, 5, since_s=n))
    made = dict.fromkeys(names, 0)
    for component in range(5):
        for n, name in enumerate(reversed(names)):
            replica = (store, second)[n % 2]
            made[name] += await asks(replica, claims[name], f"c{component}") is None
    for name in names:  # those at the head of the queue ask again
        made[name] += await granted([second], claims[name], 5 - made[name])
    assert list(made.values()) == [5, 5, 5, 5, 0, 0]
