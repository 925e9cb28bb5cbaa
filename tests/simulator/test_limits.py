"""Rate limits, keys and what every answer carries."""

import email.utils

import pytest

from reconciler.simulator.config import SimulatorConfig
from tests.simulator.conftest import OWNER, START_NS, Simulator, free_port, run


def limits(answer) -> tuple[int, int, int]:
    names = ("Limit", "Remaining", "Reset")
    limit, remaining, reset = (int(answer.headers[f"Ratelimit-{name}"]) for name in names)
    return limit, remaining, reset


def test_windows_are_aligned_to_the_simulated_clock(sim: Simulator):
    assert limits(sim.call("GET", "/services")) == (400, 399, 59)
    sim.step(59)
    assert limits(sim.call("GET", "/projects")) == (400, 398, 0)
    sim.step(1)
    assert limits(sim.call("GET", "/services")) == (400, 399, 59)


def test_each_bucket_counts_for_itself(sim: Simulator):
    web, cron = sim.service("web"), sim.service("cron", "cron_job")
    other = sim.service("other", "cron_job")
    assert limits(sim.call("POST", "/projects", {}))[:2] == (100, 99)
    assert limits(sim.call("DELETE", f"/disks/{'dsk-' + '0' * 20}"))[:2] == (100, 98)
    assert limits(sim.call("PATCH", f"/services/{web['id']}", {}))[:2] == (10, 9)
    assert limits(sim.call("POST", f"/services/{web['id']}/deploys", {}))[:2] == (10, 8)
    assert limits(sim.call("PATCH", f"/services/{cron['id']}", {}))[:2] == (10, 9)
    assert limits(sim.call("PATCH", f"/services/{other['id']}", {}))[:2] == (10, 8)
    path = f"/services/{web['id']}/custom-domains"
    assert limits(sim.call("POST", path, {"name": "a.example.com"})) == (50, 49, 3599)
    assert limits(sim.call("GET", f"/logs/streams/owner/{OWNER}"))[:2] == (30, 29)


def test_creates_share_twenty_an_hour(sim: Simulator):
    sim.service("web")
    body = {"name": "kv", "ownerId": OWNER, "plan": "starter"}
    assert limits(sim.call("POST", "/key-value", body)) == (20, 18, 3599)
    sim.set(shared_create_bucket=False)
    assert limits(sim.call("POST", "/key-value", body)) == (20, 19, 3599)


def test_a_used_up_window_refuses_without_effect(sim: Simulator):
    sim.set(limit_create_per_hour=2)
    for number in range(2):
        sim.service(f"s{number}")
    body = {"type": "static_site", "name": "x", "ownerId": OWNER, "repo": "https://github.com/a/b"}
    answer = sim.call("POST", "/services", body)
    assert answer.status_code == 429
    assert answer.json().keys() == {"message"}
    assert limits(answer) == (2, 0, 3599)
    assert "Retry-After" not in answer.headers
    assert len(sim.truth()["services"]) == 2
    assert sim.truth()["throttled"] == 1
    sim.set(retry_after=True)
    assert sim.call("POST", "/services", body).headers["Retry-After"] == "3600"
    assert sim.call("POST", "/services", body, key="k2").status_code == 201
    sim.step(3_600)
    assert sim.call("POST", "/services", body | {"name": "y"}).status_code == 201


def test_limits_can_be_halved_and_switched_off(sim: Simulator):
    sim.fault("limits_halved")
    assert limits(sim.call("GET", "/services"))[0] == 200
    sim.sim("DELETE", "/faults")
    sim.set(limits_enabled=False, limit_read_per_minute=1)
    assert [sim.call("GET", "/services").status_code for _ in range(3)] == [200] * 3


def test_which_calls_are_creates_and_which_are_calls_on_a_service(sim: Simulator):
    service = sim.service("web")
    key = service["id"]
    sim.step(60)
    deploy = sim.deploys(service)[0]["id"]
    # The path, its body, and the limit of the bucket it counts in; a refused call counts like any other.
    for method, path, body, limit in (
        ("POST", "/redis", {}, 20),
        ("POST", "/key-value", {}, 20),
        ("POST", "/postgres", {}, 20),
        ("PATCH", f"/services/{key}", {}, 10),
        ("POST", f"/services/{key}/scale", {"numInstances": 1}, 10),
        ("POST", f"/services/{key}/deploys", {}, 10),
        ("POST", f"/services/{key}/suspend", None, 10),
        ("POST", f"/services/{key}/resume", None, 10),
        ("POST", f"/services/{key}/restart", None, 100),
        ("POST", f"/services/{key}/rollback", {"deployId": deploy}, 100),
        ("PUT", f"/services/{key}/env-vars", [], 100),
        ("PUT", f"/services/{key}/autoscaling", {}, 100),
        ("DELETE", f"/services/{key}/autoscaling", None, 100),
        ("POST", "/projects", {}, 100),
        ("POST", "/postgres/dpg-x-a/suspend", None, 100),
        ("PATCH", "/postgres/dpg-x-a", {}, 100),
        ("DELETE", "/key-value/red-x", None, 100),
        ("POST", f"/services/{key}/custom-domains", {}, 50),
        ("POST", f"/services/{key}/jobs", {}, 2_000),
        ("GET", "/logs/streams/owner/tea-x", None, 30),
        ("PUT", "/logs/streams/owner/tea-x", {}, 30),
        ("GET", "/logs/streams/resource/srv-x", None, 400),
    ):
        assert limits(sim.call(method, path, body))[0] == limit, (method, path)


def test_unproven_limits_can_be_tried_the_other_way(sim: Simulator):
    key = sim.service("web")["id"]
    sim.set(suspend_in_service_bucket=False)
    assert limits(sim.call("POST", f"/services/{key}/suspend"))[0] == 100
    first = limits(sim.call("GET", "/services", key="a"))[1]
    assert limits(sim.call("GET", "/services", key="b"))[1] == first
    sim.set(limits_shared_by_keys=True, limit_write_per_minute=30)
    first = limits(sim.call("GET", "/services", key="a"))[1]
    assert limits(sim.call("GET", "/services", key="b"))[1] == first - 1
    assert limits(sim.call("DELETE", "/services/srv-x"))[0] == 30


def test_every_answer_carries_limits_and_the_simulated_date(sim: Simulator):
    for answer in (sim.call("GET", "/services/srv-" + "0" * 20), sim.call("GET", "/nowhere")):
        assert answer.status_code == 404
        assert limits(answer)[0] == 400
        assert answer.headers["Render-Request-Id"]
        assert answer.headers["Vary"] == "Origin"
        shown = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
        assert shown == int(sim.sim("GET", "/clock")["epoch_s"])


def test_without_a_key_nobody_comes_in(sim: Simulator):
    answer = sim.call("GET", "/services", key="")
    assert answer.status_code == 401
    assert limits(answer)[0] == 400
    assert sim.http.get("/v1/services", headers={"Authorization": "Basic abc"}).status_code == 401


def test_accepted_keys_and_the_workspace_can_be_fixed():
    config = SimulatorConfig(port=free_port(), frozen=True, start_ns=START_NS, owner_id=OWNER, api_keys=("right",))
    for sim in run(config):
        assert sim.call("GET", "/services", key="wrong").status_code == 401
        assert sim.call("GET", "/services", key="right").status_code == 200
        body = {"name": "p", "ownerId": "tea-dddddddddddddddddddd", "environments": [{"name": "e"}]}
        assert sim.call("POST", "/projects", body, key="right").status_code == 404
        assert sim.call("POST", "/projects", body | {"ownerId": OWNER}, key="right").status_code == 201
        assert sim.call("GET", "/owners", key="right").json()[0]["owner"]["id"] == OWNER


@pytest.mark.parametrize(("raw", "word"), [(b"{", "JSON"), (b"[]", "object"), (b"3", "object")])
def test_bodies_must_be_what_they_should(sim: Simulator, raw, word):
    answer = sim.http.post("/v1/projects", content=raw, headers={"Authorization": "Bearer k"})
    assert answer.status_code == 400
    assert word in answer.json()["message"]
