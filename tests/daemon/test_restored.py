"""A daemon on a database older than what Render shows waits for a person; one that was merely down does not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reconciler.ports import Brake
from reconciler.postgres.embedded import EmbeddedPostgres
from tests import conftest as shared
from tests.daemon.fleet import BLUEPRINT, Fleet, open_fleet

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture
async def fleet(database_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with open_fleet(database_url, tmp_path) as opened:
        yield opened


async def test_a_daemon_on_a_restored_database_starts_in_observe_and_writes_nothing(
    fleet: Fleet, postgres_server: EmbeddedPostgres
) -> None:
    await fleet.apply(BLUEPRINT)
    daemon = fleet.start()
    await fleet.put("acme", new=True)
    await fleet.settle(90)
    assert daemon.end() == 0
    url = str(fleet.settings["DATABASE_URL"])
    backup = shared.url_of(url, "restored")
    dump(postgres_server, url, "restored")
    fleet.sim.call("POST", "/clock", {"step_s": 3600})

    daemon = fleet.start()  # an hour later on its own database: merely down
    await fleet.put("late", new=True)
    await fleet.settle(90)
    assert (await fleet.wiring.store.brake())[0] is Brake.NORMAL
    assert daemon.end() == 0
    before = len(fleet.sim.truth()["writes"])

    restored = fleet.launch(DATABASE_URL=backup)
    restored.wait_for(r'"guard": "restored_database"|restored database guard|Render knows better', 60)
    with shared.psycopg.connect(backup, autocommit=True) as connection:
        fleet.sim.call("POST", "/clock", {"step_s": 600})
        row = connection.execute("SELECT mode, why FROM reconciler.brake WHERE scope = 'all'").fetchone()
    assert row is not None and row[0] == "observe" and "app-late" in row[1] and "recover" in row[1]
    assert restored.end() == 0
    assert len(fleet.sim.truth()["writes"]) == before


def dump(server: EmbeddedPostgres, url: str, name: str) -> None:
    """Copy a database under another name, whoever is connected to it."""
    source = shared.sql.Identifier(url.rpartition("/")[2])
    with shared.psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.rpartition("/")[2]]
        )
        connection.execute(shared.sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(shared.sql.Identifier(name), source))
