"""What the tests of the Render client share: a scripted HTTP server, the simulator, the recordings, a client."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from reconciler.core.values import Sensitive
from reconciler.render.calls import Hooks, Settings
from reconciler.render.client import RenderClient
from reconciler.render.clock import SimulatedClock

KEY = "rnd_aVeryLongSecretApiKey0123456789"
OWNER = "tea-cjnxpkdhshc73d12t9i0"
START = "2026-06-09T16:00:10Z"
NOW = datetime(2026, 6, 9, 16, 25, 30, tzinfo=UTC)
PROJECT = Path(__file__).resolve().parents[2]


class FixedClock:
    """A clock that tests set."""

    def __init__(self, moment: datetime = NOW) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def speed(self) -> float:
        return 1.0

    async def sleep(self, world_s: float) -> None:
        await asyncio.sleep(0)


@dataclass
class Request:
    """What a server was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Handler = Callable[[Request], bytes | Awaitable[bytes]]


@dataclass
class Scripted:
    """A server that answers with prepared bytes, one per request; b"" hangs up without a word."""

    url: str = ""
    answers: list[bytes] = field(default_factory=list)
    handler: Handler | None = None
    requests: list[Request] = field(default_factory=list)
    tasks: set[asyncio.Task[object]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while (request := await self._read(reader)) is not None:
                self.requests.append(request)
                if self.handler is not None:
                    made = self.handler(request)
                    answer = made if isinstance(made, bytes) else await made
                else:
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                writer.write(answer)
                await writer.drain()
                if not answer or b"Connection: close" in answer:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client may leave whenever it likes
        finally:
            self.tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        """Hang up on everyone."""
        left = list(self.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0)

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Request(method, path, headers, body)


def answer(status: int, body: bytes | str = b"", headers: str = "", *, length: int | None = None) -> bytes:
    """Write an HTTP answer; `length` may lie. `headers` are whole lines."""
    data = body.encode() if isinstance(body, str) else body
    lines = [
        f"HTTP/1.1 {status} X",
        f"Content-Length: {len(data) if length is None else length}",
        *(["Connection: close"] if length is not None else []),
        *headers.strip().splitlines(),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


@pytest.fixture
def http_answer() -> Callable[..., bytes]:
    return answer


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    script = Scripted()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield script
    server.close()
    await script.stop()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def make_client(clock: FixedClock) -> Callable[..., object]:
    """Make a client of a base URL, closed at the end of the `async with`."""

    @asynccontextmanager
    async def made(
        base_url: str,
        *,
        hooks: Hooks | None = None,
        owner_id: str = OWNER,
        client_clock: object = None,
        **settings: float,
    ) -> AsyncIterator[RenderClient]:
        extra = {name: settings.pop(name) for name in ("protected_ids", "probe_via") if name in settings}
        client = RenderClient(
            settings=Settings(**{"base_url": base_url, "retry_wait_s": 0.01, **settings}),
            api_key=Sensitive(KEY),
            clock=client_clock or clock,
            owner_id=owner_id,
            hooks=hooks or Hooks(),
            **extra,
        )
        try:
            yield client
        finally:
            await client.close(grace_s=5)

    return made


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded traffic; tests that need it are skipped where it is not."""
    shared = Path(os.environ.get("RECONCILER_SHARED", PROJECT.parent / "shared"))
    folder = shared / "recordings"
    if not folder.is_dir():
        pytest.skip(f"no recordings of Render's API at {folder}: set RECONCILER_SHARED to the folder above them")
    return folder


@dataclass
class Simulator:
    """A simulator of the Render API, in a process of its own, with a frozen clock."""

    root: str
    http: httpx.Client

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def step(self, seconds: float) -> None:
        self.http.post(f"{self.root}/_sim/clock", json={"step_s": seconds}).raise_for_status()

    def human(self, action: str, service: str, **more: object) -> None:
        self.http.post(
            f"{self.root}/_sim/human", json={"action": action, "service": service, **more}
        ).raise_for_status()

    def verify(self, service: str, domain: str) -> None:
        """Ask Render to look at a domain's DNS, as a person does in the dashboard."""
        where = f"{self.url}/services/{service}/custom-domains/{domain}/verify"
        self.http.post(where, headers={"authorization": f"Bearer {KEY}"}).raise_for_status()

    def fault(self, fault: str, **more: object) -> None:
        self.http.post(f"{self.root}/_sim/faults", json={"fault": fault, **more}).raise_for_status()


@contextmanager
def simulating(*more: str) -> Iterator[Simulator]:
    """Run a simulator in a process of its own: the same seed and start tell the same story."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--port", str(port), "--exit-with-parent", "--seed", "7", "--owner-id", OWNER]
    command = [sys.executable, "-m", "reconciler.simulator", *arguments, "--start", START, *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=PROJECT) as process:
        simulator = Simulator(f"http://127.0.0.1:{port}", httpx.Client())
        deadline = time.monotonic() + 20
        while True:
            try:
                simulator.http.get(f"{simulator.root}/_sim/health").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, "the simulator ended at once"
                assert time.monotonic() < deadline, "the simulator did not come up"
                time.sleep(0.05)
        try:
            yield simulator
        finally:
            simulator.http.close()
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    with simulating("--frozen") as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    """The simulator with an empty world, no faults and a fresh hour of limits."""
    simulator_process.http.post(f"{simulator_process.root}/_sim/reset").raise_for_status()
    simulator_process.http.delete(f"{simulator_process.root}/_sim/faults").raise_for_status()
    simulator_process.step(3600)
    return simulator_process


@pytest.fixture
async def client(simulator, make_client):
    """A client of the simulator, on its clock (`client.clock`)."""
    clock = SimulatedClock(simulator.url, refresh_s=0.02)
    await clock.start()
    async with make_client(simulator.url, client_clock=clock, probe_via=simulator.url) as client:
        client.clock = clock
        yield client
    await clock.stop()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
