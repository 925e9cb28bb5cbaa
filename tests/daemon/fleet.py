"""One database and one simulated workspace that outlive the daemons which work on them, and how to judge both."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from reconciler import manifest
from reconciler.daemon.wiring import Wiring, wire
from reconciler.doors import Actor, TenantRow
from reconciler.postgres import vault
from reconciler.settings import Settings
from tests.daemon.harness import Process, Sim, live
from tests.daemon.proxy import Proxy

ACTOR = Actor(name="test", via="cli")
KEY = "rnd_thekeyofthistest"
BLUEPRINT = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: pair}
spec:
  template:
    envVarGroups: [{name: common, envVars: [{key: LEVEL, value: info}]}]
    databases: [{name: db, plan: basic-256mb, ipAllowList: []}]
    services:
      - type: web
        name: app
        runtime: image
        image: {url: docker.io/acme/app:1}
        plan: starter
        envVars:
          - fromGroup: common
          - {key: DATABASE_URL, fromDatabase: {name: db, property: connectionString}}
          - {key: TOKEN, generateValue: true}
          - {key: THEME, value: "${params.theme}"}
  entrypoint: app
  params: {theme: {type: string, default: plain}}
  tiers: {small: {}, big: {patch: {app: {plan: standard, numInstances: 2}}}}
"""
SETTLED = {"running": "Ready", "suspended": "Suspended", "deleted": "Deleted"}


@dataclass
class Fleet:
    """What daemons are started against."""

    sim: Sim
    wiring: Wiring
    tmp: Path
    settings: dict[str, object]
    daemons: list[Process] = field(default_factory=list)
    wires: list[Proxy] = field(default_factory=list)

    def start(self, **settings: object) -> Process:
        """Start one more daemon, and wait until it works."""
        daemon = self.launch(**settings)
        daemon.wait_for(r'"event": "started"', 60)
        return daemon

    def launch(self, **settings: object) -> Process:
        output = self.tmp / f"daemon{len(self.daemons)}.log"
        daemon = Process(["run", "--role", "engine"], output, self.settings | settings)
        self.daemons.append(daemon)
        return daemon

    async def apply(self, text: str) -> None:
        for doc in manifest.load_documents(text, file="test.yaml"):
            assert doc.kind == "Blueprint"
            await self.wiring.registry.put_blueprint(doc.name, manifest.blueprint_document(doc), ACTOR)

    async def put(self, name: str, **columns: object) -> None:
        if columns.get("state") == "deleted":
            await self.wiring.registry.set_state(name, "deleted", ACTOR, purge_mode="now")
            return
        given = {"name": name, "blueprint": "pair", "tier": "small"} if columns.pop("new", False) else {"name": name}
        await self.wiring.registry.put_tenant({**given, **columns}, ACTOR)

    async def rows(self) -> list[TenantRow]:
        return list((await self.wiring.registry.list_tenants(include_purged=True, limit=200)).rows)

    async def ask(self, query: str) -> list[dict[str, Any]]:
        async with self.wiring.pool.connection() as connection:
            return await (await connection.execute(query.encode())).fetchall()

    async def run(self, statement: str) -> None:
        """Run what answers no rows."""
        async with self.wiring.pool.connection() as connection:
            await connection.execute(statement.encode())

    async def cut_daemons(self) -> None:
        """End every session of the daemons, and wait until it is over."""
        await self.ask(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = 'reconciler' AND datname = current_database()"
        )

    def heal(self) -> None:
        """Let every wire be an honest one again."""
        for proxy in self.wires:
            proxy.heal()

    async def until(self, ask: Callable[[], bool], within_s: float = 30.0) -> None:
        deadline = time.monotonic() + within_s
        while not ask():
            assert time.monotonic() < deadline, self.words()
            await asyncio.sleep(0.01)

    async def settle(self, within_s: float = 60.0) -> float:
        """Wait until everybody is where the spec wants, with no operation open; answers the real seconds it took."""
        began = time.monotonic()
        while True:
            left = await self.unsettled()
            if not left:
                return time.monotonic() - began
            assert time.monotonic() - began < within_s, "\n".join([*left, self.words()])
            await asyncio.sleep(0.1)

    async def unsettled(self) -> list[str]:
        left = []
        for row in await self.rows():
            status = row.status
            conflict = status is not None and status.phase == "Blocked" and "Conflict" in str(status.conditions)
            there = status is not None and row.fresh and status.phase == SETTLED[row.state]
            synced = status is not None and status.conditions[1].status == "True"
            if not (conflict or (there and synced) or (there and row.state == "deleted")):
                left.append(f"{row.name} {row.state} fresh={row.fresh} {status.phase if status else '-'} "
                            f"{status.why if status else ''}")  # fmt: skip
        ops = "SELECT id, tenant, component, verb, state FROM reconciler.operations WHERE settled_at IS NULL"
        return left + [str(row) for row in await self.ask(ops)]

    async def wrongs(self, foreign: dict[str, Any]) -> list[str]:
        """Everything that must never be: duplicates, orphans, forgotten objects, touched strangers, 429s."""
        truth = self.sim.truth()
        objects = [one for one in live(truth) if one[2] not in foreign]
        counted = Counter((kind, name) for kind, name, _ in objects if kind != "environments")
        found = [f"duplicate: {name}" for name, count in counted.items() if count > 1]
        ours = {row["id"] for row in await self.ask("SELECT id FROM reconciler.inventory")}
        there = {one[2] for one in objects}
        found += [f"orphan: {one}" for one in objects if one[2] not in ours]
        found += [f"remembered, but gone: {one}" for one in ours - there]
        found += [f"touched: {one}" for one, before in foreign.items() if seen(truth, one) != before]
        if truth["throttled"]:
            found.append(f"{truth['throttled']} answers of 429")
        return found

    def words(self) -> str:
        """The ends of all daemons' logs."""
        return "\n".join(f"--- {one.output.name}\n{one.text[-2500:]}" for one in self.daemons[-3:])


def seen(truth: Any, id: str) -> Any:
    """One service as the truth tells it, without what time alone changes."""
    found = [one for one in truth["services"] if one["id"] == id]
    return {key: value for key, value in found[0].items() if key not in ("deploys", "running")} if found else None


def make_foreign(sim: Sim, name: str) -> str:
    """A service that somebody else made by hand."""
    headers = {"Authorization": f"Bearer {KEY}"}
    owner = httpx.get(f"{sim.base}/v1/owners", headers=headers).json()[0]["owner"]["id"]
    body = {
        "type": "web_service", "name": name, "ownerId": owner, 
        "image": {"imagePath": "docker.io/library/nginx:1", "ownerId": owner},
        "envVars": [{"key": "THEIRS", "value": "1"}], "serviceDetails": {"runtime": "image", "plan": "starter"},
    }  # fmt: skip
    reply = httpx.post(f"{sim.base}/v1/services", headers=headers, json=body)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["service"]["id"])


@asynccontextmanager
async def open_fleet(
    database_url: str, tmp: Path, *, speed: float = 60, limits: bool = False, **changes: object
) -> AsyncIterator[Fleet]:
    """Open a workspace; daemons get short leases and time-outs. Without `limits` creates are as good as free."""
    sim = Sim(tmp / "simulator.log", "--speed", f"{speed:g}", "--api-key", KEY)
    if not limits:
        many = {"limit_create_per_hour": 5000, "limit_write_per_minute": 5000, "limit_read_per_minute": 20000}
        sim.call("PATCH", "/settings", many | {"limit_service_per_minute": 1000})
    key_file = tmp / "encryption.key"
    vault.make_key_file(key_file)
    settings: dict[str, object] = {
        "DATABASE_URL": database_url, "RENDER_API_KEY": KEY, "RENDER_API_URL": f"{sim.base}/v1",
        "RECONCILER_ENCRYPTION_KEY_FILE": key_file, "RECONCILER_LEASE_S": 6, "RECONCILER_RENEW_S": 2,
        "RECONCILER_REQUEST_TIMEOUT_S": 3, "RECONCILER_READ_TIMEOUT_S": 3, "RECONCILER_GRACE_S": 60,
        "RECONCILER_GUARD_BAND_S": 0, "RECONCILER_POLL_S": 0.2, "RECONCILER_LOG_FORMAT": "json", **changes,
    }  # fmt: skip
    ours = Settings(
        database_url=database_url, render_api_key=KEY, render_api_url=f"{sim.base}/v1", encryption_key_file=key_file
    )
    wiring = await wire(ours, application_name="test")
    fleet = Fleet(sim, wiring, tmp, settings)
    try:
        yield fleet
    finally:
        for daemon in fleet.daemons:
            if daemon.popen.poll() is None:
                daemon.kill()
        for proxy in fleet.wires:
            proxy.close()
        await wiring.close()
        sim.stop()
