"""/v1 beside the tenants' documents, over real HTTP: their parts, Blueprints, the fleet, keys."""

import copy
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from reconciler.core.status import ComponentStatus, Phase, Status
from tests.api.harness import BLUEPRINT, ApiServer


@pytest.fixture(scope="module")
def operator(api: ApiServer):
    with api.client("operator", name="oncall") as made:
        yield made


# ---------------------------------------------------------------- parts of a tenant


def test_a_pass_is_asked_for_with_a_token(api, operator):
    api.make("f-rec")
    first = operator.post("/v1/tenants/f-rec/reconcile")
    assert (first.status_code, first.json()["tenant"]) == (202, "f-rec")
    assert first.json()["token"] != operator.post("/v1/tenants/f-rec/reconcile").json()["token"]


def test_a_hold_has_a_reason_and_an_end(api, operator):
    api.make("f-hold")
    answer = operator.put("/v1/tenants/f-hold/hold", json={"why": "incident 311", "for": "2h"})
    assert answer.status_code == 200
    until = datetime.fromisoformat(answer.json()["until"])
    assert timedelta(hours=1.9) < until - datetime.now(UTC) < timedelta(hours=2.1)
    shown = operator.get("/v1/tenants/f-hold").json()["status"]["hold"]
    assert (shown["by"], shown["why"]) == ("oncall", "incident 311")
    assert operator.delete("/v1/tenants/f-hold/hold").status_code == 204
    assert operator.get("/v1/tenants/f-hold").json()["status"]["hold"] is None
    assert operator.delete("/v1/tenants/f-hold/hold").status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"why": "x"}, {"why": "", "for": "2h"}, {"why": "x", "for": "2 hours"}, {"for": "2h"}]
)
def test_other_holds_are_refused(api, operator, body):
    if not api.exists("f-holds"):
        api.make("f-holds")
    assert operator.put("/v1/tenants/f-holds/hold", json=body).status_code == 422


def test_secrets_go_in_and_only_their_names_come_out(api, operator):
    api.make("f-secret")
    path = "/v1/tenants/f-secret/secrets"
    assert operator.put(f"{path}/SMTP_PASSWORD", json={"value": "hunter2"}).status_code == 204
    listed = operator.get(path)
    assert [item["key"] for item in listed.json()["items"]] == ["SMTP_PASSWORD"]
    assert "hunter2" not in listed.text
    assert "hunter2" not in str(api.sql("SELECT * FROM reconciler.secrets"))
    with api.client("operator") as client:
        assert "hunter2" not in client.get("/v1/audit?subject=f-secret").text
    assert operator.delete(f"{path}/SMTP_PASSWORD").status_code == 204
    assert operator.delete(f"{path}/SMTP_PASSWORD").status_code == 404


def test_a_refused_secret_is_not_repeated(api, operator):
    api.make("f-secret2")
    answer = operator.put("/v1/tenants/f-secret2/secrets/KEY", json={"value": ["hunter2"]})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text
    assert operator.put("/v1/tenants/f-secret2/secrets/9-x", json={"value": "x"}).status_code == 422
    answer = operator.put("/v1/tenants/f-secret2/secrets/KEY", json={"value": "a"}, headers={"Idempotency-Key": "1"})
    assert answer.status_code == 400


def test_events_and_operations_are_listed(api, operator):
    api.make("f-events")
    for path in ("events", "events?after=0&limit=5", "operations", "operations?limit=1"):
        answer = operator.get(f"/v1/tenants/f-events/{path}")
        assert answer.status_code == 200, answer.text
        assert isinstance(answer.json()["items"], list)
    assert operator.get("/v1/tenants/f-events/events?after=-1").status_code == 422


def test_what_a_tenant_costs(api, operator):
    api.make("f-cost")
    component = ComponentStatus(
        component="backend", kind="web service", name="backend-f-cost", state="live", healthy=True
    )
    api.set_status(
        "f-cost",
        Status(phase=Phase.READY, observed_generation=1, revision=1, conditions=(), components=(component,)),
    )
    answer = operator.get("/v1/tenants/f-cost/costs?window=7d").json()
    assert answer["components"][0]["component"] == "backend"
    assert answer["since"] < answer["until"]
    assert operator.get("/v1/tenants/f-cost/costs?window=never").status_code == 422


@pytest.mark.parametrize("path", ["events", "operations", "costs", "secrets", "plan", ""])
def test_parts_of_nobody_are_404(operator, path):
    assert operator.get(f"/v1/tenants/nobody/{path}".rstrip("/")).status_code == 404


# ---------------------------------------------------------------- Blueprints


def changed(plan: str):
    document = copy.deepcopy(BLUEPRINT)
    document["metadata"] = {"name": "site"}
    document["spec"]["tiers"]["pro"]["patch"]["backend"]["plan"] = plan  # type: ignore[index,call-overload]
    return document


def test_a_blueprint_gets_revisions(api, operator):
    first = operator.put("/v1/blueprints/site", json=changed("standard"))
    assert first.status_code == 201, first.text
    assert (first.json()["outcome"], first.json()["metadata"]["revision"]) == ("created", 1)
    same = operator.put("/v1/blueprints/site", json=changed("standard"))
    assert (same.status_code, same.json()["outcome"]) == (200, "unchanged")
    sent = yaml.safe_dump(changed("pro"))
    second = operator.put("/v1/blueprints/site", content=sent, headers={"Content-Type": "application/yaml"})
    assert (second.status_code, second.json()["metadata"]["revision"]) == (201, 2)
    assert second.headers["location"] == "/v1/blueprints/site?revision=2"
    old = operator.get("/v1/blueprints/site?revision=1").json()
    assert old["spec"]["tiers"]["pro"]["patch"]["backend"]["plan"] == "standard"
    assert old["metadata"]["newestRevision"] == 2
    got = operator.get("/v1/blueprints/site").json()
    again = operator.put("/v1/blueprints/site", json=got)
    assert (again.status_code, again.json()["outcome"]) == (200, "unchanged"), again.text
    assert {item["metadata"]["name"] for item in operator.get("/v1/blueprints").json()["items"]} >= {"crm", "site"}
    assert operator.get("/v1/blueprints/site?revision=99").status_code == 404
    assert operator.get("/v1/blueprints/none").status_code == 404


def test_a_wrong_blueprint_is_refused_by_field_and_shown(operator):
    document = changed("standard")
    document["spec"]["entrypoint"] = "nowhere"  # type: ignore[index,call-overload]
    answer = operator.put("/v1/blueprints/site", json=document)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["path"] == "spec.entrypoint"
    assert any(item["kind"] == "Blueprint" for item in operator.get("/v1/rejections").json()["items"])
    document["spec"] = {"templateFile": "../crm/render.yaml"}
    answer = operator.put("/v1/blueprints/site", json=document)
    assert "templateFile" in answer.json()["detail"]


def test_a_rollout_that_did_not_stop_cannot_be_retried(operator):
    assert operator.post("/v1/blueprints/crm/rollout/retry").status_code == 404


def test_shared_secrets(api, operator):
    path = "/v1/blueprints/crm/secrets"
    assert operator.put(f"{path}/SENTRY_DSN", json={"value": "hunter2"}).status_code == 204
    listed = operator.get(path)
    assert [item["key"] for item in listed.json()["items"]] == ["SENTRY_DSN"]
    assert "hunter2" not in listed.text
    assert operator.delete(f"{path}/SENTRY_DSN").status_code == 204
    assert operator.put("/v1/blueprints/none/secrets/A", json={"value": "x"}).status_code == 404


# ---------------------------------------------------------------- the fleet


def test_the_brake_moves_with_a_reason(operator):
    before = operator.get("/v1/brake").json()
    assert operator.put("/v1/brake", json={"brake": "observe", "why": "looking"}).status_code == 200
    assert operator.get("/v1/brake").json() == {"brake": "observe", "why": "looking"}
    for body in ({"brake": "off", "why": "x"}, {"brake": "normal"}, {"brake": "normal", "why": ""}):
        assert operator.put("/v1/brake", json=body).status_code == 422
    operator.put("/v1/brake", json={"brake": before["brake"], "why": "back"})


@pytest.mark.parametrize(
    "query",
    ["", "window=7d&by=component", "by=label:segment", "by=tier&label=a=b", "window=lastmonth&by=blueprint", "by=kind"],
)
def test_costs_by_group_and_window(operator, query):
    answer = operator.get(f"/v1/costs?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["currency"] == "USD"


def test_costs_between_two_times(operator):
    times = {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00+00:00"}
    answer = operator.get("/v1/costs", params=times).json()
    assert (answer["since"], answer["until"]) == ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")


@pytest.mark.parametrize("query", ["window=x", "by=owner", "by=label:", "label=x", "since=2026-01-01T00:00:00Z"])
def test_other_costs_are_refused(operator, query):
    answer = operator.get(f"/v1/costs?{query}")
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["remedy"]


def test_queue_and_events_of_the_fleet(operator):
    assert operator.get("/v1/queue").json() == {"items": []}
    assert isinstance(operator.get("/v1/events?limit=3").json()["items"], list)


def test_the_audit_log_says_who_and_how(api, operator):
    api.make("f-audit")
    operator.post("/v1/tenants/f-audit/state", json={"state": "suspended"})
    newest = operator.get("/v1/audit?subject=f-audit&limit=1").json()["items"][0]
    assert (newest["actor"], newest["via"], newest["subject"]) == ("oncall", "http", "f-audit")


# ---------------------------------------------------------------- keys


def test_a_key_is_shown_once(api):
    with api.client("admin") as admin:
        made = admin.post("/v1/keys", json={"name": "prom", "scopes": ["read"]})
        assert made.status_code == 201
        secret = made.json()["secret"]
        assert secret not in admin.get("/v1/keys").text
        assert secret not in str(api.sql("SELECT * FROM reconciler.api_keys"))
        with api.client() as client:
            assert client.get("/metrics", headers={"X-API-Key": secret}).status_code == 200
        assert admin.post("/v1/keys", json={"name": "prom", "scopes": ["read"]}).status_code == 409
        assert admin.delete("/v1/keys/prom").status_code == 204
        assert admin.delete("/v1/keys/prom").status_code == 404
        listed = {item["name"]: item["revokedAt"] for item in admin.get("/v1/keys").json()["items"]}
        assert listed["prom"] is not None


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "scopes": []},
        {"name": "", "scopes": ["read"]},
        {"name": "a\nb", "scopes": ["read"]},
    ],
)
def test_other_keys_are_refused(api, body):
    with api.client("admin") as admin:
        answer = admin.post("/v1/keys", json=body)
    assert answer.status_code == 422
    assert answer.json()["problems"]


def test_the_answer_with_a_key_is_never_stored(api):
    with api.client("admin") as admin:
        answer = admin.post("/v1/keys", json={"name": "y", "scopes": ["read"]}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 400
    assert "secret" in answer.json()["detail"]
