"""Who may use which route: a walk over every route of the application, over real HTTP."""

import re
from itertools import product

import pytest
from fastapi.routing import iter_route_contexts

from reconciler.api.access import ACCESS, IMPLIED, Scope
from reconciler.api.options import ApiOptions
from reconciler.core.values import Sensitive
from tests.api.harness import ApiServer, Starter

GUARDED = sorted(route for route, rule in ACCESS.items() if rule.scopes)
OPEN = sorted(route for route, rule in ACCESS.items() if not rule.scopes)
REFUSED = [(route, scope) for route, scope in product(GUARDED, Scope) if not ACCESS[route].scopes & IMPLIED[scope]]
ALLOWED = [(route, scope) for route, scope in product(GUARDED, Scope) if (route, scope) not in REFUSED]


def concrete(path: str) -> str:
    """An address of a route, of something that does not exist."""
    return re.sub(r"\{\w+\}", "nobody", path)


@pytest.fixture(scope="module")
def keys(api: ApiServer) -> dict[Scope, str]:
    return {scope: api.key(scope) for scope in Scope}


def test_the_table_and_the_application_have_the_same_routes(api):
    routes = {
        (method, str(route.path)) for route in iter_route_contexts(api.app.routes) for method in route.methods or ()
    }
    assert routes == set(ACCESS)


@pytest.mark.parametrize(("method", "path"), GUARDED, ids=str)
def test_every_guarded_route_refuses_a_missing_and_an_unknown_key(api, method, path):
    for headers in ({}, {"Authorization": "Bearer unknown"}, {"X-API-Key": "unknown"}):
        answer = api.http.request(method, concrete(path), headers=headers)
        assert answer.status_code == 401, answer.text


@pytest.mark.parametrize(("route", "scope"), REFUSED, ids=str)
def test_every_guarded_route_refuses_a_key_of_the_wrong_scope(api, keys, route, scope):
    method, path = route
    answer = api.http.request(method, concrete(path), headers={"X-API-Key": keys[scope]})
    assert answer.status_code == 403, answer.text


@pytest.mark.parametrize(("route", "scope"), ALLOWED, ids=str)
def test_every_guarded_route_lets_the_right_scope_through(api, keys, route, scope):
    method, path = route
    answer = api.http.request(method, concrete(path), headers={"X-API-Key": keys[scope]})
    assert answer.status_code not in (401, 403, 405, 500), answer.text


@pytest.mark.parametrize(("method", "path"), OPEN, ids=str)
def test_open_routes_ask_for_no_key(api, method, path):
    answer = api.http.request(method, path)
    # Sign-in without a key and a webhook without a signature are refused by themselves.
    expected = {401} if (method, path) in {("POST", "/console/login"), ("POST", "/webhooks/render")} else {200, 303}
    assert answer.status_code in expected


def test_a_revoked_key_is_refused_at_once(api):
    key = api.key("read", name="leaver")
    headers = {"X-API-Key": key}
    assert api.http.get("/v1/queue", headers=headers).status_code == 200
    with api.client("admin") as admin:
        assert admin.delete("/v1/keys/leaver").status_code == 204
    assert api.http.get("/v1/queue", headers=headers).status_code == 401


def test_a_refusal_names_the_scope_that_is_needed(api):
    with api.client("read") as client:
        answer = client.put("/v1/brake", json={"brake": "stop", "why": "x"}).json()
    assert "scope operator" in answer["detail"]
    assert "this one has read" in answer["detail"]


def test_a_key_is_limited_and_told_when_to_come_again(start_api: Starter, api):
    slow = start_api(requests_per_minute=30)
    with slow.client("read") as client, slow.client("read") as other:
        answers = [client.get("/v1/queue") for _ in range(6)]
        assert [answer.status_code for answer in answers].count(429) >= 2
        limited = answers[-1]
        assert limited.status_code == 429
        assert int(limited.headers["retry-after"]) >= 1
        assert "30 times a minute" in limited.json()["detail"]
        assert other.get("/v1/queue").status_code == 200
        legacy = client.get("/api/tenants/")
        assert legacy.status_code == 429
        assert "error" in legacy.json()


def test_metrics_need_a_key_unless_they_were_opened(start_api: Starter, api):
    assert api.http.get("/metrics").status_code == 401
    opened = start_api(metrics_open=True)
    assert opened.http.get("/metrics").status_code == 200
    assert opened.http.get("/v1/queue").status_code == 401


def test_options_do_not_show_their_secrets():
    options = ApiOptions(webhook_secret=Sensitive("whsec_x"), session_secret=Sensitive("hush"))
    assert "whsec_x" not in repr(options)
    assert "hush" not in repr(options)
