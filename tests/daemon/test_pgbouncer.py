"""Behind PgBouncer in transaction mode: every transaction may meet another session, and nobody can listen."""

import asyncio
import os
import random
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from reconciler.postgres import migrate
from reconciler.postgres.pool import LOCK_TIMEOUT_MS, make_pool
from tests.daemon import promises
from tests.daemon.fleet import BLUEPRINT, Fleet, open_fleet
from tests.daemon.harness import free_port, until
from tests.daemon.proxy import through
from tests.daemon.users import Users

PGBOUNCER = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path(PGBOUNCER).exists(), reason="there is no pgbouncer here"),
]
LISTENING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


class Bouncer:
    """PgBouncer before a database, handing sessions around as much as it can."""

    def __init__(self, url: str, folder: Path) -> None:
        parts = urlsplit(url)
        self.port = free_port()
        self.url = through(url, self.port)
        self._log = folder / "pgbouncer.log"
        self._settings = folder / "pgbouncer.ini"
        self._settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={parts.port} user={parts.username} password={parts.password}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = any\n"
            "pool_mode = transaction\nserver_round_robin = 1\ndefault_pool_size = 6\nmin_pool_size = 6\n"
            "max_client_conn = 200\n"
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it passes connections on."""
        user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it does not run as root
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen([PGBOUNCER, *user, str(self._settings)], stdout=log, stderr=log)
        until(self._up, 20, self._log.read_text)

    def _up(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def kill(self) -> None:
        """kill -9."""
        self._popen.kill()
        self._popen.wait(10)


@pytest.fixture
def bouncer(database_url: str, tmp_path: Path) -> Iterator[Bouncer]:
    found = Bouncer(database_url, tmp_path)
    yield found
    found.kill()


@pytest.fixture
async def fleet(database_url: str, tmp_path: Path, bouncer: Bouncer) -> AsyncIterator[Fleet]:
    async with open_fleet(database_url, tmp_path) as opened:
        opened.settings["DATABASE_URL"] = bouncer.url
        yield opened


async def test_nothing_of_ours_stays_on_sessions_that_are_not_ours(bouncer: Bouncer) -> None:
    async with make_pool(bouncer.url) as pool:
        for _ in range(20):  # more often than a statement must come to be prepared
            async with pool.connection() as connection:
                row = await (await connection.execute("SELECT %s::int AS given", [7])).fetchone()
                assert row is not None and row["given"] == 7 and connection.pooled
    async with await psycopg.AsyncConnection.connect(bouncer.url, autocommit=True, prepare_threshold=None) as other:
        for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            for _ in range(12):  # every session of the pooler comes by
                assert await (await other.execute(f"SHOW {name}".encode())).fetchone() == ("0",)
        for _ in range(12):
            assert await (await other.execute("SELECT count(*) FROM pg_prepared_statements")).fetchone() == (0,)


async def test_a_session_of_our_own_has_its_limits(database_url: str) -> None:
    async with make_pool(database_url) as pool, pool.connection() as connection:
        row = await (await connection.execute("SELECT current_setting('lock_timeout') AS given")).fetchone()
        assert not connection.pooled and row is not None and row["given"] == f"{LOCK_TIMEOUT_MS // 1000}s"


def test_a_database_is_migrated_through_it(empty_database_url: str, tmp_path: Path) -> None:
    bouncer = Bouncer(empty_database_url, tmp_path)
    try:
        migrate.upgrade(bouncer.url)
        assert migrate.current(empty_database_url) == migrate.head()
        migrate.upgrade(bouncer.url)
    finally:
        bouncer.kill()


@pytest.mark.long
async def test_a_daemon_behind_it_says_what_is_missing_and_brings_a_fleet_through_kills(
    fleet: Fleet, bouncer: Bouncer
) -> None:
    await fleet.apply(BLUEPRINT)
    await promises.watch(fleet)
    users = Users(fleet, random.Random(5), most=4)  # noqa: S311
    daemon = fleet.start()
    said = daemon.wait_for(r'"says": "(DATABASE_URL leads[^"]*)"')
    assert "found by asking every 0.2 s, not by NOTIFY" in said[1] and "RECONCILER_DATABASE_DIRECT_URL" in said[1]
    limits = daemon.wait_for(r'"says": "(no idle_in.*?)", ')[1]
    for _ in range(4):
        await users.act()
    await fleet.until(lambda: bool(fleet.sim.truth()["postgres"]))
    daemon.kill()
    daemon = fleet.start()
    for _ in range(4):
        await users.act()
    await asyncio.sleep(0.5)
    bouncer.kill()
    await asyncio.sleep(1.0)
    bouncer.start()
    await fleet.settle(60)
    assert await promises.broken(fleet, {}) == [], fleet.words()
    assert await promises.unrest(fleet) == [], fleet.words()
    assert await fleet.ask(LISTENING) == [], "nobody listens on a session that is not his"
    assert "Traceback" not in daemon.text and daemon.end() == 0

    # What it says is right: done as told, nothing is missing any more.
    remedy = limits.partition(": ")[2].replace('\\"', '"')
    await fleet.run(remedy)
    try:
        bouncer.kill()
        bouncer.start()
        last = fleet.start()
        assert "idle_in_transaction" not in last.text and "leads through" in last.text
    finally:
        for statement in remedy.split("; "):
            await fleet.run(f"{statement.partition(' SET ')[0]} RESET {statement.split()[-3]}")


async def test_with_the_servers_own_address_a_daemon_listens(fleet: Fleet, database_url: str) -> None:
    await fleet.apply(BLUEPRINT)
    daemon = fleet.start(RECONCILER_DATABASE_DIRECT_URL=database_url)
    daemon.wait_for("NOTIFY is heard by RECONCILER_DATABASE_DIRECT_URL")
    for _ in range(100):
        if listening := await fleet.ask(LISTENING):
            break
        await asyncio.sleep(0.1)
    assert listening
    await fleet.put("acme", new=True)
    await fleet.settle(60)
    assert await promises.broken(fleet, {}) == [], fleet.words()
    assert daemon.end() == 0
