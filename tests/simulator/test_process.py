"""The simulator as a process: state across kills, signals, the parent that goes."""

import contextlib
import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulator.conftest import OWNER
from tests.simulator.process import Process

SERVICE = {
    "type": "web_service", "name": "web", "ownerId": OWNER, "image": {"imagePath": "nginx"},
    "envVars": [{"key": "A", "value": "1"}], "serviceDetails": {"runtime": "image"},
}  # fmt: skip


def forget_ends(truth: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in truth.items() if name not in ("now", "requests")}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_world_goes_on_after_a_restart(tmp_path: Path, how: signal.Signals):
    state = str(tmp_path / "deep" / "state.db")
    first = Process("--frozen", "--state", state, "--seed", "3", "--start", "2026-05-01T00:00:00Z")
    made = first.call("POST", "/v1/services", SERVICE)["service"]
    first.call("POST", f"/v1/services/{made['id']}/custom-domains", {"name": "a.example.com"})
    first.call(
        "POST",
        "/v1/webhooks",
        {"ownerId": OWNER, "url": "http://127.0.0.1:9/", "name": "h", "enabled": False, "eventFilter": []},
    )
    first.call("POST", "/v1/postgres", {"name": "db", "ownerId": OWNER, "plan": "free", "version": "16"})
    first.call("POST", "/_sim/clock", {"step_s": 10})
    first.call("PATCH", "/_sim/settings", {"build_image_s": 7})
    first.call("POST", "/_sim/faults", {"fault": "build_failed", "service": "x"})
    before, clock = first.call("GET", "/_sim/truth"), first.call("GET", "/_sim/clock")
    owner = first.call("GET", "/_sim/health")["owner_id"]
    code = first.end(how)
    assert code == (0 if how == signal.SIGTERM else -9)

    second = Process("--frozen", "--state", state, "--seed", "3")
    try:
        assert second.call("GET", "/_sim/health")["owner_id"] == owner
        assert second.call("GET", "/_sim/clock") == clock
        after = second.call("GET", "/_sim/truth")
        assert forget_ends(after) == forget_ends(before)
        assert second.call("GET", "/_sim/settings")["build_image_s"] == 7
        assert len(second.call("GET", "/_sim/faults")) == 1
        second.call("POST", "/_sim/clock", {"step_s": 100})
        assert second.call("GET", "/_sim/truth")["services"][0]["deploys"][0]["status"] == "live"
        again = second.call("POST", "/v1/services", {**SERVICE, "name": "other"})["service"]
        assert again["id"] > made["id"]
    finally:
        second.end(signal.SIGTERM)


def test_time_stands_still_while_it_is_down_and_never_runs_back(tmp_path: Path):
    state = str(tmp_path / "state.db")
    first = Process("--speed", "100", "--state", state)
    time.sleep(0.5)
    before = first.call("GET", "/_sim/clock")["epoch_s"]
    first.end(signal.SIGKILL)
    time.sleep(0.5)
    second = Process("--speed", "100", "--state", state)
    after = second.call("GET", "/_sim/clock")["epoch_s"]
    second.end(signal.SIGTERM)
    # It continues at most the reserve (a quarter of a second of running) ahead, plus what it ran since.
    assert before <= after < before + 300


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_a_second(how: signal.Signals):
    process = Process()
    begun = time.monotonic()
    assert process.end(how) == 0
    assert time.monotonic() - begun < 1.5


def test_it_ends_with_its_parent():
    process = Process("--exit-with-parent")
    assert process.process.stdin is not None
    process.process.stdin.close()
    assert process.process.wait(timeout=5) == 0


def refuse(*arguments: str) -> tuple[int, str]:
    """Start a simulator that must not come up: its exit status and what it said."""
    command = [sys.executable, "-m", "reconciler.simulator", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False, env=os.environ)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("--speed", "0", "1 is real time"),
        ("--speed", "nan", "1 is real time"),
        ("--speed", "quick", "invalid float"),
        ("--start", "soon", "2026-05-01T00:00:00Z"),
        ("--port", "65536", "a free one"),
        ("--api-key", " ", "leave the option out"),
        ("--owner-id", "acme", "tea-"),
        ("--state", "/proc/none/world.db", "a new file"),
    ],
)
def test_a_bad_value_names_its_option_and_the_remedy(option: str, value: str, remedy: str):
    code, said = refuse(option, value)
    assert code == 2 and option in said and remedy in said


def test_a_file_that_is_no_state_is_not_touched(tmp_path: Path):
    notes = tmp_path / "notes.txt"
    notes.write_text("not a database " * 100)
    code, said = refuse("--state", str(notes))
    assert code == 2 and str(notes) in said
    assert notes.read_text() == "not a database " * 100


def test_an_address_that_cannot_be_had_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = refuse("--port", str(port))
    assert code == 1 and f"--port {port}" in said and "give another" in said
    code, said = refuse("--host", "no.such.host.invalid", "--port", "0")
    assert code == 1 and "--host no.such.host.invalid" in said


def test_it_says_where_it_serves_and_lets_only_its_keys_in():
    command = [sys.executable, "-m", "reconciler.simulator", "--port", "0", "--speed", "600"]
    keys = ["--api-key", "rnd_one", "--api-key", "rnd_two", "--owner-id", "tea-cccccccccccccccccccc"]
    process = subprocess.Popen([*command, *keys], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.split()[3].rstrip(",")
        assert line == f"simulated Render at {address}, 600 times real time; Ctrl-C stops it\n"

        def status(key: str, path: str) -> int:
            return httpx.get(
                f"{address}{path}", headers={"Authorization": f"Bearer {key}".strip()}, timeout=5
            ).status_code

        assert [status(key, "/owners") for key in ("rnd_one", "rnd_two", "other", "")] == [200, 200, 401, 401]
        owners = httpx.get(f"{address}/owners", headers={"Authorization": "Bearer rnd_one"}, timeout=5).json()
        assert [item["owner"]["id"] for item in owners] == ["tea-cccccccccccccccccccc"]
        assert status("rnd_one", "/owners/tea-cccccccccccccccccccc") == 200
        assert status("rnd_one", "/owners/tea-dddddddddddddddddddd") == 404
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
        if process.stdout is not None:
            process.stdout.close()


def longest_row(state: Path) -> int:
    """The most that a change of one thing makes the simulator write."""
    with contextlib.closing(sqlite3.connect(state)) as file:
        return int(file.execute("SELECT max(length(body)) FROM objects").fetchone()[0])


def test_a_run_of_a_cron_job_costs_the_same_however_many_were_before_and_its_bill_survives(tmp_path: Path):
    state = tmp_path / "state.db"
    details = {"runtime": "image", "schedule": "0 * * * *", "plan": "starter"}
    # Half past an hour: at the end no run is under way, which would be charged only when it ends.
    first = Process("--frozen", "--state", str(state), "--start", "2026-05-01T00:30:00Z")
    first.call("POST", "/v1/services", {**SERVICE, "type": "cron_job", "name": "hourly", "serviceDetails": details})
    first.call("POST", "/_sim/clock", {"step_s": 100 * 3_600})
    short = longest_row(state)
    first.call("POST", "/_sim/clock", {"step_s": 400 * 3_600})
    long, bill = longest_row(state), first.call("GET", "/_sim/truth/bill")
    first.end(signal.SIGKILL)
    assert long <= short + 100
    ran = next(line for line in bill["lines"] if line["sku"] == "run:starter")
    assert float(ran["unit_seconds"]) == 60 * 500

    second = Process("--frozen", "--state", str(state))
    try:
        assert second.call("GET", "/_sim/truth/bill") == bill
        second.call("POST", "/_sim/reset")
    finally:
        second.end(signal.SIGTERM)
    with contextlib.closing(sqlite3.connect(state)) as file:
        assert file.execute("SELECT count(*) FROM objects").fetchone() == (0,)


def test_a_kill_in_the_middle_of_load_loses_nothing_that_was_answered(tmp_path: Path):
    state = str(tmp_path / "state.db")
    first = Process("--speed", "600", "--state", state)
    first.call("PATCH", "/_sim/settings", {"limits_enabled": False})
    acknowledged: dict[str, str] = {}
    deleted: set[str] = set()
    seen = [0.0]

    def work(worker: int) -> None:
        for number in range(1_000):
            try:
                name = f"w{worker}-{number}"
                made = first.call("POST", "/v1/services", {**SERVICE, "name": name})["service"]
                acknowledged[made["id"]] = name
                if number % 3 == 0:
                    first.call("DELETE", f"/v1/services/{made['id']}")
                    deleted.add(made["id"])
                seen[0] = max(seen[0], first.call("GET", "/_sim/clock")["epoch_s"])
            except (OSError, http.client.HTTPException, ValueError):
                return  # it is dead

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    while len(deleted) < 20:
        time.sleep(0.01)
    first.end(signal.SIGKILL)
    for worker in workers:
        worker.join()

    second = Process("--speed", "600", "--state", state)
    try:
        assert second.call("GET", "/_sim/clock")["epoch_s"] >= seen[0]
        truth = second.call("GET", "/_sim/truth")
        found = {item["id"]: item["name"] for item in truth["services"]}
        # All that was answered is there; of what was on its way (one call a worker) nobody can tell.
        kept = {key: name for key, name in acknowledged.items() if key not in deleted}
        missing = set(kept) - set(found)
        assert len(missing) <= len(workers)  # a delete whose answer the kill cut off
        writes = {key for write in truth["writes"] if write["method"] == "DELETE" for key in write["affected"]}
        assert missing <= writes
        assert not deleted & set(found)
        newest = max(item["createdAt"] for item in truth["services"])
        again = second.call("POST", "/v1/services", {**SERVICE, "name": "later"})["service"]
        assert again["id"][4:] > max(key[4:] for key in found)
        assert again["createdAt"] > newest[:19]
    finally:
        second.end(signal.SIGTERM)


def test_ids_go_on_sorting_by_creation_within_a_second(tmp_path: Path):
    """A frozen clock and restarts: machine, process and counter must not begin anew."""
    state, ids = str(tmp_path / "state.db"), []
    for number in range(6):
        simulator = Process("--frozen", "--state", state, "--start", "2026-05-01T00:00:00Z")
        made = simulator.call("POST", "/v1/services", {**SERVICE, "name": f"s{number}"})["service"]
        listed = [item["service"]["id"] for item in simulator.call("GET", "/v1/services")]
        ids.append(made["id"])
        assert listed == ids[::-1] and ids == sorted(ids)
        simulator.end(signal.SIGTERM)
