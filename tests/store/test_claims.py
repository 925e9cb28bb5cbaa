"""Claims: by turns and due times, leases by real time, an old epoch writes nothing, no wake-up is lost."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from reconciler.core.errors import NotFound, StaleLease
from reconciler.core.kinds import Bucket
from reconciler.core.status import Event, Phase, Reason
from reconciler.ports import Brake, Claim, Demand, Limits, OperationState, Settlement, Store, Turns, WakeClass
from reconciler.postgres import windows
from tests.postgres.conftest import NOW, action, claim_one, verdict
from tests.store.acts import EVERY, LATER, claim_all, only, own, seconds, seen
from tests.store.lab import Lab, Told

USER, RETRY, SETTLE, DRIFT = WakeClass.USER, WakeClass.RETRY, WakeClass.SETTLE, WakeClass.DRIFT
LONG_AGO = datetime(2001, 1, 1, tzinfo=NOW.tzinfo)
DEMAND = Demand(wanted=2, ready=1, started=False, priority=50, since=NOW)


async def test_a_new_tenant_is_due_at_once_whatever_the_world_s_time(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    await lab.wait(5)
    (claim,) = await store.claim(only(USER), 9, "w1", 90, LONG_AGO)
    assert (claim.tenant, claim.epoch, claim.wake_seq, claim.wake_class, claim.failures) == ("acme", 1, 1, USER, 0)
    assert claim.overdue_s == pytest.approx(5, abs=3)


async def test_who_nobody_knows_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="nobody"):
        await store.load("nobody", NOW)


async def test_a_leased_tenant_is_not_due_until_its_lease_ends_in_real_time(
    store: Store, second: Store, lab: Lab
) -> None:
    await lab.sign_up("acme")
    first = await claim_one(store, "acme")
    assert await second.claim(EVERY, 9, "w2", 90, NOW + timedelta(days=1)) == [], "a day of the world ends no lease"
    await lab.wait(80)
    assert await second.claim(EVERY, 9, "w2", 90, NOW) == []
    await lab.wait(11)
    (again,) = await second.claim(EVERY, 9, "w2", 90, NOW)
    assert (again.epoch, again.wake_seq) == (first.epoch + 1, first.wake_seq)
    with pytest.raises(StaleLease):
        await store.finish(first, verdict(phase=Phase.DEGRADED), NOW)
    assert (await store.load("acme", NOW)).status is None
    await second.finish(again, verdict(), NOW)
    with pytest.raises(StaleLease):
        await second.finish(again, verdict(), NOW)


WRITES: dict[str, Callable[[Store, Claim], Awaitable[object]]] = {
    "open_operation": lambda store, claim: store.open_operation(claim, action("other"), "h", NOW),
    "save_owned": lambda store, claim: store.save_owned(claim, [own()]),
    "declare": lambda store, claim: store.declare(claim, DEMAND),
    "give_back": lambda store, claim: store.give_back(claim, NOW, "boom", NOW),
    "finish": lambda store, claim: store.finish(
        claim, verdict(demand=DEMAND, events=[Event(reason=Reason.CREATED, message="db")]), NOW
    ),
    "finish unchanged": lambda store, claim: store.finish(claim, verdict(unchanged=True), LATER),
}


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("write", WRITES)
async def test_an_old_epoch_writes_nothing(store: Store, lab: Lab, write: str, taken: bool) -> None:
    await lab.sign_up("acme")
    old = await claim_one(store, "acme")
    operation = await store.open_operation(old, action(), "h", NOW)
    await store.release_all("w1")
    if taken:
        await claim_one(store, "acme", "w2")
    before = await lab.queued("acme")
    with pytest.raises(StaleLease):
        await WRITES[write](store, old)
    with pytest.raises(StaleLease):
        await store.send_operation(old, operation, Bucket.WRITE, "", NOW)
    record = await store.load("acme", NOW)
    assert (record.status, record.owned, record.operations) == (None, {}, ())
    assert (await lab.queued("acme"), await lab.demand("acme"), await lab.events("acme")) == (before, None, [])
    assert [one.state for one in await lab.operations("acme")] == [OperationState.PLANNED]
    # The fact of an outcome is true whoever holds the lease.
    await store.settle_operation(None, operation, Settlement(state=OperationState.NEVER_HAPPENED), NOW)


ENDS: dict[str, Callable[[Store, Claim], Awaitable[None]]] = {
    "finish": lambda store, claim: store.finish(claim, verdict(due_s=3600), NOW),
    "finish unchanged": lambda store, claim: store.finish(claim, verdict(due_s=3600, unchanged=True), NOW),
    "finish failed": lambda store, claim: store.finish(claim, verdict(due_s=3600, wake_class=RETRY, failed=True), NOW),
    "give_back": lambda store, claim: store.give_back(claim, NOW + timedelta(hours=1), "boom", NOW),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_wake_during_a_pass_is_not_lost(store: Store, lab: Lab, end: str) -> None:
    await lab.sign_up("acme")
    claim = await claim_one(store, "acme")
    await lab.change("acme", tier="pro")
    await ENDS[end](store, claim)
    row = await lab.queued("acme")
    assert row is not None and row.dirty and row.wake_class is USER
    (again,) = await store.claim(only(USER), 9, "w1", 90, LONG_AGO)
    assert again.wake_seq == claim.wake_seq + 1
    await ENDS[end](store, again)
    assert await store.claim(EVERY, 9, "w1", 90, NOW) == [], "and it is handled once"


async def test_a_change_that_changes_nothing_wakes_nobody(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    await store.finish(await claim_one(store, "acme"), verdict(), NOW)
    await lab.change("acme", tier="starter")
    assert await claim_all(store) == {}
    assert (await store.load("acme", NOW)).generation == 1
    await lab.change("acme", tier="pro")
    assert (await claim_all(store))["acme"].wake_class is USER
    assert (await store.load("acme", NOW)).generation == 2


async def test_a_tenant_waits_until_its_world_time(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    await store.finish(await claim_one(store, "acme"), verdict(due_s=600, wake_class=RETRY, failed=True), NOW)
    assert await store.claim(EVERY, 9, "w1", 90, NOW + seconds(599)) == []
    assert await store.claim(only(USER), 9, "w1", 90, NOW + seconds(601)) == [], "of another class"
    (later,) = await store.claim(only(RETRY), 9, "w1", 90, NOW + seconds(601))
    assert later.failures == 1 and later.overdue_s == pytest.approx(1.0)
    await store.finish(later, verdict(due_s=0), NOW)
    assert (await claim_one(store, "acme")).failures == 0, "a pass that ends well forgets them"


async def test_how_long_overdue_is_told_in_real_seconds(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    await store.finish(await claim_one(store, "acme"), verdict(due_s=0), NOW)
    await store.set_clock(NOW, 60.0)
    assert (await store.backlog(NOW + seconds(120))).oldest_overdue_s == pytest.approx(2.0)
    (claim,) = await store.claim(EVERY, 9, "w1", 90, NOW + seconds(120))
    assert claim.overdue_s == pytest.approx(2.0)


async def due_each_minute(store: Store, lab: Lab, wake_class: WakeClass, *names: str) -> None:
    """Let tenants be due one minute after the other, the last one at NOW."""
    await lab.sign_up(*names)
    claims = {one.tenant: one for one in await store.claim(only(USER), 9, "w1", 90, NOW)}
    for n, name in enumerate(names):
        due_s = 60 * (n + 1 - len(names))
        await store.finish(claims[name], verdict(due_s=due_s, wake_class=wake_class), NOW)


async def test_of_one_class_the_longest_due_come_first(store: Store, lab: Lab) -> None:
    await due_each_minute(store, lab, DRIFT, "cora", "acme", "bolt")
    taken = [[one.tenant for one in await store.claim(only(DRIFT), 1, "w1", 90, NOW)] for _ in range(4)]
    assert taken == [["cora"], ["acme"], ["bolt"], []]


async def test_of_those_that_were_woken_the_first_comes_first(store: Store, lab: Lab) -> None:
    await lab.sign_up("cora", "acme", "bolt")
    await lab.wait(1)
    await lab.change("cora", tier="pro")  # woken again while it waits: it keeps its place
    taken = [[one.tenant for one in await store.claim(only(USER), 1, "w1", 90, NOW)] for _ in range(3)]
    assert taken == [["cora"], ["acme"], ["bolt"]]


async def test_classes_take_turns_and_one_with_nothing_due_yields_its_own(store: Store, lab: Lab) -> None:
    await due_each_minute(store, lab, DRIFT, "d1", "d2", "d3")
    await due_each_minute(store, lab, SETTLE, "s1", "s2", "s3", "s4")
    turns = {USER: Turns(0, 0.1), SETTLE: Turns(1, 2), DRIFT: Turns(2.5, 3)}  # s1 at 1, d1 at 2.5, s2 at 3, s3 at 5 ...
    first = await store.claim(turns, 3, "w1", 90, NOW)
    assert {one.tenant for one in first} == {"s1", "d1", "s2"}
    assert {one.wake_class for one in first} == {SETTLE, DRIFT}
    rest = await store.claim(turns, 9, "w1", 90, NOW)
    assert {one.tenant for one in rest} == {"s3", "s4", "d2", "d3"}


@pytest.mark.parametrize(("brake", "claimed"), [(Brake.STOP, 0), (Brake.OBSERVE, 2), (Brake.NORMAL, 2)])
async def test_nobody_is_claimed_while_the_brake_is_on_stop(store: Store, lab: Lab, brake: Brake, claimed: int) -> None:
    await lab.sign_up("acme", "bolt")
    await store.set_brake(brake, "incident", "ann")
    assert len(await claim_all(store)) == claimed


async def test_renewal_extends_and_answers_what_is_still_held(store: Store, second: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "bolt", "cora")
    await store.claim(EVERY, 2, "w1", 90, NOW)
    await second.claim(EVERY, 9, "w2", 90, NOW)
    await lab.wait(60)
    assert await store.renew("w1", 90, ["acme", "cora"]) == {"acme"}
    await lab.wait(60)
    assert {one.tenant for one in await second.claim(EVERY, 9, "w3", 90, NOW)} == {"bolt", "cora"}
    assert await store.renew("w1", 90) == {"acme"}
    assert await store.renew("w1", 90, []) == set()
    assert await store.renew("nobody", 90) == set()


async def test_whoever_leaves_gives_back_all_that_is_his(store: Store, second: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "bolt", "cora")
    mine = {one.tenant: one for one in await store.claim(EVERY, 2, "w1", 90, NOW)}
    await second.claim(EVERY, 9, "w2", 90, NOW)
    assert await store.singleton("sweep", "w1", 60) and await second.singleton("trim", "w2", 60)
    await store.release_all("w1")
    again = await claim_all(second, "w2")
    assert {name: one.epoch for name, one in again.items()} == {name: one.epoch + 2 for name, one in mine.items()}
    assert await second.singleton("sweep", "w2", 60)
    assert not await store.singleton("trim", "w1", 60)


async def test_a_pass_that_broke_is_given_back_and_told(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    claim = await claim_one(store, "acme")
    await store.give_back(claim, NOW + seconds(30), "KeyError: 'x'", NOW)
    assert await claim_all(store) == {}
    (again,) = await store.claim(only(RETRY), 9, "w1", 90, NOW + seconds(31))
    assert again.failures == 1
    (told,) = await lab.events("acme")
    assert (told.reason, told.message, told.warning) == ("Failed", "KeyError: 'x'", True)
    with pytest.raises(StaleLease):
        await store.give_back(claim, NOW, "", NOW)


async def test_a_pass_given_back_without_an_error_is_nobody_s_failure(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    await store.give_back(await claim_one(store, "acme"), NOW + seconds(30), "", NOW)
    (again,) = await store.claim(only(USER), 9, "w1", 90, NOW + seconds(31))
    assert again.failures == 0
    assert await lab.events("acme") == []


async def test_events_are_counted_by_reason_and_component(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    for n in range(2):
        events = [
            Event(reason=Reason.QUEUED, message=f"{n} of 20"),
            Event(reason=Reason.CREATED, message="made", component=f"c{n}", warning=True),
        ]
        at = NOW + timedelta(minutes=n)
        await store.finish(await claim_one(store, "acme", now=at), verdict(events=events, due_s=0), at)
    then = NOW + timedelta(minutes=1)
    made = {"reason": "Created", "message": "made", "warning": True, "count": 1}
    assert await lab.events("acme") == [
        Told(component="c0", first_at=NOW, last_at=NOW, **made),
        Told(component="c1", first_at=then, last_at=then, **made),
        Told(
            reason="Queued", component="", message="1 of 20", warning=False, count=2, first_at=NOW, last_at=then
        ),
    ]  # fmt: skip


async def test_what_was_planned_and_wanted_leaves_with_its_pass(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    for unchanged in (False, True):
        claim = await claim_one(store, "acme")
        await store.declare(claim, DEMAND)
        await store.open_operation(claim, action(), "h", NOW)
        await store.finish(claim, verdict(due_s=0, unchanged=unchanged), NOW)
        assert (await lab.operations("acme"), await lab.demand("acme")) == ([], None)
    claim = await claim_one(store, "acme")
    await store.finish(claim, verdict(due_s=0, demand=DEMAND), NOW)
    assert await lab.demand("acme") == DEMAND


async def test_a_quiet_pass_keeps_the_status_and_ends_as_any_does(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    await store.finish(await claim_one(store, "acme"), verdict(due_s=0, phase=Phase.DEGRADED), NOW)
    before = (await store.load("acme", NOW)).status
    assert before is not None and before.phase is Phase.DEGRADED
    await store.finish(await claim_one(store, "acme"), verdict(due_s=60, unchanged=True, failed=True), NOW)
    assert (await store.load("acme", NOW)).status == before
    row = await lab.queued("acme")
    assert row is not None
    assert (row.due_at, row.wake_class, row.leased, row.failures, row.dirty) == (
        NOW + seconds(60),
        DRIFT,
        False,
        1,
        False,
    )


async def test_the_look_of_a_sweep_does_not_lower_a_person_s_wake(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    claim = await claim_one(store, "acme")
    await store.save_owned(claim, [own()])
    await store.finish(claim, verdict(), NOW)
    await lab.change("acme", tier="pro")
    await store.observe([seen("srv-1", plan="pro")], LATER)
    claim = await claim_one(store, "acme")
    assert claim.wake_class is USER
    await store.finish(claim, verdict(), NOW)
    await store.observe([seen("srv-1", plan="standard")], LATER)
    assert (await claim_one(store, "acme")).wake_class is DRIFT


@pytest.mark.parametrize("bucket", [Bucket.READ, Bucket.WRITE])
async def test_where_calls_run_short_the_least_important_classes_give_way_first(
    store: Store, second: Store, lab: Lab, bucket: Bucket
) -> None:
    names = {USER: "acme", SETTLE: "bolt", RETRY: "cora", DRIFT: "dune"}
    await lab.sign_up(*names.values())
    turns = {one: Turns(keeps=keeps) for one, keeps in ((USER, 0.0), (SETTLE, 0.0), (RETRY, 0.1), (DRIFT, 0.25))}
    first = await claim_all(store)
    for wake_class, name in names.items():
        await store.finish(first[name], verdict(due_s=0, wake_class=wake_class), NOW)

    async def claimed(now: datetime = NOW) -> list[WakeClass]:
        found = await second.claim(turns, 9, "w2", 90, now)
        for one in found:
            await second.finish(one, verdict(due_s=0, wake_class=one.wake_class), NOW)
        return sorted(one.wake_class for one in found)

    end = windows.window_of(bucket, NOW).end
    for left, who in ((30, 4), (25, 4), (24, 3), (10, 3), (9, 2), (0, 2)):
        await store.learn(bucket, "", Limits(limit=100, remaining=left, resets_at=end, date=NOW))
        assert len(await claimed()) == who, left
    assert await claimed() == [SETTLE, USER]
    assert len(await claimed(NOW + timedelta(minutes=1))) == 4, "in the next minute all have their turns"


async def test_purging_leaves_a_tombstone_that_nothing_wakes(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "bolt")
    claims = await claim_all(store)
    claim = claims["acme"]
    await store.declare(claim, DEMAND)
    await lab.delete("acme", "now")
    await store.finish(claim, verdict(phase=Phase.DELETED, purged=True), NOW)
    record = await store.load("acme", NOW)
    assert record.purged and record.status is not None and record.status.phase is Phase.DELETED
    assert (await lab.queued("acme"), await lab.demand("acme")) == (None, None)
    assert await store.claim(EVERY, 9, "w1", 90, NOW + timedelta(days=9)) == []
    with pytest.raises(StaleLease):
        await store.save_owned(claim, [own()])
    told = await store.unasked(claims["bolt"], Event(reason=Reason.UNASKED, message="x"), NOW, NOW)
    assert (told.plans, told.tenants) == (1, 1)
