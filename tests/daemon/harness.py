"""Real daemon processes, and what a test needs to judge them: their output, their children, the simulator's truth."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")
FOREIGN = ("DATABASE_URL", "RENDER_", "RECONCILER_")


def environment(**settings: object) -> dict[str, str]:
    """This process's environment without any setting of ours but the given ones."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    return kept | {key: str(value) for key, value in settings.items()} | {"PYTHONUNBUFFERED": "1"}


HEARS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""Ctrl-C reaches it as in a terminal, even where the tests themselves run in the background of a shell, deaf to it."""


class Process:
    """One command of ours, running; what it prints goes into a file."""

    def __init__(self, arguments: list[str], output: Path, settings: Mapping[str, object], cwd: Path = ROOT) -> None:
        self.output = output
        with output.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", f"{HEARS}; from reconciler.cli import main; main()", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=environment(PYTHONPATH=ROOT, **settings),
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.popen.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def wait(self, within_s: float = 60.0) -> int:
        try:
            return self.popen.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within_s} s:\n{self.text}") from None

    def wait_for(self, pattern: str, within_s: float = 60.0) -> re.Match[str]:
        """Wait until the output matches."""

        def found() -> re.Match[str] | None:
            match = re.search(pattern, self.text)
            if match is None and self.popen.poll() is not None:
                raise AssertionError(f"ended with {self.popen.returncode} before /{pattern}/:\n{self.text}")
            return match

        return until(found, within_s, lambda: f"no /{pattern}/ in:\n{self.text}")

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """kill -9, and nothing else."""
        self.popen.kill()
        self.popen.wait(10)

    def end(self, within_s: float = 15.0) -> int:
        """Stop as Ctrl-C does."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
        return self.wait(within_s)


def until(ask: Callable[[], T], within_s: float, words: Callable[[], str] = lambda: "") -> T:
    """Ask again until the answer is true."""
    deadline = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, words() or f"not within {within_s} s"
        time.sleep(0.05)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sim:
    """A simulator process that the test owns, so that it outlives the daemons that talk to it."""

    def __init__(self, log: Path, *arguments: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "reconciler.simulator", "--port", str(self.port), "--seed", "7", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )
        until(self._up, 30.0, log.read_text)

    def _up(self) -> bool:
        try:
            return httpx.get(f"{self.base}/_sim/health", timeout=1.0).status_code == 200
        except httpx.HTTPError:
            return False

    def call(self, method: str, path: str, body: object = None) -> Any:
        reply = httpx.request(method, f"{self.base}/_sim{path}", json=body, timeout=10.0)
        assert reply.status_code < 400, (path, reply.status_code, reply.text)
        return reply.json()

    def truth(self) -> Any:
        return self.call("GET", "/truth")

    def fault(self, **rule: object) -> str:
        return str(self.call("POST", "/faults", rule)["id"])

    def stop(self) -> None:
        self.popen.terminate()
        self.popen.wait(10)


KINDS = ("services", "postgres", "key_values", "env_groups", "projects", "environments")


def live(truth: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Every live object: kind, name, id."""
    return [(kind, one["name"], one["id"]) for kind in KINDS for one in truth[kind]]


def urls(home: Path) -> dict[str, str]:
    read: dict[str, str] = json.loads((home / "urls.json").read_text())
    return read
