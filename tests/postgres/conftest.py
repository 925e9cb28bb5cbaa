"""Fixtures of the store's tests: an open store on a migrated database, a Blueprint, and ways to sign up and to look."""

import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from reconciler.core.actions import Action, Verb
from reconciler.core.kinds import Bucket, Kind
from reconciler.core.observed import Observed
from reconciler.core.status import Phase, Status
from reconciler.manifest.reader import Reader
from reconciler.ports import Claim, Demand, Turns, Verdict, WakeClass
from reconciler.postgres.pool import make_pool
from reconciler.postgres.store import PostgresStore
from reconciler.postgres.vault import Vault

NOW = datetime(2026, 11, 23, 13, 30, 20, tzinfo=UTC)
WORKSPACE = "tea-1"
CRM = {
    "locale": {"type": "string", "enum": ["en", "de", "fr"], "required": True},
    "seats": {"type": "integer", "default": 10},
    "ratio": {"type": "number"},
    "beta": {"type": "boolean"},
}
DOCUMENT = {
    "template": {
        "services": [
            {"type": "web", "name": "app", "runtime": "image", "plan": "starter", "image": {"url": "docker.io/x/y:1"}}
        ]
    },
    "entrypoint": "app",
    "params": CRM,
    "tiers": {"starter": {}, "pro": {}},
}
Row = dict[str, Any]


class Database:
    """Plain SQL beside the store, as the owner or as a role."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(
        self, statement: str, values: Mapping[str, object] | list[object] | None = None, role: str = ""
    ) -> list[Row]:
        """Run one statement in a transaction of its own, as the session user `role` where given."""
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            if role:
                connection.execute(f"SET SESSION AUTHORIZATION {role}".encode())
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, values: Mapping[str, object] | list[object] | None = None, role: str = "") -> Row:
        """Run one statement that answers one row."""
        (row,) = self.run(statement, values, role)
        return row

    def cut(self, which: str) -> int:
        """Terminate backends and wait until they are gone: told only, one may still take the next statement and die
        of it."""
        gone = self.run(f"SELECT pg_terminate_backend(pid, 5000) AS gone FROM pg_stat_activity WHERE {which}")
        assert all(row["gone"] for row in gone)
        return len(gone)

    def blueprint(self, name: str = "crm", revision: int = 1) -> None:
        """Put a Blueprint's revision there, as the registry does."""
        self.run(
            "INSERT INTO reconciler.blueprints (name, revision, params) VALUES (%s, %s, %s) "
            "ON CONFLICT (name) DO UPDATE SET revision = excluded.revision",
            [name, revision, psycopg.types.json.Jsonb(CRM)],
        )
        self.run(
            "INSERT INTO reconciler.tiers (blueprint, tier) VALUES (%s, 'starter'), (%s, 'pro') ON CONFLICT DO NOTHING",
            [name, name],
        )
        self.run(
            "INSERT INTO reconciler.blueprint_revisions (blueprint, revision, document, created_at, created_by) "
            "VALUES (%s, %s, %s, now(), 'test')",
            [name, revision, psycopg.types.json.Jsonb(DOCUMENT)],
        )

    def sign_up(self, *names: str, tier: str = "starter", role: str = "") -> None:
        """Sign tenants up through the contract."""
        for name in names:
            self.run(
                "SELECT * FROM reconciler.sign_up(%s, %s, 'crm', %s, params => '{\"locale\": \"de\"}')",
                [f"sub_{name}", name, tier],
                role,
            )


@pytest.fixture
def database(database_url: str) -> Database:
    """A migrated database that has the Blueprint `crm`."""
    found = Database(database_url)
    found.blueprint()
    return found


@pytest.fixture
def key() -> bytes:
    return os.urandom(32)


async def open_store(url: str, key: bytes, *, max_size: int = 8, guard_band_s: float = 2.0) -> PostgresStore:
    """A store of its own pool, as another process has; close its `pool`."""
    pool = make_pool(url, max_size=max_size)
    await pool.open()
    vault = Vault([key])
    await vault.unlock(pool)
    return PostgresStore(pool, Reader(), vault, WORKSPACE, guard_band_s)


@pytest.fixture
async def store(database: Database, key: bytes) -> AsyncIterator[PostgresStore]:
    found = await open_store(database.url, key)
    yield found
    await found.pool.close()


@pytest.fixture
async def second(database: Database, key: bytes) -> AsyncIterator[PostgresStore]:
    """Another process on the same database."""
    found = await open_store(database.url, key)
    yield found
    await found.pool.close()


def action(component: str = "app", verb: Verb = Verb.CREATE, bucket: Bucket = Bucket.CREATE, id: str = "") -> Action:
    return Action(verb=verb, component=component, kind=Kind.WEB, name=f"{component}-x", bucket=bucket, id=id)


def observed(id: str, name: str = "", seen_at: datetime = NOW, kind: Kind = Kind.WEB, **fields: Any) -> Observed:
    return Observed(id=id, kind=kind, name=name or id, fields=fields, seen_at=seen_at)


def verdict(
    *,
    due_s: float = 3600,
    generation: int = 1,
    phase: Phase = Phase.READY,
    demand: Demand | None = None,
    wake_class: WakeClass = WakeClass.DRIFT,
    failed: bool = False,
    **more: Any,
) -> Verdict:
    status = Status(phase=phase, observed_generation=generation, revision=1, conditions=(), why="it answers 200")
    return Verdict(
        status=status,
        events=more.pop("events", ()),
        due_at=NOW + timedelta(seconds=due_s),
        wake_class=wake_class,
        demand=demand,
        failed=failed,
        **more,
    )


async def claim_one(store: PostgresStore, tenant: str, owner: str = "w1", now: datetime = NOW) -> Claim:
    """Claim the wanted tenant, whatever its class; the others are given back at once."""
    found = None
    for wake_class in WakeClass:
        for claim in await store.claim({wake_class: Turns()}, 100, owner, 90, now):
            if claim.tenant == tenant:
                found = claim
            else:
                await store.give_back(claim, now, "", now)
    assert found is not None, f"{tenant} was not due"
    return found
