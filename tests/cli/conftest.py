"""Fixtures of the command line's tests: a way to run it, a Blueprint to work with, and what the engine would say."""

import asyncio
import base64
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from reconciler.cli import app
from reconciler.core.status import Condition, ConditionType, Event, Phase, Reason, Status
from reconciler.core.values import Sensitive
from reconciler.manifest import Reader
from reconciler.ports import Interval, Turns, Verdict, WakeClass
from reconciler.postgres.embedded import EmbeddedPostgres
from reconciler.postgres.pool import make_pool
from reconciler.postgres.store import PostgresStore
from reconciler.postgres.vault import Vault, read_key
from reconciler.settings import PLAIN_NAMES, PREFIX
from tests import conftest as shared

KEY = base64.b64encode(bytes(range(32))).decode()
RENDER_YAML = """
services:
  - {type: web, name: app, runtime: image, plan: starter, image: {url: "docker.io/library/nginx:1.27"},
     envVars: [{key: TOKEN, sync: false}, {key: DSN, sync: false}]}
  - {type: worker, name: jobs, runtime: image, plan: starter, image: {url: "docker.io/library/nginx:1.27"}}
databases:
  - {name: db, plan: basic-256mb}
"""
BLUEPRINT = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: crm}
spec:
  templateFile: render.yaml
  entrypoint: app
  params:
    locale: {type: string, enum: [en, de], required: true}
    seats: {type: integer, default: 10}
  secrets: {TOKEN: {perTenant: true}, DSN: {shared: true}}
  tiers:
    starter: {}
    pro: {patch: {app: {plan: standard}}}
"""


def pause(monkeypatch: pytest.MonkeyPatch, module: str, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Replace the sleep of one module; asyncio's own would be everybody's, servers in other threads included."""
    monkeypatch.setattr(f"{module}.asyncio", SimpleNamespace(sleep=sleep))


def tenant_yaml(name: str, extra: str = "", tier: str = "starter") -> str:
    """A good tenant of the Blueprint above, with more lines of its spec."""
    return (
        f"apiVersion: reconciler/v1\nkind: Tenant\nmetadata: {{name: {name}, labels: {{segment: smb}}}}\n"
        f"spec:\n  displayName: {name.title()}\n  blueprint: crm\n  tier: {tier}\n  params: {{locale: de}}\n{extra}"
    )


@dataclass(frozen=True)
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine's reaches a test, and every relative path is the test's own."""
    for name in list(os.environ):
        if name.startswith(PREFIX) or name in PLAIN_NAMES.values():
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run the program in this process: arguments in, exit code and texts out."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = app.run(arguments)
        written = capsys.readouterr()
        return Ran(code, written.out, written.err)

    return run


@pytest.fixture
def db(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated database that the command line works on, with its encryption key."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("RECONCILER_ENCRYPTION_KEY", KEY)
    return database_url


def write_specs(folder: Path) -> Path:
    """A folder with a Blueprint, its template, and two tenants."""
    (folder / "tenants").mkdir(parents=True)
    (folder / "render.yaml").write_text(RENDER_YAML)
    (folder / "crm.yaml").write_text(BLUEPRINT)
    (folder / "tenants" / "acme.yaml").write_text(tenant_yaml("acme"))
    (folder / "tenants" / "bolt.yaml").write_text(tenant_yaml("bolt", tier="pro"))
    return folder


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """Those specs in a folder of the test's own."""
    return write_specs(tmp_path / "specs")


@pytest.fixture(scope="session")
def fleet_template(
    postgres_server: EmbeddedPostgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A database with those specs applied by the program itself, to copy from."""
    name = "fleet_template"
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(migrated_template)
    )
    shared.execute(postgres_server.url, statement)
    folder = write_specs(tmp_path_factory.mktemp("fleet") / "specs")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DATABASE_URL", shared.url_of(postgres_server.url, name))
        assert app.run(["apply", "-f", str(folder), "-R"]) == 0
    return name


@pytest.fixture
def fleet(postgres_server: EmbeddedPostgres, fleet_template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with those specs applied, that this test has for itself."""
    for url in shared.fresh_database(postgres_server.url, fleet_template):
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("RECONCILER_ENCRYPTION_KEY", KEY)
        yield url


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    """A simulator of our own; its pid is compared, so that nobody else's world is ever touched."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler.simulator", "--port", str(port), "--frozen", "--exit-with-parent"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 20
    pid = 0
    while not pid and process.poll() is None and time.monotonic() < deadline:
        try:
            pid = httpx.get(f"{url}/_sim/health", timeout=1).json()["pid"]
        except httpx.HTTPError:
            time.sleep(0.05)
    assert pid == process.pid, "the simulator did not start"
    yield url
    process.terminate()
    process.communicate(timeout=10)


@pytest.fixture(scope="module")
def module_fleet(postgres_server: EmbeddedPostgres, fleet_template: str) -> Iterator[str]:
    """One such database for a whole module."""
    yield from shared.fresh_database(postgres_server.url, fleet_template)


@pytest.fixture
def refusing(module_fleet: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with those specs for tests whose commands are refused: they share it, because nothing changes."""
    monkeypatch.setenv("DATABASE_URL", module_fleet)
    monkeypatch.setenv("RECONCILER_ENCRYPTION_KEY", KEY)
    return module_fleet


def execute(url: str, statement: str, values: Mapping[str, object] | None = None) -> list[tuple[object, ...]]:
    """Run one statement as the owner."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


NOW = datetime.now(UTC)


def condition(sort: ConditionType, status: str, reason: Reason, since: datetime = NOW) -> Condition:
    """A condition without a message."""
    return Condition(type=sort, status=status, reason=reason, message="", since=since, observed_generation=1)


def tell(database: str, name: str, *events: Event, **status: Any) -> None:
    """Let the engine's own store end a pass over a tenant with this status and these events.

    `kept` makes what is kept of the pass from the record it read.
    """
    asyncio.run(_tell(database, name, events, status))


def meter(database: str, *intervals: Interval) -> None:
    """Let the engine's own store open these intervals of the ledger."""

    async def put() -> None:
        async with _store(database) as store:
            await store.meter(intervals, {})

    asyncio.run(put())


@asynccontextmanager
async def _store(database: str) -> AsyncIterator[PostgresStore]:
    async with make_pool(database, max_size=2) as pool:
        vault = Vault([read_key(Sensitive(KEY))])
        await vault.unlock(pool)
        yield PostgresStore(pool, Reader(), vault, "tea-1", 2.0)


async def _tell(database: str, name: str, events: Sequence[Event], status: dict[str, Any]) -> None:
    execute(database, "UPDATE reconciler.tenant_queue SET wake_seq = handled_seq + 1, due_at = 'epoch'")
    async with _store(database) as store:
        claims = [claim for sort in WakeClass for claim in await store.claim({sort: Turns()}, 100, "test", 90, NOW)]
        claim = next(claim for claim in claims if claim.tenant == name)
        record = await store.load(name, NOW)
        kept = status.pop("kept", None)
        said = {"phase": Phase.READY, "observed_generation": record.generation, "revision": 1, "conditions": ()}
        verdict = Verdict(
            status=Status(**(said | status)),
            events=events,
            due_at=NOW,
            wake_class=WakeClass.DRIFT,
            kept=kept(record) if kept is not None else None,
        )
        await store.finish(claim, verdict, NOW)
        await store.release_all("test")
