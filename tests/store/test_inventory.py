"""The inventory: one object a component and one owner an object; what leaves takes what was known of it along."""

from dataclasses import replace

import pytest

from reconciler.core.inventory import Known
from reconciler.core.kinds import Kind
from reconciler.core.values import Sensitive
from reconciler.ports import Claim, OperationState, Settlement, Store
from tests.postgres.conftest import NOW
from tests.store.acts import LATER, claim_all, own, seconds, seen, sent
from tests.store.lab import Lab

WANTED = [(Kind.WEB, "app-acme")]


@pytest.fixture
async def claims(store: Store, lab: Lab) -> dict[str, Claim]:
    await lab.sign_up("acme", "bolt")
    return await claim_all(store)


async def test_knowledge_gained_without_an_effect_is_kept(
    store: Store, second: Store, claims: dict[str, Claim]
) -> None:
    first = own(plan="starter")
    await store.save_owned(claims["acme"], [first, own("red-1", "cache", Kind.KEY_VALUE)])
    better = replace(first, known=Known(hook_done=True), absent_looks=1, since=NOW, observed=None, name="renamed")
    await store.save_owned(claims["acme"], [better])
    owned = (await second.load("acme", NOW)).owned
    assert list(owned) == ["app", "cache"]
    assert owned["app"] == replace(better, observed=first.observed), "what was seen of it lies in the picture"
    assert (await second.load("bolt", NOW)).owned == {}


async def test_a_replaced_object_makes_room(store: Store, claims: dict[str, Claim]) -> None:
    claim = claims["acme"]
    await store.save_owned(claim, [own("srv-1")])
    operation = await sent(store, claim)
    settlement = Settlement(state=OperationState.SUCCEEDED, owned=[own("srv-2")], forgotten=["srv-1"])
    await store.settle_operation(claim, operation, settlement, NOW)
    assert (await store.load("acme", NOW)).owned["app"].id == "srv-2"
    assert await store.unowned(WANTED) == []
    assert await store.count_snapshot([Kind.WEB]) == 1


async def test_two_objects_for_one_place_are_told_not_swapped(store: Store, lab: Lab, claims: dict[str, Claim]) -> None:
    await store.save_owned(claims["acme"], [own("srv-1")])
    await store.save_owned(claims["acme"], [own("srv-2")])
    assert (await store.load("acme", NOW)).owned["app"].id == "srv-1"
    (told,) = await lab.events("acme")
    assert (told.reason, told.component, told.warning, told.last_at) == ("Duplicate", "app", True, NOW)
    assert "srv-2" in told.message and "srv-1" in told.message
    assert [one.id for one in await store.unowned(WANTED)] == ["srv-2"], "it is there, and nobody's"


async def test_one_object_has_one_place(store: Store, lab: Lab, claims: dict[str, Claim]) -> None:
    await store.save_owned(claims["acme"], [own("srv-1")])
    await store.save_owned(claims["acme"], [own("srv-1", "web")])
    assert list((await store.load("acme", NOW)).owned) == ["app"]
    assert [(one.reason, one.component) for one in await lab.events("acme")] == [("Duplicate", "web")]


async def test_nobody_takes_or_forgets_another_tenant_s_object(
    store: Store, lab: Lab, claims: dict[str, Claim]
) -> None:
    await store.save_owned(claims["acme"], [own("srv-1")])
    await store.save_owned(claims["bolt"], [own("srv-1", "stolen")])
    assert (await store.load("acme", NOW)).owned["app"].id == "srv-1"
    assert (await store.load("bolt", NOW)).owned == {}
    (told,) = await lab.events("bolt")
    assert (told.reason, told.component) == ("Duplicate", "stolen") and "acme/app" in told.message
    await store.save_owned(claims["bolt"], [], ["srv-1"])
    assert "app" in (await store.load("acme", NOW)).owned


async def test_what_is_forgotten_is_gone_from_the_picture_unless_it_was_orphaned(
    store: Store, lab: Lab, claims: dict[str, Claim]
) -> None:
    claim = claims["acme"]
    await store.save_owned(claim, [own("srv-1"), replace(own("srv-2", "web"), name="app-acme")])
    await store.save_owned(claim, [], ["srv-1"])
    assert await store.unowned(WANTED) == [] and await store.count_snapshot([Kind.WEB]) == 1
    await lab.delete("acme", "orphan")
    await store.save_owned(claim, [], ["srv-2"])
    assert [one.id for one in await store.unowned([(Kind.WEB, "web-acme")])] == ["srv-2"]
    assert (await store.load("acme", NOW)).owned == {}


@pytest.mark.parametrize("proof", ["settled", "saved"])
async def test_a_look_from_before_the_proof_does_not_bring_back_what_is_gone(
    store: Store, second: Store, claims: dict[str, Claim], proof: str
) -> None:
    """A list read before a delete arrives after it."""
    claim = claims["acme"]
    await store.save_owned(claim, [own("srv-1")])
    await store.set_clock(LATER, 0.0)
    if proof == "settled":
        operation = await sent(second, claim)
        settlement = Settlement(state=OperationState.SUCCEEDED, forgotten=["srv-1"])
        await second.settle_operation(claim, operation, settlement, LATER)
    else:
        await second.save_owned(claim, [], ["srv-1"])
    await store.observe([seen("srv-1", at=LATER - seconds(5))], LATER)
    assert await store.count_snapshot([Kind.WEB]) == 0
    assert await store.unowned(WANTED) == []
    await store.observe([seen("srv-1", at=LATER + seconds(5))], LATER + seconds(5))
    assert [one.id for one in await store.unowned(WANTED)] == ["srv-1"], "a newer look is believed"


async def test_the_connection_leaves_with_its_object(store: Store, claims: dict[str, Claim]) -> None:
    claim = claims["acme"]
    databases = [own("dpg-1", "db", Kind.POSTGRES), own("dpg-2", "log", Kind.POSTGRES)]
    await store.save_owned(claim, databases)
    for component in ("db", "log"):
        await store.put_connection("acme", component, {"password": Sensitive(f"of {component}")})
    await store.put_connection("bolt", "db", {"password": Sensitive("of bolt")})
    await store.save_owned(claims["bolt"], [], ["dpg-1"])
    assert len((await store.load("acme", NOW)).connection) == 2, "it is not bolt's to forget"
    await store.save_owned(claim, [own("dpg-3", "db", Kind.POSTGRES)], ["dpg-1"])
    assert list((await store.load("acme", NOW)).connection) == [("log", "password")]
    assert list((await store.load("bolt", NOW)).connection) == [("db", "password")]
