"""Faults that last, that strike by what a call is about, and that tell things in strange ways."""

import email.utils
import itertools
import time
from pathlib import Path

import httpx
import pytest

from reconciler.simulator import times
from reconciler.simulator.config import SimulatorConfig
from tests.simulator.conftest import OWNER, Simulator, free_port, run

PROJECT = {"name": "p", "ownerId": OWNER, "environments": [{"name": "prod"}]}
POSTGRES = {"name": "db", "ownerId": OWNER, "plan": "basic_256mb", "version": "17"}
KEY_VALUE = {"name": "cache", "ownerId": OWNER, "plan": "starter"}


def suspenders(sim: Simulator) -> dict[str, list[str]]:
    truth = sim.truth()
    return {one["name"]: one["suspenders"] for one in truth["services"] + truth["postgres"] + truth["key_values"]}


def drop(sim: Simulator, rule: dict[str, object]) -> None:
    assert sim.sim("DELETE", f"/faults/{rule['id']}") == {"dropped": 1}


# --- the account's suspension


def test_a_suspended_account_suspends_all_and_lets_nothing_be_made_or_changed(sim: Simulator):
    web = sim.service("web")
    sim.ok("POST", "/postgres", POSTGRES)
    sim.ok("POST", "/key-value", KEY_VALUE)
    sim.step(100)
    writes = sim.truth()["write_seq"]
    rule = sim.fault("billing_suspended")
    assert suspenders(sim) == {"web": ["billing"], "db": ["billing"], "cache": ["billing"]}
    for method, path, body in (
        ("POST", "/projects", PROJECT), ("PATCH", f"/services/{web['id']}", {"name": "shop"}),
        ("PUT", f"/services/{web['id']}/env-vars", []), ("POST", f"/services/{web['id']}/resume", None),
    ):  # fmt: skip
        assert "Add a card" in sim.refused(402, method, path, body)
    sim.ok("GET", f"/services/{web['id']}")
    assert sim.truth()["write_seq"] == writes, "neither the suspension nor a refusal is a write of a caller"
    drop(sim, rule)
    sim.step(100)
    assert suspenders(sim) == {"web": [], "db": [], "cache": []}
    assert sim.deploys(web)[0]["trigger"] == "service_resumed" and sim.deploys(web)[0]["status"] == "live"
    sim.ok("POST", "/projects", PROJECT)


def test_what_others_suspended_stays_so_and_what_is_gone_stays_gone(sim: Simulator):
    sim.service("by-user")
    sim.service("by-a-person-for-billing")
    sim.service("gone")
    sim.human("suspend", "by-user")
    sim.human("billing-suspend", "by-a-person-for-billing")
    rule = sim.fault("billing_suspended")
    assert suspenders(sim)["by-user"] == ["user", "billing"]
    sim.human("delete", "gone")
    drop(sim, rule)
    assert suspenders(sim) == {"by-user": ["user"], "by-a-person-for-billing": ["billing"]}


def test_a_suspension_lasts_as_long_as_any_rule_of_it(sim: Simulator):
    sim.service("web")
    first, second = sim.fault("billing_suspended"), sim.fault("billing_suspended", service="web")
    drop(sim, first)
    assert suspenders(sim) == {"web": ["billing"]}
    assert sim.sim("DELETE", "/faults") == {"dropped": 1}
    assert suspenders(sim) == {"web": []}
    assert second["held"] == []


def test_deletes_pass_and_the_message_can_be_said(sim: Simulator):
    web = sim.service("web")
    sim.fault("billing_suspended", message="pay first", method="POST", path="/v1/projects$", count=1)
    assert sim.refused(402, "POST", "/projects", PROJECT) == "pay first"
    sim.ok("POST", "/projects", PROJECT)
    sim.ok("DELETE", f"/services/{web['id']}")


# --- lifecycles


def test_a_stuck_database_comes_up_when_the_rule_is_dropped(sim: Simulator):
    rule = sim.fault("postgres_stuck", service="db")
    sim.ok("POST", "/postgres", POSTGRES)
    sim.ok("POST", "/postgres", POSTGRES | {"name": "other-one"})
    sim.step(10_000)
    assert {one["name"]: one["status"] for one in sim.truth()["postgres"]} == {
        "db": "creating",
        "other-one": "available",
    }
    drop(sim, rule)
    sim.step(100)
    assert {one["status"] for one in sim.truth()["postgres"]} == {"available"}


def test_a_deploy_stuck_for_ever_ends_when_the_rule_is_dropped_and_the_next_one_starts(sim: Simulator):
    rule = sim.fault("deploy_stuck", forever=True, count=1)
    web = sim.service("web")
    sim.step(100_000)
    sim.human("deploy", "web")
    assert [one["status"] for one in sim.deploys(web)] == ["queued", "update_in_progress"]
    drop(sim, rule)
    sim.step(100)
    assert [one["status"] for one in sim.deploys(web)] == ["live", "update_failed"]


# --- which calls


def test_a_call_is_struck_by_what_it_is_about(sim: Simulator):
    web, other = sim.service("web-acme"), sim.service("web-bolt")
    sim.fault("status", status=503, service="web-acme")
    sim.refused(503, "GET", f"/services/{web['id']}")
    sim.refused(503, "PATCH", f"/services/{web['id']}", {"name": "x"})
    sim.refused(503, "POST", "/services", {"name": "web-acme-2"})
    sim.ok("GET", f"/services/{other['id']}")
    assert len(sim.ok("GET", "/services")) == 2
    sim.sim("DELETE", "/faults")
    sim.fault("status", status=500, service=other["id"], method="GET")
    sim.refused(500, "GET", f"/services/{other['id']}/env-vars")
    sim.ok("GET", f"/services/{web['id']}/env-vars")


def test_halved_limits_strike_where_the_rule_says(sim: Simulator):
    sim.fault("limits_halved", method="GET", count=2)
    limits = [sim.call(method, "/projects", {}).headers["Ratelimit-Limit"] for method in ("GET", "POST", "GET", "GET")]
    assert limits == ["200", "100", "200", "400"]


@pytest.mark.parametrize(
    "body",
    [
        {"fault": "latency", "latencys": 3},
        {"fault": "build_failed", "path": "/services"},
        {"fault": "reset", "service": "["},
        {"fault": "reset", "seed": "x"},
        {"fault": "reset", "count": True},
        {"fault": "reset", "probability": True},
    ],
)
def test_what_would_do_nothing_is_refused(sim: Simulator, body):
    assert sim.http.post("/_sim/faults", json=body).status_code == 400


def test_every_fault_is_listed_with_what_it_takes_and_stands_in_the_documentation(sim: Simulator):
    known = {one["fault"]: one for one in sim.sim("GET", "/faults/known")}
    assert known["status"]["params"] == [
        "after", "headers", "message", "ratelimit_reset", "retry_after", "status"
    ]  # fmt: skip
    assert "path" in known["reset"]["options"] and "path" not in known["build_failed"]["options"]
    lines = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text().splitlines()
    table = itertools.takewhile(lambda line: line.startswith("|"), lines[lines.index("| fault | does |") + 2 :])
    told = [name for line in table for name in line.split("|")[1].strip().split(", ")]
    assert sorted(told) == sorted(known)
    for name in known:
        assert sim.fault(name)["fault"] == name


# --- how things are told


def test_a_slow_body_drips_until_its_end_or_until_the_caller_has_had_enough(sim: Simulator):
    sim.fault("slow_body", path="/v1/owners", bytes_per_s=200)
    begun = time.monotonic()
    body = sim.call("GET", "/owners").content
    assert time.monotonic() - begun >= len(body) / 220 and body.endswith(b"]\n")
    sim.sim("DELETE", "/faults")
    sim.fault("slow_body", path="/v1/owners", bytes_per_s=0.5)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{sim.base}/v1/owners", headers={"Authorization": "Bearer k"}, timeout=0.2)


def test_a_late_effect_comes_although_the_caller_has_left(sim: Simulator):
    sim.fault("late_effect", method="POST", path="/v1/projects", sim_latency_s=20)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{sim.base}/v1/projects", json=PROJECT, headers={"Authorization": "Bearer k"}, timeout=0.1)
    sim.step(19)
    time.sleep(0.05)
    assert sim.truth()["projects"] == []
    sim.step(1)
    deadline = time.monotonic() + 5
    while not sim.truth()["projects"]:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_cursor_expires_between_two_pages(sim: Simulator):
    for name in ("a", "b", "c"):
        sim.service(name)
    sim.fault("cursor_expired", path="/v1/services$", count=1)
    page = sim.ok("GET", "/services", limit=2)
    assert len(page) == 2
    cursor = page[-1]["cursor"]
    assert "cursor" in sim.refused(400, "GET", "/services", limit=2, cursor=cursor)
    assert len(sim.ok("GET", "/services", limit=2, cursor=cursor)) == 1


def test_lists_can_be_empty_or_half(sim: Simulator):
    for name in ("a", "b", "c", "d"):
        sim.service(name)
    sim.fault("list_half", count=1)
    assert [one["service"]["name"] for one in sim.ok("GET", "/services")] == ["d", "c"]
    sim.fault("list_empty", count=1)
    assert sim.ok("GET", "/services") == []
    assert len(sim.ok("GET", "/services")) == 4


def test_bodies_can_be_null_or_of_another_schema_and_times_go_back(sim: Simulator):
    web = sim.service("web")
    path = f"/services/{web['id']}"
    sim.fault("null_body", count=1)
    assert sim.ok("GET", path) is None
    sim.fault("wrong_schema", count=1)
    assert sim.ok("GET", path) == {"data": web, "meta": {"version": 2}}
    sim.fault("updated_back", by_s=60)
    earlier = sim.ok("GET", "/services")[0]["service"]
    assert times.parse(earlier["updatedAt"]) == times.parse(web["updatedAt"]) - 60 * times.SECOND_NS
    assert earlier["createdAt"] == web["createdAt"]


@pytest.mark.parametrize("by_s", [600, -600])
def test_the_clock_of_answers_can_be_off(sim: Simulator, by_s):
    sim.fault("clock_skew", by_s=by_s)
    answer = sim.call("GET", "/owners")
    told = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert told == int(sim.sim("GET", "/clock")["epoch_s"]) + by_s


def test_a_429_can_say_nonsense(sim: Simulator):
    sim.fault("status", status=429, retry_after="soon", ratelimit_reset=10**12, count=1)
    answer = sim.call("GET", "/owners")
    assert (answer.headers["Retry-After"], answer.headers["Ratelimit-Reset"]) == ("soon", str(10**12))


# --- across restarts


def test_a_rule_keeps_all_it_is_across_a_restart(tmp_path: Path):
    config = SimulatorConfig(port=free_port(), frozen=True, state=tmp_path / "world.db", seed=7)
    for sim in run(config):
        sim.service("web")
        sim.fault("billing_suspended", service="web", method="POST")
        sim.fault("status", method="GET", path="/v1/owners", status=503, probability=0.5, count=9, seed=3)
        first = [sim.call("GET", "/owners").status_code for _ in range(5)]
        rules = sim.sim("GET", "/faults")
    for sim in run(SimulatorConfig(port=free_port(), frozen=True, state=tmp_path / "world.db", seed=7)):
        assert sim.sim("GET", "/faults") == rules
        assert suspenders(sim) == {"web": ["billing"]}
        rest = [sim.call("GET", "/owners").status_code for _ in range(5)]
        sim.sim("DELETE", "/faults")
        assert suspenders(sim) == {"web": []}
        sim.fault("status", method="GET", path="/v1/owners", status=503, probability=0.5, count=9, seed=3)
        assert [sim.call("GET", "/owners").status_code for _ in range(10)] == first + rest


def test_a_strike_is_remembered_by_a_process_that_is_killed(tmp_path: Path):
    config = SimulatorConfig(port=free_port(), frozen=True, state=tmp_path / "world.db", seed=7)
    for sim in run(config):
        sim.fault("status", status=503, count=1)
        sim.refused(503, "GET", "/owners")
        world = sim.app.world
        assert world.store is not None
        assert world.store.meta("faults")["rules"][0]["struck"] == 1
