"""What is not there, refuses or goes away: one clear line, waiting where that helps, recovery without a restart."""

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.postgres.embedded import EmbeddedPostgres
from tests.daemon.fleet import BLUEPRINT, KEY, Fleet, open_fleet
from tests.daemon.harness import Process, Sim, free_port

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def fleet(database_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with open_fleet(database_url, tmp_path) as opened:
        yield opened


def lines(daemon: Process) -> list[str]:
    """What a person is told: everything that is no log line."""
    return [line for line in daemon.text.splitlines() if line and not line.startswith("{")]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"password": "hunter2-wrong"}, "refuses this user or password: correct DATABASE_URL"),
        ({"path": "/nowhere"}, "there is no such database"),
        ({"scheme": "mysql"}, "DATABASE_URL does not begin with postgresql://"),
    ],
)
async def test_a_wrong_database_url_is_one_clear_line(
    database_url: str, tmp_path: Path, wrong: dict[str, str], says: str
) -> None:
    parts = urlsplit(database_url)
    place = f"{parts.username}:{wrong.get('password', parts.password)}@127.0.0.1:{parts.port}"
    url = f"{wrong.get('scheme', 'postgresql')}://{place}{wrong.get('path', parts.path)}"
    settings = {"DATABASE_URL": url, "RENDER_API_KEY": KEY, "RECONCILER_ENCRYPTION_KEY": "A" * 43 + "="}
    daemon = Process(["run", "--role", "engine"], tmp_path / "out", settings)
    assert daemon.wait(60) == 1
    assert len(lines(daemon)) == 1 and says in daemon.text, daemon.text
    assert "hunter2" not in daemon.text and str(parts.password) not in daemon.text


async def test_a_database_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    url = f"postgresql://postgres:hunter2@127.0.0.1:{free_port()}/postgres"
    settings = {"DATABASE_URL": url, "RENDER_API_KEY": KEY, "RECONCILER_ENCRYPTION_KEY": "A" * 43 + "="}
    daemon = Process(["run", "--role", "engine"], tmp_path / "out", settings)
    daemon.wait_for("no PostgreSQL answers there .*start it, or correct host and port in DATABASE_URL.*trying again")
    await asyncio.sleep(4.5)  # two more attempts
    assert len(lines(daemon)) == 1, "it is said once"
    assert daemon.end() == 0
    assert "hunter2" not in daemon.text


async def test_a_refused_key_is_one_clear_line_and_not_a_word_about_the_key(fleet: Fleet) -> None:
    daemon = fleet.launch(RENDER_API_KEY="rnd_awrongkeyawrongkey")
    assert daemon.wait(60) == 1
    assert "Render refuses RENDER_API_KEY (401: " in daemon.text and "Account Settings, API Keys" in daemon.text
    assert len(lines(daemon)) == 1 and "awrongkey" not in daemon.text


async def test_render_may_be_away_at_the_start_and_in_the_middle(fleet: Fleet) -> None:
    await fleet.apply(BLUEPRINT)
    await fleet.put("acme", new=True)
    base, fleet.settings["RENDER_API_URL"] = fleet.sim.base, f"http://127.0.0.1:{(port := free_port())}/v1"
    waiting = fleet.launch()
    waiting.wait_for(f"http://127.0.0.1:{port}.*did not answer.*trying again")
    late = Sim(fleet.tmp / "late.log", "--speed", "60", "--api-key", KEY, port=port)
    waiting.wait_for('"event": "started"')
    assert waiting.end() == 0
    late.stop()

    fleet.settings["RENDER_API_URL"] = f"{base}/v1"
    daemon = fleet.start()
    await fleet.until(lambda: bool(fleet.sim.truth()["projects"]))
    rule = fleet.sim.fault(fault="status", status=503, path="^/v1/")
    daemon.wait_for("injected 503|did not answer|unavailable", 30)
    await asyncio.sleep(1.0)
    fleet.sim.call("DELETE", f"/faults/{rule}")
    await fleet.settle(90)
    assert await fleet.wrongs({}) == []
    assert "Traceback" not in daemon.text and KEY not in daemon.text
    assert daemon.end() == 0


async def test_postgres_may_go_and_come_back_while_stacks_are_made(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg", port=free_port(), durable=False)
    url = server.start()
    from reconciler.postgres import migrate

    migrate.upgrade(url)
    try:
        async with open_fleet(url, tmp_path) as fleet:
            await fleet.apply(BLUEPRINT)
            for number in range(3):
                await fleet.put(f"t{number}", new=True)
            daemon = fleet.start()
            await fleet.until(lambda: bool(fleet.sim.truth()["projects"]))
            server.stop()
            await asyncio.sleep(3.0)
            assert daemon.popen.poll() is None, daemon.text
            assert server.start() == url
            began = time.monotonic()
            await fleet.settle(90)
            print(f"\nsettled {time.monotonic() - began:.1f} s after Postgres was back")
            assert await fleet.wrongs({}) == []
            password = str(urlsplit(url).password)
            assert "Traceback" not in daemon.text and password not in daemon.text and KEY not in daemon.text
            assert len(re.findall('"level": "warning"', daemon.text)) < 100, "no flood of words"
            daemon.signal(signal.SIGTERM)
            assert daemon.wait(15) == 0
    finally:
        server.stop()
