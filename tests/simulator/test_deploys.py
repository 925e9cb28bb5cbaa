"""The life of deploys, and what instances run with."""

import pytest

from tests.simulator.conftest import OWNER, Simulator, at


def native(sim: Simulator, name: str = "web", **details):
    body = {
        "type": "web_service", "name": name, "ownerId": OWNER, "repo": "https://github.com/acme/web",
        "serviceDetails": {"runtime": "node", **details},
    }  # fmt: skip
    return sim.ok("POST", "/services", body)["service"]


def status(sim: Simulator, service) -> str:
    return sim.deploys(service)[0]["status"]


def test_a_git_deploy_builds_then_goes_live(sim: Simulator):
    service = native(sim, preDeployCommand="migrate")
    seen = [status(sim, service)]
    for seconds in (89, 2, 20, 15):
        sim.step(seconds)
        seen.append(status(sim, service))
    assert seen == [
        "build_in_progress", "build_in_progress", "pre_deploy_in_progress", "update_in_progress", "live",
    ]  # fmt: skip
    deploy = sim.deploys(service)[0]
    assert deploy["commit"].keys() == {"id", "message", "createdAt"}
    assert "image" not in deploy
    assert at(deploy["finishedAt"]) > at(deploy["startedAt"])


def test_an_image_deploy_skips_the_build(sim: Simulator):
    service = sim.service("web")
    deploy = sim.deploys(service)[0]
    assert deploy["status"] == "update_in_progress"
    assert deploy["commit"] is None
    assert deploy["image"]["ref"] == "docker.io/library/nginx:latest"
    assert "finishedAt" not in deploy
    sim.step(35)
    assert status(sim, service) == "live"


def test_an_image_cron_job_is_live_at_once(sim: Simulator):
    service = sim.service("c", "cron_job")
    answer = sim.call("POST", f"/services/{service['id']}/deploys", {})
    assert answer.status_code == 201
    assert answer.json()["status"] == "live"
    assert sim.read(service)["updatedAt"] == service["updatedAt"]


def test_under_wait_a_deploy_is_queued_and_only_the_newest_survives(sim: Simulator):
    service = sim.service("web")
    path = f"/services/{service['id']}/deploys"
    before = sim.read(service)["updatedAt"]
    for _ in range(2):
        answer = sim.call("POST", path, {})
        assert (answer.status_code, answer.content) == (202, b"")
    assert sim.read(service)["updatedAt"] == before
    assert [item["status"] for item in sim.deploys(service)] == ["queued", "canceled", "update_in_progress"]
    sim.step(35)
    assert [item["status"] for item in sim.deploys(service)] == ["update_in_progress", "canceled", "live"]
    sim.step(35)
    assert [item["status"] for item in sim.deploys(service)] == ["live", "canceled", "deactivated"]


def test_under_override_a_deploy_cancels_the_running_one(sim: Simulator):
    sim.set(deploy_overlap="override")
    service = sim.service("web")
    assert sim.call("POST", f"/services/{service['id']}/deploys", {}).status_code == 201
    assert [item["status"] for item in sim.deploys(service)] == ["update_in_progress", "canceled"]


def test_a_started_deploy_and_one_that_goes_live_move_the_stamp(sim: Simulator):
    service = sim.service("web")
    stamps = [at(sim.read(service)["updatedAt"])]
    sim.step(35)
    stamps.append(at(sim.read(service)["updatedAt"]))
    sim.ok("POST", f"/services/{service['id']}/deploys", {})
    stamps.append(at(sim.read(service)["updatedAt"]))
    assert stamps == sorted(set(stamps))


def test_instances_keep_the_variables_of_their_deploy(sim: Simulator):
    service = sim.service("web", envVars=[{"key": "A", "value": "1"}])
    group = sim.ok(
        "POST", "/env-groups",
        {"name": "g", "ownerId": OWNER, "envVars": [{"key": "A", "value": "group"}, {"key": "B", "value": "2"}]},
    )  # fmt: skip
    sim.ok("POST", f"/env-groups/{group['id']}/services/{service['id']}")
    sim.step(40)

    def running():
        return sim.truth()["services"][0]["running"]["env"]

    assert running() == {"A": "1"}
    sim.ok("PUT", f"/services/{service['id']}/env-vars", [{"key": "C", "value": "3"}])
    sim.ok("POST", f"/services/{service['id']}/restart")
    assert running() == {"A": "1"}
    sim.ok("POST", f"/services/{service['id']}/deploys", {"deployMode": "deploy_only"})
    sim.ok("PUT", f"/services/{service['id']}/env-vars/D", {"value": "too late"})
    sim.step(40)
    assert running() == {"A": "group", "B": "2", "C": "3"}


def test_a_deploy_can_be_canceled_once(sim: Simulator):
    service = sim.service("web")
    deploy = sim.deploys(service)[0]
    path = f"/services/{service['id']}/deploys/{deploy['id']}"
    assert sim.ok("POST", f"{path}/cancel")["status"] == "canceled"
    sim.refused(400, "POST", f"{path}/cancel")
    assert sim.ok("GET", path)["status"] == "canceled"


def test_a_rollback_is_a_new_deploy_of_the_old_image(sim: Simulator):
    service = sim.service("web")
    sim.step(40)
    old = sim.deploys(service)[0]
    sim.ok("PATCH", f"/services/{service['id']}", {"image": {"imagePath": "nginx:2"}})
    sim.ok("POST", f"/services/{service['id']}/deploys", {})
    sim.step(40)
    answer = sim.call("POST", f"/services/{service['id']}/rollback", {"deployId": old["id"]})
    assert answer.status_code == 201
    assert answer.json()["trigger"] == "rollback"
    assert answer.json()["image"] == old["image"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"deployMode": "deploy_only", "commitId": "abc"}, "deploy_only"),
        ({"imageUrl": "docker.io/library/redis:1"}, "imageUrl"),
        ({"clearCache": "maybe"}, "clearCache"),
    ],
)
def test_deploy_requests_are_checked(sim: Simulator, body, word):
    service = sim.service("web")
    assert word in sim.refused(400, "POST", f"/services/{service['id']}/deploys", body)


def test_a_suspended_service_does_not_deploy(sim: Simulator):
    service = sim.service("web")
    sim.ok("POST", f"/services/{service['id']}/suspend")
    assert status(sim, service) == "canceled"
    sim.refused(400, "POST", f"/services/{service['id']}/deploys", {})


def test_lists_of_deploys_filter_by_status(sim: Simulator):
    service = sim.service("web")
    sim.ok("POST", f"/services/{service['id']}/deploys", {})
    found = sim.ok("GET", f"/services/{service['id']}/deploys", status="queued")
    assert [item["deploy"]["status"] for item in found] == ["queued"]


@pytest.mark.parametrize(
    ("fault", "runtime", "expected"),
    [
        ("build_failed", "node", "build_failed"),
        ("build_failed", "image", "update_failed"),
        ("deploy_failed", "node", "update_failed"),
    ],
)
def test_a_rule_makes_deploys_fail_and_the_old_one_serves_on(sim: Simulator, fault, runtime, expected):
    service = native(sim) if runtime == "node" else sim.service("web")
    sim.step(300)
    live = sim.deploys(service)[0]
    sim.fault(fault, service="^web$", count=1)
    sim.ok("POST", f"/services/{service['id']}/deploys", {})
    sim.step(300)
    assert status(sim, service) == expected
    assert sim.visit("web.onrender.com").json()["deploy"] == live["id"]
    sim.ok("POST", f"/services/{service['id']}/deploys", {})
    sim.step(300)
    assert status(sim, service) == "live"


def test_a_stuck_deploy_ends_at_its_limit_or_never(sim: Simulator):
    sim.fault("deploy_stuck", service="one", count=1)
    sim.fault("deploy_stuck", service="two", forever=True)
    one, two = sim.service("one"), sim.service("two")
    sim.step(890)
    assert status(sim, one) == "update_in_progress"
    sim.step(20)
    assert status(sim, one) == "update_failed"
    sim.step(100_000)
    assert status(sim, two) == "update_in_progress"


def test_a_queued_deploy_cannot_be_canceled(sim: Simulator):
    service = sim.service("web")
    sim.ok("POST", f"/services/{service['id']}/deploys", {})
    queued, running = sim.deploys(service)
    path = f"/services/{service['id']}/deploys"
    assert "queued" in sim.refused(400, "POST", f"{path}/{queued['id']}/cancel")
    assert sim.ok("POST", f"{path}/{running['id']}/cancel")["status"] == "canceled"
    assert sim.deploys(service)[0]["status"] == "update_in_progress"
