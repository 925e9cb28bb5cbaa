"""Plans by both their names, free plans and their end, and what a workspace's own plan lacks."""

import pytest

from tests.simulator.conftest import OWNER, Simulator, at

NAMES = [
    ("starter", "0.5c-512mb"), ("standard", "1c-2g"), ("pro", "2c-4g"), ("pro_plus", "4c-8g"), ("pro_max", "4c-16g"),
    ("pro_ultra", "8c-32g"),
]  # fmt: skip
NEW_ONLY = ["2c-8g", "2c-16g", "4c-32g", "8c-16g", "8c-64g", "12c-24g", "12c-48g", "12c-96g"]
POSTGRES_NAMES = [
    ("basic_256mb", "0.1c-256mb"), ("basic_1gb", "0.5c-1g"), ("basic_4gb", "2c-4g"), ("pro_4gb", "1c-4g"),
    ("pro_8gb", "2c-8g"), ("accelerated_16gb", "2c-16g"),
]  # fmt: skip
KEY_VALUE_NAMES = [("starter", "256mb"), ("standard", "1g"), ("pro", "5g"), ("pro_plus", "10g")]
PG = {"name": "db", "ownerId": OWNER, "version": "16"}
KV = {"name": "kv", "ownerId": OWNER}


@pytest.mark.parametrize("plan", [*(name for pair in NAMES for name in pair), *NEW_ONLY])
def test_every_plan_of_compute_is_taken_and_shown_as_it_was_sent(sim: Simulator, plan):
    for kind in ("web_service", "private_service", "background_worker", "cron_job"):
        if kind == "cron_job" and plan.startswith("12c-"):
            continue
        assert sim.service(kind, kind, serviceDetails={"plan": plan})["serviceDetails"]["plan"] == plan


@pytest.mark.parametrize(("old", "new"), NAMES)
def test_the_other_name_of_a_plan_changes_nothing(sim: Simulator, old, new):
    service = sim.service("web", serviceDetails={"plan": old})
    path = f"/services/{service['id']}"
    before = sim.read(service)
    assert sim.ok("PATCH", path, {"serviceDetails": {"plan": new}}) == before
    assert sim.ok("GET", f"{path}/events", type="plan_changed") == []
    sim.set(plan_names="new")
    assert sim.read(service)["serviceDetails"]["plan"] == new
    sim.set(plan_names="old")
    assert sim.read(service)["serviceDetails"]["plan"] == old


@pytest.mark.parametrize(("old", "new"), POSTGRES_NAMES)
def test_databases_have_two_names_of_plans(sim: Simulator, old, new):
    made = [sim.ok("POST", "/postgres", PG | {"plan": plan}) for plan in (old, new)]
    assert [item["plan"] for item in made] == [old, new]
    assert made[0]["diskSizeGB"] == made[1]["diskSizeGB"]
    sim.step(60)
    after = sim.ok("PATCH", f"/postgres/{made[0]['id']}", {"plan": new})
    assert (after["plan"], after["status"]) == (old, "available")
    sim.set(plan_names="new")
    assert {item["postgres"]["plan"] for item in sim.ok("GET", "/postgres")} == {new}


@pytest.mark.parametrize(("old", "new"), KEY_VALUE_NAMES)
def test_caches_have_two_names_of_plans(sim: Simulator, old, new):
    made = [sim.ok("POST", "/key-value", KV | {"plan": plan}) for plan in (old, new)]
    assert [item["plan"] for item in made] == [old, new]
    sim.step(60)
    after = sim.ok("PATCH", f"/key-value/{made[1]['id']}", {"plan": old})
    assert (after["plan"], after["status"], after["updatedAt"]) == (
        new, "available", sim.ok("GET", f"/key-value/{made[1]['id']}")["updatedAt"],
    )  # fmt: skip
    sim.set(plan_names="old")
    assert {item["keyValue"]["plan"] for item in sim.ok("GET", "/key-value")} == {old}


def test_a_free_database_ends_after_thirty_days_until_it_is_paid_for(sim: Simulator):
    made = sim.ok("POST", "/postgres", PG | {"plan": "free"})
    path = f"/postgres/{made['id']}"
    assert at(made["expiresAt"]) - at(made["createdAt"]) == pytest.approx(30 * 86_400 * 10**9, abs=1_000)
    assert made["diskSizeGB"] == 1
    sim.step(30 * 86_400 - 10)
    assert sim.ok("GET", path)["status"] == "available"
    sim.step(11)
    assert sim.ok("GET", path)["status"] == "unavailable"
    kinds = [item["event"]["type"] for item in sim.ok("GET", f"{path}/events")]
    assert kinds == ["postgres_unavailable"]
    sim.step(60 * 86_400)
    assert sim.ok("GET", path)["status"] == "unavailable"
    paid = sim.ok("PATCH", path, {"plan": "basic_256mb"})
    assert paid["status"] == "creating" and "expiresAt" not in paid
    sim.step(60)
    assert sim.ok("GET", path)["status"] == "available"


def test_a_free_database_that_is_suspended_over_its_end_comes_back_unavailable(sim: Simulator):
    sim.set(free_postgres_days=1)
    path = f"/postgres/{sim.ok('POST', '/postgres', PG | {'plan': 'free'})['id']}"
    sim.step(60)
    sim.ok("POST", f"{path}/suspend")
    sim.step(2 * 86_400)
    assert sim.ok("GET", path)["status"] == "suspended"
    sim.ok("POST", f"{path}/resume")
    sim.step(60)
    assert sim.ok("GET", path)["status"] == "unavailable"


def test_a_paid_database_never_ends(sim: Simulator):
    made = sim.ok("POST", "/postgres", PG | {"plan": "basic_256mb"})
    assert "expiresAt" not in made
    sim.step(40 * 86_400)
    assert sim.ok("GET", f"/postgres/{made['id']}")["status"] == "available"
