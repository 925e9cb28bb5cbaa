"""Idempotency-Key over real HTTP, and what happens when the database is away."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.api.harness import ApiServer


@pytest.fixture
def signup(api: ApiServer):
    with api.client("signup") as made:
        yield made


def test_the_same_request_gets_the_same_answer_and_happens_once(api, signup):
    headers = {"Idempotency-Key": "first"}
    answers = [signup.post("/api/tenants/", json={"name": "Replay One"}, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert answers[0].json() == answers[1].json() == answers[2].json()
    assert answers[0].headers["location"] == answers[2].headers["location"]
    assert "idempotency-replayed" not in answers[0].headers
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert signup.get("/api/tenants/").json()["count"] == 1


def test_another_body_under_the_same_key_is_refused(signup):
    headers = {"Idempotency-Key": "second"}
    assert signup.post("/api/tenants/", json={"name": "Replay Two"}, headers=headers).status_code == 201
    answer = signup.post("/api/tenants/", json={"name": "Replay Three"}, headers=headers)
    assert answer.status_code == 422
    assert "another request" in answer.json()["error"]


def test_refusals_are_repeated_too(signup):
    headers = {"Idempotency-Key": "third"}
    first = signup.post("/api/tenants/", json={"name": "A"}, headers=headers)
    again = signup.post("/api/tenants/", json={"name": "A"}, headers=headers)
    assert first.status_code == again.status_code == 400
    assert first.json() == again.json()


def test_keys_of_different_callers_do_not_meet(api, signup):
    headers = {"Idempotency-Key": "fourth"}
    assert signup.post("/api/tenants/", json={"name": "Replay Four"}, headers=headers).status_code == 201
    with api.client("signup") as other:
        assert other.post("/api/tenants/", json={"name": "Replay Five"}, headers=headers).status_code == 201


def test_twins_at_the_same_time_make_one_tenant(api):
    sent = {"X-API-Key": api.key("signup"), "Idempotency-Key": "twins"}

    def one(_: int) -> httpx.Response:
        return api.http.post("/api/tenants/", json={"name": "Replay Twins"}, headers=sent, timeout=30)

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(one, range(6)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    late = one(0)
    assert (late.status_code, late.headers["idempotency-replayed"]) == (201, "true")


def test_documents_are_replayed_with_their_headers(api):
    body = {
        "apiVersion": "reconciler/v1",
        "kind": "Tenant",
        "metadata": {"name": "replay-doc"},
        "spec": {"blueprint": "crm", "tier": "starter"},
    }
    with api.client("operator") as client:
        answers = [client.put("/v1/tenants/replay-doc", json=body, headers={"Idempotency-Key": "d"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].headers["etag"] == answers[1].headers["etag"]
        wrong = [client.put("/v1/tenants/other", json=body, headers={"Idempotency-Key": "e"}) for _ in range(2)]
        assert [answer.status_code for answer in wrong] == [422, 422]
        assert wrong[1].headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_keys_that_cannot_be_used(signup, key):
    answer = signup.post("/api/tenants/", json={"name": "Replay Six"}, headers={"Idempotency-Key": key})
    assert answer.status_code == 400


def test_a_read_ignores_the_key(signup):
    assert signup.get("/api/tenants/", headers={"Idempotency-Key": "r"}).headers.get("idempotency-replayed") is None
