"""Variables and files (section 4), and what the tables 3.13.4, 3.14, 3.15 and 3.16 say besides normalisation.

Lay the sheet beside it: an id is the section and the row.
"""

import re
from typing import Any

import pytest

from tests.simulator.conftest import OWNER, Simulator, at
from tests.simulator.rows import Check, Rows, path_of
from tests.simulator.test_normalisations import GROUP, KV, PG, PROJECT
from tests.simulator.test_surprises import environment_of

ROWS = Rows()
row = ROWS.row
A, B = {"key": "A", "value": "1"}, {"key": "B", "value": "2"}
GENERATED = re.compile(r"[A-Za-z0-9+/]{43}=")


def variables(sim: Simulator, where: str) -> list[Any]:
    return [item["envVar"] for item in sim.ok("GET", f"{where}/env-vars")]


# ---------------------------------------------------------------- 4


@row("4-01 PUT replaces everything; [] and null clear")
def _(sim: Simulator) -> None:
    where = path_of(sim.service("web", envVars=[{"key": "OLD", "value": "1"}]))
    sim.ok("PUT", f"{where}/env-vars", [A])
    assert variables(sim, where) == [A]
    for body in (b"[]", b"null"):
        sim.ok("PUT", f"{where}/env-vars", [A])
        answer = sim.http.put(f"/v1{where}/env-vars", content=body, headers={"Authorization": "Bearer k1"})
        assert (answer.status_code, answer.json(), variables(sim, where)) == (200, [], [])


@row("4-02 an item has a value or asks for one")
def _(sim: Simulator) -> None:
    where = path_of(sim.service("web"))
    sim.ok("PUT", f"{where}/env-vars", [A, {"key": "B", "generateValue": True}])
    sim.refused(400, "PUT", f"{where}/env-vars", [{"key": "C"}])
    assert [item["key"] for item in variables(sim, where)] == ["B", "A"]


@row("4-03 the reply comes in the order of the request, not paged")
def _(sim: Simulator) -> None:
    where = path_of(sim.service("web"))
    sent = [{"key": f"K{at:02}", "value": str(at)} for at in range(120)]
    answered = sim.ok("PUT", f"{where}/env-vars", sent)
    assert [item["envVar"] for item in answered] == sent
    assert all(len(item["cursor"]) == 32 for item in answered)


@row("4-04 GET: 20 a page, at most 100, newest first, in clear")
def _(sim: Simulator) -> None:
    sent = [{"key": f"K{at:03}", "value": str(at)} for at in range(120)]
    where = path_of(sim.service("web", envVars=sent))
    assert variables(sim, where) == sent[::-1][:20]
    assert len(sim.ok("GET", f"{where}/env-vars", limit=100)) == 100
    sim.refused(400, "GET", f"{where}/env-vars", limit=101)


@row("4-05 every PUT makes new rows")
def _(sim: Simulator) -> None:
    where = path_of(sim.service("web"))
    first, second = (sim.ok("PUT", f"{where}/env-vars", [A]) for _ in range(2))
    assert first[0]["cursor"] != second[0]["cursor"]


@row("4-06 generateValue is base64 of 32 bytes, seen at once, and made anew when repeated")
def _(sim: Simulator) -> None:
    where, wish = path_of(sim.service("web")), [{"key": "A", "generateValue": True}]
    first, second = (sim.ok("PUT", f"{where}/env-vars", wish)[0]["envVar"]["value"] for _ in range(2))
    assert GENERATED.fullmatch(first) and GENERATED.fullmatch(second)
    assert first != second
    assert sim.ok("PUT", f"{where}/env-vars", [{"key": "A", "value": second}])[0]["envVar"]["value"] == second


@row("4-07 one key alone: PUT 200, DELETE 204")
def _(sim: Simulator) -> None:
    where = path_of(sim.service("web", envVars=[A]))
    answer = sim.call("PUT", f"{where}/env-vars/B", {"value": "2"})
    assert (answer.status_code, answer.json()) == (200, B)
    assert variables(sim, where) == [B, A]
    assert sim.call("DELETE", f"{where}/env-vars/A").status_code == 204
    assert variables(sim, where) == [B]


@row("4-08 4-09 4-10 a PUT neither deploys nor moves the stamp, and a restart does not pick it up")
def _(sim: Simulator) -> None:
    web = sim.service("web")
    sim.step(600)
    before = sim.read(web)
    sim.ok("PUT", f"{path_of(web)}/env-vars", [A])
    assert (len(sim.deploys(web)), sim.read(web)) == (1, before)
    sim.ok("POST", f"{path_of(web)}/restart")
    sim.step(600)
    assert sim.truth()["services"][0]["running"]["env"] == {}
    sim.ok("POST", f"{path_of(web)}/deploys", {"deployMode": "deploy_only"})
    sim.step(600)
    assert sim.truth()["services"][0]["running"]["env"] == {"A": "1"}


@row("4-11 never in a service object or list")
def _(sim: Simulator) -> None:
    web = sim.service("web", envVars=[A], secretFiles=[{"name": "f", "content": "x"}])
    for shown in (web, sim.read(web), sim.ok("GET", "/services")[0]["service"]):
        assert shown.keys().isdisjoint({"envVars", "secretFiles"})


@row("4-12 variables of a group are not the service's")
def _(sim: Simulator) -> None:
    web = sim.service("web")
    group = sim.ok("POST", "/env-groups", GROUP | {"serviceIds": [web["id"]]})
    assert [link["id"] for link in group["serviceLinks"]] == [web["id"]]
    assert variables(sim, path_of(web)) == []


@row("4-13 values are strings")
def _(sim: Simulator) -> None:
    where = path_of(sim.service("web"))
    sim.refused(400, "PUT", f"{where}/env-vars", [{"key": "A", "value": 1}])
    sim.ok("PUT", f"{where}/env-vars", [{"key": "A", "value": ""}, {"key": "cluster.name", "value": "é\n"}])
    assert variables(sim, where)[0] == {"key": "cluster.name", "value": "é\n"}


@row("4-14 the last of two writers wins")
def _(sim: Simulator) -> None:
    where = path_of(sim.service("web"))
    for body in ([A], [B]):
        sim.ok("PUT", f"{where}/env-vars", body)
    assert variables(sim, where) == [B]


@row("4 secret files work alike: full replacement, order, 1 MB in total")
def _(sim: Simulator) -> None:
    where = f"{path_of(sim.service('web'))}/secret-files"
    sent = [{"name": name, "content": name} for name in "ab"]
    assert [item["secretFile"] for item in sim.ok("PUT", where, sent)] == sent
    assert [item["secretFile"] for item in sim.ok("GET", where)] == sent[::-1]
    sim.refused(400, "PUT", where, [{"name": name, "content": "x" * 600_000} for name in "ab"])
    assert sim.ok("PUT", where, []) == sim.ok("GET", where) == []


# ---------------------------------------------------------------- 3.13.4 and 3.14: how to connect


@row("3.13.4 forms of a Postgres connection")
def _(sim: Simulator) -> None:
    made = sim.ok("POST", "/postgres", PG | {"region": "frankfurt"})
    info = sim.ok("GET", f"{path_of(made, '/postgres')}/connection-info")
    login, name = f"{made['databaseUser']}:{info['password']}", made["databaseName"]
    assert info["internalConnectionString"] == f"postgresql://{login}@{made['id']}/{name}"
    outside = f"{made['id']}.frankfurt-postgres.render.com"
    assert info["externalConnectionString"] == f"postgresql://{login}@{outside}:5432/{name}"
    assert info["password"] in info["psqlCommand"]
    assert info.keys().isdisjoint({"internalConnectionPoolString", "externalConnectionPoolString"})


@row("3.14 forms of a Key Value connection, and its twin")
def _(sim: Simulator) -> None:
    made = sim.ok("POST", "/redis", KV)
    info = sim.ok("GET", f"{path_of(made, '/key-value')}/connection-info")
    assert info["internalConnectionString"] == f"redis://{made['id']}:6379"
    external = info["externalConnectionString"]
    assert re.fullmatch(f"rediss://{made['id']}:[^@]+@oregon-keyvalue.render.com:6379", external)
    assert info.keys() ^ sim.ok("GET", f"{path_of(made, '/redis')}/connection-info").keys() == {
        "cliCommand", "redisCLICommand",
    }  # fmt: skip
    for path, key in (("/redis", "redis"), ("/key-value", "keyValue")):
        assert [item[key]["id"] for item in sim.ok("GET", path)] == [made["id"]]


# ---------------------------------------------------------------- 3.15


@row("3.15-01 3.15-03 POST 201 and GET show the whole group, newest first")
def _(sim: Simulator) -> None:
    answer = sim.call("POST", "/env-groups", GROUP | {"secretFiles": [{"name": "f", "content": "x"}]})
    made = answer.json()
    read = sim.ok("GET", path_of(made, "/env-groups"))
    assert answer.status_code == 201
    for shown in (made, read):
        assert (shown["envVars"], shown["secretFiles"]) == ([B, A], [{"name": "f", "content": "x"}])


@row("3.15-02 the list shows meta only, bare")
def _(sim: Simulator) -> None:
    sim.ok("POST", "/env-groups", GROUP)
    [shown] = sim.ok("GET", "/env-groups")
    assert shown.keys() == {"id", "name", "ownerId", "createdAt", "updatedAt", "serviceLinks"}


@row("3.15-04 PATCH changes the name and nothing else")
def _(sim: Simulator) -> None:
    where = path_of(sim.ok("POST", "/env-groups", GROUP), "/env-groups")
    changed = sim.ok("PATCH", where, {"name": "other", "envVars": [{"key": "C", "value": "3"}]})
    assert (changed["name"], changed["envVars"]) == ("other", [B, A])


@row("3.15-05 deleting a group takes its variables from services at their next deploy")
def _(sim: Simulator) -> None:
    web = sim.service("web")
    where = path_of(sim.ok("POST", "/env-groups", GROUP | {"serviceIds": [web["id"]]}), "/env-groups")
    sim.step(600)
    sim.ok("POST", f"{path_of(web)}/deploys", {})
    sim.step(600)
    assert sim.call("DELETE", where).status_code == 204
    assert sim.truth()["services"][0]["running"]["env"] == {"A": "1", "B": "2"}
    sim.ok("POST", f"{path_of(web)}/deploys", {})
    sim.step(600)
    assert sim.truth()["services"][0]["running"]["env"] == {}


@row("3.15-06 3.15-07 3.15-08 one variable or file at a time: PUT answers the whole group")
def _(sim: Simulator) -> None:
    where = path_of(sim.ok("POST", "/env-groups", GROUP), "/env-groups")
    assert sim.ok("PUT", f"{where}/env-vars/C", {"value": "3"})["envVars"] == [{"key": "C", "value": "3"}, B, A]
    assert GENERATED.fullmatch(sim.ok("PUT", f"{where}/env-vars/C", {"generateValue": True})["envVars"][0]["value"])
    assert sim.call("DELETE", f"{where}/env-vars/C").status_code == 204
    assert sim.call("PUT", f"{where}/secret-files/f", {"content": "x"}).status_code == 200
    assert sim.call("DELETE", f"{where}/secret-files/f").status_code == 204
    assert sim.call("PUT", f"{where}/env-vars", [A]).status_code in (404, 405)  # no bulk replace exists


@row("3.15-09 links carry the short names of the types")
def _(sim: Simulator) -> None:
    where = path_of(sim.ok("POST", "/env-groups", GROUP), "/env-groups")
    kinds = {"web_service": "web", "private_service": "pserv", "background_worker": "worker", "cron_job": "cron",
             "static_site": "static"}  # fmt: skip
    for kind in kinds:
        made = sim.service(kind, kind)
        assert sim.call("POST", f"{where}/services/{made['id']}").status_code == 200
    links = sim.ok("GET", where)["serviceLinks"]
    assert {link["name"]: link["type"] for link in links} == kinds
    assert sim.call("DELETE", f"{where}/services/{links[0]['id']}").status_code == 204


@row("3.15 the newest of two groups wins, and the service itself over both")
def _(sim: Simulator) -> None:
    web = sim.service("web", envVars=[{"key": "B", "value": "own"}])
    for name, value in (("older", "o"), ("newer", "n")):
        body = {"name": name, "ownerId": OWNER, "envVars": [{"key": key, "value": value} for key in "AB"]}
        sim.ok("POST", "/env-groups", body | {"serviceIds": [web["id"]]})
    sim.step(600)
    sim.ok("POST", f"{path_of(web)}/deploys", {})
    sim.step(600)
    assert sim.truth()["services"][0]["running"]["env"] == {"A": "n", "B": "own"}


# ---------------------------------------------------------------- 3.16


@row("3.16-01 3.16-02 a project is made with its environments, named by id")
def _(sim: Simulator) -> None:
    made = sim.ok("POST", "/projects", PROJECT | {"environments": [{"name": "prod"}, {"name": "dev"}]})
    names = [sim.ok("GET", f"/environments/{id}")["name"] for id in made["environmentIds"]]
    assert names == ["prod", "dev"]
    sim.refused(400, "POST", "/projects", PROJECT | {"environments": []})
    assert at(sim.ok("PATCH", path_of(made, "/projects"), {"name": "shop"})["updatedAt"]) > at(made["updatedAt"])


@row("3.16-03 3.16-06 only what is empty can be deleted; empty environments go with their project")
def _(sim: Simulator) -> None:
    environment = environment_of(sim)
    web = sim.service("web", environmentId=environment)
    project = sim.ok("GET", f"/environments/{environment}")["projectId"]
    sim.refused(409, "DELETE", f"/projects/{project}")
    sim.refused(409, "DELETE", f"/environments/{environment}")
    sim.ok("DELETE", path_of(web))
    assert sim.call("DELETE", f"/projects/{project}").status_code == 204
    sim.refused(404, "GET", f"/environments/{environment}")


@row("3.16-04 3.16-05 environments: 201, 200, and the project is required to list them")
def _(sim: Simulator) -> None:
    project = sim.ok("POST", "/projects", PROJECT)
    made = sim.call("POST", "/environments", {"name": "dev", "projectId": project["id"]})
    assert made.status_code == 201
    changed = sim.ok("PATCH", path_of(made.json(), "/environments"), {"networkIsolationEnabled": True, "name": "test"})
    assert (changed["name"], changed["networkIsolationEnabled"], changed["protectedStatus"]) == (
        "test", True, "unprotected",
    )  # fmt: skip
    sim.refused(400, "GET", "/environments")
    found = sim.ok("GET", "/environments", projectId=project["id"])
    assert [item["environment"]["name"] for item in found] == ["test", "prod"]


@row("3.16-07 POST resources moves services, databases with replicas, Key Values and groups")
def _(sim: Simulator) -> None:
    first, second = environment_of(sim, "one"), environment_of(sim, "two")
    plan = {"plan": "pro_4gb", "readReplicas": [{"name": "r"}]}
    database = sim.ok("POST", "/postgres", PG | plan | {"environmentId": first})
    members = [sim.service("web", environmentId=first)["id"], database["id"],
               sim.ok("POST", "/key-value", KV)["id"], sim.ok("POST", "/env-groups", GROUP)["id"]]  # fmt: skip
    shown = sim.ok("POST", f"/environments/{second}/resources", {"resourceIds": members})
    replica = database["readReplicas"][0]["id"]
    assert (shown["serviceIds"], sorted(shown["databasesIds"])) == (members[:1], sorted([database["id"], replica]))
    assert (shown["redisIds"], shown["envGroupIds"]) == (members[2:3], members[3:])
    assert sim.ok("GET", f"/environments/{first}")["databasesIds"] is None


@row("3.16-08 the id in the path of a removal is not checked")
def _(sim: Simulator) -> None:
    web = sim.service("web", environmentId=environment_of(sim))
    assert sim.call("DELETE", "/environments/nothing/resources", resourceIds=web["id"]).status_code == 204
    assert "environmentId" not in sim.read(web)


@row("3.16 an environment has no times, null for no members, and perhaps an allow list")
def _(sim: Simulator) -> None:
    where = f"/environments/{environment_of(sim)}"
    shown = sim.ok("GET", where)
    assert shown["ipAllowList"] == [{"cidrBlock": "0.0.0.0/0", "description": "everywhere"}]
    assert shown.keys().isdisjoint({"createdAt", "updatedAt"})
    assert shown["protectedStatus"] == "unprotected" and shown["networkIsolationEnabled"] is False
    sim.set(environment_ip_allow_list=False)
    assert "ipAllowList" not in sim.ok("GET", where)


@pytest.mark.parametrize("check", ROWS.values(), ids=ROWS)
def test_row(sim: Simulator, check: Check):
    check(sim)
