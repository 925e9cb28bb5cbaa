"""A whole operator in virtual time: real Postgres, the simulator over real HTTP with a stepped clock, no sleeping."""

import asyncio
import functools
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from reconciler import manifest
from reconciler.core.errors import RenderError
from reconciler.core.kinds import Kind
from reconciler.core.passes import Replay, Replayed
from reconciler.core.values import Sensitive
from reconciler.daemon.wiring import Wiring, wire
from reconciler.doors import Actor, TenantRow
from reconciler.engine import rollout
from reconciler.engine.worker import Worker
from reconciler.postgres import vault
from reconciler.settings import Settings

ACTOR = Actor(name="test", via="cli")
KEY = "rnd_test"
_worlds = itertools.count(1)


@dataclass
class Simulator:
    """A running simulator with its control plane."""

    process: subprocess.Popen[bytes]
    base: str
    http: httpx.AsyncClient

    async def call(self, method: str, path: str, body: object = None) -> Any:
        reply = await self.http.request(method, f"{self.base}{path}", json=body)
        assert reply.status_code < 400, (path, reply.status_code, reply.text)
        return reply.json() if reply.content else None

    async def human(self, action: str, service: str, **details: object) -> Any:
        return await self.call("POST", "/_sim/human", {"action": action, "service": service, **details})

    async def truth(self) -> Any:
        return await self.call("GET", "/_sim/truth")

    async def writes(self, after: int = 0) -> list[dict[str, Any]]:
        """Every accepted write of ours (not a person's), oldest first."""
        truth = await self.call("GET", f"/_sim/truth?since={after}")
        return [one for one in truth["writes"] if one["cause"] != "human"]

    async def fault(self, **rule: object) -> Any:
        return await self.call("POST", "/_sim/faults", rule)

    async def step(self, seconds: float) -> None:
        await self.call("POST", "/_sim/clock", {"step_s": seconds})


def start_simulator(tmp: Path, *, arguments: tuple[str, ...] = ("--frozen",)) -> tuple[subprocess.Popen[bytes], str]:
    """Start a simulator process on a free port; it ends with this process."""
    from reconciler.daemon.local import _free_port

    port = _free_port()
    log = (tmp / "simulator.log").open("ab")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "reconciler.simulator",
            "--port",
            str(port),
            "--seed",
            "7",
            "--exit-with-parent",
            *arguments,
        ],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    log.close()
    base = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            if httpx.get(f"{base}/_sim/health", timeout=1.0).status_code == 200:
                return process, base
        except httpx.HTTPError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"no simulator: {(tmp / 'simulator.log').read_text()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a simulator and collect it."""
    process.terminate()
    process.wait(5)
    if process.stdin is not None:
        process.stdin.close()


@dataclass
class World:
    """One workspace, one database, one or more replicas, and hands to move the clock."""

    simulator: Simulator
    settings: Settings
    wirings: list[Wiring] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)

    @property
    def wiring(self) -> Wiring:
        return self.wirings[0]

    @property
    def registry(self):
        return self.wiring.registry

    async def add_replica(self, **changes: object) -> Worker:
        wiring = await wire(self.settings.model_copy(update=changes))
        wiring.use_workspace(await wiring.render.check())
        worker = Worker(wiring.ports, f"test:{len(self.workers)}:0", seed=1)
        self.wirings.append(wiring)
        self.workers.append(worker)
        return worker

    async def now(self):
        await self.wiring.clock.refresh()
        return self.wiring.clock.now()

    async def step(self, seconds: float) -> None:
        """Move the world's clock, and tell everybody."""
        await self.simulator.step(seconds)
        for wiring in self.wirings:
            await wiring.clock.refresh()
        await self.wiring.store.set_clock(self.wiring.clock.now(), 1.0)

    async def turn(self) -> int:
        """Sweep if due, move rollouts, and let every replica run the passes that are due; answers how many ran."""
        for wiring in self.wirings:
            await wiring.clock.refresh()
        await self.wiring.store.set_clock(self.wiring.clock.now(), 1.0)
        worker = self.workers[0]
        if await worker.sweeper.due():
            with suppress(RenderError):  # as the worker does: tried again
                await worker.sweeper.sweep()
        await rollout.advance(worker.ports, worker.owner)
        return sum(await asyncio.gather(*(one.turn() for one in self.workers)))

    async def run(
        self, until: Callable[[], Awaitable[bool]], *, within_s: float = 4 * 3600, step_s: float = 10.0
    ) -> None:
        """Turn and step until a condition holds; fails with everybody's status when it does not in time."""
        spent = 0.0
        while True:
            while await self.turn():
                if await until():
                    return
            if await until():
                return
            if spent > within_s:
                raise AssertionError(await self.picture())
            await self.step(step_s)
            spent += step_s

    async def settle(self, *names: str, phase: str = "Ready", within_s: float = 4 * 3600, step_s: float = 10.0) -> None:
        """Run until these tenants (or all) have a phase at their present generation."""

        async def there() -> bool:
            rows = [
                row
                for row in (await self.registry.list_tenants(include_purged=True)).rows
                if not names or row.name in names
            ]
            return bool(rows) and all(
                row.fresh and row.status is not None and row.status.phase == phase and synced(row) for row in rows
            )

        await self.run(there, within_s=within_s, step_s=step_s)

    async def quiet(self, seconds: float = 600.0, *, asked: bool = True) -> list[dict[str, Any]]:
        """Let time pass with everybody asked to be looked at, and answer the writes: none, where all is well."""
        before = len((await self.simulator.truth())["writes"])
        if asked:
            await self.wake_all()
        for _ in range(4):
            while await self.turn():
                pass
            await self.step(seconds / 4)
        writes = (await self.simulator.truth())["writes"][before:]
        return [one for one in writes if one["cause"] != "human"]

    async def wake_all(self) -> None:
        for row in (await self.registry.list_tenants()).rows:
            await self.registry.reconcile(row.name, ACTOR)

    async def tenant(self, name: str) -> TenantRow:
        return await self.registry.get_tenant(name)

    async def events(self, name: str) -> list[str]:
        return [one.reason for one in await self.registry.events(name, limit=500)]

    async def picture(self) -> str:
        lines = []
        for row in (await self.registry.list_tenants(include_purged=True)).rows:
            status = row.status
            lines.append(
                f"{row.name} fresh={row.fresh} {status.phase if status else '-'} {status.why if status else ''}"
            )
            if status:
                lines += [f"   {c.type} {c.status} {c.reason} {c.message}" for c in status.conditions]
                lines += [f"   {c.component} {c.state}" for c in status.components]
            lines += [
                f"   event {e.reason} {e.component} {e.message} x{e.count}"
                for e in await self.registry.events(row.name)
            ]
        return "\n".join(lines)

    async def apply(self, text: str) -> None:
        """Apply YAML documents through the door."""
        for doc in manifest.load_documents(text, file="test.yaml"):
            if doc.kind == "Blueprint":
                await self.registry.put_blueprint(doc.name, manifest.blueprint_document(doc), ACTOR)
            else:
                await self.registry.put_tenant(manifest.tenant_columns(doc), ACTOR)

    async def change(self, name: str, **columns: object) -> None:
        await self.registry.put_tenant({"name": name, **columns}, ACTOR)

    async def detail(self, name: str, **details: object) -> None:
        """Change what only operators may say (env, domains, plugins, overrides, ...)."""
        row = await self.tenant(name)
        await self.change(name, details={**row.details, **details})

    async def live(self, kind: str, name: str) -> dict[str, Any]:
        """The truth about one live object by name."""
        found = [one for one in (await self.simulator.truth())[kind] if one["name"] == name]
        assert len(found) == 1, (kind, name, [one["name"] for one in (await self.simulator.truth())[kind]])
        return found[0]


def synced(row: TenantRow) -> bool:
    """Whether nothing is left to do but what a person must."""
    assert row.status is not None
    return row.status.conditions[1].status == "True" or row.status.you != "nothing to do"


@functools.cache
def shared_simulator() -> tuple[subprocess.Popen[bytes], str]:
    """The one simulator of this test process; it ends with it. Each world begins with an empty workspace in it."""
    return start_simulator(Path(tempfile.mkdtemp(prefix="simulator-")))


@asynccontextmanager
async def open_world(database_url: str, tmp: Path, *, replicas: int = 1, **changes: object) -> AsyncIterator[World]:
    """Empty the simulator and start as many replicas over one database, with an API key of their own."""
    process, base = shared_simulator()
    key_file = tmp / "encryption.key"
    vault.make_key_file(key_file)
    settings = Settings(
        database_url=database_url,
        render_api_key=f"{KEY}_{next(_worlds)}",
        render_api_url=f"{base}/v1",
        encryption_key_file=key_file,
        **{"guard_band_s": 0.0, "request_timeout_s": 2.0, "read_timeout_s": 2.0, **changes},
    )
    async with httpx.AsyncClient(timeout=10.0) as http:
        world = World(Simulator(process, base, http), settings)
        await world.simulator.call("POST", "/_sim/reset", {})
        await world.simulator.call("DELETE", "/_sim/faults")
        await world.simulator.call("POST", "/_sim/clock", {"frozen": True, "speed": 1})
        try:
            for _ in range(replicas):
                await world.add_replica()
            assert await world.wiring.store.swept_at(Kind.WEB) is None
            await world.step(0)  # as a daemon does at once: what signs up now has the world's time
            yield world
        finally:
            for wiring in world.wirings:
                await wiring.close()


def env_of(live: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a live object as a mapping."""
    env = live["envVars"]
    return dict(env) if isinstance(env, dict) else {one["key"]: one["value"] for one in env}


async def give_secret(world: World, tenant: str, key: str, value: str) -> None:
    await world.registry.set_secret("tenant", tenant, key, Sensitive(value), ACTOR)


async def replays(world: World) -> dict[int, Replayed]:
    """What a replay says of every kept pass, oldest first."""
    async with world.wiring.pool.connection() as connection:
        rows = await (await connection.execute("SELECT id FROM reconciler.passes ORDER BY id")).fetchall()
    return {row["id"]: (await world.registry.get_pass(row["id"])).replayed for row in rows}


async def unlike(world: World) -> dict[int, Replayed]:
    """The kept passes whose plans come out otherwise when they are made again: none, ever."""
    fine = (Replay.SAME, Replay.NO_PLAN)
    return {id: one for id, one in (await replays(world)).items() if one.outcome not in fine}


__all__ = [
    "ACTOR",
    "Simulator",
    "World",
    "env_of",
    "give_secret",
    "open_world",
    "replays",
    "start_simulator",
    "timedelta",
    "unlike",
]
