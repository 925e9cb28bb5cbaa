"""LISTEN: wake-ups arrive, and a dead connection is noticed, replaced and followed by one look at everything."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from reconciler.core.errors import StoreUnavailable
from reconciler.postgres import pool as pools
from reconciler.postgres import wakes
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import NOW, Database, claim_one, open_store, verdict

PATIENCE_S = 20


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakes, "RECONNECT_S", 0.05)


@pytest.fixture
async def heard(store: PostgresStore) -> AsyncIterator[asyncio.Queue[str]]:
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        async for name in store.wakes():
            queue.put_nowait(name)

    task = asyncio.create_task(listen())
    yield queue
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def next_one(queue: asyncio.Queue[str]) -> str:
    return await asyncio.wait_for(queue.get(), PATIENCE_S)


async def test_a_killed_connection_is_replaced_and_nothing_is_missed(
    heard: asyncio.Queue[str], database: Database
) -> None:
    assert await next_one(heard) == ""
    for name in ("acme", "bolt"):
        assert database.cut("application_name = 'reconciler' AND query LIKE 'LISTEN%%'")
        database.sign_up(name)  # while nobody listens
        assert await next_one(heard) == ""  # so everything is looked at
        database.run("UPDATE reconciler.tenants SET tier = 'pro' WHERE name = %s", [name])
        assert await next_one(heard) == name


async def test_a_connection_that_hears_nothing_is_given_up(
    store: PostgresStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "probe_every_s", 0.1)
    monkeypatch.setattr(store, "echo_within_s", 0.2)
    # UNLISTEN is as silent as a dead socket: the session answers, but no notice comes.
    original = store._listen

    async def deaf() -> wakes.Connection:
        connection = await original()
        await connection.execute("UNLISTEN *")
        monkeypatch.setattr(store, "_listen", original)
        return connection

    monkeypatch.setattr(store, "_listen", deaf)
    names = store.wakes()
    assert await asyncio.wait_for(anext(names), PATIENCE_S) == ""
    assert await asyncio.wait_for(anext(names), PATIENCE_S) == ""
    database.sign_up("acme")
    assert await asyncio.wait_for(anext(names), PATIENCE_S) == "acme"
    await names.aclose()


async def test_probes_are_not_told(store: PostgresStore, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "probe_every_s", 0.05)
    names = store.wakes()
    assert await asyncio.wait_for(anext(names), PATIENCE_S) == ""
    waiting = asyncio.ensure_future(anext(names))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    database.sign_up("acme")
    assert await asyncio.wait_for(waiting, PATIENCE_S) == "acme"
    await names.aclose()


async def test_a_store_whose_connections_were_cut_goes_on(store: PostgresStore, database: Database) -> None:
    database.sign_up("acme")
    await store.load("acme", NOW)
    assert database.cut("datname = current_database() AND pid <> pg_backend_pid()")
    assert (await store.load("acme", NOW)).generation == 1  # dead connections are not handed out


async def test_a_lock_that_cannot_be_had_is_said(
    database: Database, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "LOCK_TIMEOUT_MS", 50)
    store = await open_store(database.url, key)
    database.sign_up("acme")
    claim = await claim_one(store, "acme")
    async with store.pool.connection() as blocker, blocker.transaction():
        await blocker.execute("SELECT * FROM reconciler.tenant_queue FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            await store.finish(claim, verdict(), NOW)
    await store.finish(claim, verdict(), NOW)
    await store.pool.close()


async def test_a_database_that_is_gone_is_said(database: Database, key: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "POOL_WAIT_S", 0.3)
    store = await open_store(database.url, key)
    name = database.url.rpartition("/")[2]
    with psycopg.connect(database.url.replace(name, "postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        admin.execute(b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await store.load("acme", NOW)
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
    database.sign_up("acme")
    for _ in range(50):
        try:
            record = await store.load("acme", NOW)
            break
        except StoreUnavailable:
            await asyncio.sleep(0.2)
    assert record.generation == 1
    await store.pool.close()
