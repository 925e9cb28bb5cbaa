"""A simulator in a process of its own, spoken to over HTTP only: nothing of the simulator's code is imported here."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_TRIES, START_PAUSE_S = 400, 0.02


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A running `python -m reconciler.simulator`."""

    def __init__(self, *arguments: str) -> None:
        """Start it and wait until it answers; AssertionError when it does not come up."""
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "reconciler.simulator", "--port", str(self.port), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT)
        for _ in range(START_TRIES):
            if self.process.poll() is not None:
                break
            try:
                self.call("GET", "/_sim/health")
                return
            except OSError:
                time.sleep(START_PAUSE_S)
        self.process.kill()
        self.wait()
        raise AssertionError(f"the simulator did not come up: exit code {self.process.returncode}")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call it and read the JSON of the answer; an error status raises."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - always http to this machine
            f"{self.base}{path}", data, headers, method=method
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and tell its exit code."""
        self.process.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        """Wait until it is gone and tell its exit code."""
        code = self.process.wait(timeout=5)
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code
