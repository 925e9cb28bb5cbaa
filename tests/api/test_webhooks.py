import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.api.harness import WEBHOOK_SECRET, ApiServer, Starter


def event(live_id: str) -> dict[str, Any]:
    return {
        "type": "deploy_ended",
        "timestamp": "2026-03-14T15:09:26.535Z",
        "data": {"id": "evt-1", "serviceId": live_id, "serviceName": "backend-acme", "status": "succeeded"},
    }


def send(
    api: ApiServer, message_id: str, payload: Any, *, secret: str = WEBHOOK_SECRET, age_s: int = 0
) -> httpx.Response:
    body = payload if isinstance(payload, str) else json.dumps(payload)
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body),
        "content-type": "application/json",
    }
    return api.http.post("/webhooks/render", content=body, headers=headers)


def test_a_webhook_wakes_the_tenant_that_owns_the_resource(api):
    answer = send(api, "msg-1", event("srv-1"))
    assert (answer.status_code, answer.json()) == (202, {"outcome": "accepted"})
    assert api.woken[-1] == "srv-1"


def test_a_repetition_is_answered_and_wakes_nobody(api):
    send(api, "msg-2", event("srv-1"))
    before = len(api.woken)
    answer = send(api, "msg-2", event("srv-1"))
    assert (answer.status_code, answer.json()) == (202, {"outcome": "repeated"})
    assert len(api.woken) == before


@pytest.mark.parametrize("payload", [event("srv-9"), {}, [], {"data": {}}, {"data": None}, {"data": {"serviceId": 7}}])
def test_what_concerns_nobody_is_taken_too(api, payload):
    answer = send(api, f"msg-{payload}", payload)
    assert (answer.status_code, answer.json()) == (202, {"outcome": "unowned"})


def test_a_wrong_signature_is_refused(api):
    before = len(api.woken)
    assert send(api, "msg-3", event("srv-1"), secret="whsec_" + "A" * 32).status_code == 401
    assert send(api, "msg-3", event("srv-1"), age_s=3600).status_code == 401
    assert api.http.post("/webhooks/render", json=event("srv-1")).status_code == 401
    headers = {"webhook-id": "m", "webhook-timestamp": "x", "webhook-signature": "v1"}
    assert api.http.post("/webhooks/render", json={}, headers=headers).status_code == 401
    now = str(int(datetime.now(UTC).timestamp()))
    for signature in ("v1,%%%", "v1", "v2,abc v1,a", ",,,"):
        headers = {"webhook-id": "m", "webhook-timestamp": now, "webhook-signature": signature}
        answer = api.http.post("/webhooks/render", json={}, headers=headers)
        assert answer.status_code == 401, signature
    assert len(api.woken) == before


def test_a_refused_wake_up_may_be_sent_again(api, monkeypatch):
    async def broken(live_id: str) -> bool:
        raise RuntimeError("boom")

    object.__setattr__(api.options, "wake_resource", broken)
    assert send(api, "msg-4", event("srv-1")).status_code == 500
    object.__setattr__(api.options, "wake_resource", api._wake)
    assert send(api, "msg-4", event("srv-1")).json() == {"outcome": "accepted"}


def test_without_a_secret_there_are_no_webhooks(start_api: Starter, api):
    off = start_api()
    answer = send(off, "msg-5", event("srv-1"))
    assert answer.status_code == 404
    assert "RECONCILER_WEBHOOK_SECRET" in answer.json()["detail"]


def test_webhooks_are_counted(api):
    send(api, "msg-6", event("srv-1"))
    assert (api.metrics.registry.get_sample_value("reconciler_webhooks_total", {"outcome": "accepted"}) or 0) >= 1
