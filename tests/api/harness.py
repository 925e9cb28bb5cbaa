"""A real server on a loopback port, in a thread of its own, on the real records in a real Postgres."""

import asyncio
import itertools
import ssl
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import psycopg
from psycopg.types.json import Jsonb

from reconciler import manifest
from reconciler.api import ApiOptions, Server, build_api, serve
from reconciler.core.errors import NotFound
from reconciler.core.status import Status
from reconciler.core.values import Json
from reconciler.doors import Actor, Registry
from reconciler.postgres import codec, pool
from reconciler.postgres.registry import PostgresRegistry
from reconciler.postgres.vault import Vault
from reconciler.telemetry.metrics import Metrics

T = TypeVar("T")
TLS = ssl.create_default_context()
"""Made once: a context for each client would be most of the tests' time."""
_numbers = itertools.count(1)
NOW = datetime.now(UTC)
ROOT = Actor(name="root", via="cli")
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BLUEPRINT: dict[str, Json] = {
    "apiVersion": "reconciler/v1",
    "kind": "Blueprint",
    "metadata": {"name": "crm"},
    "spec": {
        "template": {
            "services": [
                {"type": "web", "name": "backend", "runtime": "image", "plan": "starter", "image": {"url": "nginx:1"}},
                {
                    "type": "worker",
                    "name": "worker",
                    "runtime": "node",
                    "plan": "starter",
                    "buildCommand": "npm ci",
                    "startCommand": "npm start",
                    "envVars": [{"key": "SMTP_PASSWORD", "sync": False}],
                },
            ]
        },
        "source": {"repo": "https://github.com/acme-inc/crm", "branch": "main"},
        "entrypoint": "backend",
        "params": {"locale": {"type": "string", "enum": ["en", "de"], "default": "en"}, "seats": {"type": "integer"}},
        "tiers": {"starter": {}, "pro": {"patch": {"backend": {"plan": "standard"}}}},
        "onDelete": {"keepFor": "7d"},
    },
}


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def speed(self) -> float:
        return 1.0

    async def sleep(self, world_s: float) -> None:
        await asyncio.sleep(world_s)


class FixedPlanner:
    """Answers what it was asked, so that tests see what reached it."""

    async def plan(self, name: str, columns: Mapping[str, Json] | None = None) -> Json:
        return {"tenant": name, "columns": dict(columns) if columns is not None else None}

    async def plan_text(self, name: str, columns: Mapping[str, Json] | None = None) -> str:
        return f"{name}  no change\n"


class SettableHealth:
    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.broken = False

    async def live(self) -> Sequence[str]:
        if self.broken:
            raise RuntimeError("boom")
        return self.reasons

    ready = live


class ApiServer:
    """The server, and short ways to its keys, its database and its loop."""

    def __init__(self, database_url: str, **options: Any) -> None:
        self.database_url = database_url
        self.metrics = Metrics()
        self.health = SettableHealth()
        self.woken: list[str] = []
        self.owned = {"srv-1"}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.options = ApiOptions(wake_resource=self._wake, **options)
        self.registry: Registry
        self._server: Server
        self.run(self._start())

    async def _start(self) -> None:
        self._pool = pool.make_pool(self.database_url, max_size=4)
        await self._pool.open()
        vault = Vault([bytes(range(32))])
        await vault.unlock(self._pool)
        self.registry = PostgresRegistry(self._pool, manifest.reader, vault, WallClock(), manifest.price_book)
        app = build_api(self.registry, WallClock(), FixedPlanner(), self.metrics, self.health, self.options)
        self.app = app
        self._server = await serve(app, "127.0.0.1", 0)
        self.http = httpx.Client(base_url=self._server.url, verify=TLS)  # without a key

    async def _wake(self, live_id: str) -> bool:
        self.woken.append(live_id)
        return live_id in self.owned

    @property
    def url(self) -> str:
        return self._server.url

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def stop(self) -> None:
        self.http.close()
        self.run(self._server.stop())
        self.run(self._pool.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def key(self, *scopes: str, name: str = "") -> str:
        chosen = name or f"key-{next(_numbers)}"
        _, secret = self.run(self.registry.create_key(chosen, scopes, ROOT))
        return secret.reveal()

    def client(self, *scopes: str, name: str = "", **settings: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key(*scopes, name=name)}"} if scopes else {}
        return httpx.Client(base_url=self.url, headers=headers, verify=TLS, **settings)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def set_status(self, name: str, status: Status, *, age: int = 0) -> None:
        """Write a status as the end of a pass would, of the present generation or an older one."""
        row = self.run(self.registry.get_tenant(name))
        self.sql(
            "INSERT INTO reconciler.status (name, phase, ready, url, message, observed_generation, revision, document,"
            " updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, now()) ON CONFLICT (name) DO UPDATE SET"
            " phase = excluded.phase, ready = excluded.ready, observed_generation = excluded.observed_generation,"
            " document = excluded.document",
            *(name, status.phase.value, status.phase.value == "Ready", status.url or None, status.why),
            *(row.generation - age, status.revision, Jsonb(codec.encode(status))),
        )

    def put_blueprint(self, document: dict[str, Json]) -> None:
        checked = manifest.document(document)
        self.run(self.registry.put_blueprint(checked.name, manifest.blueprint_document(checked), ROOT))

    def make(self, name: str, **columns: Json) -> None:
        """Make a tenant by the records alone."""
        given: dict[str, Json] = {"name": name, "blueprint": "crm", "tier": "starter", "display_name": name, **columns}
        self.run(self.registry.put_tenant(given, ROOT, create_only=True))

    def exists(self, name: str) -> bool:
        with suppress(NotFound):
            self.run(self.registry.get_tenant(name))
            return True
        return False


Starter = Callable[..., ApiServer]
