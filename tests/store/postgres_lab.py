"""The lab over Postgres: doors are the registry, real time passes by setting back every real time that is written."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from reconciler.core.values import Json, Sensitive
from reconciler.doors import Actor
from reconciler.manifest.reader import Reader
from reconciler.ports import Demand, Operation, WakeClass
from reconciler.postgres.registry import PostgresRegistry
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import DOCUMENT, NOW, open_store
from tests.store.lab import Line, Pass, Queued, Told

ANN = Actor(name="ann", via="cli")
KEY = bytes(range(32))
PAST = (
    "UPDATE reconciler.tenant_queue SET lease_until = lease_until - %(by)s, queued_at = queued_at - %(by)s",
    "UPDATE reconciler.singletons SET until = until - %(by)s",
    "UPDATE reconciler.operations SET sent_real_at = sent_real_at - %(by)s",
    "UPDATE reconciler.world_clock SET real_at = real_at - %(by)s",
)


def empty(url: str) -> None:
    """Bring a migrated database back to what it was after its migrations: quicker than a database a test."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'reconciler' "
            "AND tablename NOT IN ('alembic_version', 'brake')"
        ).fetchall()
        # The contract's triggers refuse a DELETE; as a replica applies one, they are silent.
        deletes = "".join(f"DELETE FROM reconciler.{row['tablename']};" for row in tables)
        normal = "UPDATE reconciler.brake SET mode = 'normal', why = '', set_by = '', at = NULL;"
        connection.execute(f"SET session_replication_role = replica; {deletes} {normal}".encode())


class StillClock:
    """The doors' clock; what dates a tenant is the database's, which the store tells."""

    def now(self) -> datetime:
        return NOW

    def speed(self) -> float:
        return 1.0

    async def sleep(self, world_s: float) -> None:
        raise NotImplementedError(f"nobody waits {world_s} s at a door")


class PostgresLab:
    """One database, emptied before the test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._stores: list[PostgresStore] = []

    async def open(self) -> PostgresStore:
        store = await open_store(self.url, KEY, max_size=4)
        self._stores.append(store)
        return store

    async def close(self) -> None:
        for store in self._stores:
            await store.pool.close()

    @property
    def _registry(self) -> PostgresRegistry:
        first = self._stores[0]
        return PostgresRegistry(first.pool, Reader(), first.vault, StillClock())

    async def _rows(self, statement: str, **values: object) -> list[dict[str, Any]]:
        async with self._stores[0].pool.connection() as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    # ------------------------------------------------------------ time and doors

    async def wait(self, real_s: float) -> None:
        for statement in PAST:
            await self._rows(statement, by=timedelta(seconds=real_s))
        for store in self._stores:
            if store._block is not None:
                store._block.ends_at_s -= real_s

    async def put_blueprint(self, **edits: Json) -> int:
        return (await self._registry.put_blueprint("crm", DOCUMENT | edits, ANN)).revision

    async def sign_up(self, *names: str, **columns: Json) -> None:
        for name in names:
            await self.wait(1.0)
            given: dict[str, Json] = {"blueprint": "crm", "tier": "starter", "params": {"locale": "de"}}
            await self._registry.put_tenant(given | columns | {"name": name}, ANN)

    async def change(self, name: str, **columns: Json) -> None:
        await self._registry.put_tenant(columns | {"name": name}, ANN)

    async def delete(self, name: str, mode: str = "wait") -> None:
        await self._registry.set_state(name, "deleted", ANN, purge_mode=mode)

    async def hold(self, name: str, until: datetime) -> None:
        await self._registry.set_hold(name, "looking", until, ANN)

    async def ask(self, name: str) -> str:
        return await self._registry.reconcile(name, ANN)

    async def share(self, name: str, value: Sensitive) -> None:
        await self._registry.set_secret("blueprint", "crm", name, value, ANN)

    # ------------------------------------------------------------ looks

    async def queued(self, name: str) -> Queued | None:
        rows = await self._rows(
            "SELECT *, lease_until >= now() AS leased FROM reconciler.tenant_queue WHERE tenant = %(name)s", name=name
        )
        for row in rows:
            return Queued(
                wake_class=WakeClass(row["wake_class"]), due_at=row["due_at"], failures=row["failures"],
                dirty=row["wake_seq"] > row["handled_seq"], leased=bool(row["leased"]),
            )  # fmt: skip
        return None

    async def demand(self, name: str) -> Demand | None:
        rows = await self._rows(
            "SELECT wanted, ready, started, priority, since FROM reconciler.create_demand WHERE tenant = %(name)s",
            name=name,
        )
        return Demand(**rows[0]) if rows else None

    async def operations(self, name: str) -> list[Operation]:
        return sorted(await self._registry.operations(name), key=lambda one: one.id)

    async def events(self, name: str) -> list[Told]:
        return [
            Told(**row)
            for row in await self._rows(
                "SELECT reason, component, message, warning, count, first_at, last_at FROM reconciler.events "
                "WHERE tenant = %(name)s ORDER BY reason, component",
                name=name,
            )
        ]

    async def passes(self, name: str) -> list[Pass]:
        return [
            Pass(**{column: getattr(row, column) for column in Pass.__slots__})
            for row in await self._registry.passes(name, limit=100)
        ]

    async def ledger(self, resource_id: str) -> list[Line]:
        return [
            Line(**row)
            for row in await self._rows(
                "SELECT tenant, component, facts -> 'plan' AS plan, usd_per_month, started_at, ended_at, "
                "uncertainty_s, end_uncertainty_s FROM reconciler.ledger WHERE resource_id = %(id)s ORDER BY id",
                id=resource_id,
            )
        ]

    async def audited(self) -> list[tuple[str, str, str]]:
        rows = await self._rows(
            "SELECT actor, action, detail FROM reconciler.audit WHERE action LIKE 'brake%%' ORDER BY id"
        )
        return [(row["actor"], row["action"].removeprefix("brake "), row["detail"]) for row in rows]
