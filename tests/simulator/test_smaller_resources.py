"""Notifications, streams, credentials, webhooks, addresses, maintenance, metrics, Blueprints."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks.webhooks import Webhook

from tests.simulator.conftest import OWNER, Simulator


def test_notification_overrides_always_exist(sim: Simulator):
    service = sim.service("web")
    path = f"/notification-settings/overrides/services/{service['id']}"
    assert sim.ok("GET", path)["notificationsToSend"] == "default"
    sim.ok("PATCH", path, {})
    assert sim.read(service)["notifyOnFail"] == "default"
    changed = sim.ok("PATCH", path, {"notificationsToSend": "all", "previewNotificationsEnabled": "true"})
    assert changed["previewNotificationsEnabled"] == "true"
    assert sim.read(service)["notifyOnFail"] == "notify"
    assert [item["override"] for item in sim.ok("GET", "/notification-settings/overrides")] == [changed]
    assert sim.read(service)["updatedAt"] == service["updatedAt"]
    sim.refused(400, "PATCH", path, {"previewNotificationsEnabled": True})
    owner = f"/notification-settings/owners/{OWNER}"
    assert sim.ok("PATCH", owner, {"slackEnabled": True})["slackEnabled"] is True
    assert sim.ok("GET", owner)["notificationsToSend"] == "failure"


def test_log_stream_overrides_are_missing_until_set(sim: Simulator):
    service = sim.service("web")
    path = f"/logs/streams/resource/{service['id']}"
    assert sim.refused(404, "GET", path) == f"not found: {service['id']}"
    shown = sim.ok("PUT", path, {"setting": "drop"})
    assert shown == {"endpoint": "", "resourceId": service["id"], "setting": "drop"}
    assert sim.ok("GET", path) == shown
    assert sim.ok("GET", "/logs/streams/resource", setting="drop") == [shown]
    sim.ok("DELETE", path)
    sim.refused(404, "GET", path)


def test_streams_of_the_workspace_hide_their_tokens(sim: Simulator):
    logs = f"/logs/streams/owner/{OWNER}"
    shown = sim.ok("PUT", logs, {"endpoint": "e:1", "preview": "send", "token": "t"})
    assert shown == {"endpoint": "e:1", "ownerId": OWNER, "preview": "send"}
    metrics = f"/metrics-stream/{OWNER}"
    assert "token" not in sim.ok("PUT", metrics, {"provider": "CUSTOM", "url": "https://x", "token": "t"})
    for path in (logs, metrics):
        sim.ok("GET", path)
        sim.ok("DELETE", path)
        sim.refused(404, "GET", path)


def test_a_registry_credential_is_made_with_200_and_hides_its_token(sim: Simulator):
    body = {"registry": "DOCKER", "name": "r", "username": "u", "authToken": "t", "ownerId": OWNER}
    answer = sim.call("POST", "/registrycredentials", body)
    assert answer.status_code == 200
    made = answer.json()
    assert made.keys() == {"id", "name", "registry", "username", "updatedAt"}
    image = {"imagePath": "acme/x", "ownerId": "", "registryCredentialId": made["id"]}
    service = sim.service("web", image=image)
    assert service["registryCredential"] == {"id": made["id"], "name": "r"}
    assert sim.ok("GET", "/registrycredentials", name="r") == [made]
    assert sim.ok("PATCH", f"/registrycredentials/{made['id']}", {"name": "s"})["name"] == "s"
    sim.refused(400, "DELETE", f"/registrycredentials/{made['id']}")
    sim.ok("DELETE", f"/services/{service['id']}")
    sim.ok("DELETE", f"/registrycredentials/{made['id']}")


class Receiver:
    """A webhook receiver that answers what it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def wait(self, count: int) -> None:
        deadline = time.monotonic() + 5
        while len(self.got) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.got) >= count

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def hook(sim: Simulator, receiver: Receiver, *events: str):
    body = {"ownerId": OWNER, "url": receiver.url, "name": "h", "enabled": True, "eventFilter": list(events)}
    return sim.ok("POST", "/webhooks", body)


def test_webhooks_are_signed_and_thin(sim: Simulator, receiver: Receiver):
    sim.sim("POST", "/clock", {"now": str(max(time.time(), sim.sim("GET", "/clock")["epoch_s"]))})
    made = hook(sim, receiver, "deploy_ended")
    service = sim.service("web")
    sim.step(40)
    receiver.wait(1)
    headers, body = receiver.got[0]
    payload = json.loads(body)
    assert payload["type"] == "deploy_ended"
    assert payload["data"] | {"id": ""} == {
        "id": "", "serviceId": service["id"], "serviceName": "web", "status": "succeeded",
    }  # fmt: skip
    assert headers["webhook-id"] == payload["data"]["id"]
    signed = Webhook(made["secret"])
    expected = signed.sign(headers["webhook-id"], _moment(int(headers["webhook-timestamp"])), body.decode())
    assert headers["webhook-signature"] == expected
    assert sim.ok("GET", f"/events/{payload['data']['id']}")["type"] == "deploy_ended"


def _moment(seconds: int):
    import datetime

    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def test_a_failed_delivery_is_tried_again_with_the_same_id(sim: Simulator, receiver: Receiver):
    made = hook(sim, receiver)
    receiver.status = 500
    sim.service("web")
    receiver.wait(1)
    receiver.status = 200
    sim.step(30)
    receiver.wait(2)
    assert receiver.got[0][0]["webhook-id"] == receiver.got[1][0]["webhook-id"]
    assert receiver.got[0][0]["webhook-timestamp"] != receiver.got[1][0]["webhook-timestamp"]
    deadline = time.monotonic() + 5
    while len(sim.ok("GET", f"/webhooks/{made['id']}/events")) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    sent = [item["webhookEvent"]["statusCode"] for item in sim.ok("GET", f"/webhooks/{made['id']}/events")]
    assert sent == [200, 500]


def test_a_webhook_is_disabled_when_nobody_ever_answers(sim: Simulator, receiver: Receiver):
    sim.set(webhook_attempts=2)
    made = hook(sim, receiver)
    receiver.status = 503
    sim.service("web")
    receiver.wait(1)
    deadline = time.monotonic() + 5
    while sim.ok("GET", f"/webhooks/{made['id']}")["enabled"] and time.monotonic() < deadline:
        sim.step(60)
        time.sleep(0.02)
    assert sim.ok("GET", f"/webhooks/{made['id']}")["enabled"] is False


def test_deliveries_can_come_twice(sim: Simulator, receiver: Receiver):
    sim.set(webhook_duplicate_probability=1.0)
    hook(sim, receiver, "deploy_started")
    sim.service("web")
    receiver.wait(2)
    assert receiver.got[0][0]["webhook-id"] == receiver.got[1][0]["webhook-id"]


def test_webhooks_are_changed_and_removed(sim: Simulator, receiver: Receiver):
    made = hook(sim, receiver)
    path = f"/webhooks/{made['id']}"
    assert sim.ok("PATCH", path, {"enabled": False, "eventFilter": ["deploy_ended"]})["eventFilter"] == ["deploy_ended"]
    assert sim.ok("GET", "/webhooks")[0]["webhook"]["enabled"] is False
    sim.ok("DELETE", path)
    sim.refused(404, "GET", path)
    sim.refused(400, "POST", "/webhooks", {"ownerId": OWNER, "url": "nowhere", "name": "h"})


def test_a_set_of_addresses_comes_up_in_its_own_way(sim: Simulator):
    body = {"name": "ips", "ownerId": OWNER, "region": "oregon"}
    made = sim.ok("POST", "/dedicated-ips", body)
    assert (made["status"], made["ips"], made["environmentIds"]) == ("CREATING", [], [])
    path = f"/dedicated-ips/{made['id']}"
    assert sim.ok("GET", path)["status"] == "PENDING"
    sim.step(20)
    up = sim.ok("GET", path)
    assert (up["status"], len(up["ips"])) == ("RUNNING", 3)
    assert sim.ok("PATCH", path, {"description": "d"})["description"] == "d"
    assert len(sim.ok("GET", "/dedicated-ips", ownerId=OWNER)) == 1
    sim.refused(400, "GET", "/dedicated-ips")
    sim.ok("DELETE", path)
    sim.refused(404, "GET", path)


def test_metrics_show_what_costs_depend_on(sim: Simulator):
    service = sim.service("web", serviceDetails={"numInstances": 2})
    sim.step(3_600)
    (shown,) = sim.ok("GET", "/metrics/instance-count", resource=service["id"])
    assert {item["value"] for item in shown["values"][1:]} == {2.0}
    (traffic,) = sim.ok("GET", "/metrics/bandwidth", resource=service["id"])
    assert traffic["unit"] == "GB"
    sim.refused(400, "GET", "/metrics/bandwidth")
    assert sim.ok("GET", "/logs", ownerId=OWNER, resource=service["id"])["logs"]


def test_who_am_i_and_what_was_done(sim: Simulator):
    assert sim.ok("GET", "/users")["email"]
    owner = sim.ok("GET", "/owners")[0]["owner"]["id"]
    sim.service("web")
    audit = sim.ok("GET", f"/owners/{owner}/audit-logs")
    assert audit[0]["auditLog"]["event"] == "CreateServerEvent"
    assert sim.ok("GET", f"/owners/{owner}/members")[0]["role"] == "ADMIN"
    assert sim.ok("GET", "/blueprints") == []


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("services:\n- {type: web, name: a, runtime: node}\ndatabases:\n- {name: d}\n", True),
        ("services:\n- {type: lambda, name: a}\n", False),
        ("services: [", False),
        ("- a\n", False),
        ("servises: []\n", False),
    ],
)
def test_blueprints_are_validated(sim: Simulator, text, valid):
    answer = sim.http.post(
        "/v1/blueprints/validate", headers={"Authorization": "Bearer k"},
        files={"file": ("render.yaml", text)}, data={"ownerId": OWNER},
    )  # fmt: skip
    assert answer.status_code == 200
    assert answer.json()["valid"] is valid
    if valid:
        assert answer.json()["plan"]["totalActions"] == 2
    else:
        assert answer.json()["errors"][0]["error"]
