"""The simulator as a process: state across kills, signals, the parent that goes."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.conftest import OWNER, free_port


class Process:
    """A simulator in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "reconciler.simulator", "--port", str(self.port), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)
        for _ in range(400):
            try:
                self.call("GET", "/_sim/health")
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("the simulator did not come up")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - always http to this machine
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(timeout=5)
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code


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
    first.call("POST", "/v1/webhooks", {"ownerId": OWNER, "url": "http://127.0.0.1:9/", "name": "h", "enabled": False})
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


@pytest.mark.parametrize("arguments", [["--speed", "0"], ["--start", "soon"]])
def test_bad_arguments_are_refused(arguments):
    command = [sys.executable, "-m", "reconciler.simulator", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False, env=os.environ)
    assert done.returncode == 2
    assert arguments[0] in done.stderr
