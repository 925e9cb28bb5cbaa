"""Rollouts: who is on which revision, who moves, and what new tenants get."""

from dataclasses import replace

from reconciler.core import conditions
from reconciler.core.status import Condition, ConditionType, Phase, Reason
from reconciler.ports import RolloutTenant, Store, WakeClass
from tests.postgres.conftest import NOW, verdict
from tests.store.acts import LATER, claim_all
from tests.store.lab import Lab

STEPS = {"step": "50%", "stopAfter": 2}


async def revision_of(store: Store, name: str) -> int:
    return (await store.load(name, NOW)).revision


async def test_an_edit_leads_the_tenants_of_its_blueprint_to_it(store: Store, second: Store, lab: Lab) -> None:
    assert await store.rollouts(NOW) == []
    await lab.sign_up("acme", "bolt")
    await store.set_clock(LATER, 0.0)
    assert await lab.put_blueprint(rollout=STEPS) == 2
    (rollout,) = await second.rollouts(NOW)
    assert (rollout.blueprint, rollout.revision, rollout.started_at) == ("crm", 2, LATER)
    assert rollout.policy.stop_after == 2
    fresh = RolloutTenant(name="acme", revision=1, generation=1, state="running", pinned=False, created_at=NOW)
    assert rollout.tenants == (fresh, replace(fresh, name="bolt"))
    await store.finish_rollout("crm")
    assert await second.rollouts(NOW) == []
    assert await revision_of(store, "acme") == 1


async def test_an_edit_that_nobody_has_to_follow_is_no_rollout(store: Store, lab: Lab) -> None:
    assert await lab.put_blueprint(rollout=STEPS) == 2
    assert await store.rollouts(NOW) == []
    await lab.sign_up("acme")
    assert await revision_of(store, "acme") == 2


async def test_a_rollout_is_told_what_the_last_pass_found(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "bolt")
    claims = await claim_all(store)
    kinds = [ConditionType.READY, ConditionType.SYNCED]
    condition = Condition(
        type=ConditionType.READY, status="True", reason=Reason.DRIFTED, message="", since=NOW, observed_generation=1
    )
    found = tuple(replace(condition, type=kind) for kind in kinds)
    for name, phase, details in (
        ("acme", Phase.READY, {"found": "fine"}),
        ("bolt", Phase.DEGRADED, {"found": conditions.FAILING}),
    ):
        said = verdict(phase=phase)
        status = replace(said.status, conditions=found, details=details)
        await store.finish(claims[name], replace(said, status=status), NOW)
    await lab.change("acme", state="suspended")
    await lab.put_blueprint(rollout=STEPS)
    (rollout,) = await store.rollouts(NOW)
    acme = RolloutTenant(
        name="acme", revision=1, generation=2, state="suspended", pinned=False, created_at=NOW, phase=Phase.READY,
        ready=True, observed_revision=1, observed_generation=1, synced=Reason.DRIFTED, found_failing=False,
    )  # fmt: skip
    bolt = replace(
        acme, name="bolt", generation=1, state="running", phase=Phase.DEGRADED, ready=False, found_failing=True
    )
    assert rollout.tenants == (acme, bolt)


async def test_a_status_without_conditions_says_nothing_of_being_synced(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    await store.finish((await claim_all(store))["acme"], verdict(), NOW)
    await lab.put_blueprint(rollout=STEPS)
    (rollout,) = await store.rollouts(NOW)
    assert [(one.ready, one.synced, one.found_failing) for one in rollout.tenants] == [(True, None, None)]


async def test_a_rollout_names_the_pinned_and_leaves_out_the_purged(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "cora")
    pin = {"revision": 1, "until": "2026-11-23", "why": "x"}
    await lab.sign_up("bolt", details={"pin": pin})
    claim = (await claim_all(store))["cora"]
    await lab.delete("cora", "now")
    await store.finish(claim, verdict(phase=Phase.DELETED, purged=True), NOW)
    await lab.put_blueprint(rollout=STEPS)
    (rollout,) = await store.rollouts(NOW)
    assert [(one.name, one.pinned) for one in rollout.tenants] == [("acme", False), ("bolt", True)]
    (tomorrow,) = await store.rollouts(NOW.replace(day=24))
    assert not any(one.pinned for one in tomorrow.tenants)


async def test_who_is_assigned_a_revision_moves_and_is_woken_as_by_a_person(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "bolt", "cora")
    for claim in (await claim_all(store)).values():
        await store.finish(claim, verdict(), NOW)
    await lab.put_blueprint(rollout=STEPS)
    assert list(await store.assign(["bolt", "acme", "nobody"], 2, NOW)) == ["acme", "bolt"]
    assert (await revision_of(store, "acme"), await revision_of(store, "cora")) == (2, 1)
    assert (await store.load("acme", NOW)).generation == 1, "nobody changed the spec"
    woken = await claim_all(store)
    assert {name: claim.wake_class for name, claim in woken.items()} == dict.fromkeys(["acme", "bolt"], WakeClass.USER)
    assert list(await store.assign(["acme"], 2, NOW)) == []
    assert list(await store.assign(["acme"], 3, NOW)) == [], "there is no such revision"
    await lab.delete("bolt", "now")
    await store.finish(woken["bolt"], verdict(phase=Phase.DELETED, purged=True), NOW)
    assert list(await store.assign(["bolt", "acme"], 1, NOW)) == ["acme"]


async def test_a_stopped_rollout_keeps_its_revision_from_new_tenants(store: Store, second: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    await lab.put_blueprint(rollout=STEPS)
    await store.stop_rollout("crm", "acme failed")
    await second.stop_rollout("crm", "told twice")
    assert await second.rollouts(NOW) == []
    await lab.sign_up("bolt")
    assert (await revision_of(store, "acme"), await revision_of(store, "bolt")) == (1, 1)
    await lab.put_blueprint(drift="report")
    await lab.sign_up("cora")
    assert await revision_of(store, "cora") == 3, "a better edit is given to them"
    await store.finish_rollout("crm")
    await store.stop_rollout("crm", "too late")
    await lab.sign_up("dune")
    assert await revision_of(store, "dune") == 3


async def test_a_rollout_of_nothing_is_neither_stopped_nor_finished(store: Store) -> None:
    await store.stop_rollout("nothing", "x")
    await store.finish_rollout("nothing")
