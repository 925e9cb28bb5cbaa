"""Who may do what: protected environments and keys of no admin, and what the plan of a workspace lacks."""

from typing import Any

import pytest

from tests.simulator.conftest import OWNER, Simulator

PG = {"name": "db", "ownerId": OWNER, "plan": "free", "version": "16"}
KV = {"name": "kv", "ownerId": OWNER, "plan": "free"}


def project(sim: Simulator, **environment: Any) -> tuple[str, str]:
    """A project with one environment: the ids of both."""
    given = {"name": "prod", **environment}
    made = sim.ok("POST", "/projects", {"name": "p", "ownerId": OWNER, "environments": [given]})
    return made["id"], made["environmentIds"][0]


@pytest.fixture
def shop(sim: Simulator) -> dict[str, str]:
    """One of each in a protected environment, and a service outside; the key `viewer` is no admin's."""
    home, inside = project(sim, protectedStatus="protected")
    where = {"environmentId": inside}
    disk = {"name": "d", "mountPath": "/data"}
    service = sim.service("web", serviceDetails={"disk": disk}, envVars=[{"key": "A", "value": "1"}], **where)
    made = {
        "project": home, "environment": inside, "service": service["id"],
        "disk": service["serviceDetails"]["disk"]["id"], "outside": sim.service("outside")["id"],
        "postgres": sim.ok("POST", "/postgres", PG | where)["id"],
        "kv": sim.ok("POST", "/key-value", KV | where)["id"],
        "group": sim.ok("POST", "/env-groups", {"name": "g", "ownerId": OWNER, "envVars": [], **where})["id"],
    }  # fmt: skip
    sim.set(non_admin_keys="viewer,guest")
    return made


REFUSED: list[tuple[str, str, Any]] = [
    ("DELETE", "/services/{service}", None),
    ("DELETE", "/postgres/{postgres}", None),
    ("DELETE", "/key-value/{kv}", None),
    ("DELETE", "/redis/{kv}", None),
    ("DELETE", "/env-groups/{group}", None),
    ("DELETE", "/disks/{disk}", None),
    ("DELETE", "/environments/{environment}", None),
    ("DELETE", "/projects/{project}", None),
    ("POST", "/services/{service}/suspend", None),
    ("POST", "/services/{service}/resume", None),
    ("POST", "/postgres/{postgres}/suspend", None),
    ("POST", "/key-value/{kv}/suspend", None),
    ("GET", "/services/{service}/env-vars", None),
    ("GET", "/services/{service}/env-vars/A", None),
    ("GET", "/services/{service}/secret-files", None),
    ("GET", "/postgres/{postgres}/connection-info", None),
    ("GET", "/key-value/{kv}/connection-info", None),
    ("GET", "/env-groups/{group}", None),
    ("POST", "/environments/{environment}/resources", {"resourceIds": ["{outside}"]}),
    ("DELETE", "/environments/any/resources?resourceIds={service}", None),
    ("POST", "/postgres", PG | {"environmentId": "{environment}"}),
    ("POST", "/key-value", KV | {"environmentId": "{environment}"}),
]


def filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, str):
        return value.format(**ids)
    if isinstance(value, dict):
        return {name: filled(part, ids) for name, part in value.items()}
    return [filled(part, ids) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("method", "path", "body"), REFUSED, ids=[f"{row[0]} {row[1]}" for row in REFUSED])
def test_only_admins_act_in_a_protected_environment(sim: Simulator, shop, method, path, body):
    before = sim.truth()["writes"]
    answer = sim.call(method, filled(path, shop), filled(body, shop), key="viewer")
    assert answer.status_code == 403
    assert shop["environment"] in answer.json()["message"]
    assert sim.truth()["writes"] == before
    # An admin may; one who empties first where that is asked for.
    admin = sim.call(method, filled(path, shop), filled(body, shop), key="admin")
    assert admin.is_success or admin.status_code == 409


def test_the_rest_is_open_to_all(sim: Simulator, shop):
    for path in ("/services", "/services/{service}", "/postgres/{postgres}", "/services/{outside}/env-vars"):
        assert sim.call("GET", filled(path, shop), key="viewer").status_code == 200
    assert sim.call("POST", filled("/services/{outside}/suspend", shop), key="guest").status_code == 202
    sim.ok("PATCH", f"/environments/{shop['environment']}", {"protectedStatus": "unprotected"})
    assert sim.call("DELETE", filled("/services/{service}", shop), key="viewer").status_code == 204


def test_without_a_plan_a_workspace_has_everything(sim: Simulator):
    sim.set(limits_enabled=False)
    for number in range(26):
        sim.service(f"s{number}")
    project(sim, protectedStatus="protected", networkIsolationEnabled=True)


def test_hobby_lacks_what_begins_with_pro(sim: Simulator):
    sim.set(limits_enabled=False, workspace_plan="hobby")
    for number in range(25):
        service = sim.service(f"s{number}")
    body = {"type": "static_site", "name": "x", "ownerId": OWNER, "repo": "https://github.com/a/b"}
    assert "25 services" in sim.refused(400, "POST", "/services", body)
    scaling = {"enabled": True, "min": 1, "max": 2, "criteria": {"cpu": {"enabled": True, "percentage": 50}}}
    assert "autoscaling" in sim.refused(400, "PUT", f"/services/{service['id']}/autoscaling", scaling)
    home, inside = project(sim)
    for field, value in (("protectedStatus", "protected"), ("networkIsolationEnabled", True)):
        assert field in sim.refused(400, "PATCH", f"/environments/{inside}", {field: value})
        sim.refused(400, "POST", "/environments", {"name": "e", "projectId": home, field: value})
    sim.ok("POST", "/environments", {"name": "two", "projectId": home})
    assert "environments" in sim.refused(400, "POST", "/environments", {"name": "three", "projectId": home})
    three = [{"name": "a"}, {"name": "b"}, {"name": "c"}]
    sim.refused(400, "POST", "/projects", {"name": "q", "ownerId": OWNER, "environments": three})
    hook = {"ownerId": OWNER, "url": "https://a.example.com/", "name": "h", "enabled": True, "eventFilter": []}
    sim.refused(400, "POST", "/webhooks", hook)
    sim.set(workspace_plan="pro")
    sim.ok("POST", "/webhooks", hook)
    assert "1 webhooks" in sim.refused(400, "POST", "/webhooks", hook)
    sim.ok("PUT", f"/services/{service['id']}/autoscaling", scaling)


def test_a_project_with_a_wrong_environment_leaves_nothing_behind(sim: Simulator):
    good, bad = {"name": "a"}, {"name": "b", "networkIsolationEnabled": "yes"}
    body = {"name": "p", "ownerId": OWNER, "environments": [good, bad]}
    assert "networkIsolationEnabled" in sim.refused(400, "POST", "/projects", body)
    assert sim.truth()["projects"] == sim.truth()["environments"] == []
