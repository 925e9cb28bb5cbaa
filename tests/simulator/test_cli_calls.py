"""The calls that Render's CLI sends for its commands, and what it relies on in the answers.

Written from what the CLI (August 2026) was seen to send to the simulator; `test_cli.py` runs the CLI itself.
"""

from typing import Any

import pytest

from tests.simulator.conftest import OWNER, Simulator

Json = dict[str, Any]
BOUNDARY = "0123456789abcdef"


def named(sim: Simulator, path: str, key: str, name: str) -> Json:
    """Find by its name what a command is about: exactly one hit, then a look at it by id."""
    (hit,) = sim.ok("GET", f"/{path}", name=name, ownerId=OWNER, limit=100)
    found: Json = sim.ok("GET", f"/{path}/{hit[key]['id']}")
    return found


def test_a_workspace_is_chosen_by_name_or_id(sim: Simulator):
    assert {"name", "email"} <= sim.ok("GET", "/users").keys()
    (only,) = sim.ok("GET", "/owners", limit=100)
    (hit,) = sim.ok("GET", "/owners", name=only["owner"]["name"], limit=100)
    assert sim.ok("GET", f"/owners/{hit['owner']['id']}") == only["owner"]
    assert sim.ok("GET", "/owners", name="nobody", limit=100) == []


def test_services_are_listed_with_datastores_and_the_projects_they_are_in(sim: Simulator):
    project = sim.ok("POST", "/projects", {"name": "p", "ownerId": OWNER, "environments": [{"name": "e"}]})
    (environment,) = project["environmentIds"]
    inside = sim.service("inside", environmentId=environment)
    sim.service("outside")
    listed = sim.ok("GET", "/services", ownerId=OWNER, includePreviews="false", limit=100)
    assert {item["service"]["name"] for item in listed} == {"inside", "outside"}
    only = sim.ok("GET", "/services", environmentId=environment, ownerId=OWNER, includePreviews="false", limit=100)
    assert [item["service"]["id"] for item in only] == [inside["id"]]
    assert sim.ok("GET", "/postgres", ownerId=OWNER, environmentId=environment, limit=100) == []
    assert sim.ok("GET", "/key-value", ownerId=OWNER, environmentId=environment) == []
    assert sim.ok("GET", "/projects", ownerId=OWNER, limit=100)[0]["project"]["environmentIds"] == [environment]
    assert sim.ok("GET", "/environments", projectId=project["id"], limit=100)[0]["environment"]["name"] == "e"


def test_a_list_goes_on_behind_its_last_cursor_until_a_page_is_short(sim: Simulator):
    sim.set(limit_create_per_hour=1_000)
    for index in range(101):
        sim.service(f"web-{index}")
    first = sim.ok("GET", "/services", ownerId=OWNER, includePreviews="false", limit=100)
    second = sim.ok("GET", "/services", ownerId=OWNER, includePreviews="false", limit=100, cursor=first[-1]["cursor"])
    assert (len(first), len(second)) == (100, 1)
    ids = {item["service"]["id"] for item in first + second}
    assert len(ids) == 101
    assert sim.ok("GET", "/services", ownerId=OWNER, limit=100, cursor=second[-1]["cursor"]) == []


def test_a_service_is_created_cloned_and_updated(sim: Simulator):
    details = {
        "runtime": "image", "plan": "starter", "region": "oregon", "numInstances": 2, "healthCheckPath": "/up",
        "preDeployCommand": "true", "maxShutdownDelaySeconds": 40, "previews": {"generation": "manual"},
        "maintenanceMode": {"enabled": True, "uri": "https://status.example.com"},
        "ipAllowList": [{"cidrBlock": "10.0.0.0/8", "description": "inside"}],
    }  # fmt: skip
    body = {
        "type": "web_service", "name": "web", "ownerId": OWNER, "image": {"imagePath": "nginx:1", "ownerId": ""},
        "envVars": [{"key": "B", "value": "2=3"}], "secretFiles": [{"name": "s", "content": "c"}],
        "serviceDetails": details,
    }  # fmt: skip
    sim.ok("POST", "/services", body)
    shown = named(sim, "services", "service", "web")
    # A clone takes what the original shows and sends it as a new service.
    copied = {key: shown["serviceDetails"][key] for key in details if key != "preDeployCommand"}
    copied["preDeployCommand"] = shown["serviceDetails"]["envSpecificDetails"]["preDeployCommand"]
    assert copied == details
    clone = {
        "type": shown["type"], "name": "clone", "ownerId": OWNER, "autoDeploy": shown["autoDeploy"],
        "image": {"imagePath": shown["imagePath"], "ownerId": ""}, "serviceDetails": copied,
    }  # fmt: skip
    made = sim.ok("POST", "/services", clone)["service"]
    assert {key: made["serviceDetails"][key] for key in details if key != "preDeployCommand"} == {
        key: value for key, value in details.items() if key != "preDeployCommand"
    }
    patch = {"name": "web-two", "image": {"imagePath": "nginx:2", "ownerId": ""}, "serviceDetails": {"plan": "pro"}}
    sim.ok("PATCH", f"/services/{shown['id']}", patch)
    changed = named(sim, "services", "service", "web-two")
    assert (changed["imagePath"], changed["serviceDetails"]["plan"]) == ("docker.io/library/nginx:2", "pro")
    assert "in use" in sim.refused(409, "POST", "/services", body | {"name": "clone"})
    assert sim.call("DELETE", f"/services/{shown['id']}").status_code == 204
    assert sim.ok("GET", "/services", name="web-two", ownerId=OWNER, limit=100) == []


def wait(sim: Simulator, service: Json, key: str) -> str:
    """Watch a deploy by its id, every five seconds, until it has ended."""
    for _ in range(100):
        status = str(sim.ok("GET", f"/services/{service['id']}/deploys/{key}")["status"])
        if status in ("live", "deactivated", "build_failed", "update_failed", "pre_deploy_failed", "canceled"):
            return status
        sim.step(5)
    raise AssertionError("the deploy did not end")


def test_a_deploy_is_waited_for_whether_it_starts_or_is_queued(sim: Simulator):
    service = sim.service("web")
    path = f"/services/{service['id']}/deploys"
    queued = sim.call("POST", path, {"clearCache": "do_not_clear"})
    assert (queued.status_code, queued.content) == (202, b"")
    (waiting,) = sim.ok("GET", path, status="queued", limit=1)
    assert wait(sim, service, waiting["deploy"]["id"]) == "live"
    started = sim.call("POST", path, {"clearCache": "clear", "imageUrl": "docker.io/library/nginx:3"})
    assert started.status_code == 201
    assert wait(sim, service, started.json()["id"]) == "live"
    listed = [item["deploy"] for item in sim.ok("GET", path, limit=20)]
    assert [item["status"] for item in listed] == ["live", "deactivated", "deactivated"]
    assert listed[0]["image"]["ref"] == "docker.io/library/nginx:3"


def test_a_failed_and_a_canceled_deploy_are_told_apart(sim: Simulator):
    service = sim.service("site", "static_site")
    sim.step(300)
    sim.fault("build_failed", service="site", count=1)
    path = f"/services/{service['id']}/deploys"
    made = sim.ok("POST", path, {"clearCache": "do_not_clear"})
    assert wait(sim, service, made["id"]) == "build_failed"
    made = sim.ok("POST", path, {"clearCache": "do_not_clear"})
    assert sim.ok("POST", f"{path}/{made['id']}/cancel")["status"] == "canceled"
    assert wait(sim, service, made["id"]) == "canceled"


def test_a_job_takes_an_empty_plan_as_that_of_its_service(sim: Simulator):
    service = sim.service("web", serviceDetails={"plan": "standard"})
    sim.step(60)
    path = f"/services/{service['id']}/jobs"
    made = sim.ok("POST", path, {"startCommand": "echo", "planId": ""})
    assert (made["status"], made["planId"]) == ("pending", "plan-srv-008")
    other = sim.ok("POST", path, {"startCommand": "echo", "planId": "plan-srv-006"})
    assert sim.ok("POST", f"{path}/{made['id']}/cancel")["status"] == "canceled"
    sim.step(120)
    listed = {item["job"]["id"]: item["job"]["status"] for item in sim.ok("GET", path, limit=20)}
    assert listed == {made["id"]: "canceled", other["id"]: "succeeded"}


def test_restarts_and_instances(sim: Simulator):
    service = sim.service("web", serviceDetails={"numInstances": 2})
    sim.step(60)
    path = f"/services/{service['id']}"
    assert len(sim.ok("GET", f"{path}/instances")) == 2
    assert sim.call("POST", f"{path}/restart").status_code == 200
    database = sim.ok("POST", "/postgres", {"name": "d", "ownerId": OWNER, "plan": "free", "version": "18"})
    sim.step(60)
    assert sim.call("POST", f"/postgres/{database['id']}/restart").status_code == 202


def test_logs_of_several_resources_forward_and_backward(sim: Simulator):
    first, second = sim.service("one"), sim.service("two")
    sim.step(60)
    wanted = {"ownerId": OWNER, "resource": [first["id"], second["id"]], "limit": 100}
    backward = sim.ok("GET", "/logs", direction="backward", **wanted)
    forward = sim.ok("GET", "/logs", direction="forward", **wanted)
    assert backward["logs"][::-1] == forward["logs"]
    assert backward["hasMore"] is False
    named_in = {label["value"] for line in forward["logs"] for label in line["labels"] if label["name"] == "resource"}
    assert named_in == {first["id"], second["id"]}


@pytest.mark.parametrize(
    ("path", "key", "body", "patch"),
    [
        ("postgres", "postgres", {"version": "18"}, {"plan": "basic_1gb", "enableDiskAutoscaling": True}),
        ("key-value", "keyValue", {"maxmemoryPolicy": "noeviction"}, {"plan": "starter", "persistenceMode": "off"}),
    ],
)
def test_a_datastore_is_found_by_name_shown_changed_suspended_and_deleted(
    sim: Simulator, path: str, key: str, body: Json, patch: Json
):
    allowed = {"ipAllowList": [{"cidrBlock": "203.0.113.5/32", "description": "office"}]}
    sim.ok("POST", f"/{path}", {"name": "data", "ownerId": OWNER, "plan": "free", **body, **allowed})
    found = named(sim, path, key, "data")
    one = f"/{path}/{found['id']}"
    info = sim.ok("GET", f"{one}/connection-info")
    assert {"internalConnectionString", "externalConnectionString"} <= info.keys()
    changed = sim.ok("PATCH", one, {"name": "renamed", "ipAllowList": [], **patch})
    assert (changed["name"], changed["plan"], changed["ipAllowList"]) == ("renamed", patch["plan"], None)
    sim.step(60)
    assert sim.call("POST", f"{one}/suspend").status_code == 202
    assert named(sim, path, key, "renamed")["status"] == "suspended"
    assert sim.call("POST", f"{one}/resume").status_code == 202
    sim.step(60)
    assert sim.ok("GET", one)["status"] == "available"
    assert sim.call("DELETE", one).status_code == 204
    assert sim.ok("GET", f"/{path}", name="renamed", ownerId=OWNER, limit=100) == []


def test_an_environment_is_found_by_its_name_within_a_project(sim: Simulator):
    environments = [{"name": "production"}, {"name": "staging"}]
    made = sim.ok("POST", "/projects", {"name": "shop", "ownerId": OWNER, "environments": environments})
    (project,) = sim.ok("GET", "/projects", name="shop", limit=100)
    (hit,) = sim.ok("GET", "/environments", name="staging", projectId=project["project"]["id"], limit=100)
    assert hit["environment"]["id"] == made["environmentIds"][1]
    body = {"name": "kv", "ownerId": OWNER, "plan": "free", "environmentId": hit["environment"]["id"]}
    sim.ok("POST", "/key-value", body)
    listed = sim.ok("GET", "/key-value", name="kv", ownerId=OWNER, environmentId=hit["environment"]["id"])
    assert [item["keyValue"]["environmentId"] for item in listed] == [hit["environment"]["id"]]


def validated(sim: Simulator, text: str) -> Json:
    """Send a Blueprint the way the CLI does: the workspace, then the file without a type of its own."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="ownerId"\r\n\r\n{OWNER}\r\n',
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="render.yaml"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n{text}\r\n--{BOUNDARY}--\r\n",
    ]
    answer = sim.http.post(
        "/v1/blueprints/validate",
        headers={"Authorization": "Bearer k", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
        content="".join(parts),
    )
    assert answer.status_code == 200
    shown: Json = answer.json()
    return shown


def test_a_blueprint_is_validated_to_the_names_of_what_it_would_make(sim: Simulator):
    text = """
services:
- {type: web, name: shop, runtime: node, plan: pro plus}
- {type: keyvalue, name: cache, plan: starter, ipAllowList: []}
databases:
- {name: main, plan: basic-256mb}
envVarGroups:
- {name: shared, envVars: [{key: A, value: '1'}]}
"""
    assert validated(sim, text) == {
        "valid": True,
        "plan": {
            "services": ["shop"], "keyValue": ["cache"], "databases": ["main"], "envGroups": ["shared"],
            "totalActions": 4,
        },
    }  # fmt: skip
    wrong = validated(sim, "services:\n- {type: web, name: shop, plan: gigantic}\n")
    assert wrong["valid"] is False
    assert wrong["errors"][0]["path"] == "services[0].plan"
