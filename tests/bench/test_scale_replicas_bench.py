"""Three daemons beside one, one of them killed; how soon a webhook leads to a heal. `make bench ARGS="-k scale"`."""

import re
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bench.conftest import Bench, Cell
from tests.bench.fleet import KEY, Fleet, name_of, open_fleet
from tests.bench.test_scale_bench import left, load, now_of, one, verdict
from tests.daemon.harness import Process, free_port, until
from tests.engine.test_onboarding import AN_HOUR
from tests.engine.test_schedule_of_creates import onboard

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

TENANTS = 2000
LEASE_S = 5.0
HEALS = 20
HEAL_S = 2.0
COUNTED = re.compile(r"^controller_runtime_reconcile_total\{.*\} ([0-9.e+]+)$", re.MULTILINE)


class Replica:
    """A daemon and its figures."""

    def __init__(self, fleet: Fleet) -> None:
        self.port = free_port()
        self.process: Process = fleet.daemon(
            "--role", "engine", RECONCILER_METRICS_PORT=self.port, RECONCILER_LEASE_S=LEASE_S, RECONCILER_RENEW_S=1
        )
        until(lambda: '"event": "started"' in self.process.text, 60.0, lambda: self.process.text)

    def passes(self) -> float:
        page = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10.0).text
        return sum(float(figure) for figure in COUNTED.findall(page))


def drain(fleet: Fleet) -> float:
    """Make everybody due, and wait until nobody is; answers passes a second."""
    fleet.due_within(0.0, now_of(fleet))
    began = time.monotonic()
    until(lambda: not left(fleet), 300.0)
    return TENANTS / (time.monotonic() - began)


async def test_scale_replicas(database_url: str, tmp_path: Path, bench: Bench) -> None:
    rows: list[tuple[Cell, ...]] = []
    async with open_fleet(database_url, tmp_path, TENANTS, speed=1.0) as fleet:
        fleet.due_within(3600.0, now_of(fleet))
        replicas = [Replica(fleet)]
        drain(fleet)
        rows.append(("one daemon", drain(fleet), None, None, None))
        replicas += [Replica(fleet), Replica(fleet)]
        drain(fleet)
        before = [one.passes() for one in replicas]
        rate = drain(fleet)
        shares = [one.passes() - first for one, first in zip(replicas, before, strict=True)]
        even = sum(shares) / len(shares)
        off = max(abs(share - even) for share in shares) / even
        rows.append(("three daemons", rate, ", ".join(f"{share:.0f}" for share in shares), off, verdict(off <= 0.2)))
        rows.append(killed(fleet, replicas))
        writes = fleet.sim.truth()["write_seq"]
        assert all('"event": "effect"' not in one.process.text for one in replicas)
        assert writes == 13, "what the model tenant needed, and nothing since"
    bench.table(
        f"replicas over {TENANTS:,} settled tenants; {load()}",
        ("what", "passes/s", "passes of each", "off an even share", "verdict (20 %)"),
        rows,
    )


def killed(fleet: Fleet, replicas: list[Replica]) -> tuple[Cell, ...]:
    """Kill one of three while all work; answers how long after that its last tenant was taken up again."""
    fleet.due_within(0.0, now_of(fleet))
    victim = replicas[0].process
    held = "SELECT array_agg(tenant) FROM reconciler.tenant_queue WHERE lease_owner LIKE %s AND lease_until > now()"
    mine = f"%:{victim.popen.pid}:%"
    until(lambda: len(one(fleet, held, mine) or ()) >= 3, 60.0)
    victim.signal(signal.SIGKILL)
    began = time.monotonic()
    until(lambda: not one(fleet, "SELECT count(*) FROM reconciler.tenant_queue WHERE lease_owner LIKE %s", mine), 60.0)
    taken_s = time.monotonic() - began
    until(lambda: not left(fleet), 300.0)
    words = f"a killed one's tenants were taken up after {taken_s:.1f} s; its leases last {LEASE_S:g} s"
    return (words, TENANTS / (time.monotonic() - began), None, None, verdict(taken_s <= LEASE_S + 2.0))


async def test_scale_onboarding(database_url: str, tmp_path: Path, bench: Bench) -> None:
    """What 40 tenants of five creates each, signed up at once, make of Render's 20 creates an hour; virtual time."""
    began = time.monotonic()
    found = await onboard(database_url, tmp_path, 40, 4)
    shares = found.share_of_schedule()
    used = sum(found.full_hours) / (len(found.full_hours) * AN_HOUR)
    bench.table(
        f"onboarding of {found.tenants} tenants of five creates, in {time.monotonic() - began:.0f} real seconds",
        ("what", "figure", "target", "verdict"),
        [
            ("least creates in a full hour", min(found.full_hours), 0.98 * AN_HOUR, verdict(used >= 0.98)),
            ("answers 429", found.throttled, 0, verdict(found.throttled == 0)),
            ("k-th tenant Ready, latest, as a share of the schedule", max(shares), 1.05, verdict(max(shares) <= 1.05)),
            ("urgent tenants among the first begun", len(found.first_begun() & found.urgent), len(found.urgent), ""),
        ],
    )
    assert found.throttled == 0


async def test_scale_webhook(database_url: str, tmp_path: Path, bench: Bench) -> None:
    """From a person's click in the dashboard to the call that undoes it, told by a webhook."""
    async with open_fleet(database_url, tmp_path, 200, speed=1.0) as fleet:
        healed, refused = heals(fleet)
    bench.table(
        f"a suspension in the dashboard, told by webhook, undone; {HEALS} samples; {load()}",
        ("p50 s", "most s", "target s", "verdict", "forged webhooks refused"),
        [(healed[len(healed) // 2], healed[-1], HEAL_S, verdict(healed[-1] < HEAL_S), f"{sum(refused)} of 2")],
    )
    assert all(refused)


def heals(fleet: Fleet) -> tuple[list[float], list[bool]]:
    """Answer the real seconds of each heal, sorted, and whether forged webhooks were refused."""
    port = free_port()
    headers = {"Authorization": f"Bearer {KEY}-of-a-person"}
    with httpx.Client(base_url=f"{fleet.sim.base}/v1", headers=headers, timeout=10.0) as http:
        owner = http.get("/owners").json()[0]["owner"]["id"]
        hook = {"ownerId": owner, "name": "operator", "enabled": True, "eventFilter": []}
        hook["url"] = f"http://127.0.0.1:{port}/webhooks/render"
        secret = http.post("/webhooks", json=hook).raise_for_status().json()["secret"]
        fleet.due_within(3600.0, now_of(fleet))
        daemon = fleet.daemon(
            "--role", "all", RECONCILER_API_PORT=port, RECONCILER_WEBHOOK_SECRET=secret, RECONCILER_MASS_CHANGE_MIN=1000
        )
        until(lambda: '"event": "started"' in daemon.text, 60.0, lambda: daemon.text)
        time.sleep(10.0)
        healed = sorted(heal(fleet, http, name_of(number)) for number in range(1, HEALS + 1))
    return healed, [forged(port), forged(port, secret_less=True)]


def heal(fleet: Fleet, http: httpx.Client, tenant: str) -> float:
    """Suspend a tenant's app as a person does; answers the real seconds until it is not suspended any more."""
    app: Any = one(fleet, "SELECT id FROM reconciler.inventory WHERE tenant = %s AND component = 'app'", tenant)
    fleet.sim.call("POST", "/human", {"action": "suspend", "service": app})
    began = time.monotonic()
    while http.get(f"/services/{app}").json()["suspended"] == "suspended":
        assert time.monotonic() - began < 60.0, fleet.daemons[-1].text[-3000:]
        time.sleep(0.01)
    return time.monotonic() - began


def forged(port: int, *, secret_less: bool = False) -> bool:
    """Send a webhook that nobody signed; answers whether it was refused."""
    signed = {} if secret_less else {"webhook-signature": "v1,AAAA"}
    headers = {"webhook-id": "evt-1", "webhook-timestamp": str(int(time.time())), **signed}
    reply = httpx.post(f"http://127.0.0.1:{port}/webhooks/render", json={"data": {}}, headers=headers, timeout=10.0)
    return reply.status_code == 401
