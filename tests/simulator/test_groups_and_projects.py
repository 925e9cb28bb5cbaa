"""Environment groups, projects and environments."""

import re

from tests.simulator.conftest import OWNER, Simulator, at


def group(sim: Simulator, **more):
    body = {"name": "g", "ownerId": OWNER, "envVars": [{"key": "A", "value": "1"}, {"key": "B", "value": "2"}]}
    return sim.ok("POST", "/env-groups", body | more)


def project(sim: Simulator, name: str = "p", *environments: str):
    wanted = [{"name": item} for item in environments or ("prod",)]
    return sim.ok("POST", "/projects", {"name": name, "ownerId": OWNER, "environments": wanted})


def test_a_group_shows_its_newest_variables_first(sim: Simulator):
    made = group(sim, secretFiles=[{"name": "f", "content": "x"}, {"name": "e", "content": "y"}])
    assert [item["key"] for item in made["envVars"]] == ["B", "A"]
    assert [item["name"] for item in made["secretFiles"]] == ["e", "f"]
    assert made["serviceLinks"] == []
    path = f"/env-groups/{made['id']}"
    changed = sim.ok("PUT", f"{path}/env-vars/C", {"value": "3"})
    assert [item["key"] for item in changed["envVars"]] == ["C", "B", "A"]
    assert at(changed["updatedAt"]) == at(sim.ok("GET", path)["updatedAt"])
    sim.ok("DELETE", f"{path}/env-vars/B")
    sim.refused(404, "DELETE", f"{path}/env-vars/B")
    generated = sim.ok("PUT", f"{path}/env-vars/D", {"generateValue": True})["envVars"][0]["value"]
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", generated)
    assert sim.ok("GET", f"{path}/env-vars/D")["value"] == generated
    sim.ok("PUT", f"{path}/secret-files/g", {"content": "z"})
    assert sim.ok("GET", f"{path}/secret-files/g") == {"name": "g", "content": "z"}
    assert at(sim.ok("PATCH", path, {"name": "h"})["updatedAt"]) > at(made["updatedAt"])


def test_lists_of_groups_are_bare_and_empty_of_values(sim: Simulator):
    group(sim)
    (shown,) = sim.ok("GET", "/env-groups", name="g")
    assert shown.keys() == {"id", "name", "ownerId", "createdAt", "updatedAt", "serviceLinks"}


def test_links_name_services_with_short_types(sim: Simulator):
    made = group(sim)
    private = sim.service("db", "private_service")
    path = f"/env-groups/{made['id']}/services/{private['id']}"
    assert sim.call("POST", path).status_code == 200
    sim.ok("POST", path)
    assert sim.ok("GET", f"/env-groups/{made['id']}")["serviceLinks"] == [
        {"id": private["id"], "name": "db", "type": "pserv"}
    ]
    sim.ok("DELETE", path)
    sim.refused(404, "DELETE", path)
    sim.ok("POST", path)
    sim.ok("DELETE", f"/services/{private['id']}")
    assert sim.ok("GET", f"/env-groups/{made['id']}")["serviceLinks"] == []
    sim.ok("DELETE", f"/env-groups/{made['id']}")
    sim.refused(404, "GET", f"/env-groups/{made['id']}")


def test_a_project_comes_with_its_environments(sim: Simulator):
    made = project(sim, "p", "prod", "dev")
    assert made["owner"]["id"] == OWNER
    environment = sim.ok("GET", f"/environments/{made['environmentIds'][0]}")
    assert environment["projectId"] == made["id"]
    assert environment["protectedStatus"] == "unprotected"
    assert [environment[name] for name in ("databasesIds", "redisIds", "serviceIds", "envGroupIds")] == [None] * 4
    assert at(sim.ok("PATCH", f"/projects/{made['id']}", {"name": "p"})["updatedAt"]) > at(made["updatedAt"])
    sim.refused(400, "POST", "/projects", {"name": "x", "ownerId": OWNER, "environments": []})
    sim.refused(400, "GET", "/environments")
    found = sim.ok("GET", "/environments", projectId=made["id"])
    assert [item["environment"]["name"] for item in found] == ["dev", "prod"]


def test_resources_move_between_environments(sim: Simulator):
    first, second = project(sim, "one")["environmentIds"][0], project(sim, "two")["environmentIds"][0]
    body = {"name": "db", "ownerId": OWNER, "plan": "pro_4gb", "version": "16", "environmentId": first}
    database = sim.ok("POST", "/postgres", body | {"readReplicas": [{"name": "r"}]})
    web, made = sim.service("web", environmentId=first), group(sim, environmentId=first)
    cache = sim.ok("POST", "/key-value", {"name": "kv", "ownerId": OWNER, "plan": "free", "environmentId": first})
    replica = database["readReplicas"][0]["id"]
    assert sim.ok("GET", f"/environments/{first}")["databasesIds"] == [replica, database["id"]]
    ids = [web["id"], database["id"], made["id"], cache["id"]]
    answer = sim.call("POST", f"/environments/{second}/resources", {"resourceIds": ids})
    assert answer.status_code == 201
    assert answer.json()["databasesIds"] == [replica, database["id"]]
    assert answer.json()["redisIds"] == [cache["id"]]
    assert answer.json()["serviceIds"] == [web["id"]]
    assert answer.json()["envGroupIds"] == [made["id"]]
    assert sim.ok("GET", f"/environments/{first}")["serviceIds"] is None
    moved = sim.read(web)
    assert moved["environmentId"] == second
    assert at(moved["updatedAt"]) > at(web["updatedAt"])
    # The id in the path of a removal is not looked at.
    assert sim.call("DELETE", f"/environments/{web['id']}/resources", resourceIds=web["id"]).status_code == 204
    assert "environmentId" not in sim.read(web)
    sim.ok("DELETE", f"/postgres/{database['id']}")
    assert sim.ok("GET", f"/environments/{second}")["databasesIds"] is None


def test_only_what_is_empty_can_be_deleted(sim: Simulator):
    made = project(sim, "p", "prod", "dev")
    prod, dev = made["environmentIds"]
    web = sim.service("web", environmentId=prod)
    sim.refused(409, "DELETE", f"/environments/{prod}")
    sim.refused(409, "DELETE", f"/projects/{made['id']}")
    sim.ok("DELETE", f"/environments/{dev}")
    assert sim.ok("GET", f"/projects/{made['id']}")["environmentIds"] == [prod]
    sim.ok("DELETE", f"/services/{web['id']}")
    sim.ok("DELETE", f"/projects/{made['id']}")
    sim.refused(404, "GET", f"/environments/{prod}")


def test_an_environment_changes_and_can_hide_its_allow_list(sim: Simulator):
    key = project(sim)["environmentIds"][0]
    changed = sim.ok("PATCH", f"/environments/{key}", {"protectedStatus": "protected", "networkIsolationEnabled": True})
    assert (changed["protectedStatus"], changed["networkIsolationEnabled"]) == ("protected", True)
    assert "ipAllowList" in changed
    sim.set(environment_ip_allow_list=False)
    assert "ipAllowList" not in sim.ok("GET", f"/environments/{key}")
