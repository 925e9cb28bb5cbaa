"""The ledger: one interval of use at one price after another, and what ended stays so."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from reconciler.engine import metering
from reconciler.ports import End, Interval, Metered, Store
from tests.postgres.conftest import NOW, claim_one
from tests.store.acts import own
from tests.store.lab import Lab, Line


def hours(count: float) -> datetime:
    return NOW + timedelta(hours=count)


def interval(at: datetime = NOW, **changes: object) -> Interval:
    given = {
        **{"tenant": "acme", "component": "app", "resource_id": "srv-1", "at": at, "uncertainty_s": 0.0},
        **{"facts": {"plan": "starter", "instances": 1}, "usd_per_month": Decimal("7"), "book": "b1"},
    }
    return Interval(**(given | changes))  # type: ignore[arg-type]


def line(started_at: datetime, ended_at: datetime | None = None, **changes: object) -> Line:
    given = {
        **{"tenant": "acme", "component": "app", "plan": "starter", "usd_per_month": Decimal("7")},
        **{"started_at": started_at, "ended_at": ended_at, "uncertainty_s": 0.0, "end_uncertainty_s": 0.0},
    }
    return Line(**(given | changes))  # type: ignore[arg-type]


PRO = {"facts": {"plan": "pro", "instances": 1}, "usd_per_month": Decimal("25")}


@pytest.fixture(autouse=True)
async def tenants(lab: Lab) -> None:
    await lab.sign_up("acme", "bolt")


async def test_equal_facts_continue_an_interval_and_others_close_it(store: Store, second: Store, lab: Lab) -> None:
    await store.meter([interval()], {})
    await second.meter([interval(hours(1), uncertainty_s=9.0, book="b2", usd_per_month=Decimal("7.00"))], {})
    assert await lab.ledger("srv-1") == [line(NOW)]
    await store.meter([interval(hours(2), uncertainty_s=3.0, **PRO)], {})
    closed = line(NOW, hours(2), end_uncertainty_s=3.0)
    opened = line(hours(2), plan="pro", usd_per_month=Decimal("25"), uncertainty_s=3.0)
    assert await lab.ledger("srv-1") == [closed, opened]


@pytest.mark.parametrize(
    "change",
    [
        {"usd_per_month": Decimal("7.01")},
        {"usd_per_month": None},
        {"facts": {"plan": "starter", "instances": 2}},
        {"component": "web"},
        {"tenant": "bolt"},
    ],
)
async def test_whatever_is_billed_otherwise_is_an_interval_of_its_own(
    store: Store, lab: Lab, change: dict[str, object]
) -> None:
    await store.meter([interval()], {})
    await store.meter([interval(hours(1), **change)], {})
    first, then = await lab.ledger("srv-1")
    assert (first, then.started_at, then.ended_at) == (line(NOW, hours(1)), hours(1), None)
    await store.meter([interval(hours(2), **change)], {})
    assert len(await lab.ledger("srv-1")) == 2, "an unknown price continues as any other does"


async def test_what_ended_stays_so_until_it_is_seen_again(store: Store, lab: Lab) -> None:
    await store.meter([interval(), interval(resource_id="srv-2")], {})
    await store.meter([], {"srv-1": End(at=hours(1), uncertainty_s=4.0), "srv-9": End(at=hours(1))})
    await store.meter([], {"srv-1": End(at=hours(3))})
    ended = line(NOW, hours(1), end_uncertainty_s=4.0)
    assert await lab.ledger("srv-1") == [ended]
    assert await lab.ledger("srv-2") == [line(NOW)]
    assert await lab.ledger("srv-9") == []
    await store.meter([interval(hours(0.5))], {})
    assert await lab.ledger("srv-1") == [ended, line(hours(1))], "no second is billed twice"


async def test_an_interval_never_ends_before_its_start(store: Store, lab: Lab) -> None:
    await store.meter([interval(hours(2))], {})
    await store.meter([interval(hours(1), **PRO)], {})
    pro = line(hours(2), plan="pro", usd_per_month=Decimal("25"))
    assert await lab.ledger("srv-1") == [line(hours(2), hours(2)), pro]
    await store.meter([], {"srv-1": End(at=NOW)})
    assert (await lab.ledger("srv-1"))[-1].ended_at == hours(2)


async def test_what_is_replaced_in_one_breath_ends_and_begins(store: Store, lab: Lab) -> None:
    await store.meter([interval()], {})
    await store.meter([interval(hours(1), resource_id="srv-2")], {"srv-1": End(at=hours(1))})
    assert await lab.ledger("srv-1") == [line(NOW, hours(1))]
    assert await lab.ledger("srv-2") == [line(hours(1))]
    await store.meter([interval(hours(2), resource_id="srv-2")], {"srv-2": End(at=hours(2))})
    assert await lab.ledger("srv-2") == [line(hours(1), hours(2)), line(hours(2))]


async def test_a_record_has_the_open_intervals_of_what_is_owned(store: Store, lab: Lab) -> None:
    await store.meter([interval(), interval(resource_id="srv-2")], {})
    assert (await store.load("acme", NOW)).metered == {}
    await store.save_owned(await claim_one(store, "acme"), [own("srv-1")])
    metered = (await store.load("acme", NOW)).metered
    facts = {"plan": "starter", "instances": 1}
    assert metered == {"srv-1": Metered(tenant="acme", component="app", facts=facts, usd_per_month=Decimal("7"))}
    assert metering.news([interval(hours(1), uncertainty_s=9.0, book="b2")], metered) == []
    for changed in ({"usd_per_month": None}, {"component": "web"}, {"resource_id": "srv-2"}, PRO):
        assert metering.news([interval(**changed)], metered) == [interval(**changed)]
    await store.meter([interval(hours(1), usd_per_month=None)], {})
    assert (await store.load("acme", NOW)).metered["srv-1"].usd_per_month is None
    await store.meter([], {"srv-1": End(at=hours(2))})
    assert (await store.load("acme", NOW)).metered == {}
