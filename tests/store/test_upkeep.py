"""What keeps the fleet going beside its passes: duties, the backlog, retention, wake-ups."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from reconciler.core.actions import Verb
from reconciler.core.kinds import Bucket, Kind
from reconciler.core.status import Phase
from reconciler.ports import Claim, OperationState, Settlement, Store, WakeClass
from tests.postgres.conftest import NOW, claim_one, verdict
from tests.store.acts import EVERY, LATER, asks, claim_all, own, seen, sent, sweep
from tests.store.lab import Lab

PATIENCE_S = 20
DAY = timedelta(days=1)


async def test_one_replica_at_a_time_has_a_duty(store: Store, second: Store, lab: Lab) -> None:
    assert await store.singleton("sweep", "a", 60)
    assert not await second.singleton("sweep", "b", 60)
    assert await second.singleton("trim", "b", 60)
    await lab.wait(50)
    assert await store.singleton("sweep", "a", 60), "it is renewed by whoever has it"
    await lab.wait(50)
    assert not await second.singleton("sweep", "b", 60)
    await lab.wait(11)
    assert await second.singleton("sweep", "b", 60)
    assert not await store.singleton("sweep", "a", 60)


async def test_the_backlog_counts_what_is_due_and_what_is_leased(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "bolt", "cora", "dune")
    claims = await claim_all(store)
    await store.finish(claims["acme"], verdict(due_s=-30, wake_class=WakeClass.RETRY), NOW)
    await store.finish(claims["bolt"], verdict(due_s=60), NOW)
    operation = await sent(store, claims["cora"])
    await sent(store, claims["cora"], "sent")
    await store.settle_operation(None, operation, Settlement(state=OperationState.UNKNOWN), NOW)
    backlog = await store.backlog(NOW)
    assert backlog.due == dict.fromkeys(WakeClass, 0) | {WakeClass.RETRY: 1}
    assert (backlog.leased, backlog.unknown_operations) == (2, 1)
    assert backlog.oldest_overdue_s == pytest.approx(30)
    await lab.change("bolt", tier="pro")
    await lab.wait(50)
    assert (await store.backlog(NOW)).oldest_overdue_s == pytest.approx(50, abs=15)
    await lab.wait(50)  # the leases are over
    backlog = await store.backlog(NOW)
    assert backlog.due[WakeClass.USER] == 3 and backlog.leased == 0


async def test_nothing_to_do_is_no_backlog(store: Store) -> None:
    backlog = await store.backlog(NOW)
    assert (set(backlog.due.values()), backlog.leased, backlog.oldest_overdue_s) == ({0}, 0, 0.0)


# ------------------------------------------------------------ retention


@pytest.fixture
async def claim(store: Store, lab: Lab) -> Claim:
    await lab.sign_up("acme")
    return await claim_one(store, "acme")


async def test_settled_effects_are_kept_for_ninety_days_and_open_ones_for_ever(
    store: Store, lab: Lab, claim: Claim
) -> None:
    for component, verb, state in (
        ("a", Verb.UPDATE, OperationState.SUCCEEDED),
        ("b", Verb.EXPORT, OperationState.SUCCEEDED),
        ("c", Verb.CREATE, OperationState.UNKNOWN),
        ("d", Verb.CREATE, OperationState.NEVER_HAPPENED),
    ):
        await store.settle_operation(claim, await sent(store, claim, component, verb), Settlement(state=state), NOW)
    await sent(store, claim, "e")
    assert await store.trim(NOW + 90 * DAY) == 0
    assert await store.trim(NOW + 91 * DAY) == 2
    assert [one.component for one in await lab.operations("acme")] == ["b", "c", "e"], (
        "an export proves until the purge"
    )
    await lab.delete("acme", "now")
    await store.finish(claim, verdict(phase=Phase.DELETED, purged=True), NOW)
    assert await store.trim(NOW + 91 * DAY) == 1


async def test_refusals_of_older_generations_go(store: Store, lab: Lab, claim: Claim) -> None:
    operation = await sent(store, claim)
    await store.settle_operation(claim, operation, Settlement(state=OperationState.REFUSED, status=400), NOW)
    assert await store.trim(NOW) == 0
    assert len((await store.load("acme", NOW)).refusals) == 1
    await lab.change("acme", tier="pro")
    assert await store.trim(NOW) == 1
    assert await store.trim(NOW) == 0


async def test_what_has_long_been_gone_leaves_the_picture(store: Store, claim: Claim) -> None:
    await store.save_owned(claim, [own("srv-1")])
    await store.observe([seen("srv-2", at=NOW), seen("dpg-1", at=NOW, kind=Kind.POSTGRES)], NOW)
    for _ in range(2):
        await sweep(store)
    assert await store.trim(NOW + 30 * DAY) == 0
    assert await store.trim(NOW + 31 * DAY) == 1, "what is in an inventory stays, and what is there"
    assert (await store.load("acme", NOW)).owned["app"].observed is not None
    assert await store.count_snapshot([Kind.POSTGRES]) == 1


async def test_budgets_of_single_services_go_when_they_are_idle(store: Store, claim: Claim) -> None:
    for component, bucket, id in (
        ("a", Bucket.SERVICE, "srv-1"),
        ("b", Bucket.SERVICE, "srv-2"),
        ("c", Bucket.WRITE, ""),
    ):
        assert await asks(store, claim, component, bucket=bucket, id=id) is None
    await store.penalise(Bucket.SERVICE, "srv-2", NOW + 3 * DAY)
    assert await store.trim(NOW + timedelta(hours=23)) == 0
    assert await store.trim(NOW + 2 * DAY) == 1, "one is still being punished"
    throttle = await asks(store, claim, "d", bucket=Bucket.SERVICE, id="srv-2", now=NOW + 2 * DAY)
    assert throttle is not None and throttle.until == NOW + 3 * DAY
    assert await store.trim(NOW + 4 * DAY) == 1


# ------------------------------------------------------------ wake-ups


@pytest.fixture
async def names(second: Store) -> AsyncIterator[AsyncIterator[str]]:
    """What another replica hears."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        async for name in second.wakes():
            heard.put_nowait(name)

    async def each() -> AsyncIterator[str]:
        while True:
            yield await heard.get()

    listening = asyncio.create_task(listen())
    yield each()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def heard(names: AsyncIterator[str], name: str) -> None:
    """Hear of a tenant within patience, whatever is heard before."""

    async def listen() -> None:
        while await anext(names) != name:
            pass

    await asyncio.wait_for(listen(), PATIENCE_S)


async def test_every_commit_that_wakes_a_tenant_is_heard_by_all(
    store: Store, lab: Lab, names: AsyncIterator[str]
) -> None:
    await heard(names, "")  # look at everything once
    await lab.sign_up("acme")
    await heard(names, "acme")
    claim = await claim_one(store, "acme")
    await store.save_owned(claim, [own("srv-1", plan="starter")])
    await store.finish(claim, verdict(), NOW)
    await lab.change("acme", tier="pro")
    await heard(names, "acme")
    await store.finish(await claim_one(store, "acme"), verdict(), NOW)
    await store.observe([seen("srv-1", plan="pro")], LATER)
    await heard(names, "acme")
    await lab.put_blueprint(drift="report")
    await store.assign(["acme"], 2, NOW)
    await heard(names, "acme")
    (claim,) = await store.claim(EVERY, 9, "w1", 90, NOW)
    assert claim.wake_class is WakeClass.USER
