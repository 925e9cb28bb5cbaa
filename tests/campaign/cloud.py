"""Render in this very process: the simulator's API behind the operator's own client, over a network that has moods.

A request that has left is nobody's any more: its effect lands although its sender was killed, or after its sender gave
up waiting. Only the simulator's public shape is used: a request in, an answer out, its clock moved along.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode, urlsplit

from reconciler.core.values import Sensitive
from reconciler.render.calls import Calls, Hooks
from reconciler.render.calls import Settings as CallSettings
from reconciler.render.client import RenderClient
from reconciler.render.reads import Reads
from reconciler.render.sends import Sends
from reconciler.render.transport import Answer, Timeouts, TransportError
from reconciler.simulator import api, human, models, tenants
from reconciler.simulator.assembly import make_api
from reconciler.simulator.config import SimulatorConfig

KEY = "rnd_campaign_0123456789abcdef"
STRANGER = "rnd_somebody_else"
OWNER = "tea-cccccccccccccccccccc"
START = datetime(2026, 11, 2, 9, 20, 30, tzinfo=UTC)
BASE = "http://render.invalid/v1"
SECOND_NS = 1_000_000_000
OFF_THE_WIRE = Context()
"""Belongs to no process: what runs in it goes on whoever dies."""


@dataclass
class Moods:
    """How the network behaves, in seconds; shares of requests that are slow, late or lost on the way."""

    usual_s: tuple[float, float] = (0.02, 0.3)
    slow_share: float = 0.0
    slow_s: tuple[float, float] = (3.0, 13.0)
    late_share: float = 0.0
    late_s: tuple[float, float] = (25.0, 40.0)
    lost_share: float = 0.0
    broken_share: float = 0.0


@dataclass
class WorldClock:
    """World time of a run: Render's, at the speed of the loop."""

    loop: asyncio.AbstractEventLoop

    def now(self) -> datetime:
        return START + timedelta(seconds=round(self.loop.time(), 6))

    def speed(self) -> float:
        return 1.0

    async def sleep(self, world_s: float) -> None:
        await asyncio.sleep(max(0.0, world_s))


@dataclass
class Cloud:
    """The simulated Render of one run."""

    loop: asyncio.AbstractEventLoop
    random: Random
    moods: Moods = field(default_factory=Moods)
    settings: Mapping[str, object] = field(default_factory=dict)
    wrote: Callable[[models.Write], None] | None = None
    """Called after every accepted write, a person's too."""
    calls: int = 0

    def __post_init__(self) -> None:
        start_ns = int(START.timestamp()) * SECOND_NS
        self._start_ns = start_ns
        config = SimulatorConfig(
            frozen=True, start_ns=start_ns, seed=self.random.randrange(2**30), settings=dict(self.settings)
        )
        self.api = make_api(config)
        self.world = self.api.world
        self._told = 0

    # ------------------------------------------------------------ what arrives

    def handle(self, method: str, path: str, query: str, key: str, body: bytes) -> api.Answer:
        """Answer one request at the present instant."""
        self._keep_time()
        self.world.settle()
        self.world.flush()  # what came due by itself is no part of what this request does
        self.calls += 1
        headers = {b"authorization": f"Bearer {key}".encode()}
        answer = self.api.handle(api.Request(method, path, query, headers, body))
        self._tell()
        return answer

    def _keep_time(self) -> None:
        now_ns = self._start_ns + int(self.loop.time() * SECOND_NS)
        if now_ns > self.world.now_ns():
            self.world.clock.move_to(now_ns)

    def _tell(self) -> None:
        while self._told < self.world.write_seq:
            self._told += 1
            write = next(one for one in reversed(self.world.writes) if one.seq == self._told)
            if self.wrote is not None:
                self.wrote(write)

    # ------------------------------------------------------------ people

    def call(self, method: str, path: str, body: object = None, key: str = STRANGER) -> Any:
        """Do something with another API key than the operator's."""
        answer = self.handle(method, f"/v1{path}", "", key, b"" if body is None else json.dumps(body).encode())
        assert answer.status < 300, (method, path, answer.status, answer.body)
        return json.loads(answer.body) if answer.body.strip() else None

    def person(self, action: str, service: str, **more: object) -> bool:
        """Do something in the dashboard; False where Render says no."""
        self._keep_time()
        self.world.settle()
        try:
            human.act(self.api, {"action": action, "service": service, **more})
        except api.ApiError:
            return False
        self._tell()
        return True

    def visit(self, url: str) -> int | None:
        """Open a tenant's own address."""
        host = urlsplit(url).hostname or ""
        self._keep_time()
        self.world.settle()
        return tenants.answer(self.world, host)[0] if tenants.concerns(self.world, host) else None


class Wire:
    """Carries a client's requests to the cloud; stands where `render.transport.Transport` does."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def request(
        self, method: str, url: str, *, timeouts: Timeouts, query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None, body: bytes | None = None, read_body: bool = True,
        server_name: str = "",
    ) -> Answer:  # fmt: skip
        cloud, loop = self._cloud, self._cloud.loop
        waiting: asyncio.Future[Answer] = loop.create_future()
        moods, random = cloud.moods, cloud.random
        if random.random() < moods.broken_share:
            await asyncio.sleep(0.01)
            raise TransportError("Render cannot be reached (ConnectError)", sent=False)
        if timeouts.latest_s is not None and loop.time() > timeouts.latest_s:
            raise TransportError("Render was not asked: too late", sent=False)
        loop.call_later(timeouts.read_s, _give_up, waiting, timeouts.read_s, context=OFF_THE_WIRE)
        if random.random() >= moods.lost_share:
            sent = _Sent(cloud, waiting, method, urlsplit(url).path, urlencode(query or {}), headers or {}, body or b"")
            loop.call_later(self._delay_s(), sent.arrive, context=OFF_THE_WIRE)
        return await waiting

    def _delay_s(self) -> float:
        moods, random = self._cloud.moods, self._cloud.random
        chance = random.random()
        span = moods.usual_s
        if chance < moods.late_share:
            span = moods.late_s
        elif chance < moods.late_share + moods.slow_share:
            span = moods.slow_s
        return random.uniform(*span)

    async def close(self, grace_s: float = 0.0) -> None:
        return None


@dataclass
class _Sent:
    """A request on its way."""

    cloud: Cloud
    waiting: "asyncio.Future[Answer]"
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def arrive(self) -> None:
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        answer = self.cloud.handle(self.method, self.path, self.query, key, self.body)
        if answer.rule("timeout_before") or answer.rule("timeout_after"):
            return
        latency = answer.rule("latency")
        back_s = self.cloud.random.uniform(0.0, 0.1) + (latency.number("latency_s", 0.0) if latency else 0.0)
        self.cloud.loop.call_later(back_s, self._deliver, answer, context=OFF_THE_WIRE)

    def _deliver(self, answer: api.Answer) -> None:
        if self.waiting.done():
            return
        if answer.rule("reset") is not None:
            broke = TransportError("the connection to Render broke before its answer was complete", sent=True)
            self.waiting.set_exception(broke)
            return
        headers = {name.decode().lower(): value.decode() for name, value in answer.headers}
        self.waiting.set_result(
            Answer(status=answer.status, headers=headers, body=answer.body, seconds=0.1, sent_at=0.0)
        )


def _give_up(waiting: "asyncio.Future[Answer]", seconds: float) -> None:
    if not waiting.done():
        waiting.set_exception(TransportError(f"Render did not answer within {seconds:.0f} s", sent=True))


class CloudClient(RenderClient):
    """The operator's client, over the wire of this process instead of a socket."""

    def __init__(self, cloud: Cloud, clock: WorldClock, hooks: Hooks) -> None:
        settings = CallSettings(base_url=BASE)
        self._cloud = cloud
        self._transport = Wire(cloud)  # type: ignore[assignment]
        calls = Calls(settings, Sensitive(KEY), clock, hooks, self._transport)
        self._reads = Reads(calls, clock, OWNER)
        self._sends = Sends(calls, self._reads, clock, frozenset())

    async def probe(self, url: str) -> int | None:
        await asyncio.sleep(0.05)
        return self._cloud.visit(url)
