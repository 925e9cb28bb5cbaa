"""A real daemon told by real webhooks: what a person does in the dashboard is undone in under two real seconds."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.daemon.fleet import BLUEPRINT, KEY, Fleet, open_fleet
from tests.daemon.harness import Process, free_port

HEAL_S = 2.0
SPEED = 15
TENANTS = ("acme", "bolt", "cora")


@pytest.fixture
async def fleet(database_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    # Slow enough that the world is not so far ahead that the times of its webhooks are disbelieved.
    async with open_fleet(database_url, tmp_path, speed=SPEED) as opened:
        yield opened


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_change_in_the_dashboard_is_undone_within_two_seconds_and_forgeries_are_refused(fleet: Fleet) -> None:
    port = free_port()
    where = f"http://127.0.0.1:{port}/webhooks/render"
    headers = {"Authorization": f"Bearer {KEY}"}
    http = httpx.AsyncClient(base_url=f"{fleet.sim.base}/v1", headers=headers, timeout=10.0)
    owner = (await http.get("/owners")).json()[0]["owner"]["id"]
    hook = {"ownerId": owner, "name": "operator", "enabled": True, "eventFilter": [], "url": where}
    secret = (await http.post("/webhooks", json=hook)).raise_for_status().json()["secret"]
    await fleet.apply(BLUEPRINT)
    doors = {"RECONCILER_API_PORT": port, "RECONCILER_WEBHOOK_SECRET": secret}
    daemon = Process(["run", "--role", "all"], fleet.tmp / "daemon.log", fleet.settings | doors)
    fleet.daemons.append(daemon)
    daemon.wait_for(r'"event": "started"', 60)
    for name in TENANTS:
        await fleet.put(name, new=True)
    await fleet.settle(90)
    fleet.sim.call("POST", "/clock", {"speed": 1})
    rows = await fleet.ask("SELECT id FROM reconciler.inventory WHERE component = 'app' ORDER BY tenant")
    apps = [str(row["id"]) for row in rows]
    # What is still told of the birth is over, and so is the time by which the daemon was ahead of the slowed world.
    await asyncio.sleep(SPEED + 1)

    healed = [await undone(fleet, http, app) for app in apps]
    await http.aclose()
    assert len(healed) == len(TENANTS) and statistics.median(healed) < HEAL_S, healed

    body = f'{{"type": "service_suspended", "data": {{"serviceId": "{apps[0]}"}}}}'
    assert told(where, "whsec_" + "A" * 32, "forged", body) == (401, "")
    assert told(where, secret, "old", body, age_s=3600) == (401, "")
    assert told(where, secret, "fresh", body) == (202, "accepted")
    assert told(where, secret, "fresh", body) == (202, "repeated")
    assert daemon.end() == 0


async def undone(fleet: Fleet, http: httpx.AsyncClient, app: str) -> float:
    """Suspend a service as a person does; answers the real seconds until it is not suspended any more."""
    fleet.sim.call("POST", "/human", {"action": "suspend", "service": app})
    began = time.monotonic()
    while (await http.get(f"/services/{app}")).json()["suspended"] == "suspended":
        assert time.monotonic() - began < 30.0, fleet.words()
        await asyncio.sleep(0.01)
    took_s = time.monotonic() - began
    await asyncio.sleep(1.0)
    return took_s


def told(where: str, secret: str, id: str, body: str, *, age_s: float = 0.0) -> tuple[int, str]:
    """Send a webhook signed with a secret; answers its status, and what became of it."""
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    signed = {"webhook-signature": Webhook(secret).sign(id, at, body)}
    headers = {"webhook-id": id, "webhook-timestamp": str(int(at.timestamp())), **signed}
    reply = httpx.post(where, content=body, headers=headers, timeout=10.0)
    return reply.status_code, reply.json().get("outcome", "")
