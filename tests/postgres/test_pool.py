"""Connections that nobody answers any more: given up in bounded time, replaced at once, never waited for for ever."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from reconciler.core.errors import StoreUnavailable
from reconciler.postgres import pool as pools
from reconciler.postgres.store import PostgresStore
from tests.daemon.proxy import Proxy, through
from tests.postgres.conftest import NOW, Database, open_store


@pytest.fixture
def proxy(database: Database) -> Iterator[Proxy]:
    found = Proxy.before(database.url)
    yield found
    found.close()


@pytest.fixture
async def store(database: Database, proxy: Proxy, key: bytes) -> AsyncIterator[PostgresStore]:
    database.sign_up("acme")
    found = await open_store(through(database.url, proxy.port), key)
    yield found
    proxy.close()  # or the pool waits for connections that it is still opening
    await found.pool.close()


async def seconds_until_back(store: PostgresStore) -> float:
    began = time.monotonic()
    while True:
        try:
            await store.load("acme", NOW)
        except StoreUnavailable:
            await asyncio.sleep(0.05)
        else:
            return time.monotonic() - began


async def test_a_statement_that_nobody_answers_is_given_up(
    store: PostgresStore, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.load("acme", NOW)
    monkeypatch.setattr(pools, "ANSWER_WITHIN_S", 0.5)
    monkeypatch.setattr(pools, "CHECK_AFTER_S", 60.0)  # believed to be alive, as after a moment
    proxy.fall_silent()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"no answer within 0\.5 s"):
        await store.load("acme", NOW)
    assert time.monotonic() - began < 5
    proxy.heal()
    assert await seconds_until_back(store) < 5


async def test_an_idle_connection_that_fell_silent_is_not_handed_out(
    store: PostgresStore, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.load("acme", NOW)
    monkeypatch.setattr(pools, "CHECK_AFTER_S", 0.0)
    monkeypatch.setattr(pools, "CHECK_WITHIN_S", 0.3)
    proxy.fall_silent()
    proxy.heal()  # new connections work: the caller learns of nothing
    assert (await store.load("acme", NOW)).generation == 1


async def test_an_answer_that_this_process_slept_over_is_taken(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.load("acme", NOW)
    monkeypatch.setattr(pools, "ANSWER_WITHIN_S", 0.2)
    asyncio.get_running_loop().call_later(0.1, time.sleep, 0.6)  # as when the process was stopped
    async with store.session() as connection:
        row = await (await connection.execute("SELECT pg_sleep(0.15), 1 AS one")).fetchone()
    assert row is not None and row["one"] == 1


async def test_a_long_answer_of_a_listener_is_no_silence(
    store: PostgresStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "ANSWER_WITHIN_S", 0.2)
    names = store.wakes()
    assert await anext(names) == ""
    waiting = asyncio.ensure_future(anext(names))
    await asyncio.sleep(1.0)
    assert not waiting.done()
    database.sign_up("bolt")
    assert await asyncio.wait_for(waiting, 20) == "bolt"
    await names.aclose()


async def test_a_peer_that_is_dead_is_given_up_by_tcp(database: Database, proxy: Proxy) -> None:
    tcp = "keepalives_idle=1&keepalives_interval=1&keepalives_count=2&tcp_user_timeout=1500"
    address = pools.address(f"{through(database.url, proxy.port)}?{tcp}", "test")
    connection = await pools.Connection.connect(address, autocommit=True, row_factory=pools.dict_row)
    await pools.configure(connection)
    proxy.die()
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match=r"timed out|server closed|could not receive"):
        await connection.execute("SELECT 1")
    assert time.monotonic() - began < 10
    await connection.close()


@pytest.mark.long
async def test_the_pool_is_back_at_once_after_a_long_outage(
    store: PostgresStore, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.pool, "timeout", 0.3)
    proxy.lose_requests = 1.0
    proxy.reset()
    ends = time.monotonic() + 9  # long enough for waits of four and eight seconds, where they double for ever
    while time.monotonic() < ends:
        with pytest.raises(StoreUnavailable):
            await store.load("acme", NOW)
        await asyncio.sleep(0.2)
    proxy.heal()
    assert await seconds_until_back(store) < 3.5


async def test_a_database_that_takes_no_writes_is_said(store: PostgresStore, database: Database) -> None:
    name = database.url.rpartition("/")[2]
    database.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    database.cut("datname = current_database() AND pid <> pg_backend_pid()")
    with pytest.raises(StoreUnavailable, match="takes no writes"):
        await store.set_clock(NOW, 1.0)
    with psycopg.connect(database.url, autocommit=True, options="-c default_transaction_read_only=off") as admin:
        admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
    database.cut("datname = current_database() AND pid <> pg_backend_pid()")
    await store.set_clock(NOW, 1.0)
