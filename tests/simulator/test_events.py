"""Events: which ones come of what, their details, and the list of a service."""

from typing import Any

import pytest

from tests.simulator.conftest import OWNER, Simulator, at

PG = {"name": "db", "ownerId": OWNER, "plan": "pro_4gb", "version": "16"}
USER = {"id": "usr-00000000000000000000", "email": "owner@example.com"}
GIT = {
    "type": "web_service", "name": "web", "ownerId": OWNER, "repo": "https://github.com/acme/shop", "branch": "main",
}  # fmt: skip


def git_service(sim: Simulator, name: str = "web", **body: Any) -> dict[str, Any]:
    details = {"runtime": "node", **body.pop("serviceDetails", {})}
    made: dict[str, Any] = sim.ok("POST", "/services", GIT | {"name": name, "serviceDetails": details} | body)[
        "service"
    ]
    return made


def told(sim: Simulator, thing: dict[str, Any], *types: str) -> list[tuple[str, Any]]:
    """Types and details of what happened to something in the last hour, oldest first."""
    path = "postgres" if thing["id"].startswith("dpg") else "key-value" if thing["id"].startswith("red") else "services"
    params = {"type": ",".join(types)} if types else {}
    found = sim.ok("GET", f"/{path}/{thing['id']}/events", limit=100, **params)
    return [(item["event"]["type"], item["event"]["details"]) for item in reversed(found)]


def details(sim: Simulator, thing: dict[str, Any], kind: str) -> Any:
    """The details of the one event of a type."""
    ((_, found),) = told(sim, thing, kind)
    return found


def test_a_deploy_tells_of_each_of_its_phases(sim: Simulator):
    service = git_service(sim, serviceDetails={"preDeployCommand": "migrate"})
    sim.step(300)
    assert [kind for kind, _ in told(sim, service)] == [
        "build_started", "deploy_started", "build_ended", "pre_deploy_started", "pre_deploy_ended",
        "server_available", "deploy_ended",
    ]  # fmt: skip
    deploy = sim.deploys(service)[0]["id"]
    started = details(sim, service, "deploy_started")
    assert started == {
        "deployId": deploy,
        "trigger": {
            "firstBuild": True, "envUpdated": False, "manual": True, "deployedByRender": False, "clearCache": False,
            "rollback": False, "user": USER,
        },
    }  # fmt: skip
    built = details(sim, service, "build_ended")
    assert (built["buildStatus"], built["status"], built["reason"]) == ("succeeded", 2, {})
    assert built["buildId"] == details(sim, service, "build_started")["buildId"]
    command = details(sim, service, "pre_deploy_ended")
    assert command.keys() == {"deployId", "deployCommandExecutionId", "preDeployStatus", "status", "reason"}
    assert details(sim, service, "deploy_ended") == {
        "deployId": deploy, "deployStatus": "succeeded", "status": 2, "reason": {},
    }  # fmt: skip


def test_later_deploys_say_that_they_are(sim: Simulator):
    service = git_service(sim)
    sim.step(200)
    first = sim.deploys(service)[0]["id"]
    sim.ok("POST", f"/services/{service['id']}/deploys", {"clearCache": "clear"})
    sim.step(200)
    sim.ok("POST", f"/services/{service['id']}/rollback", {"deployId": first})
    triggers = [item["trigger"] for _, item in told(sim, service, "deploy_started")]
    assert [item["firstBuild"] for item in triggers] == [True, False, False]
    assert triggers[1]["clearCache"] is True
    assert (triggers[2]["rollback"], triggers[2]["rollbackTargetDeployId"]) == (True, first)


@pytest.mark.parametrize(
    ("fault", "params", "status", "reason"),
    [
        ("build_failed", {}, "build_failed", {"evicted": False, "nonZeroExit": 1}),
        ("deploy_failed", {}, "update_failed", {"evicted": False, "nonZeroExit": 1}),
        (
            "deploy_stuck", {}, "update_failed",
            {"evicted": False, "timedOutSeconds": 900, "timedOutReason": "time limit reached"},
        ),
    ],
)  # fmt: skip
def test_a_failed_deploy_says_why(sim: Simulator, fault, params, status, reason):
    sim.fault(fault, count=1, **params)
    service = git_service(sim)
    sim.step(2_000)
    deploy = sim.deploys(service)[0]
    assert deploy["status"] == status
    ended = details(sim, service, "deploy_ended")
    assert (ended["deployStatus"], ended["status"], ended["reason"]["failure"]) == ("failed", 3, reason)
    built = details(sim, service, "build_ended")
    assert built["buildStatus"] == ("failed" if fault == "build_failed" else "succeeded")
    assert ("buildFailed" in ended["reason"]) == (fault == "build_failed")
    if fault == "build_failed":
        assert ended["reason"]["buildFailed"] == {"id": built["buildId"]}


def test_an_image_that_cannot_be_pulled_is_told(sim: Simulator):
    sim.fault("build_failed", count=1)
    service = sim.service("web")
    sim.step(100)
    assert details(sim, service, "image_pull_failed")["imageUrl"] == "docker.io/library/nginx:latest"
    assert sim.deploys(service)[0]["status"] == "update_failed"


def test_a_deploy_that_is_overtaken_names_the_next(sim: Simulator):
    sim.set(deploy_overlap="override")
    service = git_service(sim)
    after = sim.ok("POST", f"/services/{service['id']}/deploys", {})["id"]
    assert details(sim, service, "build_ended")["buildStatus"] == "canceled"
    ended = details(sim, service, "deploy_ended")
    assert (ended["deployStatus"], ended["reason"]) == ("canceled", {"newDeploy": {"id": after}})


def test_suspending_tells_who_did(sim: Simulator):
    service = sim.service("web")
    sim.ok("POST", f"/services/{service['id']}/suspend")
    sim.human("billing-suspend", "web")
    sim.ok("POST", f"/services/{service['id']}/resume")
    sim.human("billing-resume", "web")
    found = told(sim, service, "service_suspended", "service_resumed", "suspender_added", "suspender_removed")
    assert found == [
        ("service_suspended", {}),
        ("suspender_added", {"actor": "user", "suspendedByUser": USER}),
        ("suspender_added", {"actor": "billing"}),
        ("suspender_removed", {"actor": "user", "resumedByUser": USER}),
        ("suspender_removed", {"actor": "billing"}),
        ("service_resumed", {}),
    ]


SCALING = {
    "enabled": True, "min": 1, "max": 3,
    "criteria": {"cpu": {"enabled": True, "percentage": 60}, "memory": {"enabled": False, "percentage": 0}},
}  # fmt: skip


def test_changes_of_a_service_are_told(sim: Simulator):
    service = sim.service("web")
    path = f"/services/{service['id']}"
    sim.ok("PATCH", path, {"autoDeploy": "no"})
    sim.ok("PATCH", path, {"autoDeployTrigger": "checksPass"})
    sim.ok("PATCH", path, {"serviceDetails": {"plan": "standard"}})
    sim.ok("PATCH", path, {"serviceDetails": {"maintenanceMode": {"enabled": True, "uri": "https://a.example.com"}}})
    sim.ok("POST", f"{path}/scale", {"numInstances": 2})
    sim.ok("PUT", f"{path}/autoscaling", SCALING)
    sim.human("scale", "web", instances=3)
    sim.ok("DELETE", f"{path}/autoscaling")
    sim.ok("POST", f"{path}/restart")
    expected = [
        ("auto_deploy_disabled", {"reason": "service updated", "fromTrigger": "commit"}),
        ("auto_deploy_enabled", {"newTrigger": "checksPass"}),
        ("plan_changed", {"from": "starter", "to": "standard"}),
        ("maintenance_mode_enabled", {"enabled": True}),
        ("maintenance_mode_uri_updated", {"fromUri": "", "toUri": "https://a.example.com"}),
        ("instance_count_changed", {"fromInstances": 1, "toInstances": 2}),
        ("autoscaling_config_changed", {"toConfig": SCALING}),
        ("autoscaling_started", {"fromInstances": 1, "toInstances": 3}),
        ("autoscaling_ended", {"fromInstances": 1, "toInstances": 3}),
        ("autoscaling_config_changed", {"fromConfig": SCALING, "toConfig": SCALING | {"enabled": False}}),
        ("server_restarted", {"triggeredByUser": USER["email"]}),
    ]
    assert told(sim, service, *(kind for kind, _ in expected)) == expected


def test_changes_of_the_edge_cache_are_told_to_webhooks_and_not_listed(sim: Simulator):
    service = sim.service("web")
    path = f"/services/{service['id']}"
    sim.ok("PATCH", path, {"serviceDetails": {"cache": {"profile": "origin-controlled"}}})
    sim.ok("POST", f"{path}/cache/purge")
    sim.ok("PATCH", path, {"serviceDetails": {"cache": {"profile": "no-cache"}}})
    types = ["edge_cache_enabled", "edge_cache_purged", "edge_cache_disabled"]
    assert told(sim, service, *types) == []
    known = [event.id for event in sim.app.world.events.rows.values() if event.type in types]
    events = [sim.ok("GET", f"/events/{key}") for key in known]
    manual = {"trigger": {"manual": True, "system": False, "user": USER}}
    assert [(event["type"], event["details"]) for event in events] == [(kind, manual) for kind in types]


def test_nothing_tells_of_names_variables_creation_and_deletion(sim: Simulator):
    service = sim.service("web")
    sim.step(100)
    before = told(sim, service)
    path = f"/services/{service['id']}"
    sim.ok("PATCH", path, {"name": "shop"})
    sim.ok("PUT", f"{path}/env-vars", [{"key": "A", "value": "1"}])
    sim.ok("POST", f"{path}/custom-domains", {"name": "a.example.com"})
    assert told(sim, service) == before


def test_disks_are_told(sim: Simulator):
    service = sim.service("web")
    body = {"serviceId": service["id"], "name": "d", "mountPath": "/data", "sizeGB": 1}
    disk = sim.ok("POST", "/disks", body)["id"]
    sim.step(60)
    sim.ok("PATCH", f"/disks/{disk}", {"sizeGB": 3})
    sim.ok("DELETE", f"/disks/{disk}")
    assert told(sim, service, "disk_created", "disk_updated", "disk_deleted") == [
        ("disk_created", {"diskId": disk, "sizeGB": 1}),
        ("disk_updated", {"diskId": disk, "fromSizeGB": 1, "toSizeGB": 3}),
        ("disk_deleted", {"diskId": disk}),
    ]


def test_changes_of_a_database_are_told(sim: Simulator):
    made = sim.ok("POST", "/postgres", PG)
    path = f"/postgres/{made['id']}"
    sim.step(60)
    sim.ok("PATCH", path, {"plan": "pro_8gb", "enableHighAvailability": True, "diskSizeGB": 150})
    sim.step(60)
    sim.ok("PATCH", path, {"connectionPool": "pgbouncer", "enableDiskAutoscaling": True})
    sim.step(60)
    sim.ok("PATCH", path, {"readReplicas": [{"name": "r"}]})
    sim.ok("POST", f"{path}/restart")
    sim.ok("POST", f"{path}/failover")
    sim.ok("POST", f"{path}/suspend")
    sim.ok("POST", f"{path}/suspend")
    assert told(sim, made) == [
        ("postgres_created", {}),
        ("postgres_available", {}),
        ("plan_changed", {"from": "pro_4gb", "to": "pro_8gb"}),
        ("postgres_ha_status_changed", {"fromStatus": "disabled", "toStatus": "enabled"}),
        ("postgres_disk_size_changed", {"fromDiskSize": 100, "toDiskSize": 150}),
        ("postgres_available", {}),
        ("postgres_connection_pool_enabled_changed", {"enabled": True, "user": USER}),
        ("postgres_disk_autoscaling_enabled_changed", {"enabled": True}),
        ("postgres_read_replicas_changed", {"fromReplicas": 0, "toReplicas": 1}),
        ("postgres_restarted", {"user": USER}),
        ("postgres_cluster_leader_changed", {"leaderId": made["id"]}),
        ("service_suspended", {}),
    ]


def test_a_datadog_key_restarts_a_database(sim: Simulator):
    made = sim.ok("POST", "/postgres", PG)
    path = f"/postgres/{made['id']}"
    sim.step(60)
    assert "datadogAPIKey" not in sim.ok("PATCH", path, {"datadogAPIKey": "secret", "datadogSite": "US1"})
    assert sim.ok("GET", path)["status"] == "config_restart"
    sim.step(60)
    sim.ok("PATCH", path, {"datadogAPIKey": ""})
    assert sim.ok("GET", path)["status"] == "config_restart"
    sim.step(60)
    sim.ok("PATCH", path, {"datadogAPIKey": ""})
    assert sim.ok("GET", path)["status"] == "available"


def test_changes_of_a_cache_are_told(sim: Simulator):
    made = sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "starter"})
    sim.step(60)
    sim.ok("PATCH", f"/key-value/{made['id']}", {"maxmemoryPolicy": "noeviction"})
    sim.step(60)
    sim.ok("PATCH", f"/key-value/{made['id']}", {"plan": "standard"})
    assert [kind for kind, _ in told(sim, made)] == [
        "key_value_available", "key_value_config_restart", "key_value_available", "plan_changed",
    ]  # fmt: skip


def test_runs_are_told_in_their_own_words(sim: Simulator):
    cron = sim.service("nightly", "cron_job")
    run = sim.ok("POST", f"/cron-jobs/{cron['id']}/runs")["id"]
    sim.step(120)
    sim.human("crash", "nightly")
    sim.ok("POST", f"/cron-jobs/{cron['id']}/runs")
    sim.step(120)
    sim.ok("POST", f"/cron-jobs/{cron['id']}/runs")
    sim.ok("DELETE", f"/cron-jobs/{cron['id']}/runs")
    assert told(sim, cron, "cron_job_run_started")[0] == ("cron_job_run_started", {"cronJobRunId": run})
    ended = [item for _, item in told(sim, cron, "cron_job_run_ended")]
    assert [item["status"] for item in ended] == ["successful", "unsuccessful", "canceled"]
    assert ended[1]["reason"] == {"evicted": False, "nonZeroExit": 1}
    assert ended[2]["user"] == USER


def test_the_list_shows_the_last_hour_unless_asked_for_more(sim: Simulator):
    before = sim.sim("GET", "/clock")["now"]
    sim.step(1)
    service = sim.service("web")
    path = f"/services/{service['id']}/events"
    made = sim.sim("GET", "/clock")["now"]
    sim.step(3_500)
    newest = sim.ok("GET", path)
    assert newest and newest[0].keys() == {"event", "cursor"}
    assert newest[0]["event"].keys() == {"id", "timestamp", "serviceId", "type", "details"}
    stamps = [at(item["event"]["timestamp"]) for item in newest]
    assert stamps == sorted(stamps, reverse=True)
    sim.step(200)
    assert sim.ok("GET", path) == []
    assert len(sim.ok("GET", path, startTime=made)) == len(newest)
    assert sim.ok("GET", path, startTime="2020-01-01T00:00:00Z", endTime=before) == []
    assert sim.ok("GET", path, startTime=made, type="deploy_ended")[0]["event"]["type"] == "deploy_ended"


def test_a_push_deploys_what_deploys_by_itself(sim: Simulator):
    shop = git_service(sim, "shop")
    careful = git_service(sim, "careful", autoDeployTrigger="checksPass", repo=GIT["repo"] + ".git")
    off = git_service(sim, "off", autoDeployTrigger="off")
    docs = git_service(sim, "docs", buildFilter={"paths": ["docs/**"], "ignoredPaths": ["docs/**/*.txt"]})
    branch = git_service(sim, "branch", branch="dev")
    sim.step(200)
    sim.human("push", "shop", message="Fix it", paths=["src/app.js", "docs/a/b.txt"], checks=False)
    newest = {item["name"]: sim.deploys(item)[0] for item in (shop, careful, off, docs, branch)}
    assert {name: item["trigger"] for name, item in newest.items() if item["trigger"] == "new_commit"} == {
        "shop": "new_commit"
    }
    commit = newest["shop"]["commit"]
    assert (commit["message"], len(commit["id"])) == ("Fix it", 40)
    started = told(sim, shop, "deploy_started")[-1][1]["trigger"]
    assert (started["newCommit"], started["manual"]) == (commit["id"], False)
    ignored = details(sim, docs, "commit_ignored")
    assert ignored == {"id": commit["id"], "url": f"https://github.com/acme/shop/commit/{commit['id']}"}
    sim.step(200)
    sim.human("push", "shop", paths=["docs/a/b.md"])
    assert [sim.deploys(item)[0]["trigger"] for item in (shop, careful, off, docs, branch)] == [
        "new_commit", "new_commit", "api", "new_commit", "api",
    ]  # fmt: skip
    # Who does not deploy by itself gets the newest commit with its next deploy.
    sim.ok("POST", f"/services/{off['id']}/deploys", {})
    assert sim.deploys(off)[0]["commit"]["id"] == sim.deploys(shop)[0]["commit"]["id"] != commit["id"]
    assert sim.http.post("/_sim/human", json={"action": "push", "service": sim.service("i")["id"]}).status_code == 400


def test_a_deleted_branch_moves_its_services(sim: Simulator):
    service = git_service(sim, branch="dev")
    sim.human("branch-delete", "web")
    assert sim.read(service)["branch"] == "main"
    assert details(sim, service, "branch_deleted") == {"deletedBranch": "dev", "newBranch": "main"}


def test_a_person_may_save_and_deploy(sim: Simulator):
    service = sim.service("web")
    sim.step(100)
    sim.human("env-set", "web", key="A", value="1", deploy=True)
    assert sim.deploys(service)[0]["trigger"] == "service_updated"
    sim.human("suspend", "web")
    for body in ({"action": "suspend", "service": "web", "suspender": "nobody"},):
        assert sim.http.post("/_sim/human", json=body).status_code == 400


def test_maintenance_is_announced_moved_and_done(sim: Simulator):
    made = sim.ok("POST", "/postgres", PG)
    path = f"/postgres/{made['id']}"
    sim.step(60)
    sim.human("maintenance", "db", after_s=3_600)
    (run,) = sim.ok("GET", "/maintenance", resourceId=made["id"], state="scheduled", ownerId=OWNER)
    assert run.keys() == {"id", "resourceId", "type", "state", "scheduledAt", "pendingMaintenanceBy"}
    shown = sim.ok("GET", path)["maintenance"]
    assert shown == {name: value for name, value in run.items() if name != "resourceId"}
    assert "maintenance" not in sim.ok("GET", "/postgres")[0]["postgres"]
    late = "2040-01-01T00:00:00Z"
    assert "scheduledAt" in sim.refused(400, "PATCH", f"/maintenance/{run['id']}", {"scheduledAt": late})
    moved = sim.call("PATCH", f"/maintenance/{run['id']}", {"scheduledAt": shown["pendingMaintenanceBy"]})
    assert moved.status_code == 202
    sim.step(3_600)
    assert sim.ok("GET", path)["status"] == "available"
    assert sim.call("POST", f"/maintenance/{run['id']}/trigger").status_code == 202
    assert sim.ok("GET", path)["status"] == "maintenance_in_progress"
    sim.refused(400, "POST", f"/maintenance/{run['id']}/trigger")
    sim.step(300)
    assert sim.ok("GET", f"/maintenance/{run['id']}")["state"] == "succeeded"
    after = sim.ok("GET", path)
    assert after["status"] == "available" and "maintenance" not in after
    assert told(sim, made, "maintenance_started", "maintenance_ended") == [
        ("maintenance_started", {"trigger": {"manual": True, "startedByRender": False}}),
        ("maintenance_ended", {}),
    ]
