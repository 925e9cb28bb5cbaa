"""Scenarios that were recorded nowhere at hand, sent the way Render's own Terraform provider sends its requests.

What must come back is what the sheet of the API says of each field, and what recorded scenarios show of the like.
"""

from typing import Any

from tests.simulator.conftest import OWNER, Simulator, at

IMAGE = {"imagePath": "nginx", "ownerId": ""}
NONE_SET = {"dockerCommand": "", "dockerContext": "", "dockerfilePath": ""}
ANYWHERE = [{"cidrBlock": "0.0.0.0/0", "description": "everywhere"}]


def create(sim: Simulator, kind: str, details: dict[str, Any], **body: Any) -> dict[str, Any]:
    """Create a service with the fields the provider sends when little is configured."""
    given = {"envVars": None, "secretFiles": None, "name": kind.replace("_", "-"), "ownerId": OWNER, "rootDir": ""}
    answer = sim.call("POST", "/services", {**given, "type": kind, "serviceDetails": details, **body})
    assert (answer.status_code, answer.headers["ratelimit-limit"]) == (201, "20"), answer.text
    made: dict[str, Any] = answer.json()["service"]
    assert sim.read(made) == made, "what is read is what was answered"
    return made


def test_a_web_service_goes_from_node_over_python_and_docker_to_an_image(sim: Simulator):
    sim.set(deploy_overlap="override")
    node = {"buildCommand": "npm install", "startCommand": "npm start"}
    code = {"repo": "https://github.com/render-examples/express-hello-world", "branch": "main", "autoDeploy": "yes"}
    web = create(sim, "web_service", {"runtime": "node", "plan": "starter", "envSpecificDetails": node}, **code)
    path = f"/services/{web['id']}"
    for runtime, commands in (
        ("python", {"buildCommand": "pip install -r requirements.txt", "startCommand": "gunicorn app:app"}),
        ("docker", {"dockerCommand": "run", "dockerContext": ".", "dockerfilePath": "./Dockerfile"}),
    ):
        details = {"runtime": runtime, "envSpecificDetails": commands, "plan": "starter"}
        changed = sim.ok("PATCH", path, {"name": web["name"], "rootDir": "", "serviceDetails": details, **code})
        shown = changed["serviceDetails"]
        assert (shown["runtime"], shown["env"], shown["envSpecificDetails"]) == (runtime, runtime, commands)
        assert (changed["repo"], changed["branch"]) == (code["repo"], "main")
        deploy = sim.ok("POST", f"{path}/deploys", {})
        assert (deploy["status"], deploy["trigger"], set(deploy["commit"])) == (
            "build_in_progress", "api", {"id", "message", "createdAt"},
        )  # fmt: skip
        assert "image" not in deploy
    details = {"runtime": "image", "envSpecificDetails": NONE_SET}
    changed = sim.ok("PATCH", path, {"name": web["name"], "image": IMAGE, "serviceDetails": details})
    assert changed["imagePath"] == "docker.io/library/nginx:latest"
    assert changed["serviceDetails"]["envSpecificDetails"] == NONE_SET
    assert not {"repo", "branch", "buildFilter"} & set(changed)
    unmoved = ("id", "slug", "createdAt", "dashboardUrl", "type")
    assert [changed[name] for name in unmoved] == [web[name] for name in unmoved]
    assert changed["serviceDetails"]["url"] == web["serviceDetails"]["url"]
    deploy = sim.ok("POST", f"{path}/deploys", {})
    assert (deploy["status"], deploy["commit"]) == ("update_in_progress", None)
    assert deploy["image"]["ref"] == "docker.io/library/nginx:latest"


def test_a_static_site_with_next_to_nothing(sim: Simulator):
    site = create(
        sim, "static_site",
        {"buildCommand": "npm run build", "headers": [], "routes": None, "previews": {"generation": "off"}},
        repo="https://github.com/render-examples/create-react-app", branch="master", autoDeploy="yes",
        buildFilter={"paths": None, "ignoredPaths": None},
    )  # fmt: skip
    assert "buildFilter" not in site
    assert site["serviceDetails"] == {
        "buildCommand": "npm run build", "buildPlan": "starter", "previews": {"generation": "off"},
        "publishPath": "public", "pullRequestPreviewsEnabled": "no", "url": f"https://{site['slug']}.onrender.com",
    }  # fmt: skip
    path = f"/services/{site['id']}"
    for part in (
        "headers?limit=100",
        "routes?cursor=&limit=100",
        "env-vars",
        "secret-files",
        "custom-domains?limit=100",
    ):
        assert sim.ok("GET", f"{path}/{part}") == []
    for part in ("env-vars", "secret-files"):
        assert sim.ok("PUT", f"{path}/{part}", []) == []
    sim.refused(404, "GET", f"/logs/streams/resource/{site['id']}")
    assert sim.ok("GET", f"/notification-settings/overrides/services/{site['id']}") == {
        "notificationsToSend": "default", "previewNotificationsEnabled": "default", "serviceId": site["id"],
    }  # fmt: skip


def test_a_private_service_is_scaled_by_load_and_by_hand(sim: Simulator):
    load = {
        "enabled": True, "min": 1, "max": 3,
        "criteria": {"cpu": {"enabled": True, "percentage": 60}, "memory": {"enabled": True, "percentage": 70}},
    }  # fmt: skip
    details = {"runtime": "image", "plan": "starter", "envSpecificDetails": {}, "previews": {}, "autoscaling": load}
    service = create(sim, "private_service", details, image=IMAGE)
    path = f"/services/{service['id']}"
    shown = service["serviceDetails"]
    assert (shown["autoscaling"], shown["numInstances"], shown["url"]) == (load, 1, f"{service['slug']}:10000")
    sim.step(60)
    before = sim.read(service)["updatedAt"]
    changed = load | {"min": 2, "criteria": load["criteria"] | {"memory": {"enabled": False, "percentage": 70}}}
    assert sim.ok("PUT", f"{path}/autoscaling", changed) == changed
    assert sim.read(service)["serviceDetails"]["autoscaling"] == changed
    assert sim.call("DELETE", f"{path}/autoscaling").status_code == 204
    assert "autoscaling" not in sim.read(service)["serviceDetails"]
    assert sim.read(service)["updatedAt"] == before, "autoscaling moves no stamp"
    answer = sim.call("POST", f"{path}/scale", {"numInstances": 2})
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (202, b"", "0")
    after = sim.read(service)
    assert after["serviceDetails"]["numInstances"] == 2
    assert at(after["updatedAt"]) > at(before)


def test_images_and_dockerfiles_with_registry_credentials(sim: Simulator):
    given = {"name": "hub", "ownerId": OWNER, "registry": "DOCKER", "username": "me", "authToken": "secret"}
    credential = sim.ok("POST", "/registrycredentials", given)
    assert sim.ok("GET", "/registrycredentials", name="hub") == [credential], "a bare list"
    named = {"id": credential["id"], "name": "hub"}
    image = {"imagePath": "ghcr.io/acme/app:1", "ownerId": OWNER, "registryCredentialId": credential["id"]}
    web = create(sim, "web_service", {"runtime": "image", "plan": "starter"}, image=image)
    assert (web["imagePath"], web["registryCredential"]) == ("ghcr.io/acme/app:1", named)
    commands = {"dockerCommand": "", "dockerContext": ".", "dockerfilePath": "./Dockerfile"}
    details = {"runtime": "docker", "plan": "starter", "region": "oregon", "schedule": "0 0 * * *"}
    details["envSpecificDetails"] = commands | {"registryCredentialId": credential["id"]}
    cron = create(sim, "cron_job", details, repo="https://github.com/render-examples/cron", branch="main")
    assert cron["registryCredential"] == named
    assert cron["serviceDetails"]["envSpecificDetails"] == commands | {"registryCredential": credential}
    assert {"numInstances", "openPorts", "url", "sshAddress", "previews"}.isdisjoint(cron["serviceDetails"])
    renamed = sim.ok("PATCH", f"/registrycredentials/{credential['id']}", given | {"name": "hub2", "username": "you"})
    assert (renamed["name"], renamed["username"], "authToken" in renamed) == ("hub2", "you", False)
    assert sim.read(web)["registryCredential"]["name"] == "hub2"


def test_a_service_is_found_by_its_name_type_and_workspace(sim: Simulator):
    wanted = create(sim, "web_service", {"runtime": "image"}, image=IMAGE, name="shop")
    create(sim, "web_service", {"runtime": "image"}, image=IMAGE, name="shop-2")
    create(sim, "background_worker", {"runtime": "image"}, image=IMAGE, name="shop-worker")
    found = sim.ok("GET", "/services", name="shop", type="web_service", ownerId=OWNER)
    assert [(item["service"], len(item["cursor"])) for item in found] == [(wanted, 32)]
    assert sim.ok("GET", "/services", name="shop", type="private_service", ownerId=OWNER) == []


def test_a_key_value_is_read_like_a_data_source(sim: Simulator):
    body = {"name": "cache", "ownerId": OWNER, "plan": "free", "region": "frankfurt", "ipAllowList": ANYWHERE}
    made = sim.ok("POST", "/key-value", body | {"maxmemoryPolicy": "noeviction"})
    shown = sim.ok("GET", f"/key-value/{made['id']}")
    assert (made["status"], shown["status"]) == ("unknown", "creating")
    assert (shown["options"], shown["ipAllowList"]) == (
        {"maxmemoryPolicy": "noeviction", "persistenceMode": "off"}, ANYWHERE,
    )  # fmt: skip
    info = sim.ok("GET", f"/key-value/{made['id']}/connection-info")
    assert set(info) == {"internalConnectionString", "externalConnectionString", "cliCommand"}
    assert info["internalConnectionString"] == f"redis://{made['id']}:6379"
    assert "@frankfurt-keyvalue.render.com:6379" in info["externalConnectionString"]
    assert sim.ok("GET", f"/redis/{made['id']}") == shown, "its twin shows the same"
    sim.step(60)
    assert sim.ok("GET", f"/key-value/{made['id']}")["status"] == "available"


def test_a_database_with_parameters_and_replicas_changes_them_in_place(sim: Simulator):
    body = {
        "name": "params", "ownerId": OWNER, "plan": "pro_4gb", "version": "16", "region": "oregon", "databaseName": "",
        "databaseUser": "", "ipAllowList": [], "enableHighAvailability": False,
        "parameterOverrides": {"max_connections": "100"}, "readReplicas": [{"name": "one"}],
    }  # fmt: skip
    made = sim.ok("POST", "/postgres", body)
    path, stem = f"/postgres/{made['id']}", made["id"][:-1]
    assert (made["status"], made["parameterOverrides"], made["ipAllowList"]) == (
        "creating", {"max_connections": "100"}, None,
    )  # fmt: skip
    assert made["readReplicas"] == [{"id": f"{stem}b", "name": "one"}]
    replica = sim.ok("GET", f"/postgres/{stem}b")
    assert (replica["role"], replica["primaryPostgresID"], replica["readReplicas"]) == ("replica", made["id"], [])
    sim.step(60)
    wanted = {"parameterOverrides": {"work_mem": "4MB"}, "readReplicas": [{"name": "one"}, {"name": "two"}]}
    changed = sim.ok("PATCH", path, wanted)
    assert (changed["status"], changed["parameterOverrides"]) == ("available", {"work_mem": "4MB"})
    assert [item["id"] for item in changed["readReplicas"]] == [f"{stem}b", f"{stem}c"]
    emptied = sim.ok("PATCH", path, {"parameterOverrides": {}, "readReplicas": []})
    assert (emptied["readReplicas"], "parameterOverrides" in emptied) == ([], False)
    sim.refused(404, "GET", f"/postgres/{stem}c")


def test_settings_of_the_workspace(sim: Simulator):
    path = f"/notification-settings/owners/{OWNER}"
    before = sim.ok("GET", path)
    changed = sim.ok("PATCH", path, {"notificationsToSend": "all", "previewNotificationsEnabled": True})
    assert changed == before | {"notificationsToSend": "all", "previewNotificationsEnabled": True}
    assert sim.ok("GET", path) == changed
    path = f"/logs/streams/owner/{OWNER}"
    answer = sim.call("PUT", path, {"endpoint": "logs.example.com:514", "preview": "send", "token": "secret"})
    shown = {"endpoint": "logs.example.com:514", "ownerId": OWNER, "preview": "send"}
    assert (answer.json(), answer.headers["ratelimit-limit"]) == (shown, "30")
    answer = sim.call("GET", path)
    assert (answer.json(), answer.headers["ratelimit-limit"]) == (shown, "30"), "a bucket of its own, reads included"
    assert sim.call("DELETE", path).status_code == 204
    sim.refused(404, "GET", path)


def test_environments_hold_resources_of_every_kind(sim: Simulator):
    given = [{"name": "prod", "protectedStatus": "protected", "networkIsolationEnabled": True}, {"name": "dev"}]
    project = sim.ok("POST", "/projects", {"name": "p", "ownerId": OWNER, "environments": given})
    first, second = (sim.ok("GET", f"/environments/{key}") for key in project["environmentIds"])
    lists = ("databasesIds", "envGroupIds", "redisIds", "serviceIds")
    assert first == {
        "id": first["id"], "name": "prod", "projectId": project["id"], "protectedStatus": "protected",
        "networkIsolationEnabled": True, "ipAllowList": ANYWHERE, **dict.fromkeys(lists),
    }  # fmt: skip
    ids = [
        sim.ok("POST", "/postgres", {"name": "d", "ownerId": OWNER, "plan": "free", "version": "16"})["id"],
        sim.ok("POST", "/env-groups", {"name": "g", "ownerId": OWNER, "envVars": []})["id"],
        sim.ok("POST", "/key-value", {"name": "k", "ownerId": OWNER, "plan": "free"})["id"],
        create(sim, "background_worker", {"runtime": "image"}, image=IMAGE)["id"],
    ]
    answer = sim.call("POST", f"/environments/{first['id']}/resources", {"resourceIds": ids})
    assert (answer.status_code, [answer.json()[name] for name in lists]) == (201, [[key] for key in ids])
    moved = sim.ok("POST", f"/environments/{second['id']}/resources", {"resourceIds": ids[3:]})
    assert (moved["serviceIds"], sim.ok("GET", f"/environments/{first['id']}")["serviceIds"]) == (ids[3:], None)
    assert sim.ok("GET", f"/services/{ids[3]}")["environmentId"] == second["id"]
    sim.refused(409, "DELETE", f"/environments/{second['id']}")
    sim.refused(409, "DELETE", f"/projects/{project['id']}")
    assert sim.call("DELETE", f"/environments/{ids[3]}/resources", resourceIds=ids).status_code == 204
    assert "environmentId" not in sim.ok("GET", f"/services/{ids[3]}")
    assert sim.call("DELETE", f"/projects/{project['id']}").status_code == 204
    sim.refused(404, "GET", f"/environments/{first['id']}")


def test_every_list_with_cursors_is_the_same_by_ones(sim: Simulator):
    site = create(sim, "static_site", {"buildCommand": "b"}, repo="https://github.com/acme/site")
    path = f"/services/{site['id']}"
    for number in range(3):
        create(sim, "cron_job", {"runtime": "image", "schedule": "0 0 * * *"}, image=IMAGE, name=f"cron-{number}")
        sim.ok("POST", "/postgres", {"name": f"d{number}", "ownerId": OWNER, "plan": "free", "version": "16"})
        sim.ok("POST", "/key-value", {"name": f"k{number}", "ownerId": OWNER, "plan": "free"})
        sim.ok("POST", "/projects", {"name": f"p{number}", "ownerId": OWNER, "environments": [{"name": "e"}]})
        sim.ok("POST", f"{path}/custom-domains", {"name": f"a{number}.example.com"})
    rules = range(3)
    sim.ok("PUT", f"{path}/env-vars", [{"key": f"K{number}", "value": ""} for number in rules])
    sim.ok("PUT", f"{path}/secret-files", [{"name": f"f{number}", "content": "c"} for number in rules])
    sim.ok("PUT", f"{path}/headers", [{"path": f"/{number}", "name": "n", "value": "v"} for number in rules])
    routes = [{"type": "rewrite", "source": f"/{number}", "destination": "/"} for number in rules]
    sim.ok("PUT", f"{path}/routes", routes)
    parts = [
        f"{path}/{part}" for part in ("env-vars", "secret-files", "headers", "routes", "custom-domains", "deploys")
    ]
    for listed in ("/services", "/postgres", "/key-value", "/redis", "/projects", *parts):
        whole = sim.ok("GET", listed, limit=100)
        paged, cursor = [], ""
        while page := sim.ok("GET", listed, limit=1, cursor=cursor):
            paged += page
            cursor = page[-1]["cursor"]
        assert paged == whole and whole, listed
