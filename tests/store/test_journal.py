"""The journal: at most one effect under way for a component, and a fact once known is never unlearned."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.actions import Change, Verb
from reconciler.core.errors import NotFound, StaleLease
from reconciler.core.inventory import Known
from reconciler.core.kinds import Bucket, Kind
from reconciler.ports import Claim, Operation, OperationState, Refusal, Settlement, Store
from tests.postgres.conftest import NOW, action, claim_one, verdict
from tests.store.acts import LATER, claim_all, own, seconds, seen, sent
from tests.store.lab import Lab

PLANNED, SENT, UNKNOWN = OperationState.PLANNED, OperationState.SENT, OperationState.UNKNOWN
SUCCEEDED, REFUSED, NEVER = OperationState.SUCCEEDED, OperationState.REFUSED, OperationState.NEVER_HAPPENED


@pytest.fixture
async def claim(store: Store, lab: Lab) -> Claim:
    await lab.sign_up("acme")
    return await claim_one(store, "acme")


async def test_what_is_planned_is_nothing_yet_and_what_is_sent_is_found_after_a_crash(
    store: Store, second: Store, lab: Lab, claim: Claim
) -> None:
    change = Change(field="plan", before="starter", after="standard")
    planned = replace(action(), id="srv-1", changes=(change,), payload={"environmentId": "evm-1"})
    operation = await store.open_operation(claim, planned, "h1", NOW)
    assert (await second.load("acme", NOW)).operations == ()
    assert await store.send_operation(claim, operation, Bucket.CREATE, "", LATER) is None
    await lab.wait(30)
    (found,) = (await second.load("acme", NOW)).operations
    assert found.sent_ago_s == pytest.approx(30, abs=15)
    assert replace(found, sent_ago_s=None) == Operation(
        id=operation, component="app", verb="create", kind=Kind.WEB, name="app-x", live_id="srv-1", request_hash="h1",
        state=SENT, sent_at=LATER, environment_id="evm-1", summary="plan starter -> standard",
    )  # fmt: skip


async def test_one_effect_at_a_time_for_a_component(store: Store, second: Store, claim: Claim) -> None:
    first = await store.open_operation(claim, action(), "h1", NOW)
    again = await second.open_operation(claim, action(), "h1", NOW)  # what was only planned makes room
    with pytest.raises(StaleLease):
        await store.send_operation(claim, first, Bucket.WRITE, "", NOW)
    assert await second.send_operation(claim, again, Bucket.WRITE, "", NOW) is None
    with pytest.raises(StaleLease):
        await second.send_operation(claim, again, Bucket.WRITE, "", NOW)
    with pytest.raises(StaleLease, match="under way"):
        await store.open_operation(claim, action(), "h2", NOW)
    await store.open_operation(claim, action("other"), "h2", NOW)
    await store.settle_operation(claim, again, Settlement(state=UNKNOWN), NOW)
    with pytest.raises(StaleLease, match="under way"):
        await store.open_operation(claim, action(), "h2", NOW)
    await store.settle_operation(claim, again, Settlement(state=NEVER), NOW)
    await store.open_operation(claim, action(), "h2", NOW)


async def test_success_brings_inventory_and_picture_at_once(store: Store, second: Store, claim: Claim) -> None:
    operation = await sent(store, claim)
    row = replace(
        own(plan="starter"), since=NOW, created_at=NOW, absent_looks=1,
        known=Known(env={"A": "d"}, dirty=True, deploy_asked_at=NOW, heals=(("plan", NOW),)),
    )  # fmt: skip
    beside = seen("evm-1", "acme", NOW, Kind.ENVIRONMENT)
    await store.settle_operation(claim, operation, Settlement(state=SUCCEEDED, owned=[row], observed=[beside]), NOW)
    record = await second.load("acme", NOW)
    assert record.owned == {"app": row} and record.operations == ()
    assert await second.unowned([(Kind.WEB, "app-acme"), (Kind.ENVIRONMENT, "acme")]) == [beside]
    assert await second.count_snapshot([Kind.WEB]) == 1


async def test_an_answer_that_left_the_outcome_open_is_kept(store: Store, claim: Claim) -> None:
    operation = await sent(store, claim)
    await store.settle_operation(claim, operation, Settlement(state=UNKNOWN, status=502, message="bad gateway"), NOW)
    (found,) = (await store.load("acme", NOW)).operations
    assert (found.state, found.status, found.message, found.sent_at) == (UNKNOWN, 502, "bad gateway", NOW)


async def test_a_refusal_is_remembered_for_its_generation_and_lifted_when_asked(
    store: Store, lab: Lab, claim: Claim
) -> None:
    for component in ("db", "app", "db"):
        operation = await sent(store, claim, component)
        told = Settlement(state=REFUSED, message=f"bad {component}", status=400)
        await store.settle_operation(claim, operation, told, NOW + seconds(operation))
    refusal = Refusal(component="app", request_hash="h1", generation=1, message="bad app", status=400)
    again = replace(refusal, component="db", message="bad db")
    assert (await store.load("acme", NOW)).refusals == (refusal, again)
    assert (await store.load("acme", NOW)).operations == ()
    await lab.change("acme", tier="pro")
    assert (await store.load("acme", NOW)).refusals == ()
    operation = await sent(store, claim)
    await store.settle_operation(claim, operation, Settlement(state=REFUSED, message="bad app", status=400), NOW)
    assert (await store.load("acme", NOW)).refusals == (replace(refusal, generation=2),)
    token = await lab.ask("acme")
    record = await store.load("acme", NOW)
    assert (record.refusals, record.reconcile_token, record.generation, record.asked) == ((), token, 2, True)


async def test_a_refusal_belongs_to_the_generation_that_planned_it(store: Store, lab: Lab, claim: Claim) -> None:
    operation = await sent(store, claim)
    await lab.change("acme", tier="pro")
    await store.settle_operation(claim, operation, Settlement(state=REFUSED, message="no", status=422), NOW)
    assert (await store.load("acme", NOW)).refusals == ()


@pytest.mark.parametrize(
    ("first", "then", "stands"),
    [
        (SUCCEEDED, NEVER, SUCCEEDED),
        (SUCCEEDED, UNKNOWN, SUCCEEDED),
        (SUCCEEDED, REFUSED, SUCCEEDED),
        (NEVER, SUCCEEDED, SUCCEEDED),
        (NEVER, UNKNOWN, NEVER),
        (NEVER, PLANNED, NEVER),
        (REFUSED, UNKNOWN, REFUSED),
        (REFUSED, SUCCEEDED, SUCCEEDED),
        (UNKNOWN, SUCCEEDED, SUCCEEDED),
        (UNKNOWN, NEVER, NEVER),
        (UNKNOWN, REFUSED, REFUSED),
        (UNKNOWN, PLANNED, PLANNED),
    ],
)
async def test_the_fact_wins_over_the_verdict(
    store: Store, lab: Lab, claim: Claim, first: OperationState, then: OperationState, stands: OperationState
) -> None:
    operation = await sent(store, claim)
    await store.settle_operation(claim, operation, Settlement(state=first), NOW)
    await store.settle_operation(None, operation, Settlement(state=then), LATER)
    assert [one.state for one in await lab.operations("acme")] == [stands]


async def test_a_late_success_brings_its_object_whoever_holds_the_lease(
    store: Store, second: Store, lab: Lab, claim: Claim
) -> None:
    operation = await sent(store, claim)
    await lab.wait(100)
    newer = await claim_one(second, "acme", "w2")
    await second.settle_operation(newer, operation, Settlement(state=NEVER), NOW)
    replacing = await sent(second, newer)
    await store.settle_operation(claim, operation, Settlement(state=SUCCEEDED, owned=[own()]), LATER)
    record = await second.load("acme", LATER)
    assert record.owned == {"app": own()}
    assert [one.id for one in record.operations] == [replacing], "the effect under way stays open"
    with pytest.raises(StaleLease, match="under way"):
        await second.open_operation(newer, action(), "h2", NOW)


async def test_a_success_told_twice_brings_nothing_back(store: Store, claim: Claim) -> None:
    """Its sender slept; meanwhile it was found by look-up, and its object deleted: the late word changes nothing."""
    operation = await sent(store, claim)
    success = Settlement(state=SUCCEEDED, owned=[own()])
    await store.settle_operation(claim, operation, success, NOW)
    await store.save_owned(claim, (), ["srv-1"])
    await store.settle_operation(claim, operation, success, LATER)
    assert (await store.load("acme", LATER)).owned == {}
    assert await store.count_snapshot([Kind.WEB]) == 0


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.DELETE])
@pytest.mark.parametrize("verdict_before", [True, False])
async def test_a_late_answer_about_an_object_that_is_gone_does_not_bring_it_back(
    store: Store, second: Store, lab: Lab, claim: Claim, verb: Verb, verdict_before: bool
) -> None:
    """Its sender was stopped; meanwhile another replica proved the object gone, or replaced it."""
    await store.save_owned(claim, [own(), own("srv-2", "web")])
    late = {component: await sent(store, claim, component, verb) for component in ("app", "web")}
    if verdict_before:
        for operation in late.values():
            await second.settle_operation(claim, operation, Settlement(state=NEVER), NOW)
    await second.save_owned(claim, [own("srv-3", "web")], ["srv-1", "srv-2"])
    for operation, row in ((late["app"], own()), (late["web"], own("srv-2", "web"))):
        await store.settle_operation(claim, operation, Settlement(state=SUCCEEDED, owned=[row]), LATER)
    assert (await store.load("acme", LATER)).owned == {"web": own("srv-3", "web")}
    assert await lab.events("acme") == [], "and nobody is told of a duplicate"
    assert [one.state for one in await lab.operations("acme")] == [SUCCEEDED, SUCCEEDED]


async def test_what_met_a_full_limit_is_planned_again(store: Store, lab: Lab, claim: Claim) -> None:
    operation = await sent(store, claim, verb=Verb.DELETE)
    await store.settle_operation(claim, operation, Settlement(state=PLANNED, status=429), NOW)
    assert await store.count_recent(["delete"], NOW) == 0
    assert (await store.load("acme", NOW)).operations == ()
    assert await store.send_operation(claim, operation, Bucket.WRITE, "", NOW) is None
    await store.settle_operation(claim, operation, Settlement(state=PLANNED, status=429), NOW)
    await store.finish(claim, verdict(), NOW)
    assert await lab.operations("acme") == []


async def test_looks_are_counted_while_it_is_open(store: Store, claim: Claim) -> None:
    operation = await sent(store, claim)
    assert await store.look_operation(operation, NOW) == 1
    assert await store.look_operation(operation, LATER) == 2
    (found,) = (await store.load("acme", NOW)).operations
    assert (found.state, found.looks, found.looked_at) == (UNKNOWN, 2, LATER)
    await store.settle_operation(claim, operation, Settlement(state=NEVER), NOW)
    with pytest.raises(NotFound):
        await store.look_operation(operation, NOW)
    planned = await store.open_operation(claim, action(), "h", NOW)
    for nobody in (planned, 999_999):
        with pytest.raises(NotFound):
            await store.look_operation(nobody, NOW)
    with pytest.raises(NotFound):
        await store.settle_operation(claim, 999_999, Settlement(state=NEVER), NOW)


async def test_recent_effects_are_counted_over_all_tenants(store: Store, second: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "bolt")
    claims = await claim_all(store)
    await sent(store, claims["acme"], "a", Verb.DELETE, now=NOW - timedelta(minutes=11))
    await sent(store, claims["acme"], "b", Verb.SUSPEND)
    settled = await sent(store, claims["bolt"], "c", Verb.DELETE)
    await sent(store, claims["bolt"], "d", Verb.UPDATE)
    await store.open_operation(claims["bolt"], action("e", Verb.DELETE), "h", NOW)
    await store.settle_operation(None, settled, Settlement(state=SUCCEEDED), NOW)
    assert await second.count_recent(["delete", "suspend"], NOW - timedelta(minutes=10)) == 2
    assert await second.count_recent(["delete"], NOW - timedelta(minutes=11)) == 2
    assert await second.count_recent(["delete"], NOW + seconds(1)) == 0
    assert await second.count_recent([], NOW - timedelta(days=1)) == 0


async def test_the_deletion_knows_whether_everything_was_exported(store: Store, lab: Lab, claim: Claim) -> None:
    assert not (await store.load("acme", NOW)).exported
    await store.save_owned(claim, [own("dpg-1", "db", Kind.POSTGRES), own("dpg-2", "log", Kind.POSTGRES), own()])
    before = await sent(store, claim, "db", Verb.EXPORT)
    await store.settle_operation(claim, before, Settlement(state=SUCCEEDED), NOW)
    await store.set_clock(NOW + timedelta(minutes=5), 0.0)
    await lab.delete("acme")
    later = NOW + timedelta(minutes=4)  # by the clock of a sender that is slow
    for component in ("db", "log"):
        assert not (await store.load("acme", NOW)).exported, "an export before the deletion does not count"
        operation = await sent(store, claim, component, Verb.EXPORT, now=later)
        await store.settle_operation(claim, operation, Settlement(state=SUCCEEDED), later)
    assert (await store.load("acme", NOW)).exported
