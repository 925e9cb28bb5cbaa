"""Creating, changing, suspending and deleting services."""

import re

import pytest

from tests.simulator.conftest import OWNER, Simulator, at


def test_a_create_answers_the_service_and_its_first_deploy(sim: Simulator):
    body = {
        "type": "web_service", "name": "shop", "ownerId": OWNER, "repo": "https://github.com/acme/shop",
        "serviceDetails": {"runtime": "node", "envSpecificDetails": {"buildCommand": "b", "startCommand": "s"}},
    }  # fmt: skip
    made = sim.ok("POST", "/services", body)
    service = made["service"]
    assert re.fullmatch(r"srv-[0-9a-v]{20}", service["id"])
    assert sim.deploys(service)[0]["id"] == made["deployId"]
    assert service["slug"] == "shop"
    assert service["branch"] == "main"
    assert service["serviceDetails"]["url"] == "https://shop.onrender.com"
    assert service["serviceDetails"]["plan"] == "starter"
    assert service["serviceDetails"]["region"] == "oregon"
    assert "environmentId" not in service
    assert sim.read(service) == service


def test_workers_and_cron_jobs_get_a_suffix_and_no_address(sim: Simulator):
    worker, cron = sim.service("w", "background_worker"), sim.service("c", "cron_job")
    assert re.fullmatch(r"w-[a-z0-9]{4}", worker["slug"])
    assert re.fullmatch(r"c-[a-z0-9]{4}", cron["slug"])
    assert cron["id"].startswith("crn-")
    assert "url" not in worker["serviceDetails"]
    assert "openPorts" not in worker["serviceDetails"]
    assert "numInstances" not in cron["serviceDetails"]


def test_a_private_address_has_no_scheme(sim: Simulator):
    assert sim.service("db", "private_service")["serviceDetails"]["url"] == "db:10000"


def test_a_static_site_has_neither_plan_nor_region(sim: Simulator):
    details = sim.service("site", "static_site")["serviceDetails"]
    assert details.keys().isdisjoint({"plan", "region", "runtime", "numInstances"})
    assert details["publishPath"] == "public"


REFUSED = [
    ("type", {"type": "lambda"}, "type"),
    ("no name", {"name": ""}, "name"),
    ("no owner", {"ownerId": None}, "ownerId"),
    ("plan", {"serviceDetails": {"runtime": "image", "plan": "huge"}}, "plan"),
    ("region", {"serviceDetails": {"runtime": "image", "region": "mars"}}, "region"),
    ("runtime", {"serviceDetails": {}}, "runtime"),
    ("no repo", {"serviceDetails": {"runtime": "node"}}, "repo"),
    ("bad repo", {"repo": "acme", "serviceDetails": {"runtime": "node"}}, "invalid or unfetchable: acme"),
    ("no image", {"image": {}}, "imagePath"),
    ("twice a key", {"envVars": [{"key": "A", "value": "1"}, {"key": "A", "value": "2"}]}, "duplicate env var key: A"),
    ("no value", {"envVars": [{"key": "A"}]}, "value"),
    (
        "disk with two instances",
        {"serviceDetails": {"runtime": "image", "numInstances": 2, "disk": {"name": "d", "mountPath": "/d"}}}, "disk",
    ),
    (
        "free with a disk",
        {"serviceDetails": {"runtime": "image", "plan": "free", "disk": {"name": "d", "mountPath": "/d"}}}, "free",
    ),
    ("free worker", {"type": "background_worker", "serviceDetails": {"runtime": "image", "plan": "free"}}, "plan"),
    (
        "mount path",
        {"serviceDetails": {"runtime": "image", "disk": {"name": "d", "mountPath": "/etc"}}}, "mountPath",
    ),
    ("no schedule", {"type": "cron_job"}, "schedule"),
    ("bad schedule", {"type": "cron_job", "serviceDetails": {"runtime": "image", "schedule": "daily"}}, "schedule"),
    ("environment", {"environmentId": "evm-00000000000000000000"}, "not found: evm-00000000000000000000"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "word"), REFUSED, ids=[row[0] for row in REFUSED])
def test_bad_input_is_refused_and_nothing_made(sim: Simulator, name, change, word):
    body = {
        "type": "web_service", "name": "web", "ownerId": OWNER, "image": {"imagePath": "nginx"},
        "serviceDetails": {"runtime": "image"}, **change,
    }  # fmt: skip
    answer = sim.call("POST", "/services", body)
    assert answer.status_code in (400, 404)
    assert word in answer.json()["message"]
    assert sim.truth()["services"] == []


def test_a_name_is_taken_once_in_the_workspace(sim: Simulator):
    sim.service("web")
    body = {
        "type": "background_worker", "name": "web", "ownerId": OWNER, "image": {"imagePath": "nginx"},
        "serviceDetails": {"runtime": "image"},
    }  # fmt: skip
    assert "web" in sim.refused(409, "POST", "/services", body)
    sim.set(service_name_conflict_status=400)
    sim.refused(400, "POST", "/services", body)


def test_a_change_bumps_the_stamp_and_no_change_does_not(sim: Simulator):
    service = sim.service("web")
    sim.step(5)
    same = sim.ok("PATCH", f"/services/{service['id']}", {"name": "web", "image": {"imagePath": "nginx"}})
    assert same["updatedAt"] == service["updatedAt"]
    changed = sim.ok("PATCH", f"/services/{service['id']}", {"name": "shop", "serviceDetails": {"plan": "standard"}})
    assert at(changed["updatedAt"]) > at(service["updatedAt"])
    assert changed["name"] == "shop"
    assert changed["slug"] == "web"
    assert changed["serviceDetails"]["url"] == "https://web.onrender.com"
    assert changed["serviceDetails"]["region"] == "oregon"


def test_a_change_of_runtime_drops_what_the_other_had(sim: Simulator):
    body = {
        "type": "web_service", "name": "web", "ownerId": OWNER, "repo": "https://github.com/acme/web",
        "buildFilter": {"paths": ["src"], "ignoredPaths": []}, "serviceDetails": {"runtime": "node"},
    }  # fmt: skip
    service = sim.ok("POST", "/services", body)["service"]
    assert service["buildFilter"] == {"paths": ["src"], "ignoredPaths": []}
    path = f"/services/{service['id']}"
    docker = sim.ok("PATCH", path, {"serviceDetails": {"runtime": "docker"}})
    assert docker["serviceDetails"]["envSpecificDetails"]["dockerfilePath"] == "./Dockerfile"
    image = sim.ok("PATCH", path, {"image": {"imagePath": "redis"}, "serviceDetails": {"runtime": "image"}})
    assert image["imagePath"] == "docker.io/library/redis:latest"
    assert image.keys().isdisjoint({"repo", "branch", "buildFilter"})
    assert image["serviceDetails"]["env"] == image["serviceDetails"]["runtime"] == "image"


def test_a_build_filter_is_cleared_by_nulls(sim: Simulator):
    site = sim.service("site", "static_site", buildFilter={"paths": ["src"], "ignoredPaths": ["docs"]})
    changed = sim.ok("PATCH", f"/services/{site['id']}", {"buildFilter": {"paths": None, "ignoredPaths": None}})
    assert "buildFilter" not in changed


def test_a_pre_deploy_command_is_empty_once_cleared(sim: Simulator):
    service = sim.service("web", serviceDetails={"preDeployCommand": "x"})
    changed = sim.ok("PATCH", f"/services/{service['id']}", {"serviceDetails": {"preDeployCommand": ""}})
    assert changed["serviceDetails"]["envSpecificDetails"]["preDeployCommand"] == ""
    never = sim.service("other")
    changed = sim.ok("PATCH", f"/services/{never['id']}", {"serviceDetails": {"preDeployCommand": ""}})
    assert "preDeployCommand" not in changed["serviceDetails"]["envSpecificDetails"]


def test_what_is_deleted_is_gone_with_all_that_hung_on_it(sim: Simulator):
    service = sim.service("web", serviceDetails={"disk": {"name": "d", "mountPath": "/data", "sizeGB": 2}})
    sim.ok("POST", f"/services/{service['id']}/custom-domains", {"name": "a.example.com"})
    answer = sim.call("DELETE", f"/services/{service['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert sim.refused(404, "GET", f"/services/{service['id']}") == f"not found: {service['id']}"
    sim.refused(404, "DELETE", f"/services/{service['id']}")
    sim.refused(404, "GET", f"/disks/{service['serviceDetails']['disk']['id']}")
    again = sim.service("web")
    assert again["slug"] == "web"
    sim.ok("POST", f"/services/{again['id']}/custom-domains", {"name": "a.example.com"})
    sim.set(deleted_status=410)
    sim.refused(410, "GET", f"/services/{service['id']}")


def test_suspension_is_lifted_by_whoever_suspended(sim: Simulator):
    service = sim.service("web")
    sim.step(60)
    path = f"/services/{service['id']}"
    answer = sim.call("POST", f"{path}/suspend")
    assert (answer.status_code, answer.content) == (202, b"")
    assert sim.read(service)["suspenders"] == ["user"]
    sim.human("billing-suspend", "web")
    sim.ok("POST", f"{path}/resume")
    assert sim.read(service)["suspenders"] == ["billing"]
    assert sim.read(service)["suspended"] == "suspended"
    sim.human("billing-resume", "web")
    assert sim.read(service)["suspended"] == "not_suspended"
    assert sim.deploys(service)[0]["trigger"] == "service_resumed"


def test_scaling_is_immediate_and_ignored_under_autoscaling(sim: Simulator):
    service = sim.service("web")
    path = f"/services/{service['id']}"
    answer = sim.call("POST", f"{path}/scale", {"numInstances": 3})
    assert (answer.status_code, answer.content) == (202, b"")
    scaled = sim.read(service)
    assert scaled["serviceDetails"]["numInstances"] == 3
    assert at(scaled["updatedAt"]) > at(service["updatedAt"])
    wanted = {
        "enabled": True, "min": 2, "max": 5,
        "criteria": {"cpu": {"enabled": True, "percentage": 60}, "memory": {"enabled": False, "percentage": 70}},
    }  # fmt: skip
    assert sim.ok("PUT", f"{path}/autoscaling", wanted) == wanted
    assert sim.call("POST", f"{path}/scale", {"numInstances": 9}).status_code == 202
    after = sim.read(service)
    assert after["serviceDetails"]["numInstances"] == 3
    assert after["serviceDetails"]["autoscaling"] == wanted
    assert after["updatedAt"] == scaled["updatedAt"]
    sim.step(60)
    assert len(sim.ok("GET", f"{path}/instances")) == 2
    sim.human("scale", "web", instances=4)
    assert len(sim.ok("GET", f"{path}/instances")) == 4
    sim.ok("DELETE", f"{path}/autoscaling")
    assert "autoscaling" not in sim.read(service)["serviceDetails"]
    sim.refused(400, "POST", f"{path}/scale", {"numInstances": 0})


def test_lists_filter_by_name_type_owner_and_suspension(sim: Simulator):
    web, worker = sim.service("a"), sim.service("b", "background_worker")
    sim.ok("POST", f"/services/{worker['id']}/suspend")

    def names(**params):
        return [item["service"]["name"] for item in sim.ok("GET", "/services", **params)]

    assert names() == ["b", "a"]
    assert names(name="a") == ["a"]
    assert names(name="a,b", type="web_service,cron_job") == ["a"]
    assert names(suspended="suspended") == ["b"]
    assert names(ownerId="tea-dddddddddddddddddddd") == []
    assert names(env="image") == ["b", "a"]
    assert names(createdAfter=web["createdAt"]) == ["b"]
    assert names(createdBefore=worker["createdAt"]) == ["a"]


def test_pages_end_with_an_empty_one_and_survive_deletions(sim: Simulator):
    made = [sim.service(f"s{number}") for number in range(5)]
    first = sim.ok("GET", "/services", limit=2)
    assert [item["service"]["name"] for item in first] == ["s4", "s3"]
    assert len(first[0]["cursor"]) == 32
    sim.ok("DELETE", f"/services/{made[3]['id']}")
    second = sim.ok("GET", "/services", limit=2, cursor=first[-1]["cursor"])
    assert [item["service"]["name"] for item in second] == ["s2", "s1"]
    third = sim.ok("GET", "/services", limit=2, cursor=second[-1]["cursor"])
    assert [item["service"]["name"] for item in third] == ["s0"]
    assert sim.ok("GET", "/services", limit=2, cursor=third[-1]["cursor"]) == []
    sim.refused(400, "GET", "/services", limit=101)
    sim.refused(400, "GET", "/services", cursor="%%%")
