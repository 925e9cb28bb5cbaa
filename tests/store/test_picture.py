"""The shared picture: only changes wake, only those concerned, absence is counted, never guessed."""

from datetime import timedelta

import pytest

from reconciler.core.kinds import SERVICES, Kind
from reconciler.core.observed import Observed
from reconciler.ports import Claim, Store
from tests.postgres.conftest import NOW, claim_one, verdict
from tests.store.acts import LATER, claim_all, own, seconds, seen, sweep
from tests.store.lab import Lab

WEB = (Kind.WEB,)


async def look(store: Store, *looks: Observed) -> list[str]:
    """Look at single objects; answer who was woken."""
    return list(await store.observe(looks, LATER))


@pytest.fixture
async def claim(store: Store, lab: Lab) -> Claim:
    """A claim on a tenant that owns srv-1."""
    await lab.sign_up("acme")
    claim = await claim_one(store, "acme")
    await store.save_owned(claim, [own(plan="starter")])
    return claim


async def shown(store: Store) -> Observed:
    found = (await store.load("acme", LATER)).owned["app"].observed
    assert found is not None
    return found


async def test_an_unchanged_object_wakes_nobody_and_is_as_fresh_as_the_sweep(store: Store, claim: Claim) -> None:
    assert await sweep(store, [seen("srv-1", plan="starter")]) == []
    assert (await shown(store)).seen_at == LATER
    assert await look(store, seen("srv-1", at=LATER + seconds(9), plan="starter")) == []


async def test_a_changed_object_wakes_its_owner_and_nobody_else(store: Store, lab: Lab, claim: Claim) -> None:
    await lab.sign_up("bolt")
    claims = await claim_all(store)
    await store.save_owned(claims["bolt"], [own("srv-2")])
    for one in (claim, claims["bolt"]):
        await store.finish(one, verdict(), NOW)
    assert await sweep(store, [seen("srv-1", plan="pro"), seen("srv-2"), seen("srv-9", "stranger")]) == ["acme"]
    assert list(await claim_all(store)) == ["acme"]
    assert await store.count_snapshot(WEB) == 3
    assert (await shown(store)).fields == {"plan": "pro"}


async def test_an_older_look_never_replaces_a_newer(store: Store, claim: Claim) -> None:
    assert await look(store, seen("srv-1", at=LATER, plan="pro")) == ["acme"]
    assert await look(store, seen("srv-1", at=NOW, plan="starter")) == []
    assert (await shown(store)).fields == {"plan": "pro"}
    twice = [seen("srv-1", at=LATER + seconds(n), plan=f"p{n}") for n in (2, 1)]
    assert await look(store, *twice) == ["acme"]
    assert (await shown(store)).fields == {"plan": "p2"}
    await store.save_owned(claim, [own(plan="ancient")])
    assert (await shown(store)).fields == {"plan": "p2"}


async def test_absence_is_counted_by_sweeps_of_its_kind_and_ended_by_a_sight(store: Store, claim: Claim) -> None:
    async def absent() -> tuple[int, int]:
        return (await store.load("acme", NOW)).owned["app"].absent_looks, await store.count_snapshot(WEB)

    assert await sweep(store, []) == ["acme"]
    assert await absent() == (1, 1), "missed once, it may be a list that lags"
    assert await sweep(store, [], [Kind.POSTGRES]) == []
    assert await look(store) == []
    assert await absent() == (1, 1)
    assert await sweep(store, []) == ["acme"]
    assert await absent() == (2, 0)
    assert await sweep(store, []) == [], "it is known"
    later = LATER + timedelta(minutes=15)
    assert await sweep(store, [seen("srv-1", at=later, plan="starter")], at=later) == ["acme"]
    assert await absent() == (0, 1)
    assert await sweep(store, [], at=later + seconds(60)) == ["acme"]
    assert await absent() == (1, 1), "and the count begins anew"


async def test_a_sight_outside_a_sweep_ends_absence_too(store: Store, claim: Claim) -> None:
    await sweep(store, [])
    assert await look(store, seen("srv-1", at=LATER + seconds(1), plan="starter")) == ["acme"]
    assert (await store.load("acme", NOW)).owned["app"].absent_looks == 0


async def test_what_was_missed_is_not_dated_by_the_sweep_that_missed_it(store: Store, claim: Claim) -> None:
    await sweep(store, [])
    assert (await shown(store)).seen_at == NOW


async def test_what_was_made_during_the_sweep_is_not_missed_by_it(store: Store, claim: Claim) -> None:
    assert await sweep(store, [], at=NOW - seconds(1)) == []
    assert await sweep(store, [], at=NOW) == []
    assert (await store.load("acme", NOW)).owned["app"].absent_looks == 0


async def test_a_sweep_of_one_sort_of_service_is_one_of_all(store: Store) -> None:
    assert (await store.swept_at(Kind.WEB), await store.sweeps()) == (None, {})
    await sweep(store, [])
    await sweep(store, [], [Kind.POSTGRES], at=NOW)
    assert [await store.swept_at(kind) for kind in sorted(SERVICES)] == [LATER] * len(SERVICES)
    assert (await store.swept_at(Kind.POSTGRES), await store.swept_at(Kind.KEY_VALUE)) == (NOW, None)
    assert await store.sweeps() == {**dict.fromkeys(SERVICES, LATER), Kind.POSTGRES: NOW}
    await sweep(store, [], at=NOW)
    assert await store.swept_at(Kind.WEB) == LATER, "a sweep that began earlier and ended later"


async def test_a_record_tells_the_age_of_the_picture(store: Store, claim: Claim) -> None:
    assert (await store.load("acme", NOW)).swept_at is None
    await sweep(store, [seen("srv-1", plan="starter")])
    await sweep(store, [], [Kind.POSTGRES], at=NOW)
    assert (await store.load("acme", NOW)).swept_at == NOW


async def test_only_strangers_are_unowned(store: Store, claim: Claim) -> None:
    strangers = [seen("srv-7", "wanted"), seen("srv-8", "other"), seen("dpg-1", "wanted", kind=Kind.POSTGRES)]
    await look(store, *strangers)
    found = await store.unowned([(Kind.WEB, "wanted"), (Kind.WEB, "app-acme"), (Kind.CRON, "other")])
    assert found == strangers[:1]
    assert await store.unowned([]) == []
    assert await store.count_snapshot([Kind.POSTGRES, Kind.KEY_VALUE]) == 1
    for n in (1, 2):
        await sweep(store, [], at=LATER + seconds(n))
    assert await store.unowned([(Kind.WEB, "wanted")]) == [], "what is gone is nobody's stranger"
