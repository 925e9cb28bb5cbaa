"""What is sent and what comes back: the tables of normalisations of the Render API, one row each, over plain HTTP.

Lay the sheet beside it: an id is the section, the row of its table, and what was sent. `came` is checked on the
answer of the last call and again on the next read, which must show the same.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.simulator.conftest import OWNER, Simulator, at

ABSENT = object()
REPO = "https://github.com/acme/app"
ADDRESS = [{"cidrBlock": "1.1.1.1/32", "description": "office"}]
NATIVE = {"runtime": "node"}
PG = {"name": "main-db", "ownerId": OWNER, "plan": "basic_256mb", "version": "16"}
KV = {"name": "cache", "ownerId": OWNER, "plan": "starter"}
GROUP = {"name": "group", "ownerId": OWNER, "envVars": [{"key": "A", "value": "1"}, {"key": "B", "value": "2"}]}
PROJECT = {"name": "shop", "ownerId": OWNER, "environments": [{"name": "prod"}]}
SUFFIXED = r"[a-z0-9]{4}"


@dataclass(frozen=True)
class Row:
    """One row: a create with these fields, perhaps a PATCH after it, and what must come back, by dotted path."""

    id: str
    came: dict[str, Any]
    sent: dict[str, Any] = field(default_factory=dict)
    kind: str = "web_service"
    then: dict[str, Any] | None = None


def native(**body: Any) -> dict[str, Any]:
    """A service from a repository instead of an image."""
    details = body.pop("serviceDetails", {})
    return {"image": None, "repo": REPO, "serviceDetails": {**NATIVE, **details}, **body}


def details(**fields: Any) -> dict[str, Any]:
    return {"serviceDetails": fields}


COMMANDS = "serviceDetails.envSpecificDetails"
PRE_DEPLOY = f"{COMMANDS}.preDeployCommand"
PREVIEWS, OLD_PREVIEWS = "serviceDetails.previews.generation", "serviceDetails.pullRequestPreviewsEnabled"
AUTOMATIC = {"generation": "automatic"}
FILTER = {"paths": ["src"], "ignoredPaths": []}
NO_FILTER = {"paths": None, "ignoredPaths": None}
NGINX = "docker.io/library/nginx:latest"

SERVICES = [
    Row(
        "3.4 a web service from nothing but its image",
        {"suspended": "not_suspended", "suspenders": [], "notifyOnFail": "default", "environmentId": ABSENT,
         "serviceDetails.plan": "starter", "serviceDetails.region": "oregon", "serviceDetails.numInstances": 1,
         "serviceDetails.openPorts": [{"port": 10000, "protocol": "TCP"}], "serviceDetails.env": "image",
         "serviceDetails.runtime": "image", "serviceDetails.autoscaling": ABSENT, "serviceDetails.disk": ABSENT,
         "serviceDetails.maxShutdownDelaySeconds": ABSENT, "repo": ABSENT, "branch": ABSENT},
    ),
    Row("3.5-01 imagePath nginx", {"imagePath": NGINX}, kind="background_worker"),
    Row(
        "3.5-01 imagePath nginx again", {"imagePath": NGINX, "updatedAt": "kept"},
        then={"image": {"imagePath": "nginx"}}, kind="background_worker",
    ),
    Row("3.5-01 imagePath of a user", {"imagePath": "docker.io/acme/shop:1"}, {"image": {"imagePath": "acme/shop:1"}}),
    Row(
        "3.5-01 imagePath of a registry", {"imagePath": "ghcr.io/acme/shop:latest"},
        {"image": {"imagePath": "ghcr.io/acme/shop"}},
    ),
    Row("3.5-02 image.ownerId empty", {"image": ABSENT, "ownerId": OWNER}),
    Row(
        "3.5-03 envSpecificDetails empty beside an image",
        {COMMANDS: {"dockerCommand": "", "dockerContext": "", "dockerfilePath": ""}}, details(envSpecificDetails={}),
    ),
    Row(
        "3.5-04 preDeployCommand", {PRE_DEPLOY: "x", "serviceDetails.preDeployCommand": ABSENT},
        details(preDeployCommand="x"),
    ),
    Row("3.5-04 preDeployCommand never set", {PRE_DEPLOY: ABSENT}),
    Row(
        "3.5-04 preDeployCommand cleared", {PRE_DEPLOY: ""}, details(preDeployCommand="x"),
        then=details(preDeployCommand=""),
    ),
    Row("3.5-05 previews empty", {PREVIEWS: "off"}, details(previews={}), kind="private_service"),
    Row("3.5-05 previews omitted", {PREVIEWS: "off"}, kind="private_service"),
    Row(
        "3.5-06 old previews no, previews automatic", {PREVIEWS: "automatic", OLD_PREVIEWS: "yes"},
        details(previews=AUTOMATIC, pullRequestPreviewsEnabled="no"), kind="static_site",
    ),
    Row(
        "3.5-06 old previews yes, previews manual", {PREVIEWS: "manual", OLD_PREVIEWS: "no"},
        details(previews={"generation": "manual"}, pullRequestPreviewsEnabled="yes"), kind="static_site",
    ),
    Row(
        "3.5-06 old previews yes, previews off", {PREVIEWS: "off", OLD_PREVIEWS: "no"},
        details(previews={"generation": "off"}, pullRequestPreviewsEnabled="yes"), kind="static_site",
    ),
    Row("3.5-07 autoDeploy no", {"autoDeploy": "no", "autoDeployTrigger": "off"}, {"autoDeploy": "no"}),
    Row(
        "3.5-07 autoDeployTrigger commit", {"autoDeploy": "yes", "autoDeployTrigger": "commit"},
        {"autoDeploy": "no"}, then={"autoDeployTrigger": "commit"},
    ),
    Row(
        "3.5-08 nothing about auto deploy, image", {"autoDeploy": "yes", "autoDeployTrigger": "commit"},
        kind="cron_job",
    ),
    Row(
        "3.5-09 buildFilter of nulls", {"buildFilter": ABSENT}, {"buildFilter": NO_FILTER}, kind="static_site",
    ),
    Row(
        "3.5-09 buildFilter cleared", {"buildFilter": ABSENT}, {"buildFilter": FILTER}, kind="static_site",
        then={"buildFilter": NO_FILTER},
    ),
    Row(
        "3.5-10 envVars null, secretFiles null", {"/env-vars": [], "/secret-files": [], "envVars": ABSENT},
        {"envVars": None, "secretFiles": None}, kind="private_service",
    ),
    Row(
        "3.5-11 headers [], routes null", {"/headers": [], "/routes": []}, details(headers=[], routes=None),
        kind="static_site",
    ),
    *(
        Row(f"3.5-12 rootDir empty, {kind}", {"rootDir": ""}, {"rootDir": ""}, kind=kind)
        for kind in ("web_service", "private_service", "background_worker", "cron_job", "static_site")
    ),
    Row(
        "3.5-13 runtime switched to image",
        {"repo": ABSENT, "branch": ABSENT, "buildFilter": ABSENT, "imagePath": NGINX, "serviceDetails.env": "image"},
        native(buildFilter=FILTER, branch="main"),
        then={"image": {"imagePath": "nginx"}, "serviceDetails": {"runtime": "image"}},
    ),
    Row(
        "3.5-14 name changed, static", {"name": "new", "slug": "thing", "serviceDetails.url": "https://thing.onrender.com"},
        kind="static_site", then={"name": "new"},
    ),
    Row(
        "3.5-14 name changed, private", {"name": "new", "slug": "thing", "serviceDetails.url": "thing:10000"},
        kind="private_service", then={"name": "new"},
    ),
    Row(
        "3.5-15 PATCH equal to the state", {"updatedAt": "kept"}, kind="private_service",
        then={"name": "thing", "rootDir": "", "autoDeploy": "yes", **details(plan="starter", previews={})},
    ),
    *(
        Row(f"3.5-slugs {kind}", {"slug": "thing"}, kind=kind)
        for kind in ("web_service", "private_service", "static_site")
    ),
    *(
        Row(f"3.5-slugs {kind}", {"slug": re.compile(f"thing-{SUFFIXED}"), "serviceDetails.url": ABSENT}, kind=kind)
        for kind in ("background_worker", "cron_job")
    ),
]  # fmt: skip

DATABASES = [
    Row("3.13.2-01 ownerId", {"owner.id": OWNER, "ownerId": ABSENT}),
    Row(
        "3.13.2-02 enableHighAvailability", {"highAvailabilityEnabled": True, "enableHighAvailability": ABSENT},
        {"plan": "pro_4gb", "enableHighAvailability": True},
    ),
    Row(
        "3.13.2-03 enableDiskAutoscaling", {"diskAutoscalingEnabled": True, "enableDiskAutoscaling": ABSENT},
        {"enableDiskAutoscaling": True},
    ),
    Row("3.13.3-01 databaseName", {"databaseName": re.compile(f"db_name_{SUFFIXED}")}, {"databaseName": "db_name"}),
    Row(
        "3.13.3-02 databaseName and databaseUser empty",
        {"databaseName": re.compile(f"main_db_{SUFFIXED}"), "databaseUser": re.compile(f"main_db_{SUFFIXED}_user")},
        {"databaseName": "", "databaseUser": ""},
    ),
    Row("3.13.3-03 databaseUser", {"databaseUser": "db_user"}, {"databaseUser": "db_user"}),
    Row("3.13.3-04 ipAllowList []", {"ipAllowList": None}, {"ipAllowList": []}),
    Row("3.13.3-04 ipAllowList emptied", {"ipAllowList": None}, {"ipAllowList": ADDRESS}, then={"ipAllowList": []}),
    Row("3.13.3-05 readReplicas null", {"readReplicas": []}, {"readReplicas": None}),
    Row("3.13.3-06 parameterOverrides {}", {"parameterOverrides": ABSENT}, {"parameterOverrides": {}}),
    Row(
        "3.13.3-06 parameterOverrides emptied", {"parameterOverrides": ABSENT},
        {"parameterOverrides": {"work_mem": "1"}}, then={"parameterOverrides": {}},
    ),
    Row("3.13.3-07 no environment", {"environmentId": ABSENT}),
    Row("3.13.3-08 PATCH equal to the state", {"updatedAt": "moved"}, then={"name": "main-db"}),
    Row("3.13.1 diskSizeGB omitted, basic", {"diskSizeGB": 15}),
    Row("3.13.1 diskSizeGB omitted, pro", {"diskSizeGB": 100}, {"plan": "pro_4gb"}),
    Row("3.13.1 diskSizeGB omitted, accelerated", {"diskSizeGB": 250}, {"plan": "accelerated_16gb"}),
    Row("8.1 a plan by its newer id", {"plan": "1c-4g", "diskSizeGB": 100}, {"plan": "1c-4g"}),
    Row("3.13.1 diskSizeGB omitted, free", {"diskSizeGB": 1, "expiresAt": re.compile(".*Z")}, {"plan": "free"}),
    Row("3.13.1 region omitted", {"region": "oregon"}),
]  # fmt: skip

KEY_VALUES = [
    Row("3.14-01 ipAllowList []", {"ipAllowList": None}, {"ipAllowList": []}),
    Row("3.14-02 no persistenceMode, paid", {"options.persistenceMode": "journal_snapshot"}),
    Row("3.14-02 no persistenceMode, free", {"options.persistenceMode": "off"}, {"plan": "free"}),
    Row(
        "3.14-03 free to paid without persistenceMode", {"options.persistenceMode": "journal_snapshot"},
        {"plan": "free"}, then={"plan": "starter"},
    ),
    Row(
        "3.14-04 maxmemoryPolicy", {"options.maxmemoryPolicy": "noeviction", "maxmemoryPolicy": ABSENT},
        {"maxmemoryPolicy": "noeviction"},
    ),
    Row("3.14-04 maxmemoryPolicy omitted", {"options.maxmemoryPolicy": "allkeys_lru"}),
    Row(
        "3.14-05 PATCH of ipAllowList alone", {"ipAllowList": ADDRESS, "updatedAt": "kept"},
        then={"ipAllowList": ADDRESS},
    ),
    Row("3.14 owner, version, no suspended", {"owner.id": OWNER, "ownerId": ABSENT, "version": "8.1.4",
                                              "suspended": ABSENT, "suspenders": ABSENT}),
]  # fmt: skip

GROUPS = [
    Row("3.15 ownerId", {"ownerId": OWNER, "owner": ABSENT, "environmentId": ABSENT}),
    Row("3.15 envVars newest first", {"envVars": [{"key": "B", "value": "2"}, {"key": "A", "value": "1"}]}),
    Row("3.15 no links", {"serviceLinks": []}),
    Row("3.15 PATCH name", {"name": "other", "updatedAt": "moved"}, then={"name": "other"}),
]

PROJECTS = [
    Row("3.16 environments come as ids", {"environmentIds": [re.compile("evm-[0-9a-v]{20}")], "environments": ABSENT,
                                          "owner.id": OWNER, "ownerId": ABSENT}),
    Row("3.16 PATCH equal to the state", {"updatedAt": "moved"}, then={"name": "shop"}),
]  # fmt: skip

TABLES = [
    *(("/services", row) for row in SERVICES),
    *(("/postgres", row) for row in DATABASES),
    *(("/key-value", row) for row in KEY_VALUES),
    *(("/env-groups", row) for row in GROUPS),
    *(("/projects", row) for row in PROJECTS),
]
BODIES = {"/postgres": PG, "/key-value": KV, "/env-groups": GROUP, "/projects": PROJECT}


def create(sim: Simulator, collection: str, row: Row) -> Any:
    if collection == "/services":
        return sim.service("thing", row.kind, **row.sent)
    return sim.ok("POST", collection, BODIES[collection] | row.sent)


def found_at(sim: Simulator, where: str, shown: Any, path: str) -> Any:
    """Find a field by its dotted path; a path with a slash is a list below the object."""
    if path.startswith("/"):
        return sim.ok("GET", f"{where}{path}")
    value = shown
    for step in path.split("."):
        value = value.get(step, ABSENT)
        if value is ABSENT:
            break
    return value


def alike(expected: Any, value: Any) -> bool:
    if isinstance(expected, re.Pattern):
        return isinstance(value, str) and expected.fullmatch(value) is not None
    if isinstance(expected, list) and isinstance(value, list) and len(expected) == len(value):
        return all(alike(one, other) for one, other in zip(expected, value, strict=True))
    return expected is value if expected is ABSENT else bool(expected == value)


@pytest.mark.parametrize(("collection", "row"), TABLES, ids=[row.id for _, row in TABLES])
def test_what_is_sent_comes_back_normalised(sim: Simulator, collection: str, row: Row):
    answered = create(sim, collection, row)
    where = f"{collection}/{answered['id']}"
    before = sim.ok("GET", where)
    if row.then is not None:
        sim.step(5)
        answered = sim.ok("PATCH", where, row.then)
    for shown in (answered, sim.ok("GET", where)):
        for path, expected in row.came.items():
            if path == "updatedAt":
                moved = at(shown["updatedAt"]) > at(before["updatedAt"])
                assert moved is (expected == "moved"), shown["updatedAt"]
                continue
            value = found_at(sim, where, shown, path)
            assert alike(expected, value), (path, value)


# ---------------------------------------------------------------- 3.6: what moves `updatedAt` of a service


def domain(sim: Simulator, where: str) -> None:
    sim.ok("POST", f"{where}/custom-domains", {"name": "a.example.com"})
    sim.ok("DELETE", f"{where}/custom-domains/a.example.com")


def disk(sim: Simulator, where: str) -> str:
    body = {"serviceId": where.rpartition("/")[2], "name": "d", "mountPath": "/data", "sizeGB": 1}
    return f"/disks/{sim.ok('POST', '/disks', body)['id']}"


def environment(sim: Simulator) -> str:
    return f"/environments/{sim.ok('POST', '/projects', PROJECT)['environmentIds'][0]}/resources"


SCALING = {"enabled": True, "min": 1, "max": 2, "criteria": {"cpu": {"enabled": True, "percentage": 60}}}
RULES = [{"path": "/*", "name": "X", "value": "1"}], [{"type": "rewrite", "source": "/*", "destination": "/i"}]
MOVES = [
    ("PATCH with a real change", True, None, lambda sim, s, _: sim.ok("PATCH", s, {"rootDir": "app"})),
    ("environment add", True, lambda sim, s: environment(sim),
     lambda sim, s, e: sim.ok("POST", e, {"resourceIds": [s.rpartition("/")[2]]})),
    ("environment remove", True,
     lambda sim, s: (e := environment(sim), sim.ok("POST", e, {"resourceIds": [s.rpartition("/")[2]]}))[0],
     lambda sim, s, e: sim.ok("DELETE", e, resourceIds=s.rpartition("/")[2])),
    ("POST scale", True, None, lambda sim, s, _: sim.ok("POST", f"{s}/scale", {"numInstances": 3})),
    ("POST disk", True, None, lambda sim, s, _: disk(sim, s)),
    ("DELETE disk", True, disk, lambda sim, s, d: sim.ok("DELETE", d)),
    ("PATCH equal to the state", False, None, lambda sim, s, _: sim.ok("PATCH", s, {"rootDir": ""})),
    ("PUT env-vars", False, None, lambda sim, s, _: sim.ok("PUT", f"{s}/env-vars", [{"key": "A", "value": "1"}])),
    ("PUT one env var", False, None, lambda sim, s, _: sim.ok("PUT", f"{s}/env-vars/A", {"value": "1"})),
    ("PUT secret-files", False, None,
     lambda sim, s, _: sim.ok("PUT", f"{s}/secret-files", [{"name": "f", "content": "1"}])),
    ("PUT autoscaling", False, None, lambda sim, s, _: sim.ok("PUT", f"{s}/autoscaling", SCALING)),
    ("DELETE autoscaling", False, lambda sim, s: sim.ok("PUT", f"{s}/autoscaling", SCALING),
     lambda sim, s, _: sim.ok("DELETE", f"{s}/autoscaling")),
    ("PATCH disk", False, disk, lambda sim, s, d: sim.ok("PATCH", d, {"sizeGB": 5})),
    ("custom domains", False, None, lambda sim, s, _: domain(sim, s)),
    ("notification override", False, None,
     lambda sim, s, _: sim.ok("PATCH", f"/notification-settings/overrides{s}", {"notificationsToSend": "all"})),
    ("log-stream override", False, None,
     lambda sim, s, _: sim.ok("PUT", f"/logs/streams/resource/{s.rpartition('/')[2]}", {"setting": "drop"})),
    ("queued deploy", False, None, lambda sim, s, _: sim.ok("POST", f"{s}/deploys", {})),
]  # fmt: skip


@pytest.mark.parametrize(
    ("moves", "before", "act"), [row[1:] for row in MOVES],
    ids=[f"3.6 {'moves' if row[1] else 'stays'}: {row[0]}" for row in MOVES],
)  # fmt: skip
def test_what_moves_the_stamp_of_a_service(sim: Simulator, moves, before, act):
    # As in the recordings: a deploy runs all the while, so nothing else starts or ends one.
    service = sim.service("thing")
    where = f"/services/{service['id']}"
    prepared = before(sim, where) if before else None
    stamp = sim.read(service)["updatedAt"]
    act(sim, where, prepared)
    assert (at(sim.read(service)["updatedAt"]) > at(stamp)) is moves


@pytest.mark.parametrize("part", ["headers", "routes"])
def test_rules_of_a_static_site_leave_its_stamp(sim: Simulator, part):
    """3.6 stays: headers and routes, and 3.11: new ids for equal content."""
    site = sim.service("site", "static_site")
    rules = dict(zip(("headers", "routes"), RULES, strict=True))[part]
    first, second = (sim.ok("PUT", f"/services/{site['id']}/{part}", rules) for _ in range(2))
    assert first[0]["id"] != second[0]["id"]
    assert {**first[0], "id": ""} == {**second[0], "id": ""}
    assert sim.read(site)["updatedAt"] == site["updatedAt"]


def test_a_deploy_moves_the_stamp_when_it_starts_and_when_it_goes_live(sim: Simulator):
    """3.6 moves: a deploy that starts (201) and again when it goes live."""
    service = sim.service("web")
    sim.step(600)
    live = sim.read(service)
    assert at(live["updatedAt"]) > at(service["updatedAt"])
    assert sim.call("POST", f"/services/{service['id']}/deploys", {}).status_code == 201
    started = sim.read(service)
    assert at(started["updatedAt"]) > at(live["updatedAt"])
    sim.step(600)
    assert at(sim.read(service)["updatedAt"]) > at(started["updatedAt"])


def test_a_deploy_of_an_image_cron_leaves_the_stamp(sim: Simulator):
    """3.6 stays: deploy of an image cron."""
    cron = sim.service("cron", "cron_job")
    sim.step(60)
    assert sim.ok("POST", f"/services/{cron['id']}/deploys", {})["status"] == "live"
    assert sim.read(cron)["updatedAt"] == cron["updatedAt"]


def test_polling_by_stamp_cannot_see_what_does_not_move_it(sim: Simulator):
    """3.6: `updatedAfter` misses drift of variables, and shows a service after every deploy."""
    service = sim.service("web")
    sim.step(600)
    stamp = sim.read(service)["updatedAt"]
    sim.step(60)
    sim.human("env-set", "web", key="A", value="drift")
    assert sim.ok("GET", "/services", updatedAfter=stamp) == []
    sim.ok("POST", f"/services/{service['id']}/deploys", {})
    assert len(sim.ok("GET", "/services", updatedAfter=stamp)) == 1


def test_variables_files_and_links_leave_the_stamp_of_a_group(sim: Simulator):
    """3.15: `updatedAt` moves with PATCH name, not with variable changes."""
    made = sim.ok("POST", "/env-groups", GROUP)
    where, web = f"/env-groups/{made['id']}", sim.service("web")
    before = sim.ok("GET", where)["updatedAt"]
    sim.step(5)
    sim.ok("PUT", f"{where}/env-vars/A", {"value": "3"})
    sim.ok("DELETE", f"{where}/env-vars/B")
    sim.ok("PUT", f"{where}/secret-files/f", {"content": "1"})
    sim.ok("POST", f"{where}/services/{web['id']}")
    assert sim.ok("GET", where)["updatedAt"] == before


# ---------------------------------------------------------------- 1.6: nanoseconds on create, microseconds on read

STAMPED = [
    ("/postgres", PG, 9), ("/key-value", KV, 9), ("/redis", KV, 9), ("/env-groups", GROUP, 9),
    ("/projects", PROJECT, 6),
    ("/dedicated-ips", {"name": "ips", "ownerId": OWNER, "region": "oregon"}, 9),
]  # fmt: skip


def digits(stamp: str) -> int:
    return len(stamp.partition(".")[2].rstrip("Z"))


@pytest.mark.parametrize(("collection", "body", "most"), STAMPED, ids=[f"1.6 {row[0]}" for row in STAMPED])
def test_a_create_answers_with_its_own_precision(sim: Simulator, collection, body, most):
    seen = []
    for number in range(3):  # zeros at the end are trimmed, so one stamp alone may be shorter
        made = sim.ok("POST", collection, body | {"name": f"n{number}"})
        read = sim.ok("GET", f"{collection}/{made['id']}")
        seen.append(digits(made["createdAt"]))
        assert digits(read["createdAt"]) <= 6
        assert abs(at(read["createdAt"]) - at(made["createdAt"])) <= 500
    assert max(seen) in ((7, 8, 9) if most == 9 else (4, 5, 6))


def test_services_disks_and_domains_have_theirs(sim: Simulator):
    """1.6: services and disks answer microseconds at once, domains nanoseconds first."""
    web = sim.service("web")
    made = sim.ok("POST", "/disks", {"serviceId": web["id"], "name": "d", "mountPath": "/d", "sizeGB": 1})
    for path, shown in ((f"/services/{web['id']}", sim.read(web)), (f"/disks/{made['id']}", made)):
        assert digits(shown["createdAt"]) <= 6
        assert sim.ok("GET", path)["createdAt"] == shown["createdAt"]
    domains = f"/services/{web['id']}/custom-domains"
    added = [sim.ok("POST", domains, {"name": f"{name}.example.com"})[0] for name in "abc"]
    assert max(digits(one["createdAt"]) for one in added) > 6
    assert all(digits(item["customDomain"]["createdAt"]) <= 6 for item in sim.ok("GET", domains))
