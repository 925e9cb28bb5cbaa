"""Sends events to webhooks the way Standard Webhooks asks: signed, retried with growing pauses, at least once.

Render API: `webhook-id` is the event's id and equal on retries; a 2xx within 15 s counts; at most 8 attempts,
the last about 33 h after the first; the webhook is disabled after the last failure.
"""

import asyncio
import base64
import hashlib
import hmac
import http.client
import json
import logging
import urllib.parse

from reconciler.simulator import events, models, times
from reconciler.simulator.wire import Json
from reconciler.simulator.world import World

LOGGER = logging.getLogger(__name__)
AT_ONCE = 32
SUCCESS = range(200, 300)
KEPT_BODY = 500
KEPT_SENT = 500


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a message with the secret of a webhook."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def post(url: str, headers: dict[str, str], body: bytes, timeout_s: float) -> tuple[int, str]:
    """Send one request; an OSError says that nobody answered."""
    parts = urllib.parse.urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port or (443 if secure else 80), timeout=timeout_s)
    try:
        target = parts.path or "/"
        connection.request("POST", f"{target}?{parts.query}" if parts.query else target, body, headers)
        response = connection.getresponse()
        return response.status, response.read(KEPT_BODY).decode(errors="replace")
    except http.client.HTTPException as error:
        raise OSError(f"no valid answer: {error!r}") from error
    finally:
        connection.close()


class Courier:
    """Carries queued events to their webhooks."""

    def __init__(self, world: World) -> None:
        """Carry the events of a world."""
        self._world = world
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def send_due(self) -> None:
        """Start every delivery that is due, up to a number at once."""
        now_ns = self._world.now_ns()
        for key, item in list(self._world.deliveries.rows.items()):
            if len(self._under_way) >= AT_ONCE:
                return
            if item.due_ns <= now_ns and key not in self._under_way:
                self._under_way[key] = asyncio.create_task(self._attempt(item))

    async def stop(self) -> None:
        """Give up what is under way; it is tried again after a restart."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _attempt(self, item: models.Delivery) -> None:
        try:
            hook, event = self._world.smalls.get(item.webhook_id), self._world.events.get(item.event_id)
            if hook is None or event is None or not hook.body["enabled"]:
                self._world.deliveries.remove(item)
                return
            await self._send(item, hook, event)
        finally:
            self._under_way.pop(item.id, None)

    async def _send(self, item: models.Delivery, hook: models.Small, event: models.Event) -> None:
        settings = self._world.settings
        body = json.dumps(events.payload(event), separators=(",", ":")).encode()
        sent_ns = self._world.now_ns()
        timestamp = sent_ns // times.SECOND_NS
        headers = {
            "Content-Type": "application/json", "webhook-id": event.id, "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(hook.secret, event.id, timestamp, body),
        }  # fmt: skip
        line: Json = {"id": self._world.ids.new("whe", sent_ns), "eventId": event.id, "eventType": event.type}
        line["sentAt"] = times.micro(sent_ns)
        try:
            status, answer = await asyncio.to_thread(
                post, str(hook.body["url"]), headers, body, settings.webhook_timeout_real_s
            )
            line |= {"statusCode": status, "responseBody": answer}
            succeeded = status in SUCCESS
        except OSError as error:
            line["error"] = str(error)
            succeeded = False
        _log(self._world, hook, line)
        self._settle(item, hook, succeeded=succeeded)

    def _settle(self, item: models.Delivery, hook: models.Small, *, succeeded: bool) -> None:
        world, settings = self._world, self._world.settings
        if self._world.deliveries.get(item.id) is None:
            return
        if succeeded:
            duplicate = not item.again and world.ids.chance.random() < settings.webhook_duplicate_probability
            if duplicate:
                item.again = True
                item.due_ns = world.now_ns()
                world.deliveries.touch(item)
            else:
                world.deliveries.remove(item)
            return
        if item.attempt >= settings.webhook_attempts:
            hook.body["enabled"] = False
            world.smalls.touch(hook)
            world.deliveries.remove(item)
            return
        pause_s = settings.webhook_first_retry_s * settings.webhook_backoff ** (item.attempt - 1)
        item.attempt += 1
        item.due_ns = world.in_s(pause_s)
        world.deliveries.touch(item)


def _log(world: World, hook: models.Small, line: Json) -> None:
    sent = hook.body.setdefault("sent", [])
    sent.append(line)
    del sent[:-KEPT_SENT]
    world.smalls.touch(hook)
