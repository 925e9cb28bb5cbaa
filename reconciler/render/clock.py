"""Tells Render's time: the machine's, corrected by answers, or the simulator's; it makes no API call.

Both clocks only move forward, except over a jump too large to be an inaccuracy: then the world itself moved.
"""

import asyncio
import contextlib
import json
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from reconciler.core.errors import Unavailable
from reconciler.render.transport import Timeouts, Transport, TransportError

JUMP_S = 5.0
"""Going back by less than this is an inaccuracy, and is waited out; more means that the clock was set."""
SIMULATED_JUMP_S = 30.0
"""The same in real seconds: a killed simulator goes on from its last saved state."""


class RenderClock:
    """World time against Render: the machine's wall clock, corrected by the `Date` of answers; speed 1.

    A `Date` has whole seconds, so each answer gives an interval for the offset; intervals are intersected, which
    is good to the round trip after a few answers. One that contradicts what was known replaces it.
    """

    def __init__(self) -> None:
        """Start with the machine's own time."""
        self._low_s = float("-inf")
        self._high_s = float("inf")
        self._offset_s = 0.0
        self._last = datetime.min.replace(tzinfo=UTC)

    async def start(self) -> None:
        """Nothing to start: answers move it."""

    async def stop(self) -> None:
        """Nothing to stop."""

    def now(self) -> datetime:
        """Answer the world time, UTC."""
        moment = datetime.fromtimestamp(time.time(), UTC) + timedelta(seconds=self._offset_s)
        if moment < self._last and (self._last - moment).total_seconds() < JUMP_S:
            return self._last
        self._last = moment
        return moment

    def speed(self) -> float:
        """A world second is a real one."""
        return 1.0

    def frozen(self) -> bool:
        """Real time never stands still."""
        return False

    async def sleep(self, world_s: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, world_s))

    def correct(self, date: datetime, *, sent_at: float, seconds: float) -> None:
        """Learn from an answer: at some machine time in [sent_at, sent_at + seconds] it was [date, date + 1 s)."""
        told = date.timestamp()
        low, high = told - (sent_at + seconds), told + 1.0 - sent_at
        if low > self._high_s or high < self._low_s:
            self._low_s, self._high_s = low, high
        else:
            self._low_s, self._high_s = max(low, self._low_s), min(high, self._high_s)
        self._offset_s = min(max(self._offset_s, self._low_s), self._high_s)


class SimulatedClock:
    """World time against the simulator: read from `GET /_sim/clock` every real second, extrapolated between.

    It stands still while the simulator does not answer. `start()` once before `now()`.
    """

    def __init__(self, base_url: str, *, refresh_s: float = 1.0, start_within_s: float = 30.0) -> None:
        """`base_url` is the simulator's (a path such as /v1 does not matter); `refresh_s` real seconds."""
        parts = urlsplit(base_url)
        self._url = f"{parts.scheme}://{parts.netloc}/_sim/clock"
        self._refresh_s = refresh_s
        self._start_within_s = start_within_s
        self._transport = Transport(max_connections=2, peer="the simulator")
        self._timeouts = Timeouts(connect_s=2.0, read_s=2.0, pool_s=2.0, total_s=5.0)
        self._epoch_s: float | None = None
        self._read_at = 0.0
        self._speed = 1.0
        self._running = False
        self._last_s = float("-inf")
        self._turned = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Wait for the first reading, then keep reading; Unavailable when the simulator does not come up."""
        deadline = time.monotonic() + self._start_within_s
        while not await self.refresh():
            if time.monotonic() > deadline:
                raise Unavailable(f"the simulator's clock at {self._url} did not answer in {self._start_within_s:g} s")
            await asyncio.sleep(min(0.1, self._refresh_s))
        self._task = asyncio.create_task(self._keep(), name="simulated clock")

    async def stop(self) -> None:
        """Stop reading; the clock stands still from here on."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._hold()
        await self._transport.close(grace_s=5.0)

    def now(self) -> datetime:
        """Answer the world time, UTC."""
        return datetime.fromtimestamp(self._now_s(), UTC)

    def speed(self) -> float:
        """World seconds in a real one; a frozen clock keeps the speed it will have."""
        return self._speed

    def frozen(self) -> bool:
        """Say whether world time stood still when it was last read: it moves only when somebody steps it."""
        return not self._running

    async def sleep(self, world_s: float) -> None:
        """Wait that many world seconds; wakes at each reading, so steps of a frozen clock are noticed."""
        until = self._now_s() + max(0.0, world_s)
        while (left := until - self._now_s()) > 0:
            turned = self._turned
            # the microsecond: a wait that ends exactly at the mark must not go round again
            real_s = left / self._speed + 1e-6 if self._running else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(turned.wait(), timeout=real_s)
        await asyncio.sleep(0)

    async def refresh(self) -> bool:
        """Read the simulator's clock once; False when it does not answer (then time stands still)."""
        before = time.monotonic()
        try:
            answer = await self._transport.request("GET", self._url, timeouts=self._timeouts)
            told = json.loads(answer.body)
            epoch_s, speed, frozen = float(told["epoch_s"]), float(told["speed"]), bool(told["frozen"])
        except (TransportError, ValueError, KeyError, TypeError):
            speed = 0.0
        if speed <= 0:
            self._hold()
            return False
        # read in the middle of the round trip
        self._read_at = (before + time.monotonic()) / 2
        self._epoch_s, self._speed, self._running = epoch_s, speed, not frozen
        self._turn()
        return True

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_s)
            await self.refresh()

    def _now_s(self) -> float:
        if self._epoch_s is None:
            raise RuntimeError("SimulatedClock.start() must be awaited before the time is asked for")
        # with a reading overdue nobody knows whether the simulator still runs
        real_s = min(time.monotonic() - self._read_at, self._refresh_s + self._timeouts.read_s)
        moment = self._epoch_s + (real_s * self._speed if self._running else 0.0)
        if moment < self._last_s and self._last_s - moment < SIMULATED_JUMP_S * self._speed:
            return self._last_s
        self._last_s = moment
        return moment

    def _hold(self) -> None:
        """Stand still at the time that was last told."""
        if self._epoch_s is not None:
            self._epoch_s = self._now_s()
            self._running = False
        self._turn()

    def _turn(self) -> None:
        """Wake all sleepers to look at the clock."""
        self._turned.set()
        self._turned = asyncio.Event()
