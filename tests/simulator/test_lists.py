"""Lists: filters, page lengths, cursors and what happens to them while things come and go."""

import base64
from typing import Any

import pytest

from tests.simulator.conftest import OWNER, Simulator

OTHER = "tea-dddddddddddddddddddd"
PG = {"ownerId": OWNER, "plan": "basic_256mb", "version": "16"}


def names(sim: Simulator, path: str, key: str, **params: Any) -> list[str]:
    """The names on a page, in their order."""
    return [item[key]["name"] for item in sim.ok("GET", path, **params)]


def pages(sim: Simulator, path: str, key: str, limit: int, **params: Any) -> list[list[str]]:
    """All pages to the empty one that ends a list."""
    found: list[list[str]] = []
    cursor = ""
    while True:
        page = sim.ok("GET", path, limit=limit, cursor=cursor, **params)
        found.append([item[key]["name"] for item in page])
        if not page:
            return found
        cursor = page[-1]["cursor"]


def test_services_are_filtered_by_everything_the_list_knows(sim: Simulator):
    sim.set(limits_enabled=False)
    sim.service("web", serviceDetails={"region": "ohio"})
    sim.step(1)
    early = sim.sim("GET", "/clock")["now"]
    sim.step(10)
    project = sim.ok("POST", "/projects", {"name": "p", "ownerId": OWNER, "environments": [{"name": "prod"}]})
    sim.service("cron", "cron_job", environmentId=project["environmentIds"][0])
    site = sim.service("site", "static_site")
    sim.service("foreign", ownerId=OTHER)
    sim.ok("POST", f"/services/{site['id']}/suspend")
    changed = sim.read(site)["updatedAt"]

    def found(**params: Any) -> set[str]:
        return set(names(sim, "/services", "service", **params))

    assert found() == {"web", "cron", "site", "foreign"}
    assert found(name="web,site") == found(name=["web", "site"]) == {"web", "site"}
    assert found(name="we") == found(name="WEB") == set()  # exact, not a part of it
    assert found(type="cron_job,static_site") == found(type=["cron_job", "static_site"]) == {"cron", "site"}
    assert found(env="image") == {"web", "cron", "foreign"}
    assert found(env="static") == {"site"}
    assert found(region="ohio") == {"web"}
    assert found(environmentId=project["environmentIds"][0]) == {"cron"}
    assert found(suspended="suspended") == {"site"}
    assert found(suspended="not_suspended") == {"web", "cron", "foreign"}
    assert found(suspended="suspended,not_suspended") == found()
    assert found(ownerId=OTHER) == {"foreign"}
    assert found(createdBefore=early) == {"web"}
    assert found(createdAfter=early) == {"cron", "site", "foreign"}
    assert found(updatedAfter=changed) == set()
    assert "site" not in found(updatedBefore=changed)
    assert found(name="web", type="cron_job") == set()
    assert "createdAfter" in sim.refused(400, "GET", "/services", createdAfter="yesterday")


def test_previews_are_listed_unless_left_out(sim: Simulator):
    service = sim.service("web")
    sim.ok("POST", f"/services/{service['id']}/preview", {"imagePath": "nginx:2", "name": "shown"})
    assert names(sim, "/services", "service") == ["shown", "web"]
    assert names(sim, "/services", "service", includePreviews="true") == ["shown", "web"]
    assert names(sim, "/services", "service", includePreviews="false") == ["web"]


def test_datastores_disks_and_the_rest_are_filtered(sim: Simulator):
    sim.set(limits_enabled=False)
    project = sim.ok("POST", "/projects", {"name": "p", "ownerId": OWNER, "environments": [{"name": "e1"}]})
    sim.ok("POST", "/environments", {"name": "e2", "projectId": project["id"]})
    inside = {"environmentId": project["environmentIds"][0]}
    one = sim.ok("POST", "/postgres", PG | {"name": "one", "readReplicas": [{"name": "copy"}], **inside})
    sim.ok("POST", "/postgres", PG | {"name": "two", "region": "frankfurt"})
    sim.ok("POST", f"/postgres/{one['id']}/suspend")
    assert names(sim, "/postgres", "postgres") == ["two", "copy", "one"]
    assert names(sim, "/postgres", "postgres", includeReplicas="false") == ["two", "one"]
    assert names(sim, "/postgres", "postgres", region="frankfurt") == ["two"]
    assert names(sim, "/postgres", "postgres", suspended="suspended") == ["one"]
    assert names(sim, "/postgres", "postgres", **inside) == ["copy", "one"]
    sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "free", **inside})
    for path, key in (("/key-value", "keyValue"), ("/redis", "redis")):
        assert names(sim, path, key, **inside) == names(sim, path, key, name="kv") == ["kv"]
        assert names(sim, path, key, region="ohio") == names(sim, path, key, ownerId=OTHER) == []
    assert "projectId" in sim.refused(400, "GET", "/environments")
    assert names(sim, "/environments", "environment", projectId=project["id"]) == ["e2", "e1"]
    only = {"projectId": project["id"], "environmentId": project["environmentIds"][0]}
    assert names(sim, "/environments", "environment", **only) == ["e1"]
    service = sim.service("web", serviceDetails={"disk": {"name": "d", "mountPath": "/data"}})
    disk = sim.ok("GET", "/disks")[0]["disk"]["id"]
    for params in ({"diskId": disk}, {"serviceId": service["id"]}, {"name": "d"}, {"ownerId": OWNER}):
        assert names(sim, "/disks", "disk", **params) == ["d"]
    assert names(sim, "/disks", "disk", serviceId="srv-x") == []


def test_parts_of_a_service_are_filtered(sim: Simulator):
    site = sim.service("site", "static_site")
    path = f"/services/{site['id']}"
    sim.ok(
        "PUT", f"{path}/headers", [{"path": "/*", "name": "A", "value": "1"}, {"path": "/x", "name": "B", "value": "1"}]
    )
    assert [item["header"]["name"] for item in sim.ok("GET", f"{path}/headers?path=/x")] == ["B"]
    assert len(sim.ok("GET", f"{path}/headers", value="1")) == 2
    sim.ok("PUT", f"{path}/routes", [
        {"type": "redirect", "source": "/a", "destination": "/b"},
        {"type": "rewrite", "source": "/c", "destination": "/d"},
    ])  # fmt: skip
    assert [item["route"]["priority"] for item in sim.ok("GET", f"{path}/routes")] == [0, 1]
    assert [item["route"]["source"] for item in sim.ok("GET", f"{path}/routes", type="rewrite")] == ["/c"]
    sim.ok("POST", f"{path}/custom-domains", {"name": "example.com"})
    sim.ok("POST", f"{path}/custom-domains", {"name": "a.example.org"})
    assert names(sim, f"{path}/custom-domains", "customDomain", domainType="apex") == ["example.com"]
    assert names(sim, f"{path}/custom-domains", "customDomain", name="a.example.org") == ["a.example.org"]
    assert names(sim, f"{path}/custom-domains", "customDomain", verificationStatus="verified") == []
    sim.step(200)
    live = sim.ok("GET", f"{path}/deploys", status="live")
    assert len(live) == 1 and live[0].keys() == {"deploy", "cursor"}
    assert sim.ok("GET", f"{path}/deploys", status="canceled,build_failed") == []
    ended = live[0]["deploy"]["finishedAt"]
    assert sim.ok("GET", f"{path}/deploys", finishedAfter=ended) == []
    assert len(sim.ok("GET", f"{path}/deploys", finishedBefore="2040-01-01T00:00:00Z")) == 1


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "many", "1e2"])
@pytest.mark.parametrize("path", ["/services", "/env-groups", "/projects", "/postgres", "/webhooks"])
def test_a_page_length_out_of_bounds_is_refused(sim: Simulator, path: str, limit: str):
    assert sim.refused(400, "GET", path, limit=limit) == "limit must be between 1 and 100"


def test_a_page_has_twenty_items_unless_asked_for_up_to_a_hundred(sim: Simulator):
    sim.set(limits_enabled=False)
    for number in range(101):
        sim.ok("POST", "/projects", {"name": f"p{number}", "ownerId": OWNER, "environments": [{"name": "e"}]})
    assert len(sim.ok("GET", "/projects")) == len(sim.ok("GET", "/projects", limit="")) == 20
    assert len(sim.ok("GET", "/projects", limit=100)) == 100
    whole = pages(sim, "/projects", "project", 50)
    assert [len(page) for page in whole] == [50, 50, 1, 0]
    assert [name for page in whole for name in page] == [
        f"p{number}" for number in range(100, -1, -1)
    ]  # newest first, each once


def test_a_full_last_page_is_followed_by_an_empty_one(sim: Simulator):
    for name in ("a", "b"):
        sim.service(name)
    assert pages(sim, "/services", "service", 2) == [["b", "a"], []]


def test_a_cursor_has_its_form_and_is_the_same_for_an_item(sim: Simulator):
    made = [sim.service(name) for name in ("a", "b")]
    page = sim.ok("GET", "/services")
    raw = [base64.urlsafe_b64decode(item["cursor"]) for item in page]
    assert {len(item["cursor"]) for item in page} == {32}
    assert raw[0][:8] == raw[1][:8]
    assert [one[8:].decode() for one in raw] == [made[1]["id"][-16:], made[0]["id"][-16:]]
    assert sim.ok("GET", "/services", limit=1)[0]["cursor"] == page[0]["cursor"]
    sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "free"})
    assert base64.urlsafe_b64decode(sim.ok("GET", "/key-value")[0]["cursor"])[:8] != raw[0][:8]
    assert "cursor" in sim.refused(400, "GET", "/services", cursor="not-a-cursor")


def test_pages_are_stable_while_things_come_and_go(sim: Simulator):
    made = {name: sim.service(name) for name in "abcde"}
    first = sim.ok("GET", "/services", limit=2)
    assert [item["service"]["name"] for item in first] == ["e", "d"]
    cursor = first[-1]["cursor"]
    sim.service("f")  # newer than the cursor: on no later page
    sim.ok("DELETE", f"/services/{made['d']['id']}")  # the cursor's own item
    sim.ok("DELETE", f"/services/{made['c']['id']}")
    assert names(sim, "/services", "service", limit=2, cursor=cursor) == ["b", "a"]
    assert names(sim, "/services", "service", limit=2, cursor=cursor, name="a,b,e,f") == ["b", "a"]


def test_pages_of_parts_are_stable_too(sim: Simulator):
    service = sim.service("web", envVars=[{"key": key, "value": "1"} for key in "ABCDE"])
    path = f"/services/{service['id']}/env-vars"
    page = sim.ok("GET", path, limit=2)
    assert [item["envVar"]["key"] for item in page] == ["E", "D"]
    sim.ok("DELETE", f"{path}/D")
    assert [item["envVar"]["key"] for item in sim.ok("GET", path, cursor=page[-1]["cursor"])] == ["C", "B", "A"]
    # A PUT of the list makes all rows anew: what comes behind an old one is nothing.
    sim.ok("PUT", path, [{"key": key, "value": "1"} for key in "ABC"])
    assert sim.ok("GET", path, cursor=page[-1]["cursor"]) == []


def test_what_never_was_is_404_and_what_was_may_be_410(sim: Simulator):
    service = sim.service("web")
    sim.set(deleted_status=410)
    sim.ok("DELETE", f"/services/{service['id']}")
    for method in ("GET", "DELETE"):
        assert sim.refused(410, method, f"/services/{service['id']}") == f"not found: {service['id']}"
    unknown = "srv-" + "0" * 20
    assert sim.refused(404, "GET", f"/services/{unknown}") == f"not found: {unknown}"


@pytest.mark.parametrize("path", [
    "/services/{}", "/postgres/{}", "/key-value/{}", "/redis/{}", "/env-groups/{}", "/projects/{}", "/environments/{}",
    "/disks/{}", "/registrycredentials/{}", "/webhooks/{}", "/events/{}", "/dedicated-ips/{}", "/maintenance/{}",
    "/blueprints/{}", "/services/{}/deploys", "/services/{}/env-vars", "/services/{}/events", "/services/{}/instances",
    "/postgres/{}/connection-info", "/key-value/{}/connection-info", "/notification-settings/overrides/services/{}",
    "/logs/streams/resource/{}", "/services/{}/custom-domains", "/services/{}/jobs", "/metrics-stream/{}",
])  # fmt: skip
def test_an_unknown_id_is_named_in_the_only_recorded_error_body(sim: Simulator, path: str):
    answer = sim.call("GET", path.format("x-unknown"))
    assert (answer.status_code, answer.json()) == (404, {"message": "not found: x-unknown"})


@pytest.mark.parametrize("path", [
    "/env-groups", "/registrycredentials", "/logs/streams/resource", "/maintenance", f"/dedicated-ips?ownerId={OWNER}",
])  # fmt: skip
def test_some_lists_are_bare(sim: Simulator, path: str):
    service = sim.service("web")
    sim.ok("POST", "/env-groups", {"name": "g", "ownerId": OWNER, "envVars": []})
    credential = {"registry": "DOCKER", "name": "r", "username": "u", "authToken": "t", "ownerId": OWNER}
    sim.ok("POST", "/registrycredentials", credential)
    sim.ok("PUT", f"/logs/streams/resource/{service['id']}", {"setting": "drop"})
    sim.ok("POST", "/dedicated-ips", {"name": "i", "ownerId": OWNER, "region": "oregon"})
    sim.human("maintenance", sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "starter"})["id"])
    found = sim.call("GET", path).json()
    assert len(found) == 1 and "cursor" not in found[0]
    assert "id" in found[0] or "resourceId" in found[0]
