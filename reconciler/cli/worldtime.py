"""Tells Render's time: the machine's clock, or the simulator's where the world is simulated; schedules nothing."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx

from reconciler.cli import local
from reconciler.cli.exits import Failure
from reconciler.settings import Settings

CLOCK_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class WorldTime:
    """A reading of the world's clock and how to go on from it; `problem` says why a simulated clock was not read."""

    read: datetime
    read_at_s: float
    rate: float = 1.0
    problem: str = ""

    def now(self) -> datetime:
        """Answer the world time now, good enough to show ages with."""
        return self.read + timedelta(seconds=(time.monotonic() - self.read_at_s) * self.rate)

    async def sleep(self, world_s: float) -> None:
        """Wait that many world seconds; a clock that stands still is asked again after a real one."""
        await asyncio.sleep(world_s / self.rate if self.rate else 1.0)

    def speed(self) -> float:
        """Answer how many world seconds pass in a real one."""
        return self.rate

    def certain(self) -> datetime:
        """Answer the world time for something that will be decided by it; Failure when nobody could tell it."""
        if self.problem:
            raise Failure(self.problem, remedy="start `reconciler run --local`, or set RENDER_API_URL")
        return self.now()


async def read(settings: Settings) -> WorldTime:
    """Ask the simulator where there is one; a failing simulator leaves the machine's time and the problem."""
    simulator = simulator_url(settings)
    if not simulator:
        return _machine("")
    try:
        async with httpx.AsyncClient(timeout=CLOCK_TIMEOUT_S, trust_env=False) as client:
            answer = (await client.get(f"{simulator}/_sim/clock")).raise_for_status().json()
        now = datetime.fromisoformat(str(answer["now"]).replace("Z", "+00:00")).astimezone(UTC)
        speed = 0.0 if answer.get("frozen") else float(answer.get("speed", 1.0))
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return _machine(f"the clock of the simulator at {simulator} cannot be read ({type(error).__name__})")
    return WorldTime(now, time.monotonic(), speed)


def simulator_url(settings: Settings) -> str:
    """Answer the simulator's root address, empty when the world is Render's own."""
    if settings.url:
        return ""
    parts = urlsplit(settings.render_api_url)
    if parts.hostname in ("127.0.0.1", "localhost", "::1"):
        return f"{parts.scheme}://{parts.netloc}"
    known = local.urls(settings)
    if settings.database_url and settings.database_url not in known.values():
        return ""
    return known.get("simulator", "").rstrip("/").removesuffix("/v1")


def told(now: datetime) -> WorldTime:
    """Go on from a time that somebody told."""
    return WorldTime(now, time.monotonic())


def _machine(problem: str) -> WorldTime:
    return WorldTime(datetime.now(UTC), time.monotonic(), 1.0, problem)
