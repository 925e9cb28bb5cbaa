"""The surprises of the Render API (section 10) and what a faithful simulator must do (section 11), one row each.

Lay the sheet beside it: an id is the section and the row. Where a row is also a row of a table of
normalisations, `test_normalisations` has it in full and this one only says that the surprise is there.
"""

import base64
import re
from typing import Any

import httpx
import pytest

from tests.simulator.conftest import OWNER, Simulator, at
from tests.simulator.rows import Check, Rows, limits, path_of
from tests.simulator.test_normalisations import ADDRESS, GROUP, KV, PG, PROJECT, REPO, SCALING, native

ROWS = Rows()
row = ROWS.row


def environment_of(sim: Simulator, name: str = "shop") -> str:
    return str(sim.ok("POST", "/projects", PROJECT | {"name": name})["environmentIds"][0])


# ---------------------------------------------------------------- 10: surprises


@row("10-01 no Blueprint can be created")
def _(sim: Simulator) -> None:
    assert sim.call("POST", "/blueprints", {"name": "b", "ownerId": OWNER, "repo": REPO}).status_code in (404, 405)
    assert sim.ok("GET", "/blueprints") == []


@row("10-02 Ratelimit-Reset is seconds left")
def _(sim: Simulator) -> None:
    sim.step(15)
    assert sim.call("GET", "/services").headers["Ratelimit-Reset"] == "44"


@row("10-03 other changes have 100 a minute")
def _(sim: Simulator) -> None:
    assert limits(sim.call("POST", "/projects", PROJECT)) == (100, 99)


@row("10-04 datastores count in 20 an hour")
def _(sim: Simulator) -> None:
    left = [
        limits(sim.call("POST", path, body)) for path, body in (("/postgres", PG), ("/key-value", KV), ("/redis", KV))
    ]
    assert left == [(20, 19), (20, 18), (20, 17)]


@row("10-05 all cron jobs share one bucket")
def _(sim: Simulator) -> None:
    crons = [sim.service(name, "cron_job") for name in ("a", "b", "c")]
    assert [limits(sim.call("PATCH", path_of(cron), {})) for cron in crons] == [(10, 9), (10, 8), (10, 7)]


@row("10-06 a deploy may be answered by 202 without body and id")
def _(sim: Simulator) -> None:
    queued = sim.call("POST", f"{path_of(sim.service('web'))}/deploys", {})
    assert (queued.status_code, queued.content, queued.headers["Content-Length"]) == (202, b"", "0")


@row("10-07 a PUT of variables neither deploys nor moves the stamp")
def _(sim: Simulator) -> None:
    web = sim.service("web")
    sim.step(600)
    before = sim.read(web)
    sim.ok("PUT", f"{path_of(web)}/env-vars", [{"key": "A", "value": "1"}])
    sim.step(600)
    assert sim.read(web) == before
    assert len(sim.deploys(web)) == 1


@row("10-08 a create always deploys")
def _(sim: Simulator) -> None:
    for kind in ("web_service", "cron_job", "static_site"):
        web = sim.service(kind.replace("_", "-"), kind, autoDeploy="no")
        assert [deploy["trigger"] for deploy in sim.deploys(web)] == ["api"]


@row("10-09 databaseName gets a suffix even when given")
def _(sim: Simulator) -> None:
    assert re.fullmatch(r"crm_[a-z0-9]{4}", sim.ok("POST", "/postgres", PG | {"databaseName": "crm"})["databaseName"])


@row("10-10 which empty lists are null and which are []")
def _(sim: Simulator) -> None:
    environment = sim.ok("GET", f"/environments/{environment_of(sim)}")
    database = sim.ok("POST", "/postgres", PG | {"ipAllowList": []})
    assert database["ipAllowList"] is None
    assert sim.ok("POST", "/key-value", KV | {"ipAllowList": []})["ipAllowList"] is None
    ids = ("databasesIds", "redisIds", "serviceIds", "envGroupIds")
    assert [environment[name] for name in ids] == [None] * 4
    assert (database["readReplicas"], database["suspenders"]) == ([], [])
    assert sim.ok("POST", "/env-groups", GROUP)["serviceLinks"] == []
    assert sim.service("web")["suspenders"] == []


@row("10-11 datastores name an owner, services and groups an ownerId")
def _(sim: Simulator) -> None:
    for made in (sim.ok("POST", "/postgres", PG), sim.ok("POST", "/key-value", KV)):
        assert made["owner"]["id"] == OWNER and "ownerId" not in made
    for made in (sim.service("web"), sim.ok("POST", "/env-groups", GROUP)):
        assert made["ownerId"] == OWNER and "owner" not in made


@row("10-12 preDeployCommand moves into envSpecificDetails")
def _(sim: Simulator) -> None:
    details = sim.service("web", serviceDetails={"preDeployCommand": "x"})["serviceDetails"]
    assert details["envSpecificDetails"]["preDeployCommand"] == "x"
    assert "preDeployCommand" not in details


@row("10-13 a private url has no scheme")
def _(sim: Simulator) -> None:
    assert sim.service("db", "private_service")["serviceDetails"]["url"] == "db:10000"


@row("10-14 slugs of workers and crons are suffixed; no slug follows a rename")
def _(sim: Simulator) -> None:
    for kind in ("background_worker", "cron_job", "web_service"):
        made = sim.service("thing", kind)
        assert made["slug"] == "thing" if kind == "web_service" else re.fullmatch("thing-[a-z0-9]{4}", made["slug"])
        assert sim.ok("PATCH", path_of(made), {"name": f"new-{kind}"})["slug"] == made["slug"]


@row("10-15 pullRequestPreviewsEnabled is derived")
def _(sim: Simulator) -> None:
    site = sim.service("site", "static_site", serviceDetails={"previews": {}, "pullRequestPreviewsEnabled": "yes"})
    assert site["serviceDetails"]["pullRequestPreviewsEnabled"] == "no"


@row("10-16 imagePath is canonicalised")
def _(sim: Simulator) -> None:
    assert sim.service("web")["imagePath"] == "docker.io/library/nginx:latest"


@row("10-17 what moves the stamps of datastores")
def _(sim: Simulator) -> None:
    database, cache = (
        path_of(sim.ok("POST", path, body), path) for path, body in (("/postgres", PG), ("/key-value", KV))
    )
    before = [sim.ok("GET", path)["updatedAt"] for path in (database, cache)]
    sim.step(5)
    assert at(sim.ok("PATCH", database, {"name": "main-db"})["updatedAt"]) > at(before[0])
    assert sim.ok("PATCH", cache, {"ipAllowList": ADDRESS})["updatedAt"] == before[1]


@row("10-18 environment resources: POST 201, the path of a DELETE is not checked")
def _(sim: Simulator) -> None:
    web, environment = sim.service("web"), environment_of(sim)
    body = {"resourceIds": [web["id"]]}
    assert sim.call("POST", f"/environments/{environment}/resources", body).status_code == 201
    assert sim.call("DELETE", f"/environments/{web['id']}/resources", resourceIds=web["id"]).status_code == 204
    assert "environmentId" not in sim.read(web)


@row("10-19 statuses of credentials, snapshots and single files")
def _(sim: Simulator) -> None:
    web = sim.service("web", serviceDetails={"disk": {"name": "d", "mountPath": "/d"}})
    credential = {"registry": "DOCKER", "name": "r", "username": "u", "authToken": "t", "ownerId": OWNER}
    assert sim.call("POST", "/registrycredentials", credential).status_code == 200
    assert sim.call("GET", f"/disks/{web['serviceDetails']['disk']['id']}/snapshots").status_code == 201
    assert sim.call("PUT", f"{path_of(web)}/secret-files/f", {"content": "1"}).status_code == 201


@row("10-20 POST of a domain answers an array")
def _(sim: Simulator) -> None:
    domains = f"{path_of(sim.service('web'))}/custom-domains"
    pair = sim.ok("POST", domains, {"name": "acme.com"})
    assert [(item["name"], item["redirectForName"]) for item in pair] == [
        ("acme.com", ""),
        ("www.acme.com", "acme.com"),
    ]
    assert [item["name"] for item in sim.ok("POST", domains, {"name": "crm.acme.com"})] == ["crm.acme.com"]


@row("10-21 headers and routes get new ids at every PUT")
def _(sim: Simulator) -> None:
    where = f"{path_of(sim.service('site', 'static_site'))}/headers"
    rules = [{"path": "/*", "name": "X", "value": "1"}]
    assert sim.ok("PUT", where, rules)[0]["id"] != sim.ok("PUT", where, rules)[0]["id"]


@row("10-22 a log-stream override is 404 when unset, a notification override never")
def _(sim: Simulator) -> None:
    web = sim.service("web")
    assert sim.refused(404, "GET", f"/logs/streams/resource/{web['id']}") == f"not found: {web['id']}"
    override = sim.ok("GET", f"/notification-settings/overrides/services/{web['id']}")
    assert override["notificationsToSend"] == "default"


@row("10-23 some lists are bare and have no cursor")
def _(sim: Simulator) -> None:
    web = sim.service("web")
    sim.ok("POST", "/env-groups", GROUP)
    sim.ok("PUT", f"/logs/streams/resource/{web['id']}", {"setting": "drop"})
    body = {"registry": "DOCKER", "name": "r", "username": "u", "authToken": "t", "ownerId": OWNER}
    sim.ok("POST", "/registrycredentials", body)
    for where, key in (("/env-groups", "id"), ("/registrycredentials", "id"), ("/logs/streams/resource", "resourceId")):
        [item] = sim.ok("GET", where)
        assert key in item and "cursor" not in item


@row("10-24 booleans of notifications are words")
def _(sim: Simulator) -> None:
    where = f"/notification-settings/overrides{path_of(sim.service('web'))}"
    assert sim.ok("PATCH", where, {"previewNotificationsEnabled": "true"})["previewNotificationsEnabled"] == "true"
    sim.refused(400, "PATCH", where, {"previewNotificationsEnabled": True})


@row("10-25 notifyOnFail becomes notify after an override, and stays so after an empty PATCH")
def _(sim: Simulator) -> None:
    # Only once something was set: 11 recordings PATCH {} first of all and keep `default` (backgroundworker/docker).
    web = sim.service("web")
    where = f"/notification-settings/overrides{path_of(web)}"
    assert web["notifyOnFail"] == "default"
    for body, shown in (({}, "default"), ({"notificationsToSend": "failure"}, "notify"), ({}, "notify")):
        sim.ok("PATCH", where, body)
        assert sim.read(web)["notifyOnFail"] == shown


@row("10-26 databasesIds, and redisIds for Key Values too")
def _(sim: Simulator) -> None:
    environment = environment_of(sim)
    cache = sim.ok("POST", "/key-value", KV | {"environmentId": environment})
    database = sim.ok("POST", "/postgres", PG | {"environmentId": environment})
    shown = sim.ok("GET", f"/environments/{environment}")
    assert (shown["databasesIds"], shown["redisIds"]) == ([database["id"]], [cache["id"]])


@row("10-27 numInstances is not the running count under autoscaling")
def _(sim: Simulator) -> None:
    web = sim.service("web")
    sim.ok("PUT", f"{path_of(web)}/autoscaling", SCALING)
    sim.step(600)
    sim.human("scale", "web", instances=2)
    assert sim.read(web)["serviceDetails"]["numInstances"] == 1
    assert len(sim.ok("GET", f"{path_of(web)}/instances")) == 2


@row("10-28 what a deploy shows by where it comes from")
def _(sim: Simulator) -> None:
    image, git = sim.service("image"), sim.service("git", **native())
    for made, has_image in ((image, True), (git, False)):
        [deploy] = sim.deploys(made)
        assert deploy.get("finishedAt") is None
        assert (deploy["commit"] is None, "image" in deploy) == (has_image, has_image)


@row("10-29 a deploy of an image cron is live in the 201 reply")
def _(sim: Simulator) -> None:
    answer = sim.call("POST", f"{path_of(sim.service('cron', 'cron_job'))}/deploys", {})
    assert (answer.status_code, answer.json()["status"]) == (201, "live")


@row("10-30 deactivated was live once")
def _(sim: Simulator) -> None:
    web = sim.service("web")
    sim.step(600)
    sim.ok("POST", f"{path_of(web)}/deploys", {})
    sim.step(600)
    assert [deploy["status"] for deploy in sim.deploys(web)] == ["live", "deactivated"]


@row("10-31 nanoseconds on create, microseconds on read")
def _(sim: Simulator) -> None:
    made = sim.ok("POST", "/postgres", PG)
    read = sim.ok("GET", path_of(made, "/postgres"))
    assert at(read["createdAt"]) % 1000 == 0 != at(made["createdAt"]) % 1000
    assert abs(at(read["createdAt"]) - at(made["createdAt"])) <= 500


@row("10-32 service names are unique in the workspace")
def _(sim: Simulator) -> None:
    first, second = environment_of(sim, "one"), environment_of(sim, "two")
    sim.service("web", environmentId=first)
    other = {"type": "cron_job", "name": "web", "ownerId": OWNER, "environmentId": second}
    other |= {"image": {"imagePath": "nginx"}, "serviceDetails": {"runtime": "image", "schedule": "0 0 * * *"}}
    assert "web" in sim.refused(409, "POST", "/services", other)


@row("10-33 cliCommand begins with a blank")
def _(sim: Simulator) -> None:
    cache = path_of(sim.ok("POST", "/key-value", KV), "/key-value")
    assert sim.ok("GET", f"{cache}/connection-info")["cliCommand"].startswith(" ")


@row("10-34 a Key Value has no suspended")
def _(sim: Simulator) -> None:
    cache = path_of(sim.ok("POST", "/key-value", KV), "/key-value")
    sim.ok("POST", f"{cache}/suspend")
    shown = sim.ok("GET", cache)
    assert shown["status"] == "suspended"
    assert shown.keys().isdisjoint({"suspended", "suspenders"})


@row("10-35 no labels, no ETags, no idempotency keys, no invoices")
def _(sim: Simulator) -> None:
    body = {"type": "static_site", "name": "a", "ownerId": OWNER, "repo": REPO, "labels": {"x": "y"}}
    answer = sim.http.post("/v1/services", json=body, headers={"Authorization": "Bearer k1", "Idempotency-Key": "once"})
    assert answer.status_code == 201
    assert "etag" not in answer.headers
    assert "labels" not in answer.json()["service"]
    again = {"Authorization": "Bearer k1", "Idempotency-Key": "once"}
    assert sim.http.post("/v1/services", json=body | {"name": "b"}, headers=again).json()["service"]["name"] == "b"
    for where in ("/invoices", f"/owners/{OWNER}/invoices", "/billing"):
        assert sim.call("GET", where).status_code == 404


# ---------------------------------------------------------------- 11: what a faithful simulator must do


@row("11-01 buckets: refusals count, a 429 says so in headers and body")
def _(sim: Simulator) -> None:
    sim.refused(404, "GET", "/services/srv-00000000000000000000")
    assert limits(sim.call("GET", "/services")) == (400, 398)
    sim.refused(400, "POST", "/services", {})
    sim.set(limit_create_per_hour=2)
    sim.service("web")
    answer = sim.call("POST", "/key-value", KV)
    assert (answer.status_code, answer.json().keys(), limits(answer)) == (429, {"message"}, (2, 0))
    assert "Retry-After" not in answer.headers
    sim.set(retry_after=True)
    assert "Retry-After" in sim.call("POST", "/key-value", KV).headers


@row("11-02 consistency: reads see writes, lists may lag")
def _(sim: Simulator) -> None:
    web = sim.service("web")
    sim.ok("PATCH", path_of(web), {"name": "shop"})
    assert sim.read(web)["name"] == "shop"
    assert len(sim.ok("GET", "/services")) == 1
    sim.fault("list_lag", path="/services$", lag_s=10)
    assert sim.ok("GET", "/services") == []


@row("11-03 POST service: 201, deployId, and a deploy that advances to live")
def _(sim: Simulator) -> None:
    body = {"type": "web_service", "name": "web", "ownerId": OWNER, **native(serviceDetails={"preDeployCommand": "x"})}
    made = sim.ok("POST", "/services", body)
    seen = []
    for _ in range(60):
        [deploy] = sim.deploys(made["service"])
        assert deploy["id"] == made["deployId"]
        seen.append(deploy["status"])
        sim.step(5)
    phases = ["build_in_progress", "pre_deploy_in_progress", "update_in_progress", "live"]
    assert list(dict.fromkeys(seen)) == phases


@row("11-04 deploy policy: wait keeps the newest queued one, override cancels the running one")
def _(sim: Simulator) -> None:
    for policy, statuses in (
        ("wait", ["queued", "canceled", "update_in_progress"]),
        ("override", ["update_in_progress", "canceled", "canceled"]),
    ):
        sim.set(deploy_overlap=policy)
        web = sim.service(policy)
        codes = [sim.call("POST", f"{path_of(web)}/deploys", {}).status_code for _ in range(2)]
        assert codes == [202, 202] if policy == "wait" else [201, 201]
        assert [deploy["status"] for deploy in sim.deploys(web)] == statuses


@row("11-05 deploy and env: a deploy takes variables and groups at its start")
def _(sim: Simulator) -> None:
    web, group = sim.service("web", envVars=[{"key": "OWN", "value": "1"}]), sim.ok("POST", "/env-groups", GROUP)
    sim.step(600)
    sim.ok("PUT", f"{path_of(web)}/env-vars", [{"key": "OWN", "value": "2"}, {"key": "B", "value": "own"}])
    sim.ok("POST", f"/env-groups/{group['id']}/services/{web['id']}")

    def running() -> Any:
        return sim.truth()["services"][0]["running"]["env"]

    sim.ok("POST", f"{path_of(web)}/restart")
    assert running() == {"OWN": "1"}
    sim.ok("POST", f"{path_of(web)}/deploys", {})
    sim.ok("PUT", f"{path_of(web)}/env-vars/OWN", {"value": "3"})
    assert running() == {"OWN": "1"}
    sim.step(600)
    assert running() == {"A": "1", "B": "own", "OWN": "2"}


@row("11-07 Postgres: unknown, creating, available; replicas; PATCH back to creating")
def _(sim: Simulator) -> None:
    made = sim.ok("POST", "/postgres", PG)
    where = path_of(made, "/postgres")
    assert (made["status"], sim.ok("GET", where)["status"]) == ("unknown", "creating")
    sim.step(30)
    assert sim.ok("GET", where)["status"] == "creating"
    sim.step(21)
    assert sim.ok("GET", where)["status"] == "available"
    assert sim.ok("PATCH", where, {"ipAllowList": ADDRESS})["status"] == "available"
    assert sim.ok("PATCH", where, {"parameterOverrides": {"work_mem": "1"}})["status"] == "available"
    grown = sim.ok("PATCH", where, {"plan": "pro_4gb", "enableHighAvailability": True, "readReplicas": [{"name": "r"}]})
    assert grown["status"] == "creating"
    assert grown["readReplicas"] == [{"id": made["id"][:-1] + "b", "name": "r"}]


@row("11-08 Key Value: unknown, creating, available after 20 s")
def _(sim: Simulator) -> None:
    made = sim.ok("POST", "/key-value", KV)
    where = path_of(made, "/key-value")
    assert (made["status"], sim.ok("GET", where)["status"]) == ("unknown", "creating")
    sim.step(19)
    assert sim.ok("GET", where)["status"] == "creating"
    sim.step(1)
    assert sim.ok("GET", where)["status"] == "available"


@row("11-09 deletes: 204, then 404 or 410")
def _(sim: Simulator) -> None:
    gone = [path_of(sim.service("web")), path_of(sim.ok("POST", "/postgres", PG), "/postgres"),
            path_of(sim.ok("POST", "/key-value", KV), "/key-value"),
            path_of(sim.ok("POST", "/env-groups", GROUP), "/env-groups"),
            path_of(sim.ok("POST", "/projects", PROJECT), "/projects")]  # fmt: skip
    for where in gone:
        answer = sim.call("DELETE", where)
        assert (answer.status_code, answer.content) == (204, b"")
        assert "content-type" not in answer.headers
    for status in (404, 410):
        sim.set(deleted_status=status)
        for where in gone:
            assert sim.refused(status, "GET", where) == f"not found: {where.rpartition('/')[2]}"
            sim.refused(status, "DELETE", where)


@row("11-10 environments: null lists, moves, 409 while something is inside")
def _(sim: Simulator) -> None:
    first, second = environment_of(sim, "one"), environment_of(sim, "two")
    web = sim.service("web", environmentId=first)
    sim.refused(409, "DELETE", f"/environments/{first}")
    sim.ok("POST", f"/environments/{second}/resources", {"resourceIds": [web["id"]]})
    assert sim.ok("GET", f"/environments/{first}")["serviceIds"] is None
    assert sim.ok("GET", f"/environments/{second}")["serviceIds"] == [web["id"]]
    assert sim.call("DELETE", f"/environments/{first}").status_code == 204


@row("11-12 ids: a prefix and twenty of 0-9a-v that sort by creation; cursors end in the id's last 16")
def _(sim: Simulator) -> None:
    made = [sim.service(name) for name in "abc"]
    assert all(re.fullmatch(r"srv-[0-9a-v]{20}", one["id"]) for one in made)
    assert sorted(one["id"] for one in made) == [one["id"] for one in made]
    for where, prefix in (("/postgres", "dpg"), ("/key-value", "red"), ("/env-groups", "evg"), ("/projects", "prj")):
        body = {"/postgres": PG, "/key-value": KV, "/env-groups": GROUP, "/projects": PROJECT}[where]
        assert re.fullmatch(prefix + r"-[0-9a-v]{20}(-a)?", sim.ok("POST", where, body)["id"])
    heads = set()
    for item in sim.ok("GET", "/services"):
        raw = base64.urlsafe_b64decode(item["cursor"])
        assert len(item["cursor"]) == 32
        assert raw[8:].decode() == item["service"]["id"][-16:]
        heads.add(raw[:8])
    assert len(heads) == 1


@row("11-13 order: newest first, routes by priority")
def _(sim: Simulator) -> None:
    site = path_of(sim.service("site", "static_site"))
    sim.ok("PUT", f"{site}/env-vars", [{"key": key, "value": ""} for key in "ab"])
    sim.ok("PUT", f"{site}/secret-files", [{"name": name, "content": ""} for name in "ab"])
    sim.ok("PUT", f"{site}/headers", [{"path": "/", "name": name, "value": "1"} for name in "ab"])
    sim.ok("PUT", f"{site}/routes", [{"type": "rewrite", "source": f"/{name}", "destination": "/"} for name in "ab"])
    for name in "ab":
        sim.ok("POST", f"{site}/custom-domains", {"name": f"{name}.example.com"})
    sim.service("later")

    def order(where: str, key: str, field: str) -> list[str]:
        return [item[key][field] for item in sim.ok("GET", where)]

    assert order(f"{site}/env-vars", "envVar", "key") == ["b", "a"]
    assert order(f"{site}/secret-files", "secretFile", "name") == ["b", "a"]
    assert order(f"{site}/headers", "header", "name") == ["b", "a"]
    assert order(f"{site}/custom-domains", "customDomain", "name") == ["b.example.com", "a.example.com"]
    assert order(f"{site}/routes", "route", "source") == ["/a", "/b"]
    assert order("/services", "service", "name") == ["later", "site"]


@pytest.mark.parametrize("check", ROWS.values(), ids=ROWS)
def test_row(sim: Simulator, check: Check):
    check(sim)


# ---------------------------------------------------------------- 11-11: errors to inject

BODY = {"type": "web_service", "name": "web", "ownerId": OWNER, "repo": REPO, "serviceDetails": {"runtime": "node"}}


@pytest.mark.parametrize(
    ("settings", "fault", "status", "exists"),
    [
        ({"unfetchable_repo": "acme"}, {}, 400, False),
        ({}, {"status": 401}, 401, False),
        ({"payment_missing": True}, {}, 402, False),
        ({}, {"status": 403, "message": "protected environment"}, 403, False),
        ({}, {"status": 409}, 409, False),
        ({}, {"status": 410}, 410, False),
        ({"limit_create_per_hour": 0}, {}, 429, False),
        ({}, {"status": 500}, 500, False),
        ({}, {"status": 503}, 503, False),
        ({}, {"status": 503, "after": True}, 503, True),
    ],
    ids=lambda value: f"11-11 {value}" if isinstance(value, int) and value > 1 else "",
)
def test_errors_to_inject(sim: Simulator, settings, fault, status, exists):
    sim.set(**settings)
    if fault:
        sim.fault("status", method="POST", path="/services$", count=1, **fault)
    message = sim.refused(status, "POST", "/services", BODY)
    assert message
    assert bool(sim.truth()["services"]) is exists
    if status == 400:
        assert message == f"invalid or unfetchable: {REPO}"


def test_a_lost_reply_a_slow_create_and_a_refusal_in_the_middle_of_a_batch(sim: Simulator):
    """11-11: lost reply after a successful create, slow create, 429 mid-batch."""
    sim.fault("timeout_after", method="POST", path="/services$", count=1, hold_s=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        sim.call("POST", "/services", BODY)
    assert [item["service"]["name"] for item in sim.ok("GET", "/services", name="web")] == ["web"]
    before = sim.sim("GET", "/clock")["epoch_s"]
    sim.fault("latency", method="POST", path="/services$", count=1, sim_latency_s=13)
    assert sim.call("POST", "/services", BODY | {"name": "slow"}).status_code == 201
    assert sim.sim("GET", "/clock")["epoch_s"] == before + 13
    sim.set(limit_create_per_hour=4)
    codes = [sim.call("POST", "/services", BODY | {"name": f"s{at}"}).status_code for at in range(4)]
    assert codes == [201, 201, 429, 429]


def test_failing_deploys_and_hands_from_outside(sim: Simulator):
    """11-11: deploy failure, out-of-band edits and deletes, the suspender `billing`."""
    sim.fault("deploy_failed", service="bad", count=1)
    bad, web = sim.service("bad"), sim.service("web")
    sim.step(600)
    assert sim.deploys(bad)[0]["status"] == "update_failed"
    sim.human("plan", "web", plan="standard")
    assert sim.read(web)["serviceDetails"]["plan"] == "standard"
    sim.human("billing-suspend", "web")
    sim.ok("POST", f"{path_of(web)}/resume")
    assert (sim.read(web)["suspended"], sim.read(web)["suspenders"]) == ("suspended", ["billing"])
    sim.human("delete", "web")
    sim.refused(404, "GET", path_of(web))
