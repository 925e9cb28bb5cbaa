"""Tells Render's time to a verb, going on from what the database or another operator said it is; schedules nothing."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class WorldTime:
    """A reading of the world's clock and how to go on from it: a `ports.Clock` for the length of one command."""

    read: datetime
    read_at_s: float
    rate: float = 1.0

    def now(self) -> datetime:
        """Answer the world time, UTC."""
        return self.read + timedelta(seconds=(time.monotonic() - self.read_at_s) * self.rate)

    def speed(self) -> float:
        """Answer how many world seconds pass in a real one."""
        return self.rate

    async def sleep(self, world_s: float) -> None:
        """Wait that many world seconds; when the clock stands still, a real one."""
        await asyncio.sleep(world_s / self.rate if self.rate else 1.0)


def told(now: datetime, rate: float = 1.0) -> WorldTime:
    """Go on from a time that somebody told."""
    return WorldTime(now.astimezone(UTC), time.monotonic(), rate)


def machine() -> WorldTime:
    """Take the machine's own time."""
    return told(datetime.now(UTC))
