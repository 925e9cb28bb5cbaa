"""`reconciler run --local` as a person runs it: real processes in a home folder of their own."""

import json
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.daemon.harness import ROOT, Process, Sim, environment, until, urls

BROKEN = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: one}
spec:
  template: {services: [{type: web, name: app, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter}]}
  entrypoint: app
---
apiVersion: reconciler/v1
kind: Tenant
metadata: {name: acme}
spec: {blueprint: one}
"""


def run_local(home: Path, name: str, *arguments: str, **settings: object) -> Process:
    settings = {"RECONCILER_HOME": home, "RECONCILER_SIMULATOR_PORT": 0, "RECONCILER_API_PORT": 0, **settings}
    return Process(["run", "--local", *arguments], home.parent / f"{name}.out", settings)


def write_seq(home: Path, tmp: Path) -> int:
    """How many writes the simulated Render has accepted in its life, while no local run is up."""
    sim = Sim(tmp / "reader.log", "--frozen", "--state", str(home / "simulator.db"))
    try:
        return int(sim.truth()["write_seq"])
    finally:
        sim.stop()


def gone(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


@dataclass
class Lived:
    """A home in which `run --local --once` was run to its end."""

    home: Path
    tmp: Path
    code: int
    text: str
    seconds: float


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    tmp = tmp_path_factory.mktemp("local")
    began = time.monotonic()
    first = run_local(tmp / "home", "first", "--once")
    code = first.wait(110)
    yield Lived(tmp / "home", tmp, code, first.text, time.monotonic() - began)


@pytest.mark.timeout(180)
def test_once_brings_every_tenant_where_it_should_be_and_says_so(lived: Lived) -> None:
    assert lived.code == 0, lived.text
    table = lived.text[lived.text.index("\nTENANT ") :]
    phases = dict(re.findall(r"^(\w+) +\S.*?(Ready|Suspended|Blocked|Invalid)", table, re.MULTILINE))
    assert phases == {
        "acme": "Ready", "bolt": "Ready", "cora": "Ready", "dune": "Suspended", "echo": "Blocked", "fern": "Invalid",
    }  # fmt: skip
    assert "reconciler secret set echo SMTP_PASSWORD" in table
    assert 'crm has no tier "gold"; it has pro, starter' in table
    assert "6 of 6 tenants are where they should be" in lived.text
    assert "Traceback" not in lived.text
    assert lived.seconds < 90
    print(f"\nfirst run: {lived.seconds:.0f} s")


def test_who_waits_for_whom_is_shown_on_the_way(lived: Lived) -> None:
    assert re.search(r"Provisioning .*(waits for|deploys|limit)", lived.text), (
        "how long each lasts is the machine's affair"
    )
    assert "@project" not in lived.text, "components have names that people know"


def test_files_with_secrets_are_their_owners_alone(lived: Lived) -> None:
    open_to_others = [
        one.name for one in lived.home.iterdir() if one.is_file() and stat.S_IMODE(one.stat().st_mode) & 0o077
    ]
    assert open_to_others == []
    assert stat.S_IMODE((lived.home / "pg").stat().st_mode) == 0o700
    assert {"admin.key", "encryption.key", "roles.json", "urls.json", "simulator.db"} <= {
        one.name for one in lived.home.iterdir()
    }


def test_logs_hold_no_secret_and_no_traceback(lived: Lived) -> None:
    logs = "".join((lived.home / name).read_text() for name in ("daemon.log", "simulator.log"))
    roles = json.loads((lived.home / "roles.json").read_text())
    state = (lived.home / "encryption.key").read_text().strip()
    admin = (lived.home / "admin.key").read_text().strip()
    database = (lived.home / "pg" / "password").read_text()
    for secret in (*roles.values(), state, admin, database):
        assert secret not in logs
    assert "Traceback" not in logs
    assert lived.text.count(admin) == 1, "the admin key is shown once"


@pytest.mark.timeout(180)
def test_a_second_run_finds_everything_and_writes_nothing_and_ctrl_c_ends_it_cleanly(lived: Lived) -> None:
    before = write_seq(lived.home, lived.tmp)
    second = run_local(lived.home, "second")
    second.wait_for(r"Look:  reconciler get tenants", 60)
    assert "shown once" not in second.text, "the admin key is kept, not made anew"
    truth = httpx.get(f"{urls(lived.home)['simulator']}/_sim/truth").json()
    assert truth["requests"], "it looked at Render before it said that all is well"
    children = second.children()
    assert {one.name() for one in children} >= {"postgres"}
    time.sleep(3.0)  # three simulated minutes in which it might change its mind
    began = time.monotonic()
    assert second.end(10) == 0, second.text
    assert time.monotonic() - began < 10
    assert gone(children)
    assert write_seq(lived.home, lived.tmp) == before
    assert not (lived.home / "daemon.pid").exists()


@pytest.mark.timeout(180)
def test_kill_9_leaves_no_simulator_and_the_next_start_says_what_it_recovered(lived: Lived) -> None:
    before = write_seq(lived.home, lived.tmp)
    killed = run_local(lived.home, "killed")
    killed.wait_for(r"where they should be", 60)
    simulators = [one for one in killed.children() if "reconciler.simulator" in one.cmdline()]
    assert len(simulators) == 1
    killed.kill()
    until(lambda: gone(simulators), 5)

    again = run_local(lived.home, "again", "--once")
    assert again.wait(60) == 0, again.text
    assert re.search(rf"recovered +process {killed.popen.pid} ended without stopping", again.text)
    assert write_seq(lived.home, lived.tmp) == before


@pytest.mark.parametrize("setting", ["RECONCILER_API_PORT", "RECONCILER_SIMULATOR_PORT"])
def test_an_occupied_port_is_one_clear_line_and_nothing_is_left_running(tmp_path: Path, setting: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        run = run_local(tmp_path / "home", "occupied", "--once", **{setting: port})
        code = run.wait(60)
    assert code == 1
    assert len(run.text.strip().splitlines()) == 1, run.text
    assert f"127.0.0.1:{port}" in run.text and setting in run.text
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(one.info["cmdline"] or [])]


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[tuple[Sim, dict[str, Any]]]:
    """A simulator of the test's own, and the settings of a local run that uses it."""
    sim = Sim(tmp_path / "sim.log", "--speed", "120")
    yield sim, {"RENDER_API_URL": f"{sim.base}/v1", "RENDER_API_KEY": "rnd_rehearsal"}
    sim.stop()


def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "all.yaml").write_text(BROKEN)
    return folder


@pytest.mark.timeout(120)
def test_once_fails_when_a_tenant_cannot_come_up(tmp_path: Path, rehearsal: tuple[Sim, dict[str, Any]]) -> None:
    sim, settings = rehearsal
    sim.fault(fault="build_failed", service="app-acme")
    run = run_local(tmp_path / "home", "failing", "--once", "--apply", str(documents(tmp_path)), **settings)
    assert run.wait(90) == 1, run.text
    assert "not yet: acme; look: reconciler describe tenant acme" in run.text


@pytest.mark.timeout(120)
def test_once_gives_up_after_its_timeout(tmp_path: Path, rehearsal: tuple[Sim, dict[str, Any]]) -> None:
    sim, settings = rehearsal
    sim.fault(fault="deploy_stuck", service="app-acme", forever=True)
    arguments = ("--once", "--timeout", "3s", "--apply", str(documents(tmp_path)))
    run = run_local(tmp_path / "home", "stuck", *arguments, **settings)
    assert run.wait(90) == 1, run.text
    assert "0 of 1 tenants are where they should be" in run.text


@pytest.mark.timeout(120)
def test_ctrl_c_while_it_starts_leaves_nothing_running(tmp_path: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        run = run_local(tmp_path / "home", "early")
        until(run.children, 30)
        children = run.children()
        run.signal(number)
        assert run.wait(20) in (0, 130), run.text
        assert gone(children)
        assert "Traceback" not in run.text


@pytest.mark.timeout(60)
@pytest.mark.parametrize("missing", ["RENDER_API_KEY", "DATABASE_URL"])
def test_without_local_a_missing_setting_is_an_error_that_says_what_to_set(tmp_path: Path, missing: str) -> None:
    given = {
        "RENDER_API_KEY": "rnd_x", "DATABASE_URL": "postgresql://127.0.0.1:1/x", "RECONCILER_ENCRYPTION_KEY": "A" * 44,
    }  # fmt: skip
    del given[missing]
    done = subprocess.run(
        [sys.executable, "-c", "from reconciler.cli import main; main()", "run"],
        env=environment(PYTHONPATH=ROOT, **given), cwd=tmp_path,
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"{missing}: is not set; set it to" in done.stderr and "reconciler run --local" in done.stderr


@pytest.mark.timeout(120)
def test_a_simulator_that_was_started_alone_is_found_by_its_address_and_needs_no_key(
    tmp_path: Path, rehearsal: tuple[Sim, dict[str, Any]]
) -> None:
    sim, _ = rehearsal
    home = tmp_path / "home"
    arguments = ("--once", "--apply", str(documents(tmp_path)))
    run = run_local(home, "guest", *arguments, RENDER_API_URL=f"{sim.base}/v1")
    assert run.wait(90) == 0, run.text
    assert re.search(rf"^render +simulated, 127.0.0.1:{sim.port}, 120x ", run.text, re.MULTILINE), run.text
    assert [one["name"] for one in sim.truth()["services"]] == ["app-acme"]
    assert not (home / "simulator.db").exists(), "it starts no other one"
    assert urls(home)["simulator"] == sim.base, "so the verbs of the next shell find it too"


@pytest.mark.timeout(60)
def test_an_address_that_is_no_simulator_s_needs_a_key_and_starts_nothing(tmp_path: Path) -> None:
    run = run_local(tmp_path / "home", "keyless", "--once", RENDER_API_URL="https://render.example/v1")
    assert run.wait(60) == 1
    assert len(run.text.strip().splitlines()) == 1, run.text
    assert "RENDER_API_KEY: is not set" in run.text and "https://render.example/v1" in run.text
    assert not (tmp_path / "home").exists()
