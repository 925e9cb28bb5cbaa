"""Says when a window of a rate limit begins and ends and whether something may be sent now; pure, in world time.

Render's windows are fixed and aligned to the UTC clock (Render API 2.1): a minute ends at :00, an hour at xx:00:00.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler.core.kinds import BUCKET_WINDOWS_S, Bucket

RESERVE_ENDS_S = 90.0
"""So long before the end of an hour, creates that started stacks cannot send yet stop holding back others."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window, from `start` (inclusive) to `end` (exclusive)."""

    start: datetime
    end: datetime


def window_of(bucket: Bucket, at: datetime) -> Window:
    """Answer the window of a bucket that a moment lies in."""
    length_s = BUCKET_WINDOWS_S[bucket]
    second = int(at.timestamp() // 1)
    start = datetime.fromtimestamp(second - second % length_s, UTC)
    return Window(start, start + timedelta(seconds=length_s))


def blocked_until(window: Window, now: datetime, guard_band_s: float) -> datetime | None:
    """Answer when sending is allowed again, None if it is now: the clocks of two machines never agree at an edge."""
    band = timedelta(seconds=guard_band_s)
    if now < window.start + band:
        return window.start + band
    if now >= window.end - band:
        return window.end + band
    return None


def opens_again(window: Window, guard_band_s: float) -> datetime:
    """Answer when the next window may be used."""
    return window.end + timedelta(seconds=guard_band_s)


def reserves_end(window: Window) -> datetime:
    """Answer when reservations for creates that cannot be sent yet end."""
    return window.end - timedelta(seconds=RESERVE_ENDS_S)
