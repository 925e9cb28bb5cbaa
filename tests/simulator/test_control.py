"""The control plane: clock, settings, truth, bill, people in the dashboard, tenants' own addresses."""

import time
from decimal import Decimal

import pytest

from tests.simulator.conftest import OWNER, Simulator


def test_health_says_who_answers(sim: Simulator):
    health = sim.sim("GET", "/health")
    assert (health["ok"], health["name"], health["state"]) == (True, "render-simulator", None)
    assert health["owner_id"].startswith("tea-")


def test_the_clock_is_stepped_moved_and_never_turned_back(sim: Simulator):
    before = sim.sim("GET", "/clock")["epoch_s"]
    assert sim.sim("POST", "/clock", {"step_s": 1.5})["epoch_s"] == before + 1.5
    later = sim.sim("POST", "/clock", {"now": str(before + 100)})
    assert later["epoch_s"] == before + 100
    for body in ({"now": str(before)}, {"step_s": -1}, {"speed": 0}, {"now": "soon"}):
        assert sim.http.post("/_sim/clock", json=body).status_code == 400
    assert sim.sim("POST", "/clock", {"speed": 60})["speed"] == 60


def test_a_running_clock_runs_at_its_speed(sim: Simulator):
    sim.sim("POST", "/clock", {"frozen": False, "speed": 10_000})
    service = sim.service("web")
    for _ in range(200):
        if sim.deploys(service)[0]["status"] == "live":
            break
        time.sleep(0.001)
    assert sim.deploys(service)[0]["status"] == "live"
    sim.sim("POST", "/clock", {"frozen": True, "speed": 1})


def test_a_thousand_hours_are_one_step(sim: Simulator):
    service = sim.service("c", "cron_job", serviceDetails={"schedule": "0 * * * *"})
    sim.step(3_600 * 1_000)
    (line,) = [line for line in sim.sim("GET", "/truth/bill")["lines"] if line["sku"] == "run:starter"]
    assert line["resource"] == service["id"]
    # The thousandth run has just begun; it is charged when it ends.
    assert Decimal(line["unit_seconds"]) == 60 * 999


def test_thousands_of_hours_of_a_populated_world_are_counted_run_by_run(sim: Simulator):
    sim.set(limits_enabled=False)
    for number in range(5):
        sim.service(f"c{number}", "cron_job", serviceDetails={"schedule": "30 * * * *"})
        sim.service(f"w{number}")
        sim.ok("POST", "/postgres", {"name": f"p{number}", "ownerId": OWNER, "plan": "free", "version": "16"})
        sim.ok("POST", "/key-value", {"name": f"k{number}", "ownerId": OWNER, "plan": "starter"})
    sim.step(3_600 * 3_000)
    truth = sim.truth()
    assert {item["status"] for item in truth["postgres"]} == {"unavailable"}
    assert {item["status"] for item in truth["key_values"]} == {"available"}
    assert {item["deploys"][0]["status"] for item in truth["services"]} == {"live"}
    lines = [line for line in sim.sim("GET", "/truth/bill")["lines"] if line["sku"] == "run:starter"]
    assert [Decimal(line["unit_seconds"]) for line in lines] == [60 * 3_000] * 5


def test_settings_are_checked(sim: Simulator):
    sim.set(build_image_s=1)
    assert sim.sim("GET", "/settings")["build_image_s"] == 1
    for body in ({"unknown": 1}, {"build_image_s": "x"}, {"deploy_overlap": "both"}, {"retry_after": 1}):
        assert sim.http.patch("/_sim/settings", json=body).status_code == 400
    sim.sim("POST", "/reset")
    assert sim.sim("GET", "/settings")["build_image_s"] == 20


def test_unknown_paths_of_the_control_plane(sim: Simulator):
    assert sim.http.get("/_sim/nothing").status_code == 404
    assert sim.http.get("/nothing").status_code == 404
    assert sim.http.post("/_sim/clock", content=b"{").status_code == 400


def test_truth_tells_writes_and_their_causes(sim: Simulator):
    service = sim.service("web", envVars=[{"key": "A", "value": "1"}])
    sim.refused(400, "POST", "/services", {})
    sim.human("env-set", "web", key="B", value="2")
    truth = sim.truth()
    assert truth["services"][0]["envVars"] == {"A": "1", "B": "2"}
    posted, changed = truth["writes"]
    assert (posted["method"], posted["path"], posted["status"], posted["cause"]) == ("POST", "/v1/services", 201, "k1")
    assert service["id"] in posted["affected"]
    assert (changed["cause"], changed["affected"]) == ("human", [service["id"]])
    assert [item["seq"] for item in sim.truth(since=posted["seq"])["writes"]] == [changed["seq"]]
    assert truth["requests"]["POST C 201"] == 1
    assert truth["requests"]["POST C 400"] == 1


def bill(sim: Simulator, **params) -> dict[str, Decimal]:
    answer = sim.sim("GET", "/truth/bill", **params)
    return {line["sku"]: Decimal(line["amount"]) for line in answer["lines"]}


def test_a_bill_counts_every_second(sim: Simulator):
    disk = {"name": "d", "mountPath": "/data", "sizeGB": 10}
    service = sim.service("web", serviceDetails={"plan": "standard", "disk": disk})
    sim.step(3_600)
    sim.ok("POST", f"/services/{service['id']}/suspend")
    sim.step(3_600)
    hour = 1 / Decimal(730)
    found = bill(sim)
    assert found["compute:standard"] == pytest.approx(25 * hour, abs=Decimal("0.0000001"))
    assert found["disk_gb"] == pytest.approx(Decimal("2.5") * 2 * hour, abs=Decimal("0.0000001"))
    sim.ok("DELETE", f"/services/{service['id']}")
    sim.step(100_000)
    assert bill(sim) == found
    middle = sim.sim("GET", "/clock")["epoch_s"] - 99_999
    assert bill(sim, **{"from": middle}) == {}


def test_plans_without_a_price_are_named(sim: Simulator):
    sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "50g"})
    sim.step(10)
    assert sim.sim("GET", "/truth/bill")["unpriced"] == ["key_value:50g"]
    assert sim.http.get("/_sim/truth/bill", params={"from": "x"}).status_code == 400


def test_people_change_things_behind_our_back(sim: Simulator):
    service = sim.service("web", serviceDetails={"disk": {"name": "d", "mountPath": "/data", "sizeGB": 1}})
    key = service["id"]
    sim.human("rename", "web", name="shop")
    sim.human("plan", "shop", plan="pro")
    sim.human("image", key, image="redis")
    sim.human("command", "shop", command="run")
    sim.human("disk-resize", "shop", size_gb=3)
    sim.human("domain-add", "shop", name="a.example.com")
    sim.human("domain-add", "shop", name="b.example.com")
    sim.human("domain-remove", "shop", name="a.example.com")
    changed = sim.read(service)
    details = changed["serviceDetails"]
    assert (changed["name"], details["plan"], details["disk"]["sizeGB"]) == ("shop", "pro", 3)
    assert changed["imagePath"] == "docker.io/library/redis:latest"
    assert details["envSpecificDetails"]["dockerCommand"] == "run"
    assert [item["name"] for item in sim.truth()["services"][0]["customDomains"]] == ["b.example.com"]
    sim.human("disk-remove", "shop")
    sim.human("scale", "shop", instances=2)
    assert sim.read(service)["serviceDetails"]["numInstances"] == 2
    sim.human("env-set", "shop", key="A", value="1")
    sim.human("env-delete", "shop", key="A")
    sim.human("deploy", "shop")
    assert sim.deploys(service)[0]["trigger"] == "manual"
    sim.human("delete", "shop")
    assert sim.truth()["services"] == []


def test_people_change_groups_sites_and_datastores(sim: Simulator):
    group = sim.ok("POST", "/env-groups", {"name": "g", "ownerId": OWNER, "envVars": []})
    sim.human("group-var-set", "g", key="A", value="1")
    assert sim.ok("GET", f"/env-groups/{group['id']}")["envVars"] == [{"key": "A", "value": "1"}]
    sim.human("group-var-delete", "g", key="A")
    site = sim.service("site", "static_site")
    sim.human("header-set", "site", path="/*", name="X", value="1")
    sim.human("route-set", "site", source="/a", destination="/b")
    sim.human("branch", "site", branch="dev")
    assert sim.read(site)["branch"] == "dev"
    truth = sim.truth()["services"][0]
    assert (len(truth["headers"]), len(truth["routes"])) == (1, 1)
    sim.human("link-group", "site", group="g")
    sim.human("unlink-group", "site", group="g")
    project = sim.ok("POST", "/projects", {"name": "p", "ownerId": OWNER, "environments": [{"name": "prod"}]})
    sim.human("env-move", "site", environment="prod")
    assert sim.read(site)["environmentId"] == project["environmentIds"][0]
    sim.human("env-move", "site", environment=None)
    assert "environmentId" not in sim.read(site)
    kv = sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "starter"})
    sim.human("plan", "kv", plan="standard")
    sim.human("suspend", "kv")
    assert sim.ok("GET", f"/key-value/{kv['id']}")["status"] == "suspended"
    sim.human("resume", "kv")
    sim.human("delete", "kv")
    sim.refused(404, "GET", f"/key-value/{kv['id']}")
    sim.human("group-delete", "g")
    sim.refused(404, "GET", f"/env-groups/{group['id']}")


def test_an_account_can_be_suspended_for_billing(sim: Simulator):
    web = sim.service("web")
    kv = sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "starter"})
    sim.human("billing-suspend", "*")
    assert sim.read(web)["suspenders"] == ["billing"]
    assert sim.ok("GET", f"/key-value/{kv['id']}")["status"] == "suspended"
    sim.ok("POST", f"/key-value/{kv['id']}/resume")
    assert sim.ok("GET", f"/key-value/{kv['id']}")["status"] == "suspended"
    sim.human("billing-resume", "*")
    assert sim.read(web)["suspenders"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "suspend", "service": "nobody"}, 404),
        ({"action": "dance", "service": "web"}, 400),
        ({"action": "image", "service": "kv", "image": "x"}, 400),
        ({"action": "rename", "service": "web"}, 400),
        ({"action": "disk-resize", "service": "web", "size_gb": 2}, 400),
        ({"action": "image", "service": "*"}, 400),
        ({"service": "web"}, 400),
    ],
)
def test_what_people_cannot_do_is_said(sim: Simulator, body, status):
    sim.service("web")
    sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "starter"})
    answer = sim.http.post("/_sim/human", json=body)
    assert answer.status_code == status
    assert answer.json()["message"]


def test_a_tenant_sees_its_application(sim: Simulator):
    service = sim.service("web", envVars=[{"key": "SECRET", "value": "hidden"}])
    host = "web.onrender.com"
    assert sim.visit(host).status_code == 502
    sim.step(40)
    up = sim.visit(host, "/healthz")
    assert up.status_code == 200
    assert up.json() == {"service": "web", "deploy": sim.deploys(service)[0]["id"], "env_keys": ["SECRET"]}
    assert sim.visit("nobody.onrender.com").status_code == 404
    sim.human("app-down", "web")
    assert sim.visit(host).status_code == 502
    sim.human("app-up", "web")
    assert sim.visit(host).status_code == 200
    sim.ok("POST", f"/services/{service['id']}/suspend")
    assert sim.visit(host).status_code == 503
    sim.ok("POST", f"/services/{service['id']}/resume")
    sim.step(40)
    mode = {"serviceDetails": {"maintenanceMode": {"enabled": True, "uri": ""}}}
    sim.ok("PATCH", f"/services/{service['id']}", mode)
    assert sim.visit(host).status_code == 503


def test_a_custom_domain_answers_once_verified(sim: Simulator):
    service = sim.service("web")
    sim.step(40)
    path = f"/services/{service['id']}/custom-domains"
    sim.ok("POST", path, {"name": "a.example.com"})
    assert sim.visit("a.example.com").status_code == 404
    sim.ok("POST", f"{path}/a.example.com/verify")
    sim.step(5)
    assert sim.visit("a.example.com:80").status_code == 200
    sim.ok("PATCH", f"/services/{service['id']}", {"serviceDetails": {"renderSubdomainPolicy": "disabled"}})
    assert sim.visit("web.onrender.com").status_code == 404
    assert sim.visit("a.example.com").status_code == 200


def test_a_crash_fails_deploys_until_recovered(sim: Simulator):
    service = sim.service("web")
    sim.step(40)
    sim.human("crash", "web")
    assert sim.visit("web.onrender.com").status_code == 502
    sim.ok("POST", f"/services/{service['id']}/deploys", {})
    sim.step(40)
    assert sim.deploys(service)[0]["status"] == "update_failed"
    sim.human("recover", "web")
    assert sim.visit("web.onrender.com").status_code == 200
    types = [item["event"]["type"] for item in sim.ok("GET", f"/services/{service['id']}/events")]
    assert "server_failed" in types
