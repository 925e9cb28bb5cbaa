"""Faults on demand."""

import json
import time

import httpx
import pytest

from tests.simulator.conftest import OWNER, Simulator

PROJECT = {"name": "p", "ownerId": OWNER, "environments": [{"name": "prod"}]}


def projects(sim: Simulator) -> int:
    return len(sim.truth()["projects"])


def test_a_timeout_before_has_no_effect(sim: Simulator):
    sim.fault("timeout_before", method="POST", path="/v1/projects", count=1, hold_s=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        sim.call("POST", "/projects", PROJECT)
    assert projects(sim) == 0
    sim.ok("POST", "/projects", PROJECT)


def test_a_timeout_after_has_the_effect(sim: Simulator):
    sim.fault("timeout_after", method="POST", path="/v1/projects", count=1, hold_s=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        sim.call("POST", "/projects", PROJECT)
    assert projects(sim) == 1


def test_a_held_connection_outlasts_the_client(sim: Simulator):
    sim.fault("timeout_after", method="POST", path="/v1/projects", count=1, hold_s=0.5)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{sim.base}/v1/projects", json=PROJECT, headers={"Authorization": "Bearer k"}, timeout=0.1)
    assert projects(sim) == 1


def test_a_reset_cuts_the_body(sim: Simulator):
    sim.fault("reset", method="POST", path="/v1/projects", count=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        sim.call("POST", "/projects", PROJECT)
    assert projects(sim) == 1


@pytest.mark.parametrize("status", [401, 402, 403, 500, 502, 503])
def test_a_status_comes_instead_of_the_effect(sim: Simulator, status):
    sim.fault("status", status=status, method="POST", message="no", count=1)
    assert sim.refused(status, "POST", "/projects", PROJECT) == "no"
    assert projects(sim) == 0


def test_a_status_can_come_after_the_effect(sim: Simulator):
    sim.fault("status", status=500, method="POST", after=True, count=1)
    sim.refused(500, "POST", "/projects", PROJECT)
    assert projects(sim) == 1


def test_an_injected_429_shows_an_empty_window_or_no_headers(sim: Simulator):
    sim.fault("status", status=429, count=1)
    assert sim.call("GET", "/services").headers["Ratelimit-Remaining"] == "0"
    sim.fault("status", status=429, headers=False, retry_after=7, count=1)
    answer = sim.call("GET", "/services")
    assert "Ratelimit-Limit" not in answer.headers
    assert answer.headers["Retry-After"] == "7"


def test_latency_is_real_or_simulated(sim: Simulator):
    sim.fault("latency", latency_s=0.2, count=1)
    begun = time.monotonic()
    sim.ok("GET", "/services")
    assert time.monotonic() - begun >= 0.2
    sim.fault("latency", sim_latency_s=100, count=1)
    before = sim.sim("GET", "/clock")["epoch_s"]
    sim.ok("GET", "/services")
    assert sim.sim("GET", "/clock")["epoch_s"] == before + 100


def test_broken_json_extra_fields_and_unknown_words(sim: Simulator):
    service = sim.service("web")
    path = f"/services/{service['id']}"
    sim.fault("malformed_json", count=1)
    with pytest.raises(json.JSONDecodeError):
        sim.call("GET", path).json()
    sim.fault("extra_fields", count=1)
    assert sim.ok("GET", path)["serviceDetails"]["addedLater"]
    sim.fault("unknown_enum", count=1)
    assert sim.ok("GET", path)["type"] == "web_service_new"
    sim.fault("unknown_enum", count=1, field="plan", value="galactic")
    assert sim.ok("GET", path)["serviceDetails"]["plan"] == "galactic"
    assert sim.read(service) == service


def test_lists_lag_lose_and_double(sim: Simulator):
    sim.service("old")
    sim.step(60)
    sim.service("new")

    def names():
        return [item["service"]["name"] for item in sim.ok("GET", "/services")]

    sim.fault("list_lag", path="/v1/services$", lag_s=30)
    assert names() == ["old"]
    sim.step(31)
    assert names() == ["new", "old"]
    sim.sim("DELETE", "/faults")
    sim.fault("list_missing", count=1)
    assert len(names()) == 1
    sim.fault("list_duplicate", count=1)
    assert sorted(names()) in (["new", "new", "old"], ["new", "old", "old"])


def test_reads_can_be_stale(sim: Simulator):
    service = sim.service("web")
    sim.step(60)
    sim.fault("stale_read", lag_s=10)
    path = f"/services/{service['id']}"
    sim.ok("PATCH", path, {"name": "shop"})
    sim.ok("PUT", f"{path}/env-vars", [{"key": "A", "value": "1"}])
    assert sim.ok("GET", path)["name"] == "web"
    assert sim.ok("GET", f"{path}/env-vars") == []
    sim.step(11)
    assert sim.ok("GET", path)["name"] == "shop"
    fresh = sim.service("fresh")
    sim.refused(404, "GET", f"/services/{fresh['id']}")
    sim.step(11)
    sim.ok("GET", f"/services/{fresh['id']}")


def test_rules_strike_by_count_probability_and_seed(sim: Simulator):
    def strikes(seed: int) -> list[int]:
        sim.fault("status", status=503, probability=0.5, seed=seed, path="/v1/owners")
        found = [sim.call("GET", "/owners").status_code for _ in range(30)]
        sim.sim("DELETE", "/faults")
        return found

    first = strikes(1)
    assert set(first) == {200, 503}
    assert strikes(1) == first
    assert strikes(2) != first
    rule = sim.fault("status", status=503, count=2)
    assert [sim.call("GET", "/owners").status_code for _ in range(3)] == [503, 503, 200]
    assert sim.sim("GET", "/faults")[0]["struck"] == 2
    sim.sim("DELETE", f"/faults/{rule['id']}")
    assert sim.http.delete(f"/_sim/faults/{rule['id']}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"fault": "flood"},
        {"fault": "reset", "path": "("},
        {"fault": "reset", "probability": 2},
        {"fault": "reset", "count": -1},
    ],
)
def test_bad_rules_are_refused(sim: Simulator, body):
    assert sim.http.post("/_sim/faults", json=body).status_code == 400
