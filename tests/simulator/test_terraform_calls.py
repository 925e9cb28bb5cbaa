"""The calls that Render's Terraform provider sends over the life of each resource, and what it relies on.

Written from what the provider (July 2026) was seen to send to the simulator; `test_terraform.py` runs the provider
itself. The class below knows its habits: it looks a new service up by name, pages until a page is empty, sends every
PATCH and PUT whether or not something changed, and writes empty lists as null.
"""

import json
from typing import Any

import pytest

from tests.simulator.conftest import OWNER, Simulator, at

Json = dict[str, Any]
EVERYWHERE = [{"cidrBlock": "0.0.0.0/0", "description": "everywhere"}]
GIT = {"repo": "https://github.com/acme/shop", "branch": "main", "buildFilter": {"ignoredPaths": None, "paths": None}}
PREFIXES = {
    "web_service": "srv-", "private_service": "srv-", "background_worker": "srv-", "cron_job": "crn-",
    "static_site": "srv-",
}  # fmt: skip


class Provider:
    """Sends what the provider sends."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim

    def details(self, kind: str) -> Json:
        """The serviceDetails of the shortest configuration."""
        if kind == "static_site":
            given: Json = {"buildCommand": "true", "headers": [], "routes": None}
        else:
            given = {"runtime": "image", "plan": "starter", "region": "oregon", "envSpecificDetails": {}}
        if kind == "cron_job":
            return given | {"schedule": "0 0 * * *"}
        return given | {"previews": {}, "pullRequestPreviewsEnabled": "no"}

    def source(self, kind: str) -> Json:
        """Where the code comes from."""
        return dict(GIT) if kind == "static_site" else {"image": {"imagePath": "nginx", "ownerId": ""}}

    def create(self, kind: str, name: str, **more: Any) -> Json:
        """Create a service with its overrides, then look it up by name as the provider does."""
        details = self.details(kind) | more.pop("serviceDetails", {})
        body = {
            "type": kind, "name": name, "ownerId": OWNER, "rootDir": "", "envVars": None, "secretFiles": None,
            "serviceDetails": details, **self.source(kind), **more,
        }  # fmt: skip
        made = self.sim.ok("POST", "/services", body)["service"]
        self.sim.ok("PATCH", f"/notification-settings/overrides/services/{made['id']}", {})
        return self.found(kind, name)

    def found(self, kind: str, name: str) -> Json:
        """Look a service up; anything but one hit is an error."""
        hits = self.sim.ok("GET", "/services", name=name, ownerId=OWNER, type=kind)
        assert len(hits) == 1
        return self.read(hits[0]["service"])

    def read(self, service: Json) -> Json:
        """Read all that hangs on a service."""
        path = f"/services/{service['id']}"
        read = {
            "service": self.sim.ok("GET", path),
            "variables": {item["key"]: item["value"] for item in self.pages(f"{path}/env-vars", "envVar")},
            "files": {item["name"]: item["content"] for item in self.pages(f"{path}/secret-files", "secretFile")},
            "notifications": self.sim.ok("GET", f"/notification-settings/overrides/services/{service['id']}"),
            "log_stream": self.log_stream(service["id"]),
        }
        if service["type"] in ("web_service", "static_site"):
            listed = self.sim.ok("GET", f"{path}/custom-domains", limit=100)
            read["domains"] = [item["customDomain"] for item in listed]
        if service["type"] == "static_site":
            read["routes"] = [item["route"] for item in self.sim.ok("GET", f"{path}/routes", cursor="", limit=100)]
            read["headers"] = [item["header"] for item in self.sim.ok("GET", f"{path}/headers", limit=100)]
        return read

    def pages(self, path: str, key: str) -> list[Json]:
        """Read a list until a page is empty; no limit is sent."""
        found: list[Json] = []
        page = self.sim.ok("GET", path)
        while page:
            found += [item[key] for item in page]
            page = self.sim.ok("GET", path, cursor=page[-1]["cursor"])
        return found

    def log_stream(self, resource: str) -> Json | None:
        """Read a log stream override; 404 means that there is none."""
        answer = self.sim.call("GET", f"/logs/streams/resource/{resource}")
        assert answer.status_code in (200, 404)
        return answer.json() if answer.status_code == 200 else None

    def put(self, path: str, rows: list[Json] | None) -> None:
        """Replace a list; none at all is sent as the JSON word null."""
        headers = {"Authorization": "Bearer k1", "Content-Type": "application/json"}
        answer = self.sim.http.put(f"/v1{path}", content=json.dumps(rows), headers=headers)
        assert answer.status_code == 200
        assert len(answer.json()) == len(rows or [])

    def update(
        self, service: Json, body: Json, variables: list[Json] | None = None, files: list[Json] | None = None
    ) -> Json:
        """Change a service: PATCH, both PUTs, the override, domains, a deploy."""
        path = f"/services/{service['id']}"
        self.sim.ok("PATCH", path, body)
        self.put(f"{path}/env-vars", variables)
        self.put(f"{path}/secret-files", files)
        self.sim.ok("PATCH", f"/notification-settings/overrides/services/{service['id']}", {})
        assert self.sim.call("POST", f"{path}/deploys", {}).status_code in (201, 202)
        return self.read(service)

    def move(self, resource: str, target: str) -> None:
        """Move a resource from one environment into another: the way out names the resource itself in the path."""
        out = self.sim.call("DELETE", f"/environments/{resource}/resources", resourceIds=resource)
        assert out.status_code == 204
        self.sim.ok("POST", f"/environments/{target}/resources", {"resourceIds": [resource]})


@pytest.fixture
def provider(sim: Simulator) -> Provider:
    """The provider's habits on an empty world."""
    return Provider(sim)


def project(sim: Simulator, *names: str) -> list[str]:
    """Create a project; the ids of its environments."""
    environments = [
        {"name": name, "networkIsolationEnabled": False, "protectedStatus": "unprotected"} for name in names
    ]
    made = sim.ok("POST", "/projects", {"name": "shop", "ownerId": OWNER, "environments": environments})
    return list(made["environmentIds"])


# What the provider relies on


def test_an_exact_name_finds_one_service_among_similar_ones_of_other_kinds(provider: Provider):
    provider.create("web_service", "shop")
    provider.create("web_service", "shop-two")
    provider.create("background_worker", "worker-shop")
    assert provider.found("web_service", "shop")["service"]["name"] == "shop"
    sim = provider.sim
    assert sim.ok("GET", "/services", name="sho", ownerId=OWNER, type="web_service") == []
    assert sim.ok("GET", "/services", name="shop", ownerId=OWNER, type="background_worker") == []
    assert sim.ok("GET", "/services", name="shop", ownerId="tea-" + "0" * 20, type="web_service") == []


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 45])
def test_after_the_last_cursor_comes_an_empty_page(provider: Provider, count: int):
    given = [{"key": f"KEY_{index}", "value": str(index)} for index in range(count)]
    made = provider.create("web_service", "shop", envVars=given)
    assert made["variables"] == {item["key"]: item["value"] for item in given}
    path = f"/services/{made['service']['id']}/env-vars"
    if count:
        last = provider.sim.ok("PUT", path, given)[0]["cursor"]  # of the oldest row, which a list shows last
        assert provider.sim.ok("GET", path, cursor=last) == []


def test_secret_files_page_like_variables(provider: Provider):
    files = [{"name": f"file-{index}", "content": str(index)} for index in range(21)]
    made = provider.create("cron_job", "cron", secretFiles=files)
    assert made["files"] == {item["name"]: item["content"] for item in files}


@pytest.mark.parametrize("kind", PREFIXES)
def test_a_log_stream_override_is_404_until_set_and_after_its_delete(provider: Provider, kind: str):
    made = provider.create(kind, "shop")
    key = made["service"]["id"]
    assert key.startswith(PREFIXES[kind])
    assert made["log_stream"] is None
    path = f"/logs/streams/resource/{key}"
    given = {"setting": "send", "endpoint": "logs.example.com:6514", "token": "t"}
    shown = {"resourceId": key, "endpoint": "logs.example.com:6514", "setting": "send"}
    assert provider.sim.ok("PUT", path, given) == shown
    assert provider.sim.ok("PUT", path, {"setting": "drop"}) == {"resourceId": key, "endpoint": "", "setting": "drop"}
    assert provider.log_stream(key) == {"resourceId": key, "endpoint": "", "setting": "drop"}
    assert provider.sim.call("DELETE", path).status_code == 204
    assert provider.log_stream(key) is None


def test_log_stream_overrides_of_datastores_and_replicas_are_404_until_set(provider: Provider):
    sim = provider.sim
    database = sim.ok(
        "POST",
        "/postgres",
        {"name": "db", "ownerId": OWNER, "plan": "basic_256mb", "version": "17", "readReplicas": [{"name": "r"}]},
    )
    cache = sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "free"})
    for key in (database["id"], database["readReplicas"][0]["id"], cache["id"]):
        assert provider.log_stream(key) is None
        assert sim.ok("PUT", f"/logs/streams/resource/{key}", {"setting": "drop"})["resourceId"] == key
        assert provider.log_stream(key) == {"resourceId": key, "endpoint": "", "setting": "drop"}


@pytest.mark.parametrize("kind", PREFIXES)
def test_a_notification_override_is_always_there(provider: Provider, kind: str):
    made = provider.create(kind, "shop")
    key = made["service"]["id"]
    untouched = {"serviceId": key, "notificationsToSend": "default", "previewNotificationsEnabled": "default"}
    assert made["notifications"] == untouched
    path = f"/notification-settings/overrides/services/{key}"
    changed = provider.sim.ok("PATCH", path, {"notificationsToSend": "none"})
    assert changed == untouched | {"notificationsToSend": "none"}
    assert provider.sim.ok("PATCH", path, {}) == changed
    assert provider.sim.ok("GET", path) == changed


def test_a_resource_leaves_its_environment_by_a_path_with_an_odd_id(provider: Provider):
    sim = provider.sim
    first, second = project(sim, "production", "staging")
    service = provider.create("web_service", "shop", environmentId=first)["service"]
    cron = provider.create("cron_job", "cron", environmentId=first)["service"]
    group = sim.ok("POST", "/env-groups", {"name": "g", "ownerId": OWNER, "envVars": None, "environmentId": first})
    database = sim.ok(
        "POST", "/postgres", {"name": "d", "ownerId": OWNER, "plan": "free", "version": "17", "environmentId": first}
    )
    cache = sim.ok("POST", "/redis", {"name": "r", "ownerId": OWNER, "plan": "free", "environmentId": first})
    keys = [service["id"], cron["id"], group["id"], database["id"], cache["id"]]
    for key in keys:
        provider.move(key, second)
    shown = sim.ok("GET", f"/environments/{second}")
    assert set(shown["serviceIds"]) == {service["id"], cron["id"]}
    lists = (shown["envGroupIds"], shown["databasesIds"], shown["redisIds"])
    assert lists == ([group["id"]], [database["id"]], [cache["id"]])
    # Out of every environment, by the environment's own id, by another's, and once more when it is out already.
    for key in keys:
        for path in (second, first, key):
            answer = sim.call("DELETE", f"/environments/{path}/resources", resourceIds=key)
            assert (answer.status_code, answer.content) == (204, b"")
    assert "environmentId" not in sim.ok("GET", f"/services/{service['id']}")


def test_empty_lists_are_null_where_the_provider_expects_it(provider: Provider):
    sim = provider.sim
    (environment,) = project(sim, "production")
    shown = sim.ok("GET", f"/environments/{environment}")
    assert [shown[key] for key in ("serviceIds", "databasesIds", "redisIds", "envGroupIds")] == [None] * 4
    given = {"name": "d", "ownerId": OWNER, "plan": "free", "version": "17", "ipAllowList": [], "readReplicas": None}
    database = sim.ok("POST", "/postgres", given)
    assert (database["ipAllowList"], database["readReplicas"]) == (None, [])
    assert sim.ok("POST", "/key-value", {"name": "k", "ownerId": OWNER, "plan": "free"})["ipAllowList"] is None
    hook = {"name": "h", "url": "https://example.com", "enabled": True, "ownerId": OWNER, "eventFilter": None}
    assert sim.ok("POST", "/webhooks", hook)["eventFilter"] is None


def test_null_lists_in_a_request_are_empty_ones(provider: Provider):
    made = provider.create(
        "web_service", "shop", envVars=[{"key": "A", "value": "1"}], secretFiles=[{"name": "f", "content": "c"}]
    )
    assert (made["variables"], made["files"]) == ({"A": "1"}, {"f": "c"})
    changed = provider.update(made["service"], {"name": "shop"})
    assert (changed["variables"], changed["files"]) == ({}, {})


def test_deleting_what_is_gone_is_404_for_every_kind(provider: Provider):
    sim = provider.sim
    for prefix, path in (
        ("srv", "services"), ("dpg", "postgres"), ("red", "key-value"), ("red", "redis"), ("evg", "env-groups"),
        ("prj", "projects"), ("evm", "environments"), ("rgc", "registrycredentials"), ("whk", "webhooks"),
        ("egs", "dedicated-ips"), ("dsk", "disks"),
    ):  # fmt: skip
        sim.refused(404, "DELETE", f"/{path}/{prefix}-{'0' * 20}")


# The life of each resource


@pytest.mark.parametrize("kind", PREFIXES)
def test_a_service_reads_back_as_written_through_its_life(provider: Provider, kind: str):
    sim = provider.sim
    generated = [{"key": "PLAIN", "value": ""}, {"key": "SECRET", "generateValue": True}]
    made = provider.create(kind, "shop", envVars=generated, secretFiles=[{"name": "f", "content": "a\nb\n"}])
    assert made == provider.read(made["service"])
    assert made["variables"]["PLAIN"] == ""
    assert len(made["variables"]["SECRET"]) == 44
    service = made["service"]
    body = {"name": "renamed", "rootDir": "", "serviceDetails": {"previews": {}, "pullRequestPreviewsEnabled": "no"}}
    if kind != "static_site":
        body["image"] = {"imagePath": "nginx", "ownerId": OWNER}
        body["serviceDetails"] |= {"envSpecificDetails": {"dockerCommand": ""}, "plan": "standard", "runtime": "image"}
    changed = provider.update(service, body, [{"key": "PLAIN", "value": "2"}], [{"name": "g", "content": "c"}])
    assert changed["service"]["name"] == "renamed"
    assert changed["service"]["slug"] == service["slug"]
    assert (changed["variables"], changed["files"]) == ({"PLAIN": "2"}, {"g": "c"})
    assert changed == provider.read(service)
    assert sim.call("DELETE", f"/services/{service['id']}").status_code == 204
    sim.refused(404, "GET", f"/services/{service['id']}")


def test_a_waiting_create_watches_the_deploys_until_the_newest_is_live(provider: Provider):
    service = provider.create("web_service", "shop", serviceDetails={"preDeployCommand": "true"})["service"]
    seen = []
    for _ in range(30):
        deploys = [item["deploy"] for item in provider.sim.ok("GET", f"/services/{service['id']}/deploys")]
        seen.append(max(deploys, key=lambda deploy: at(deploy["createdAt"]))["status"])
        if seen[-1] == "live":
            break
        provider.sim.step(3)
    assert list(dict.fromkeys(seen)) == ["pre_deploy_in_progress", "update_in_progress", "live"]


def test_runtimes_change_from_image_to_docker_to_native_and_back(provider: Provider):
    service = provider.create("web_service", "shop")["service"]
    docker = {"dockerCommand": "", "dockerContext": ".", "dockerfilePath": "./Dockerfile"}
    native = {"buildCommand": "make", "startCommand": "run"}
    for runtime, commands in (("docker", docker), ("go", native)):
        details = {"runtime": runtime, "envSpecificDetails": commands, "previews": {}}
        shown = provider.update(service, {**GIT, "autoDeploy": "no", "serviceDetails": details})["service"]
        assert shown["serviceDetails"]["envSpecificDetails"] == commands
        assert (shown["repo"], shown["branch"], shown["autoDeployTrigger"]) == (GIT["repo"], "main", "off")
        assert "imagePath" not in shown
        assert "buildFilter" not in shown
    details = {"runtime": "image", "envSpecificDetails": {"dockerCommand": "serve"}}
    shown = provider.update(service, {"image": {"imagePath": "nginx:1", "ownerId": OWNER}, "serviceDetails": details})
    assert shown["service"]["imagePath"] == "docker.io/library/nginx:1"
    assert shown["service"]["serviceDetails"]["envSpecificDetails"]["dockerCommand"] == "serve"
    assert "repo" not in shown["service"]


def test_autoscaling_gives_way_to_a_number_of_instances(provider: Provider):
    sim = provider.sim
    criteria = {"cpu": {"enabled": True, "percentage": 60}, "memory": {"enabled": False, "percentage": 0}}
    wanted = {"enabled": True, "min": 1, "max": 3, "criteria": criteria}
    service = provider.create("private_service", "shop", serviceDetails={"autoscaling": wanted})["service"]
    assert service["serviceDetails"]["autoscaling"] == wanted
    path = f"/services/{service['id']}"
    assert sim.ok("PUT", f"{path}/autoscaling", wanted | {"max": 5}) == wanted | {"max": 5}
    assert sim.call("DELETE", f"{path}/autoscaling").status_code == 204
    assert sim.call("POST", f"{path}/scale", {"numInstances": 2}).status_code == 202
    details = sim.ok("PATCH", path, {"name": "shop"})["serviceDetails"]
    assert details["numInstances"] == 2
    assert "autoscaling" not in details


def test_a_disk_comes_grows_and_goes(provider: Provider):
    sim = provider.sim
    service = provider.create("background_worker", "shop")["service"]
    given = {"name": "data", "mountPath": "/data", "sizeGB": 1, "serviceId": service["id"]}
    disk = sim.ok("POST", "/disks", given)
    grown = sim.ok("PATCH", f"/disks/{disk['id']}", {"name": "more", "mountPath": "/more", "sizeGB": 5})
    shown = provider.read(service)["service"]["serviceDetails"]["disk"]
    assert shown == {"id": disk["id"], "name": "more", "mountPath": "/more", "sizeGB": 5}
    assert grown["sizeGB"] == 5
    assert sim.call("DELETE", f"/disks/{disk['id']}").status_code == 204
    assert "disk" not in provider.read(service)["service"]["serviceDetails"]


@pytest.mark.parametrize("kind", ["web_service", "static_site"])
def test_domains_come_in_pairs_and_go_by_name(provider: Provider, kind: str):
    sim = provider.sim
    service = provider.create(kind, "shop")["service"]
    path = f"/services/{service['id']}/custom-domains"
    for name in ("one.net", "www.two.net", "api.three.net"):
        assert sim.call("POST", path, {"name": name}).status_code == 201
    shown = {item["name"]: item["redirectForName"] for item in provider.read(service)["domains"]}
    assert shown == {
        "one.net": "", "www.one.net": "one.net", "www.two.net": "", "two.net": "www.two.net", "api.three.net": "",
    }  # fmt: skip
    for name in ("one.net", "www.two.net", "api.three.net"):
        assert sim.call("DELETE", f"{path}/{name}").status_code == 204
    assert provider.read(service)["domains"] == []


def test_rules_of_a_static_site_are_replaced_as_a_whole_and_keep_their_order(provider: Provider):
    sim = provider.sim
    service = provider.create("static_site", "site")["service"]
    path = f"/services/{service['id']}"
    routes = [{"type": "redirect", "source": f"/{i}", "destination": "/"} for i in range(3)]
    headers = [{"path": "/*", "name": "X-A", "value": "1"}, {"path": "/b", "name": "X-B", "value": "2"}]
    sim.ok("PUT", f"{path}/headers", headers)
    sim.ok("PUT", f"{path}/routes", routes)
    read = provider.read(service)
    assert [item["source"] for item in read["routes"]] == ["/0", "/1", "/2"]
    assert {item["name"] for item in read["headers"]} == {"X-A", "X-B"}
    for rules in ("headers", "routes"):
        assert sim.ok("PUT", f"{path}/{rules}", []) is None
    bare = provider.read(service)
    assert (bare["routes"], bare["headers"]) == ([], [])


def test_a_database_reads_back_as_written_through_its_life(provider: Provider):
    sim = provider.sim
    given = {
        "name": "db", "ownerId": OWNER, "plan": "pro_4gb", "version": "16", "region": "ohio", "databaseName": "shop",
        "databaseUser": "shop_user", "enableHighAvailability": True, "ipAllowList": EVERYWHERE, "diskSizeGB": 50,
        "parameterOverrides": {"work_mem": "8MB"}, "readReplicas": [{"name": "one"}, {"name": "two"}],
    }  # fmt: skip
    path = f"/postgres/{sim.ok('POST', '/postgres', given)['id']}"
    read = sim.ok("GET", path)
    # The provider takes a suffix of the name for the name itself, and compares the rest as it is.
    assert read["databaseName"].startswith("shop_")
    assert (read["databaseUser"], read["parameterOverrides"]) == ("shop_user", {"work_mem": "8MB"})
    assert (read["highAvailabilityEnabled"], read["role"]) == (True, "primary")
    assert {"password", "psqlCommand"} < sim.ok("GET", f"{path}/connection-info").keys()
    patch = {
        "name": "renamed", "plan": "pro_4gb", "enableHighAvailability": True, "ipAllowList": [], "diskSizeGB": 50,
        "parameterOverrides": {}, "readReplicas": [{"name": "two"}, {"name": "three"}],
    }  # fmt: skip
    changed = sim.ok("PATCH", path, patch)
    assert {item["name"] for item in changed["readReplicas"]} == {"two", "three"}
    assert changed["readReplicas"] == sim.ok("GET", path)["readReplicas"]
    assert "parameterOverrides" not in changed
    assert changed["ipAllowList"] is None
    bare = sim.ok("PATCH", path, {"name": "renamed", "ipAllowList": [], "readReplicas": None})
    assert bare["readReplicas"] == []
    assert sim.call("DELETE", path).status_code == 204
    sim.refused(404, "GET", path)


@pytest.mark.parametrize(("path", "command"), [("key-value", "cliCommand"), ("redis", "redisCLICommand")])
def test_a_cache_reads_back_as_written_through_its_life(provider: Provider, path: str, command: str):
    sim = provider.sim
    given = {"name": "kv", "ownerId": OWNER, "plan": "free", "region": "ohio", "maxmemoryPolicy": "noeviction"}
    made = sim.ok("POST", f"/{path}", given | {"ipAllowList": []})
    one = f"/{path}/{made['id']}"
    assert sim.ok("GET", one)["options"] == {"maxmemoryPolicy": "noeviction", "persistenceMode": "off"}
    assert command in sim.ok("GET", f"{one}/connection-info")
    patch = {"name": "renamed", "plan": "starter", "maxmemoryPolicy": "allkeys_lru", "ipAllowList": EVERYWHERE}
    sim.ok("PATCH", one, patch)
    read = sim.ok("GET", one)
    assert (read["name"], read["plan"], read["ipAllowList"]) == ("renamed", "starter", EVERYWHERE)
    assert read["options"] == {"maxmemoryPolicy": "allkeys_lru", "persistenceMode": "journal_snapshot"}
    assert sim.call("DELETE", one).status_code == 204
    sim.refused(404, "GET", one)


def test_a_group_changes_variable_by_variable(provider: Provider):
    sim = provider.sim
    service = provider.create("web_service", "shop")["service"]
    files = [{"name": "f", "content": "1"}]
    variables = [{"key": "A", "value": "1"}, {"key": "SECRET", "generateValue": True}]
    given = {"name": "group", "ownerId": OWNER, "envVars": variables, "secretFiles": files}
    path = f"/env-groups/{sim.ok('POST', '/env-groups', given)['id']}"
    assert sim.ok("PUT", f"{path}/env-vars/A", {"value": "2"})["name"] == "group"
    assert sim.call("PUT", f"{path}/env-vars/B", {"value": "3"}).status_code == 200
    assert sim.call("DELETE", f"{path}/env-vars/SECRET").status_code == 204
    assert sim.call("PUT", f"{path}/secret-files/f", {"content": "2"}).status_code == 200
    sim.ok("PATCH", path, {"name": "renamed"})
    sim.ok("POST", f"{path}/services/{service['id']}")
    read = sim.ok("GET", path)
    assert {item["key"]: item["value"] for item in read["envVars"]} == {"A": "2", "B": "3"}
    assert read["secretFiles"] == [{"name": "f", "content": "2"}]
    assert (read["name"], read["serviceLinks"][0]["id"]) == ("renamed", service["id"])
    assert sim.call("DELETE", f"{path}/services/{service['id']}").status_code == 204
    assert sim.ok("GET", path)["serviceLinks"] == []
    assert sim.call("DELETE", path).status_code == 204


def test_a_project_changes_environment_by_environment(provider: Provider):
    sim = provider.sim
    first, second = project(sim, "production", "staging")
    assert [sim.ok("GET", f"/environments/{key}")["name"] for key in (first, second)] == ["production", "staging"]
    key = sim.ok("GET", "/projects", name="shop")[0]["project"]["id"]
    sim.ok("PATCH", f"/projects/{key}", {"name": "renamed"})
    patch = {
        "name": "live", "networkIsolationEnabled": True, "protectedStatus": "protected",
        "ipAllowList": [{"cidrBlock": "203.0.113.0/24", "description": "office"}],
    }  # fmt: skip
    assert sim.ok("PATCH", f"/environments/{first}", patch).items() >= patch.items()
    body = {"name": "third", "projectId": key, "networkIsolationEnabled": False, "protectedStatus": "unprotected"}
    third = sim.ok("POST", "/environments", body | {"ipAllowList": []})
    assert third["ipAllowList"] == []
    assert sim.call("DELETE", f"/environments/{second}").status_code == 204
    assert set(sim.ok("GET", f"/projects/{key}")["environmentIds"]) == {first, third["id"]}
    assert sim.call("DELETE", f"/projects/{key}").status_code == 204
    sim.refused(404, "GET", f"/environments/{first}")


def test_a_registry_credential_is_read_without_its_token(provider: Provider):
    sim = provider.sim
    given = {"name": "hub", "registry": "DOCKER", "username": "acme", "authToken": "t", "ownerId": OWNER}
    path = f"/registrycredentials/{sim.ok('POST', '/registrycredentials', given)['id']}"
    sim.ok("PATCH", path, {"name": "hub-two", "registry": "GITHUB", "username": "bot", "authToken": "u"})
    read = sim.ok("GET", path)
    assert (read["name"], read["registry"], read["username"]) == ("hub-two", "GITHUB", "bot")
    assert "authToken" not in read
    assert sim.call("DELETE", path).status_code == 204


def test_the_streams_of_the_workspace_are_404_until_set_and_hide_their_tokens(provider: Provider):
    sim = provider.sim
    for path, given in (
        (f"/logs/streams/owner/{OWNER}", {"endpoint": "logs.example.com:6514", "preview": "send"}),
        (f"/metrics-stream/{OWNER}", {"provider": "GRAFANA", "url": "https://metrics.example.com"}),
    ):
        sim.refused(404, "GET", path)
        assert sim.ok("PUT", path, given | {"token": "secret"}).items() >= given.items()
        assert sim.ok("GET", path) == given | {"ownerId": OWNER}
        assert sim.call("DELETE", path).status_code == 204
        sim.refused(404, "GET", path)


def test_the_notifications_of_the_workspace_are_always_there(provider: Provider):
    path = f"/notification-settings/owners/{OWNER}"
    assert provider.sim.ok("GET", path)["emailEnabled"] is True
    patch = {"emailEnabled": False, "notificationsToSend": "none", "previewNotificationsEnabled": True}
    assert provider.sim.ok("PATCH", path, patch).items() >= patch.items()
    assert provider.sim.ok("GET", path)["slackEnabled"] is False


def test_a_webhook_and_a_dedicated_ip_read_back_as_written(provider: Provider):
    sim = provider.sim
    (environment,) = project(sim, "production")
    hook = {"name": "h", "url": "https://example.com/h", "enabled": False, "eventFilter": ["deploy_ended"]}
    path = f"/webhooks/{sim.ok('POST', '/webhooks', hook | {'ownerId': OWNER})['id']}"
    sim.ok("PATCH", path, hook | {"name": "i", "enabled": False})
    assert sim.ok("GET", path).items() >= (hook | {"name": "i"}).items()
    assert sim.call("DELETE", path).status_code == 204
    ip = {"name": "egress", "ownerId": OWNER, "region": "ohio", "description": "", "environmentIds": []}
    path = f"/dedicated-ips/{sim.ok('POST', '/dedicated-ips', ip)['id']}"
    sim.ok("PATCH", path, {"description": "d", "environmentIds": [environment]})
    read = sim.ok("GET", path)
    assert (read["description"], read["environmentIds"]) == ("d", [environment])
    assert sim.call("DELETE", path).status_code == 204
