"""What a real daemon's memory does while tenants come and go, over Postgres and HTTP. `make bench ARGS="-k soak"`."""

from pathlib import Path

import psutil
import psycopg
import pytest

from reconciler import manifest
from tests.bench.conftest import Bench, Cell
from tests.bench.fleet import Fleet, open_fleet
from tests.campaign.soak import HEAD, LEAN, SETTINGS
from tests.daemon.harness import until
from tests.engine.world import ACTOR

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

BATCH, BATCHES = 40, 8
SPEED = 60.0
NO_CAP = 100_000


def count(fleet: Fleet, condition: str) -> int:
    """Count the tenants of which that is true."""
    with psycopg.connect(fleet.settings.database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM reconciler.tenants t LEFT JOIN reconciler.status s USING (name) "
            f"WHERE t.blueprint = 'lean' AND {condition}"
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_soak_of_a_real_daemon(database_url: str, tmp_path: Path, bench: Bench) -> None:
    rows: list[tuple[Cell, ...]] = []
    async with open_fleet(database_url, tmp_path, 1, speed=SPEED) as fleet, fleet.wired() as wiring:
        fleet.sim.call("PATCH", "/settings", {"limits_enabled": False, **SETTINGS})
        (document,) = manifest.load_documents(HEAD + LEAN.lstrip(), file="soak.yaml")
        await wiring.registry.put_blueprint("lean", manifest.blueprint_document(document), ACTOR)
        daemon = fleet.daemon(
            "--role", "engine", RECONCILER_DELETES_PER_10MIN=NO_CAP, RECONCILER_SUSPENDS_PER_10MIN=NO_CAP
        )
        until(lambda: '"event": "started"' in daemon.text, 60.0, lambda: daemon.text)
        process = psutil.Process(daemon.popen.pid)
        for batch in range(BATCHES):
            names = [f"s{batch:02d}{number:03d}" for number in range(BATCH)]
            for name in names:
                await wiring.registry.put_tenant({"name": name, "blueprint": "lean", "tier": "small"}, ACTOR)
            until(lambda: count(fleet, "s.phase = 'Ready'") == BATCH, 300.0, lambda: daemon.text[-3000:])
            for name in names:
                await wiring.registry.set_state(name, "deleted", ACTOR, purge_mode="now")
            gone = BATCH * (batch + 1)
            until(lambda gone=gone: count(fleet, "t.purged_at IS NOT NULL") == gone, 300.0, lambda: daemon.text[-3000:])
            rows.append((gone, process.memory_info().rss / 1e6))
    bench.table("a daemon while tenants come and go", ("lives", "RSS, MB"), rows)
    assert len(rows) == BATCHES
