"""What a bill would say: every price of the sheet, intervals of plan, instances, disk and suspension, to the cent."""

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from reconciler.simulator import times
from reconciler.simulator.config import SimulatorConfig
from tests.simulator.conftest import OWNER, Simulator, free_port, run

MONTH_S = 730 * 3_600
CENT = Decimal("0.01")
DAY_S = 86_400

COMPUTE = {
    "starter": 7, "standard": 25, "pro": 85, "pro_plus": 175, "pro_max": 225, "pro_ultra": 450, "0.5c-512mb": 7,
    "1c-2g": 25, "2c-4g": 85, "2c-8g": 135, "2c-16g": 200, "4c-8g": 175, "4c-16g": 225, "4c-32g": 350,
    "8c-16g": 300, "8c-32g": 450, "8c-64g": 1000, "12c-24g": 450, "12c-48g": 800, "12c-96g": 1500,
}  # fmt: skip
POSTGRES = {
    "free": 0, "basic_256mb": 6, "basic_1gb": 19, "basic_4gb": 75, "pro_4gb": 55, "pro_8gb": 100, "pro_16gb": 200,
    "pro_32gb": 400, "pro_64gb": 800, "pro_128gb": 1700, "pro_192gb": 2500, "pro_256gb": 3000, "pro_384gb": 4600,
    "pro_512gb": 6200, "accelerated_16gb": 160, "accelerated_32gb": 350, "accelerated_64gb": 750,
    "accelerated_128gb": 1500, "accelerated_256gb": 2500, "accelerated_384gb": 4500, "accelerated_512gb": 6000,
    "accelerated_768gb": 9000, "accelerated_1024gb": 11000, "0.1c-256mb": 6, "0.5c-1g": 19, "2c-4g": 75,
    "1c-4g": 55, "2c-8g": 100, "2c-16g": 160,
}  # fmt: skip
KEY_VALUE = {  # until and from 1 October 2026
    "free": (0, 0), "starter": (10, 10), "standard": (32, 20), "pro": (135, 100), "pro_plus": (250, 200),
    "pro_max": (550, 350), "256mb": (10, 10), "1g": (32, 20), "5g": (135, 100), "10g": (250, 200), "20g": (550, 350),
}  # fmt: skip
CRON_MINUTE = {
    "starter": "0.00016", "standard": "0.00058", "pro": "0.00197", "pro_plus": "0.00405", "0.5c-512mb": "0.00016",
    "8c-64g": "0.02315",
}  # fmt: skip
CRON_BY_MONTH = {"pro_max": 225, "pro_ultra": 450, "2c-8g": 135}  # monthly price over 43,200 minutes


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def serving(start: str) -> Iterator[Simulator]:
    config = SimulatorConfig(
        port=free_port(), frozen=True, start_ns=moment(start) * times.SECOND_NS, settings={"limits_enabled": False}
    )
    yield from run(config)


@pytest.fixture
def billed() -> Iterator[Simulator]:
    """A world of its own that begins with March 2026: what a bill says depends on the date."""
    yield from serving("2026-03-01")


def bill(sim: Simulator, **params: Any) -> dict[tuple[str, str], Decimal]:
    """The bill: name and sku of each line, and its amount."""
    answer = sim.sim("GET", "/truth/bill", **params)
    assert Decimal(answer["rounded"]) == cents(sum(Decimal(line["amount"]) for line in answer["lines"]))
    return {(line["name"], line["sku"]): Decimal(line["amount"]) for line in answer["lines"]}


def cents(amount: Decimal | int) -> Decimal:
    return Decimal(amount).quantize(CENT)


@pytest.fixture(scope="module")
def month() -> Iterator[dict[str, dict[tuple[str, str], Decimal]]]:
    """One of everything for 730 hours, before and after the change of prices of October 2026."""
    found = {}
    for when, start in (("before", "2026-03-01"), ("after", "2026-11-01")):
        for sim in serving(start):
            for plan in COMPUTE:
                sim.service(f"w-{plan}", "background_worker", serviceDetails={"plan": plan})
            sim.service("w-free", serviceDetails={"plan": "free"})
            sim.service("site", "static_site")
            for plan in POSTGRES:
                body = {"name": f"p-{plan}", "ownerId": OWNER, "plan": plan, "version": "16"}
                sim.ok("POST", "/postgres", body | {"diskSizeGB": 1})
            for plan in KEY_VALUE:
                sim.ok("POST", "/key-value", {"name": f"k-{plan}", "ownerId": OWNER, "plan": plan})
            for plan in (*CRON_MINUTE, *CRON_BY_MONTH):
                details = {"plan": plan, "schedule": "0 12 * * *"}
                sim.service(f"c-{plan}", "cron_job", serviceDetails=details)
            sim.ok("POST", "/dedicated-ips", {"name": "ips", "ownerId": OWNER, "region": "oregon"})
            sim.step(MONTH_S)
            found[when] = bill(sim)
    yield found


@pytest.mark.parametrize("plan", COMPUTE)
def test_a_month_of_compute_costs_its_price(month, plan):
    assert cents(month["before"][f"w-{plan}", f"compute:{plan}"]) == COMPUTE[plan]


@pytest.mark.parametrize("plan", POSTGRES)
def test_a_month_of_postgres_costs_its_price_and_its_storage(month, plan):
    assert cents(month["before"][f"p-{plan}", f"postgres:{plan}"]) == POSTGRES[plan]
    if plan != "free":
        assert cents(month["before"][f"p-{plan}", "postgres_gb"]) == Decimal("0.30")


@pytest.mark.parametrize("plan", KEY_VALUE)
def test_key_value_became_cheaper_in_october_2026(month, plan):
    assert cents(month["before"][f"k-{plan}", f"key_value:{plan}"]) == KEY_VALUE[plan][0]
    assert cents(month["after"][f"k-{plan}", f"key_value:{plan}"]) == KEY_VALUE[plan][1]


def test_a_price_changes_in_the_middle_of_an_interval():
    for sim in serving("2026-09-30"):
        sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "standard"})
        sim.step(2 * DAY_S)
        expected = Decimal(52) * DAY_S / MONTH_S
        assert bill(sim)["kv", "key_value:standard"] == pytest.approx(expected, abs=Decimal("1e-6"))


@pytest.mark.parametrize("plan", [*CRON_MINUTE, *CRON_BY_MONTH])
def test_cron_jobs_cost_their_minutes_and_at_least_a_dollar(month, plan):
    minute = Decimal(CRON_MINUTE[plan]) if plan in CRON_MINUTE else Decimal(CRON_BY_MONTH[plan]) / 43_200
    ran = month["before"][f"c-{plan}", f"run:{plan}"]
    assert ran == pytest.approx(30 * minute, abs=Decimal("1e-9"))  # thirty runs of a minute
    # 730 of the 744 hours of March
    assert ran + month["before"][f"c-{plan}", "cron_minimum"] == pytest.approx(Decimal(730) / 744, abs=Decimal("1e-6"))


def test_what_costs_nothing_and_the_rest(month):
    assert month["before"]["w-free", "compute:free"] == 0
    assert not [key for key in month["before"] if key[0] == "site"]
    assert cents(month["before"]["ips", "dedicated_ip"]) == 100


def test_a_busy_cron_job_pays_no_minimum_on_top_and_each_month_counts_for_itself(billed: Simulator):
    sim = billed
    service = sim.service("busy", "cron_job", serviceDetails={"plan": "pro_plus", "schedule": "*/30 * * * *"})
    days = calendar.monthrange(2026, 3)[1]
    sim.step(days * DAY_S)
    march = bill(sim)
    assert march["busy", "run:pro_plus"] == pytest.approx(Decimal("0.00405") * (48 * days - 1), abs=Decimal("0.01"))
    assert march["busy", "cron_minimum"] == 0
    sim.ok("POST", f"/services/{service['id']}/suspend")
    sim.step(30 * DAY_S)
    april = bill(sim, **{"from": moment("2026-04-01"), "to": moment("2026-05-01")})
    assert cents(april["busy", "cron_minimum"] + april.get(("busy", "run:pro_plus"), Decimal(0))) == 1
    assert sum(bill(sim).values()) == pytest.approx(sum(march.values()) + 1, abs=Decimal("0.01"))


def test_every_change_closes_an_interval(billed: Simulator):
    sim = billed
    disk = {"name": "d", "mountPath": "/data", "sizeGB": 10}
    sim.ok("POST", "/projects", {"name": "p", "ownerId": OWNER, "environments": [{"name": "e"}]})
    one = sim.service("one", serviceDetails={"plan": "standard", "disk": disk})
    two = sim.service("two", serviceDetails={"plan": "starter", "numInstances": 2})
    path = f"/services/{one['id']}"
    sim.step(10 * DAY_S)
    sim.ok("PATCH", path, {"serviceDetails": {"plan": "pro"}})
    sim.ok("POST", f"/services/{two['id']}/scale", {"numInstances": 5})
    sim.step(5 * DAY_S)
    sim.ok("PATCH", f"/disks/{sim.read(one)['serviceDetails']['disk']['id']}", {"sizeGB": 30})
    sim.ok("POST", f"{path}/suspend")
    scaling = {"enabled": True, "min": 1, "max": 4, "criteria": {"cpu": {"enabled": True, "percentage": 60}}}
    sim.ok("PUT", f"/services/{two['id']}/autoscaling", scaling)
    sim.step(3 * DAY_S)
    sim.human("scale", "two", instances=3)
    sim.ok("POST", f"{path}/resume")
    sim.step(2 * DAY_S)
    sim.ok("DELETE", path)
    sim.ok("DELETE", f"/services/{two['id']}")
    sim.step(11 * DAY_S)
    day = Decimal(DAY_S) / MONTH_S
    found = bill(sim)
    assert cents(found["one", "compute:standard"]) == cents(25 * 10 * day)
    assert cents(found["one", "compute:pro"]) == cents(85 * (5 + 2) * day)  # not while suspended
    assert cents(found["one", "disk_gb"]) == cents(Decimal("0.25") * (10 * 15 + 30 * 5) * day)  # suspended or not
    assert cents(found["two", "compute:starter"]) == cents(7 * (2 * 10 + 5 * 5 + 1 * 3 + 3 * 2) * day)


def test_datastores_standbys_replicas_and_their_suspension(billed: Simulator):
    sim = billed
    body = {"name": "db", "ownerId": OWNER, "plan": "pro_4gb", "version": "16", "diskSizeGB": 20}
    made = sim.ok("POST", "/postgres", body | {"enableHighAvailability": True, "readReplicas": [{"name": "copy"}]})
    sim.step(MONTH_S)
    found = bill(sim)
    assert cents(found["db", "postgres:pro_4gb"]) == 110
    assert cents(found["db", "postgres_gb"]) == 12
    assert cents(found["copy", "postgres:pro_4gb"]) == 55
    assert cents(found["copy", "postgres_gb"]) == 6
    sim.ok("PATCH", f"/postgres/{made['id']}", {"readReplicas": [], "enableHighAvailability": False})
    sim.ok("POST", f"/postgres/{made['id']}/suspend")
    since = sim.sim("GET", "/clock")["epoch_s"]
    sim.step(MONTH_S)
    later = bill(sim, **{"from": since})
    assert {key: cents(amount) for key, amount in later.items() if amount > CENT} == {("db", "postgres_gb"): 6}


def test_suspended_storage_is_free_by_setting(billed: Simulator):
    billed.set(bill_suspended_storage=False)
    body = {"name": "db", "ownerId": OWNER, "plan": "basic_1gb", "version": "16"}
    made = billed.ok("POST", "/postgres", body)
    billed.ok("POST", f"/postgres/{made['id']}/suspend")
    since = billed.sim("GET", "/clock")["epoch_s"]
    billed.step(MONTH_S)
    assert sum(bill(billed, **{"from": since + 1}).values()) == 0


def test_jobs_cost_their_seconds(billed: Simulator):
    service = billed.service("web", serviceDetails={"plan": "standard"})
    billed.step(60)
    billed.ok("POST", f"/services/{service['id']}/jobs", {"startCommand": "x"})
    billed.ok("POST", f"/services/{service['id']}/jobs", {"startCommand": "x", "planId": "plan-srv-010"})
    billed.step(60)
    found = bill(billed)
    assert found["web", "run:standard"] == Decimal("0.00058") / 2  # thirty seconds
    assert found["web", "run:pro"] == Decimal("0.00197") / 2


def test_bills_of_adjoining_intervals_add_up(billed: Simulator):
    sim = billed
    sim.set(workspace_plan="hobby", bandwidth_gb_per_hour=0.5, build_native_s=36_000)
    sim.service("web", serviceDetails={"plan": "pro"}, envVars=[])
    sim.service("cron", "cron_job", serviceDetails={"plan": "pro_plus", "schedule": "17 */7 * * *"})
    sim.service("site", "static_site")
    sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "pro"})
    for name in ("a", "b", "c"):
        sim.human("domain-add", "site", name=f"{name}.example.com")
    begin = moment("2026-03-01")
    sim.step(70 * DAY_S)
    end = begin + 70 * DAY_S
    whole = sum(bill(sim, **{"from": begin, "to": end}).values())
    middle = [begin + 7 * 3_600 + 17 * 60 + 30, begin + 5 * DAY_S + 1, moment("2026-04-01"), begin + 50 * DAY_S]
    pieces = [bill(sim, **{"from": a, "to": b}) for a, b in pairwise([begin, *middle, end])]
    assert sum(sum(piece.values()) for piece in pieces) == pytest.approx(whole, abs=Decimal("1e-12"))


@pytest.mark.parametrize(("plan", "fee", "gb", "minutes", "domains"), [
    ("hobby", 0, 5, 500, 2), ("pro", 25, 25, 1_000, 15), ("scale", 499, 1_000, 5_000, 25),
])  # fmt: skip
def test_a_workspace_pays_its_fee_and_what_exceeds_its_plan(billed: Simulator, plan, fee, gb, minutes, domains):
    sim = billed
    days = 30
    month_s = days * DAY_S
    sim.sim("POST", "/clock", {"now": str(moment("2026-04-01"))})
    sim.set(workspace_plan=plan, bandwidth_gb_per_hour=(gb + 400) / (days * 24), build_static_s=(minutes + 200) * 60)
    site = sim.service("site", "static_site")
    sim.step((minutes + 200) * 60 + 15)
    assert sim.deploys(site)[0]["status"] == "live"
    for number in range(domains + 3):
        sim.human("domain-add", "site", name=f"d{number}.example.com")
    with_domains_s = moment("2026-05-01") - sim.sim("GET", "/clock")["epoch_s"]
    sim.sim("POST", "/clock", {"now": str(moment("2026-05-01"))})
    found = bill(sim, **{"from": moment("2026-04-01")})
    live_h = Decimal(month_s - (minutes + 200) * 60 - 15) / 3_600
    sent = live_h * Decimal(str((gb + 400) / (days * 24)))
    assert cents(found.get(("workspace", f"workspace:{plan}"), Decimal(0))) == cents(Decimal(fee) * month_s / MONTH_S)
    assert cents(found["workspace", "bandwidth_gb"]) == cents((sent - gb) * Decimal("0.15"))
    assert cents(found["workspace", "build_minute"]) == 1  # 200 minutes at 5 dollars a thousand
    assert cents(found["workspace", "custom_domain"]) == cents(3 * Decimal("0.25") * Decimal(with_domains_s) / MONTH_S)
    # Nothing of it without a plan.
    sim.set(workspace_plan="")
    assert not [key for key in bill(sim) if key[0] == "workspace"]


def test_the_hours_of_a_month_are_a_setting(billed: Simulator):
    billed.set(hours_per_month=720)
    billed.service("web", serviceDetails={"plan": "standard"})
    billed.step(720 * 3_600)
    assert cents(bill(billed)["web", "compute:standard"]) == 25
