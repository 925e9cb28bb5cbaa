"""Bad input: every enum and bound of the sheet is refused with a status and a message that names the field."""

from typing import Any

import pytest

from tests.simulator.conftest import OWNER, Simulator

REPO = "https://github.com/acme/app"
DISK = {"name": "d", "mountPath": "/data", "sizeGB": 1}


def web(**details: Any) -> dict[str, Any]:
    """The body of a web service with these serviceDetails."""
    image = {"imagePath": "nginx", "ownerId": ""}
    details = {"runtime": "image", **details}
    return {"type": "web_service", "name": "web", "ownerId": OWNER, "image": image, "serviceDetails": details}


def scaling(**more: Any) -> dict[str, Any]:
    """A setting of autoscaling."""
    criteria = {"cpu": {"enabled": True, "percentage": 60}, "memory": {"enabled": False, "percentage": 0}}
    return {"enabled": True, "min": 1, "max": 3, "criteria": criteria} | more


def target(percentage: object) -> dict[str, Any]:
    return scaling(criteria={"cpu": {"enabled": True, "percentage": percentage}})


CREATE: list[tuple[dict[str, Any], str]] = [
    ({"type": "lambda"}, "type"),
    ({"type": None}, "type is required"),
    ({"name": ""}, "name is required"),
    ({"name": 3}, "name must be a string"),
    ({"ownerId": None}, "ownerId is required"),
    ({"autoDeploy": "maybe"}, "autoDeploy"),
    ({"autoDeployTrigger": "always"}, "autoDeployTrigger"),
    ({"image": {}}, "imagePath is required"),
    ({"buildFilter": [], **web(runtime="node"), "repo": REPO}, "buildFilter"),
    ({**web(runtime="node")}, "repo is required"),
    ({**web(runtime="node"), "repo": "not an address"}, "invalid or unfetchable: not an address"),
    ({**web(runtime="node"), "repo": f"{REPO}/tree/main"}, "repo"),
    ({"envVars": [{"value": "1"}]}, "key is required"),
    ({"envVars": [{"key": "A"}]}, "value"),
    ({"envVars": "A=1"}, "envVars"),
    ({"secretFiles": [{"content": "x"}]}, "name is required"),
    ({"secretFiles": [{"name": "a", "content": "x" * 1_048_577}]}, "1 MB"),
    ({"serviceDetails": "text"}, "serviceDetails"),
    (web(runtime="cobol"), "runtime"),
    (web(runtime=None), "runtime is required"),
    (web(plan="tiny"), "plan"),
    (web(plan="12c-1g"), "plan"),
    (web(plan="pro_legacy"), "plan"),
    (web(region="mars"), "region"),
    (web(numInstances=0), "numInstances must be between 1 and 100"),
    (web(numInstances=101), "numInstances must be between 1 and 100"),
    (web(numInstances="2"), "numInstances must be an integer"),
    (web(maxShutdownDelaySeconds=0), "maxShutdownDelaySeconds must be between 1 and 300"),
    (web(maxShutdownDelaySeconds=301), "maxShutdownDelaySeconds must be between 1 and 300"),
    (web(previews={"generation": "often"}), "previews.generation"),
    (web(renderSubdomainPolicy="on"), "renderSubdomainPolicy"),
    (web(ipAllowList=[{"description": "x"}]), "cidrBlock is required"),
    (web(maintenanceMode={"enabled": "yes"}), "enabled must be a boolean"),
    (web(autoscaling=target(91)), "criteria.cpu.percentage must be between 1 and 90"),
    (web(autoscaling=target(0)), "criteria.cpu.percentage must be between 1 and 90"),
    (web(autoscaling=target(None)), "criteria.cpu.percentage is required"),
    (web(autoscaling=scaling(min=0)), "min must be between 1 and 100"),
    (web(autoscaling=scaling(max=101)), "max must be between 1 and 100"),
    (web(autoscaling=scaling(min=4)), "min must not be greater than max"),
    (web(autoscaling=scaling(criteria={})), "criteria"),
    (web(autoscaling=scaling(), plan="free"), "plan free"),
    (web(autoscaling=scaling(), disk=DISK), "numInstances"),
    (web(disk={"mountPath": "/data"}), "name is required"),
    (web(disk={"name": "d"}), "mountPath is required"),
    (web(disk=DISK | {"sizeGB": 0}), "sizeGB"),
    (web(disk=DISK, numInstances=2), "numInstances must be 1"),
    (web(disk=DISK, plan="free"), "plan free"),
    (web(plan="free", numInstances=2), "plan free"),
    *((web(disk=DISK | {"mountPath": path}), "mountPath") for path in (
        "/", "/opt", "/opt/render", "/opt/render/project", "/opt/render/project/src", "/home", "/home/render", "/etc",
        "/etc/secrets", "/etc/secrets/", "data",
    )),
]  # fmt: skip


@pytest.mark.parametrize(("change", "word"), CREATE)
def test_a_service_that_cannot_be_is_refused_by_field(sim: Simulator, change, word):
    assert word in sim.refused(400, "POST", "/services", web() | change)
    assert sim.truth()["services"] == sim.truth()["disks"] == sim.truth()["writes"] == []


@pytest.mark.parametrize(
    ("kind", "details", "word"),
    [
        ("cron_job", {}, "schedule is required"),
        *(("cron_job", {"schedule": text}, "schedule") for text in (
            "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *",
            "a b c d e", "@never", "* * * * * *",
        )),
        ("cron_job", {"schedule": "* * * * *", "plan": "12c-24g"}, "plan"),
        ("cron_job", {"schedule": "* * * * *", "disk": DISK}, "disk"),
        ("private_service", {"plan": "free"}, "plan"),
        ("background_worker", {"plan": "free"}, "plan"),
        ("cron_job", {"schedule": "* * * * *", "plan": "free"}, "plan"),
    ],
)  # fmt: skip
def test_kinds_have_rules_of_their_own(sim: Simulator, kind, details, word):
    body = web(**details) | {"type": kind}
    assert word in sim.refused(400, "POST", "/services", body)
    assert sim.truth()["services"] == []


@pytest.mark.parametrize("path", ["/opt/render/project/src/data", "/home/render/x", "/etc/app", "/data"])
def test_directories_below_forbidden_ones_are_fine(sim: Simulator, path):
    assert sim.service("web", serviceDetails={"disk": DISK | {"mountPath": path}})


@pytest.mark.parametrize("runtime", ["node", "python", "go", "ruby", "rust", "elixir", "docker", "image"])
@pytest.mark.parametrize("spelt", ["runtime", "env"])
def test_every_runtime_is_taken_by_either_name(sim: Simulator, runtime, spelt):
    source = {} if runtime == "image" else {"repo": REPO}
    body = web() | source | {"serviceDetails": {spelt: runtime}}
    made = sim.ok("POST", "/services", body)["service"]
    assert made["serviceDetails"]["runtime"] == made["serviceDetails"]["env"] == runtime


@pytest.mark.parametrize("region", ["oregon", "ohio", "virginia", "frankfurt", "singapore"])
def test_every_region_is_taken(sim: Simulator, region):
    assert sim.service("web", serviceDetails={"region": region})["serviceDetails"]["region"] == region
    body = {"name": "x", "ownerId": OWNER, "plan": "free", "region": region}
    assert sim.ok("POST", "/postgres", body | {"version": "18"})["region"] == region
    assert sim.ok("POST", "/key-value", body)["region"] == region


PATCH: list[tuple[dict[str, Any], str]] = [
    ({"serviceDetails": {"plan": "tiny"}}, "plan"),
    ({"serviceDetails": {"runtime": "cobol"}}, "runtime"),
    ({"serviceDetails": {"runtime": "node"}}, "repo is required"),
    ({"serviceDetails": {"maxShutdownDelaySeconds": 301}}, "maxShutdownDelaySeconds"),
    ({"serviceDetails": {"cache": {"profile": "all"}}}, "profile"),
    ({"serviceDetails": {"plan": "free"}}, "plan free"),
    ({"autoDeployTrigger": "x"}, "autoDeployTrigger"),
    ({"name": 1}, "name"),
]


@pytest.mark.parametrize(("change", "word"), PATCH)
def test_a_change_that_cannot_be_is_refused_and_changes_nothing(sim: Simulator, change, word):
    service = sim.service("web", serviceDetails={"numInstances": 2})
    before = sim.read(service)
    assert word in sim.refused(400, "PATCH", f"/services/{service['id']}", {"rootDir": "x"} | change)
    assert sim.read(service) == before


@pytest.mark.parametrize(
    ("method", "path", "body", "word"),
    [
        ("POST", "/scale", {}, "numInstances is required"),
        ("POST", "/scale", {"numInstances": 0}, "numInstances"),
        ("POST", "/scale", {"numInstances": 101}, "numInstances"),
        ("PUT", "/autoscaling", target(95), "percentage"),
        ("PUT", "/autoscaling", {"min": 1}, "max is required"),
        ("POST", "/deploys", {"clearCache": "yes"}, "clearCache"),
        ("POST", "/deploys", {"deployMode": "build"}, "deployMode"),
        ("POST", "/deploys", {"deployMode": "deploy_only", "commitId": "a"}, "deploy_only"),
        ("POST", "/deploys", {"imageUrl": "docker.io/library/redis:7"}, "imageUrl"),
        ("POST", "/rollback", {}, "deployId is required"),
        ("POST", "/jobs", {}, "startCommand is required"),
        ("POST", "/jobs", {"startCommand": "x", "planId": "plan-srv-999"}, "planId"),
        ("POST", "/custom-domains", {"name": "no domain"}, "name"),
        ("PUT", "/headers", [], "static sites"),
        ("PUT", "/routes", [], "static sites"),
        ("PUT", "/env-vars", [{"key": "A", "value": "1"}, {"key": "A", "value": "2"}], "duplicate"),
        ("PUT", "/env-vars", [{"key": "A", "value": 1}], "value"),
        ("PUT", "/env-vars/A", {}, "value"),
        ("PUT", "/secret-files/a", {"content": "x" * 1_048_577}, "1 MB"),
        ("POST", "/cache/purge", None, "cache"),
    ],
)
def test_calls_on_a_service_refuse_by_field(sim: Simulator, method, path, body, word):
    service = sim.service("web")
    sim.step(60)
    assert word in sim.refused(400, method, f"/services/{service['id']}{path}", body)


def test_scaling_needs_a_service_that_scales(sim: Simulator):
    for service in (sim.service("c", "cron_job"), sim.service("s", "static_site")):
        sim.refused(400, "POST", f"/services/{service['id']}/scale", {"numInstances": 2})
        sim.refused(400, "PUT", f"/services/{service['id']}/autoscaling", scaling())
    kept = sim.service("disk", serviceDetails={"disk": DISK})
    assert "disk" in sim.refused(400, "POST", f"/services/{kept['id']}/scale", {"numInstances": 2})
    assert "disk" in sim.refused(400, "PUT", f"/services/{kept['id']}/autoscaling", scaling())


PG = {"name": "db", "ownerId": OWNER, "plan": "pro_4gb", "version": "16"}
POSTGRES: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name is required"),
    ({"plan": "huge"}, "plan"),
    ({"plan": None}, "plan is required"),
    ({"version": "10"}, "version"),
    ({"version": "19"}, "version"),
    ({"version": 16}, "version"),
    ({"region": "mars"}, "region"),
    ({"diskSizeGB": 0}, "diskSizeGB"),
    ({"diskSizeGB": 7}, "diskSizeGB must be 1 or a multiple of 5"),
    ({"diskSizeGB": 16_385}, "diskSizeGB"),
    ({"plan": "free", "diskSizeGB": 5}, "diskSizeGB must be 1 on plan free"),
    ({"plan": "basic_1gb", "enableHighAvailability": True}, "enableHighAvailability"),
    ({"plan": "free", "enableHighAvailability": True}, "enableHighAvailability"),
    ({"version": "12", "enableHighAvailability": True}, "enableHighAvailability"),
    ({"enableHighAvailability": "yes"}, "enableHighAvailability must be a boolean"),
    ({"connectionPool": "yes"}, "connectionPool"),
    ({"readReplicas": [{"name": f"r{n}"} for n in range(6)]}, "readReplicas: at most 5"),
    ({"plan": "free", "readReplicas": [{"name": "r"}]}, "readReplicas"),
    ({"readReplicas": [{}]}, "name is required"),
    ({"parameterOverrides": {"work_mem": 1}}, "parameterOverrides"),
    ({"ipAllowList": [{"description": "x"}]}, "cidrBlock"),
]


@pytest.mark.parametrize(("change", "word"), POSTGRES)
def test_a_database_that_cannot_be_is_refused_by_field(sim: Simulator, change, word):
    assert word in sim.refused(400, "POST", "/postgres", PG | change)
    assert sim.truth()["postgres"] == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"plan": "huge"}, "plan"),
        ({"maxmemoryPolicy": "allkeys-lru"}, "maxmemoryPolicy"),
        ({"persistenceMode": "always"}, "persistenceMode"),
        ({"region": "mars"}, "region"),
        ({"ipAllowList": {}}, "ipAllowList"),
    ],
)
def test_a_cache_that_cannot_be_is_refused_by_field(sim: Simulator, change, word):
    body = {"name": "kv", "ownerId": OWNER, "plan": "standard"}
    for path in ("/key-value", "/redis"):
        assert word in sim.refused(400, "POST", path, body | change)
    made = sim.ok("POST", "/key-value", body)
    if "region" not in change:
        assert word in sim.refused(400, "PATCH", f"/key-value/{made['id']}", change)
    for smaller in ("starter", "256mb", "free"):
        assert "downgrade" in sim.refused(400, "PATCH", f"/key-value/{made['id']}", {"plan": smaller})


def test_projects_and_environments_refuse_by_field(sim: Simulator):
    project = {"name": "p", "ownerId": OWNER}
    assert "environments" in sim.refused(400, "POST", "/projects", project)
    assert "environments" in sim.refused(400, "POST", "/projects", project | {"environments": []})
    wrong = {"name": "e", "protectedStatus": "half"}
    assert "protectedStatus" in sim.refused(400, "POST", "/projects", project | {"environments": [wrong]})
    assert "name" in sim.refused(400, "POST", "/projects", project | {"environments": [{}]})
    assert sim.truth()["projects"] == sim.truth()["environments"] == []
    made = sim.ok("POST", "/projects", project | {"environments": [{"name": "e"}]})
    inside = made["environmentIds"][0]
    assert "projectId" in sim.refused(400, "POST", "/environments", {"name": "e"})
    assert "resourceIds" in sim.refused(400, "POST", f"/environments/{inside}/resources", {})
    sim.refused(404, "POST", f"/environments/{inside}/resources", {"resourceIds": ["srv-x"]})
    sim.service("web", environmentId=inside)
    assert inside in sim.refused(409, "DELETE", f"/environments/{inside}")
    assert made["id"] in sim.refused(409, "DELETE", f"/projects/{made['id']}")


def test_conflicts_are_409(sim: Simulator):
    one, two = sim.service("one"), sim.service("two")
    sim.ok("POST", f"/services/{one['id']}/custom-domains", {"name": "example.com"})
    for name in ("example.com", "www.example.com", "EXAMPLE.com"):
        assert "example.com" in sim.refused(409, "POST", f"/services/{two['id']}/custom-domains", {"name": name})
    assert "one" in sim.refused(409, "PATCH", f"/services/{two['id']}", {"name": "one"})
    sim.ok("POST", "/disks", {"serviceId": one["id"], **DISK})
    assert "disk" in sim.refused(400, "POST", "/disks", {"serviceId": one["id"], **DISK})


def test_a_taken_name_is_refused_for_services_only(sim: Simulator):
    sim.service("web")
    assert "web" in sim.refused(409, "POST", "/services", web())
    sim.set(service_name_conflict_status=400)
    assert "web" in sim.refused(400, "POST", "/services", web())
    sim.set(unique_service_names=False)
    sim.ok("POST", "/services", web())
    for _ in range(2):
        sim.ok("POST", "/postgres", PG)
        sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "free"})
        sim.ok("POST", "/env-groups", {"name": "g", "ownerId": OWNER, "envVars": []})
        sim.ok("POST", "/projects", {"name": "p", "ownerId": OWNER, "environments": [{"name": "e"}]})


def test_a_missing_card_is_402(sim: Simulator):
    made = sim.ok("POST", "/postgres", PG)
    sim.set(payment_missing=True)
    assert "card" in sim.refused(402, "POST", "/services", web(plan="free"))
    assert "card" in sim.refused(402, "PATCH", f"/postgres/{made['id']}", {"plan": "pro_8gb"})
    sim.ok("PATCH", f"/postgres/{made['id']}", {"name": "other"})
    sim.set(payment_missing=False)
    sim.ok("POST", "/services", web(plan="free"))


def test_a_recovery_is_not_smaller_than_what_it_recovers(sim: Simulator):
    made = sim.ok("POST", "/postgres", PG | {"plan": "pro_8gb"})
    sim.step(3_600)
    path = f"/postgres/{made['id']}/recovery"
    at = sim.ok("GET", path)["startsAt"]
    assert "plan" in sim.refused(400, "POST", path, {"restoreTime": at, "plan": "pro_4gb"})
    assert "plan" in sim.refused(400, "POST", path, {"restoreTime": at, "plan": "1c-4g"})
    assert "restoreTime" in sim.refused(400, "POST", path, {"restoreTime": "noon"})
    larger = sim.ok("POST", path, {"restoreTime": at, "plan": "pro_16gb", "restoreName": "copy"})
    assert (larger["name"], larger["plan"]) == ("copy", "pro_16gb")
