"""What a pass reads, at one moment: the documents, the stops, the secrets, and when a tenant is to be purged."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconciler.core import guard
from reconciler.core.errors import StaleLease
from reconciler.core.status import Event, Phase, Reason
from reconciler.core.values import SecretRef, Sensitive
from reconciler.ports import Brake, Hold, Store, Unasked
from tests.postgres.conftest import NOW, claim_one, verdict
from tests.store.acts import LATER, claim_all, seconds
from tests.store.lab import Lab

PIN = {"revision": 1, "until": "2026-11-24", "why": "x"}


async def test_a_new_tenant_s_record_is_whole(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "bolt", labels={"segment": "smb"}, priority=60)
    record = await store.load("bolt", NOW)
    assert record.tenant is not None and record.blueprint is not None
    assert (record.tenant.name, record.tenant.tier, record.tenant.params) == ("bolt", "starter", {"locale": "de"})
    assert (record.tenant.labels, record.tenant.priority) == ({"segment": "smb"}, 60)
    assert (record.blueprint.name, record.blueprint.entrypoint) == ("crm", "app")
    assert (record.revision, record.generation, record.invalid) == (1, 1, ())
    assert record.number == (await store.load("acme", NOW)).number + 1
    assert (record.created_at, record.generation_at, record.purge_at, record.purge_mode) == (NOW, NOW, None, "wait")
    assert (record.brake, record.brake_why, record.hold, record.asked) == (Brake.NORMAL, "", None, False)
    assert (record.purged, record.exported, record.status, record.swept_at) == (False, False, None, None)
    assert (record.owned, record.operations, record.refusals, record.metered) == ({}, (), (), {})
    assert (record.secrets, record.connection) == ({}, {})


async def test_the_world_s_clock_dates_what_people_say(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    await store.set_clock(LATER, 0.0)
    await lab.change("acme", tier="pro")
    await lab.wait(60)
    record = await store.load("acme", NOW)
    assert (record.created_at, record.generation_at, record.generation) == (NOW, LATER, 2)
    await store.set_clock(LATER, 60.0)
    await lab.wait(10)
    await lab.delete("acme")
    at = (await store.load("acme", NOW)).generation_at
    assert timedelta(seconds=600) <= at - LATER < timedelta(seconds=1800), "it runs on between two tellings"


async def test_a_deletion_waits_and_can_be_undone(store: Store, lab: Lab) -> None:
    await lab.put_blueprint(onDelete={"keepFor": "3d"})
    await lab.sign_up("acme")
    await lab.delete("acme")
    record = await store.load("acme", NOW)
    assert (record.purge_at, record.purge_mode, record.generation) == (NOW + timedelta(days=3), "wait", 2)
    await store.set_clock(LATER, 0.0)
    await lab.change("acme", labels={"a": "b"})
    assert (await store.load("acme", NOW)).purge_at == NOW + timedelta(days=3)
    await lab.change("acme", state="running")
    assert (await store.load("acme", NOW)).purge_at is None
    await lab.delete("acme", "now")
    record = await store.load("acme", NOW)
    assert (record.purge_at, record.purge_mode) == (LATER, "now")


async def test_a_deletion_that_waits_can_be_hastened(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    await lab.delete("acme")
    await store.finish(await claim_one(store, "acme"), verdict(), NOW)
    await store.set_clock(LATER, 0.0)
    await lab.delete("acme", "orphan")
    record = await store.load("acme", NOW)
    assert (record.purge_at, record.purge_mode) == (LATER, "orphan")
    assert list(await claim_all(store)) == ["acme"]


async def test_the_brake_is_kept_with_its_reason_and_audited(store: Store, second: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    assert await store.brake() == (Brake.NORMAL, "")
    await store.set_brake(Brake.OBSERVE, "first run", "daemon")
    await second.set_brake(Brake.STOP, "incident", "ann")
    assert await store.brake() == (Brake.STOP, "incident")
    record = await store.load("acme", NOW)
    assert (record.brake, record.brake_why) == (Brake.STOP, "incident")
    assert await lab.audited() == [("daemon", "observe", "first run"), ("ann", "stop", "incident")]


async def test_a_hold_ends_with_its_time(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    until = NOW + timedelta(hours=2)
    await lab.hold("acme", until)
    record = await store.load("acme", until - seconds(1))
    assert record.hold is not None and record.hold == Hold(by=record.hold.by, why="looking", until=until)
    assert (await store.load("acme", until)).hold is None


async def test_a_request_is_answered_by_the_status_that_names_it(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    token = await lab.ask("acme")
    assert (await store.load("acme", NOW)).asked
    said = verdict()
    said = replace(said, status=replace(said.status, handled_token=token))
    await store.finish(await claim_one(store, "acme"), said, NOW)
    record = await store.load("acme", NOW)
    assert record.status == said.status and not record.asked


async def test_a_pin_keeps_the_tenant_until_its_last_day(store: Store, lab: Lab) -> None:
    await lab.put_blueprint(drift="report")
    await lab.sign_up("acme", details={"pin": PIN})
    for days, revision in ((0, 1), (1, 1), (2, 2)):
        assert (await store.load("acme", NOW + timedelta(days=days))).revision == revision
    await lab.change("acme", details={"pin": PIN | {"revision": 9}})
    record = await store.load("acme", NOW)
    assert record.blueprint is None and record.tenant is not None
    assert [text for text in record.invalid if "spec.pin" in text and "crm has no revision 9" in text]


async def test_what_no_constraint_can_judge_is_told_by_the_record(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme", details={"plugins": "not a list"})
    record = await store.load("acme", NOW)
    assert record.tenant is None and record.blueprint is not None
    assert record.invalid and "spec.plugins" in record.invalid[0]


async def test_a_secret_is_generated_once(store: Store, second: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "bolt")
    first = await store.put_secrets("acme", {"KEY": Sensitive("one")})
    again = await second.put_secrets("acme", {"KEY": Sensitive("two"), "OTHER": Sensitive("three")})
    assert {name: value.reveal() for name, value in first.items()} == {"KEY": "one"}
    assert {name: value.reveal() for name, value in again.items()} == {"KEY": "one", "OTHER": "three"}
    await lab.share("DSN", Sensitive("shared"))
    found = {ref: value.reveal() for ref, value in (await store.load("acme", NOW)).secrets.items()}
    assert found == {SecretRef("KEY"): "one", SecretRef("OTHER"): "three", SecretRef("DSN", shared=True): "shared"}
    assert list((await store.load("bolt", NOW)).secrets) == [SecretRef("DSN", shared=True)]


async def test_a_connection_is_replaced_by_a_newer_one(store: Store, second: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    await store.put_connection("acme", "db", {"password": Sensitive("old"), "user": Sensitive("u")})
    await second.put_connection("acme", "db", {"password": Sensitive("new")})
    found = {place: value.reveal() for place, value in (await store.load("acme", NOW)).connection.items()}
    assert found == {("db", "password"): "new"}


async def test_secrets_go_when_the_tenant_is_purged(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "bolt")
    claim = (await claim_all(store))["acme"]
    for name in ("acme", "bolt"):
        await store.put_secrets(name, {"KEY": Sensitive("x")})
        await store.put_connection(name, "db", {"password": Sensitive("x")})
    await lab.share("DSN", Sensitive("shared"))
    await lab.delete("acme", "now")
    await store.finish(claim, verdict(phase=Phase.DELETED, purged=True), NOW)
    record = await store.load("acme", NOW)
    assert (list(record.secrets), record.connection) == ([SecretRef("DSN", shared=True)], {})
    kept = await store.load("bolt", NOW)
    assert len(kept.secrets) == 2 and len(kept.connection) == 1


async def test_plans_nobody_asked_for_are_counted_by_tenant(store: Store, second: Store, lab: Lab) -> None:
    await lab.sign_up("acme", "bolt", "cora")
    claims = await claim_all(store)
    event = Event(reason=Reason.UNASKED, message="drift")
    assert await store.unasked(claims["acme"], event, NOW, NOW) == Unasked(plans=1, tenants=3)
    assert await store.unasked(claims["acme"], event, NOW, NOW) == Unasked(plans=1, tenants=3), "one tenant is one"
    assert await second.unasked(claims["bolt"], event, NOW, LATER) == Unasked(plans=2, tenants=3), "at once"
    assert (await second.unasked(claims["cora"], event, NOW + seconds(1), LATER)).plans == 2
    await store.finish(claims["acme"], verdict(), NOW)
    with pytest.raises(StaleLease):
        await second.unasked(claims["acme"], event, NOW, LATER)


async def test_a_release_of_the_brake_answers_the_guard_that_set_it_and_no_other(store: Store, lab: Lab) -> None:
    await lab.sign_up("acme")
    claim = (await claim_all(store))["acme"]
    event = Event(reason=Reason.UNASKED, message="drift")

    async def released() -> datetime | None:
        return (await store.unasked(claim, event, NOW, NOW)).released_at

    await store.set_brake(Brake.OBSERVE, "a look", "ann")
    await store.set_brake(Brake.NORMAL, "", "ann")
    assert await released() is None, "nothing was asked"
    await store.set_brake(Brake.OBSERVE, "12 of 20", guard.MASS_CHANGE)
    assert await released() is None, "nobody has answered"
    await store.set_brake(Brake.NORMAL, "", "ann")
    assert await released() == NOW
