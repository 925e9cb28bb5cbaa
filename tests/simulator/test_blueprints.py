"""The validation of Blueprint files: what it finds, where, and what it would make."""

from typing import Any

import httpx
import pytest

from tests.simulator.conftest import OWNER, Simulator

GOOD = """
services:
- type: web
  name: shop
  runtime: docker
  plan: pro plus
  envVars: [{key: DB, fromDatabase: {name: db, property: host}}]
- {type: cron, name: nightly, runtime: image, schedule: "0 3 * * *", image: {url: docker.io/acme/job}}
- {type: keyvalue, name: cache, ipAllowList: []}
databases:
- {name: db, plan: basic-1gb}
- {name: big, plan: pro-4gb}
projects:
- name: other
  environments:
  - name: prod
    services: [{type: web, name: site, runtime: static}]
    envVarGroups: [{name: shared, envVars: []}]
"""


def validate(sim: Simulator, text: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": "Bearer k"}
    files = {"file": ("render.yaml", text.encode()), "ownerId": (None, OWNER)}
    return sim.http.post("/v1/blueprints/validate", headers=headers, files=files, **more)


def test_a_good_file_tells_what_it_would_make(sim: Simulator):
    answer = validate(sim, GOOD)
    assert answer.status_code == 200
    assert answer.json() == {
        "valid": True,
        "plan": {
            "services": ["shop", "nightly", "site"], "databases": ["db", "big"], "keyValue": ["cache"],
            "envGroups": ["shared"], "totalActions": 7,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "error", "path", "line", "column"),
    [
        ("[]", "mapping", "", 1, 1),
        ("", "mapping", "", 1, 1),
        ("services: {}", "must be a list", "services", 1, 11),
        ("servises: []", "unknown field servises", "servises", 1, 11),
        ("services:\n- type: web\n  runtime: node", "name is required", "services[0]", 2, 3),
        ("services:\n- {type: lambda, name: a}", "invalid type lambda", "services[0].type", 2, 10),
        ("services:\n- {type: web, name: a}", "runtime is required", "services[0].env", 2, 3),
        ("services:\n- {type: web, name: a, runtime: cobol}", "runtime cobol", "services[0].runtime", 2, 33),
        ("services:\n- {type: pserv, name: a, runtime: go, plan: free}", "plan free", "services[0].plan", 2, 45),
        ("services:\n- {type: web, name: a, runtime: go, region: mars}", "mars", "services[0].region", 2, 45),
        (
            "services:\n- type: cron\n  name: a\n  runtime: go\n  schedule: daily",
            "daily", "services[0].schedule", 5, 13,
        ),
        ("services:\n- {type: redis, name: a}", "ipAllowList", "services[0]", 2, 3),
        ("databases:\n- {name: a, plan: gigantic}", "gigantic", "databases[0].plan", 2, 19),
        ("services:\n- {type: keyvalue, name: a, plan: x, ipAllowList: []}", "plan x", "services[0].plan", 2, 35),
        ("databases:\n- name: a\n- name: a", "a is defined twice", "databases[1].name", 3, 9),
        (
            "services:\n- type: worker\n  name: a\n  runtime: go\n  envVars:\n"
            "  - {key: X, fromDatabase: {name: gone, property: host}}",
            "there is no gone", "services[0].envVars[0].fromDatabase", 6, 28,
        ),
        (
            "projects:\n- name: p\n  environments:\n  - name: e\n    services:\n    - {type: web}",
            "name is required", "projects[0].environments[0].services[0]", 6, 7,
        ),
    ],
)  # fmt: skip
def test_an_error_has_its_place(sim: Simulator, text, error, path, line, column):
    answer = validate(sim, text).json()
    assert answer["valid"] is False and "plan" not in answer
    (found,) = answer["errors"]
    assert error in found["error"]
    assert (found["path"], found["line"], found["column"]) == (path, line, column)


def test_what_is_no_yaml_says_where(sim: Simulator):
    (found,) = validate(sim, "services: [").json()["errors"]
    assert found.keys() == {"error", "path", "line", "column"}


def test_only_a_file_in_parts_can_be_validated(sim: Simulator):
    assert "multipart" in sim.refused(400, "POST", "/blueprints/validate", {"file": GOOD})
    headers = {"Authorization": "Bearer k"}
    answer = sim.http.post("/v1/blueprints/validate", headers=headers, files={"other": ("x", b"")})
    assert (answer.status_code, answer.json()["message"]) == (400, "file is required")
