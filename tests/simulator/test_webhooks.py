"""Webhooks: signatures, retries, duplicates, the log of what was sent."""

import datetime
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest
from standardwebhooks.webhooks import Webhook

from tests.simulator.conftest import OWNER, Simulator


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


def until(done: Callable[[], bool]) -> None:
    """Wait for what the courier does in its own time."""
    deadline = time.monotonic() + 5
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def test_a_failed_delivery_is_tried_again_with_the_same_id(sim: Simulator, receiver: Receiver):
    made = hook(sim, receiver)
    receiver.status = 500
    sim.service("web")
    receiver.wait(1)
    # Only once the courier has the answer is the next attempt dated: the clock must not move before.
    until(lambda: len(sim.ok("GET", f"/webhooks/{made['id']}/events")) == 1)
    receiver.status = 200
    sim.step(30)
    receiver.wait(2)
    assert receiver.got[0][0]["webhook-id"] == receiver.got[1][0]["webhook-id"]
    assert receiver.got[0][0]["webhook-timestamp"] != receiver.got[1][0]["webhook-timestamp"]
    until(lambda: len(sim.ok("GET", f"/webhooks/{made['id']}/events")) == 2)
    sent = [item["webhookEvent"]["statusCode"] for item in sim.ok("GET", f"/webhooks/{made['id']}/events")]
    assert sent == [200, 500]


def test_eight_attempts_and_thirty_three_hours_later_a_webhook_is_disabled(sim: Simulator, receiver: Receiver):
    made = hook(sim, receiver, "deploy_started")
    receiver.status = 503
    sim.service("web")
    begun = sim.sim("GET", "/clock")["epoch_s"]
    for attempt in range(1, 9):
        receiver.wait(attempt)
        until(lambda attempt=attempt: len(sim.ok("GET", f"/webhooks/{made['id']}/events")) == attempt)
        assert sim.ok("GET", f"/webhooks/{made['id']}")["enabled"] is (attempt < 8)
        if attempt < 8:
            sim.step(30 * 3.78 ** (attempt - 1))
    stamps = [int(headers["webhook-timestamp"]) for headers, _ in receiver.got]
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    pauses = [later - earlier for earlier, later in pairwise(stamps)]
    assert pauses == sorted(pauses) and (stamps[-1] - begun) / 3_600 == pytest.approx(33, abs=0.5)
    log = [item["webhookEvent"] for item in sim.ok("GET", f"/webhooks/{made['id']}/events")]
    assert {line["statusCode"] for line in log} == {503}
    assert {line["eventId"] for line in log} == {receiver.got[0][0]["webhook-id"]}
    # Nothing more is sent, not even of new events.
    sim.step(200_000)
    sim.ok("POST", f"/services/{sim.truth()['services'][0]['id']}/deploys", {})
    time.sleep(0.15)
    assert len(receiver.got) == 8


def test_the_sent_log_says_what_went_wrong_and_is_filtered_by_time(sim: Simulator, receiver: Receiver):
    body = {"ownerId": OWNER, "url": "http://127.0.0.1:9/", "name": "h", "enabled": True, "eventFilter": []}
    made = sim.ok("POST", "/webhooks", body)
    sim.service("web")
    path = f"/webhooks/{made['id']}/events"
    until(lambda: len(sim.ok("GET", path)) == 1)
    (line,) = sim.ok("GET", path)
    assert line.keys() == {"webhookEvent", "cursor"}
    sent = line["webhookEvent"]
    assert sent.keys() == {"id", "eventId", "eventType", "sentAt", "error"}
    assert sim.ok("GET", path, sentAfter=sent["sentAt"]) == []
    assert len(sim.ok("GET", path, sentAfter="2020-01-01T00:00:00Z", sentBefore="2040-01-01T00:00:00Z")) == 1


def test_an_event_may_need_a_moment_before_it_can_be_read(sim: Simulator, receiver: Receiver):
    sim.set(events_readable_after_s=5)
    hook(sim, receiver, "deploy_started")
    sim.service("web")
    receiver.wait(1)
    key = receiver.got[0][0]["webhook-id"]
    assert sim.refused(404, "GET", f"/events/{key}") == f"not found: {key}"
    sim.step(5)
    assert sim.ok("GET", f"/events/{key}")["id"] == key


@pytest.mark.parametrize("missing", ["ownerId", "url", "name", "enabled", "eventFilter"])
def test_a_webhook_needs_all_its_fields(sim: Simulator, missing):
    body = {"ownerId": OWNER, "url": "https://a.example.com/", "name": "h", "enabled": True, "eventFilter": []}
    del body[missing]
    assert f"{missing} is required" in sim.refused(400, "POST", "/webhooks", body)


def test_a_filter_names_known_events_and_null_stays_null(sim: Simulator):
    body = {"ownerId": OWNER, "url": "https://a.example.com/", "name": "h", "enabled": True, "eventFilter": None}
    assert sim.ok("POST", "/webhooks", body)["eventFilter"] is None
    assert "eventFilter" in sim.refused(400, "POST", "/webhooks", body | {"eventFilter": ["service_renamed"]})


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
    sim.refused(
        400, "POST", "/webhooks", {"ownerId": OWNER, "url": "nowhere", "name": "h", "enabled": True, "eventFilter": []}
    )
