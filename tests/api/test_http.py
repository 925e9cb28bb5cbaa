"""What every answer has in common: probes, metrics, headers, errors, description."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.api import build_probes, serve
from reconciler.core.errors import StoreUnavailable
from tests.api.harness import ApiServer, SettableHealth


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_answer_with_reasons(api: ApiServer, path):
    try:
        assert api.http.get(path).json() == {"status": "ok", "reasons": []}
        api.health.reasons = ["no claim for 5m"]
        answer = api.http.get(path)
        assert (answer.status_code, answer.json()) == (503, {"status": "failing", "reasons": ["no claim for 5m"]})
        api.health.broken = True
        assert api.http.get(path).json()["reasons"] == ["the probe itself failed: RuntimeError"]
    finally:
        api.health.reasons, api.health.broken = [], False


def test_metrics_count_requests_by_route_and_never_by_address(api):
    api.metrics.attach(lambda: b'# TYPE reconciler_tenant_ready gauge\nreconciler_tenant_ready{tenant="x"} 1\n')
    with api.client("read") as client:
        client.get("/v1/tenants/nobody")
        client.get("/nowhere/at/all")
        page = client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(page.text)}
    routes = {sample.labels["route"] for sample in families["reconciler_http_requests"].samples}
    assert "/v1/tenants/{name}" in routes
    assert "unmatched" in routes
    assert not any("nobody" in route or "nowhere" in route for route in routes)
    assert families["reconciler_tenant_ready"].samples[0].value == 1


async def test_metrics_have_a_port_of_their_own_without_keys(api):
    server = await serve(build_probes(api.metrics, SettableHealth()), "127.0.0.1", 0)
    async with httpx.AsyncClient(base_url=server.url) as client:
        assert "controller_runtime_reconcile_total" in (await client.get("/metrics")).text
        assert (await client.get("/livez")).status_code == (await client.get("/readyz")).status_code == 200
        assert (await client.get("/v1/tenants")).status_code == 404
    await server.stop()


def test_every_answer_has_an_id_and_safe_headers(api):
    answer = api.http.get("/v1/queue", headers={"X-Request-Id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1" == answer.json()["requestId"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    made = api.http.get("/v1/queue", headers={"X-Request-Id": "x" * 500}).headers["x-request-id"]
    assert len(made) == 32


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", "/v1/nothing", 404), ("GET", "/api/nothing/", 404), ("POST", "/v1/queue", 405)),
        *(("DELETE", "/api/tenants/", 405), ("GET", "/v1/tenants/", 404), ("POST", "/api/tenants", 404)),
    ],
)
def test_addresses_that_are_not_there(api, method, path, status):
    answer = api.http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error" if path.startswith("/api") else "detail"]


def test_a_database_that_is_away_is_503_and_the_key_may_be_used_again(api, monkeypatch):
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("postgres://u:hunter2@h does not answer")

    with api.client("signup") as client:
        monkeypatch.setattr(api.registry, "find_display_name", away)
        headers = {"Idempotency-Key": "away"}
        answer = client.post("/api/tenants/", json={"name": "Away Co"}, headers=headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "hunter2" not in answer.text
        monkeypatch.undo()
        assert client.post("/api/tenants/", json={"name": "Away Co"}, headers=headers).status_code == 201


def test_what_nobody_foresaw_is_500_without_details(api, monkeypatch):
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("hunter2")

    with api.client("read") as client:
        monkeypatch.setattr(api.registry, "queue", broken)
        answer = client.get("/v1/queue")
        page = client.get("/console/queue")
    assert answer.status_code == page.status_code == 500
    assert "hunter2" not in answer.text + page.text
    assert answer.json()["requestId"] == answer.headers["x-request-id"]


def test_the_api_describes_itself(api):
    described = api.http.get("/openapi.json").json()
    assert "/v1/tenants/{name}" in described["paths"]
    assert "/api/tenants/{id}/status/" in described["paths"]
    assert "/console" not in described["paths"]
    assert {"bearer", "header"} <= set(described["components"]["securitySchemes"])
    assert described["paths"]["/v1/queue"]["get"]["security"]
    assert "security" not in described["paths"]["/livez"]["get"]
    assert "/openapi.json" in api.http.get("/docs").text


@pytest.mark.parametrize(
    "path", ["/v1/tenants/%00", "/v1/tenants?label=a%3D%00", "/v1/audit?subject=%00", "/v1/costs?by=%00"]
)
def test_nul_in_an_address_is_refused(api, path):
    with api.client("admin") as client:
        assert client.get(path).status_code in (400, 422)
