"""A simulator that really listens, on a frozen clock, emptied before each test."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from reconciler.simulator import times
from reconciler.simulator.config import SimulatorConfig
from reconciler.simulator.server import App, build_app, make_server
from tests.simulator.process import free_port

OWNER = "tea-cccccccccccccccccccc"
START_NS = 1_780_000_020_000_000_000  # 2026-05-28T20:27:00Z: the first second of a minute


def at(text: str) -> int:
    """Read a timestamp of an answer; as text they do not sort, since zeros at their end are trimmed."""
    return times.parse(text)


class Simulator:
    """A running simulator and a client for it."""

    def __init__(self, config: SimulatorConfig, app: App) -> None:
        self.config = config
        self.app = app
        self.base = f"http://127.0.0.1:{config.port}"
        self.http = httpx.Client(base_url=self.base, timeout=10)

    def call(self, method: str, path: str, body: Any = None, *, key: str = "k1", **params: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if body is None:
            return self.http.request(method, f"/v1{path}", headers=headers, params=params or None)
        return self.http.request(method, f"/v1{path}", headers=headers, params=params or None, json=body)

    def ok(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Call and insist on success; the body, or None where there is none."""
        answer = self.call(method, path, body, **params)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def refused(self, status: int, method: str, path: str, body: Any = None, **params: Any) -> str:
        """Call and insist on a refusal; its message."""
        answer = self.call(method, path, body, **params)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return str(answer.json()["message"])

    def sim(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Use the control plane."""
        answer = self.http.request(method, f"/_sim{path}", json=body, params=params or None)
        assert answer.is_success, answer.text
        return answer.json()

    def step(self, seconds: float) -> None:
        self.sim("POST", "/clock", {"step_s": seconds})

    def set(self, **settings: Any) -> None:
        self.sim("PATCH", "/settings", settings)

    def human(self, action: str, service: str, **more: Any) -> Any:
        return self.sim("POST", "/human", {"action": action, "service": service, **more})

    def fault(self, fault: str, **more: Any) -> Any:
        return self.sim("POST", "/faults", {"fault": fault, **more})

    def truth(self, **params: Any) -> Any:
        return self.sim("GET", "/truth", **params)

    def visit(self, host: str, path: str = "/") -> httpx.Response:
        """Open a tenant's own address."""
        return self.http.get(path, headers={"Host": host})

    def service(self, name: str = "web", kind: str = "web_service", **body: Any) -> dict[str, Any]:
        """Create an image service (or a static site or cron job) and return it."""
        details = body.pop("serviceDetails", {})
        given: dict[str, Any] = {"type": kind, "name": name, "ownerId": OWNER}
        if kind == "static_site":
            given |= {"repo": "https://github.com/acme/site", "serviceDetails": details}
        else:
            schedule = {"schedule": "0 0 * * *"} if kind == "cron_job" else {}
            given |= {
                "image": {"imagePath": "nginx", "ownerId": ""},
                "serviceDetails": {"runtime": "image", **schedule, **details},
            }
        made: dict[str, Any] = self.ok("POST", "/services", given | body)["service"]
        return made

    def read(self, service: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.ok("GET", f"/services/{service['id']}")
        return found

    def deploys(self, service: dict[str, Any]) -> list[dict[str, Any]]:
        """The deploys of a service, newest first."""
        return [item["deploy"] for item in self.ok("GET", f"/services/{service['id']}/deploys", limit=100)]


def run(config: SimulatorConfig) -> Iterator[Simulator]:
    """Serve in a thread until the caller is done."""
    app = build_app(config)
    server = make_server(app, config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    simulator = Simulator(config, app)
    try:
        yield simulator
    finally:
        simulator.http.close()
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def _running() -> Iterator[Simulator]:
    yield from run(SimulatorConfig(port=free_port(), frozen=True, start_ns=START_NS, seed=7))


@pytest.fixture
def sim(_running: Simulator) -> Simulator:
    """An empty world at the first second of some minute."""
    _running.sim("POST", "/reset")
    now = int(_running.sim("GET", "/clock")["epoch_s"])
    _running.sim("POST", "/clock", {"now": str(now + 3_600 - now % 3_600)})
    return _running
