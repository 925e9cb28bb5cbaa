"""What holds of every request: methods, paths, bodies, headers, keys; refusals name their reason."""

import pytest

from tests.simulator.conftest import OWNER, Simulator

LIMITS = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")


def test_every_reply_carries_the_same_headers(sim: Simulator):
    for method, path, status in (
        ("GET", "/services", 200),
        ("POST", "/services", 400),
        ("GET", "/services/srv-none", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/services", 405),
    ):
        answer = sim.call(method, path, {} if method == "POST" else None)
        assert answer.status_code == status, path
        for name in (*LIMITS, "date", "render-request-id"):
            assert name in answer.headers, (path, name)
        assert answer.headers["vary"] == "Origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert "retry-after" not in answer.headers


@pytest.mark.parametrize("value", [None, "", "Bearer", "Basic abc", "k1"])
def test_a_missing_or_blank_key_is_401(sim: Simulator, value):
    answer = sim.http.get("/v1/services", headers={} if value is None else {"Authorization": value})
    assert answer.status_code == 401
    assert answer.json() == {"message": "Unauthorized"}


def test_the_word_bearer_may_be_spelt_in_any_case(sim: Simulator):
    assert sim.http.get("/v1/services", headers={"Authorization": "bearer k1"}).status_code == 200


def test_a_method_that_a_path_lacks_is_405_and_an_unknown_path_404(sim: Simulator):
    answer = sim.call("PUT", "/services")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert "PUT" in answer.json()["message"]
    assert sim.call("POST", "/blueprints", {}).status_code == 405  # no Blueprint can be created
    for path in ("/nothing", "/services/srv-1/nothing", "/services//env-vars/x/y"):
        assert sim.refused(404, "GET", path) == f"not found: /v1{path}"


def test_head_is_get_without_its_body(sim: Simulator):
    service = sim.service("web")
    whole = sim.call("GET", f"/services/{service['id']}")
    head = sim.call("HEAD", f"/services/{service['id']}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    assert int(head.headers["ratelimit-remaining"]) == int(whole.headers["ratelimit-remaining"]) - 1
    assert [write["method"] for write in sim.truth()["writes"]] == ["POST"]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("application/*;q=0.5, text/html", 200),
        ("*/*", 200),
        ("text/html", 406),
        ("application/xml, application/json;q=0", 406),
    ],
)
def test_an_answer_nobody_accepts_is_406(sim: Simulator, accept, status):
    headers = {"Authorization": "Bearer k1", "Accept": accept}
    assert sim.http.get("/v1/services", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/services", b"{"),
        ("POST", "/services", b"[]"),
        ("POST", "/services", b'"text"'),
        ("POST", "/services", b"\xff\xfe"),
        ("POST", "/services", b"[" * 100_000),
        ("PUT", "/services/{id}/env-vars", b"{}"),
        ("PUT", "/services/{id}/env-vars", b""),
        ("PUT", "/services/{id}/env-vars", b'{"A":"1"}'),
        ("PUT", "/services/{id}/env-vars", b"[1]"),
        ("PUT", "/services/{id}/secret-files", b""),
    ],
)
def test_a_body_that_cannot_be_understood_changes_nothing(sim: Simulator, method, path, body):
    service = sim.service("web", envVars=[{"key": "A", "value": "1"}])
    headers = {"Authorization": "Bearer k1", "Content-Type": "application/json"}
    answer = sim.http.request(method, f"/v1{path.format(id=service['id'])}", content=body, headers=headers)
    assert answer.status_code == 400
    assert "body" in answer.json()["message"]
    assert sim.ok("GET", f"/services/{service['id']}/env-vars")[0]["envVar"] == {"key": "A", "value": "1"}


@pytest.mark.parametrize("body", [b"[]", b"null"])
def test_an_empty_list_and_null_clear_all_variables(sim: Simulator, body):
    service = sim.service("web", envVars=[{"key": "A", "value": "1"}])
    headers = {"Authorization": "Bearer k1", "Content-Type": "application/json"}
    answer = sim.http.put(f"/v1/services/{service['id']}/env-vars", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, [])
    assert sim.ok("GET", f"/services/{service['id']}/env-vars") == []


@pytest.mark.parametrize("name", ["a b", "100%25", "a/b", "ü", "%", "key.with-dots"])
def test_names_in_paths_are_escaped_once(sim: Simulator, name):
    path = f"/services/{sim.service('web')['id']}/secret-files"
    sim.ok("PUT", path, [{"name": name, "content": "x"}])
    escaped = "".join(f"%{byte:02X}" for byte in name.encode())
    assert sim.ok("GET", f"{path}/{escaped}") == {"name": name, "content": "x"}
    sim.ok("DELETE", f"{path}/{escaped}")
    assert sim.ok("GET", path) == []


def test_a_very_long_query_is_still_read(sim: Simulator):
    names = ",".join(f"name-{number}" for number in range(4_000))
    assert sim.ok("GET", "/services", name=names) == []


def test_unknown_fields_are_passed_over(sim: Simulator):
    zero = {"id": "", "name": "", "registry": "", "updatedAt": "0001-01-01T00:00:00Z", "username": ""}
    made = sim.service(
        "c", "cron_job", image={"imagePath": "nginx", "ownerId": "", "registryCredential": zero}, extra=1
    )
    assert "registryCredential" not in made and "extra" not in made


def test_instances_have_ids_of_their_own(sim: Simulator):
    service = sim.service("web", serviceDetails={"numInstances": 30})
    sim.step(60)
    found = sim.ok("GET", f"/services/{service['id']}/instances")
    assert len({item["id"] for item in found}) == 30
    for item in found:
        assert item["id"].startswith(f"{service['id']}-") and len(item["id"]) == len(service["id"]) + 6
        assert item.keys() == {"id", "createdAt"}


def test_a_group_says_what_it_needs(sim: Simulator):
    assert "envVars is required" in sim.refused(400, "POST", "/env-groups", {"name": "g", "ownerId": OWNER})
