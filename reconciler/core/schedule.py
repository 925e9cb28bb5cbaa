"""Says when to look again: backoff with jitter, adaptive polls, resync; chance comes in as a number from 0 to 1."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

POLL_MIN_S = 5.0
POLL_MAX_S = 60.0
POLL_SHARE = 0.15
"""A wait that has lasted t seconds is looked at again after 15 % of t: short waits closely, long ones calmly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """World seconds: the resync of a settled tenant with its jitter share, and the bounds of backoff."""

    resync_s: float = 3600.0
    jitter: float = 0.1
    backoff_base_s: float = 5.0
    backoff_max_s: float = 600.0
    denied_s: float = 300.0


def backoff(pace: Pace, failures: int, chance: float) -> timedelta:
    """Answer base x 2^failures up to the maximum, spread over its upper half by chance."""
    full = min(pace.backoff_max_s, pace.backoff_base_s * 2.0 ** min(max(failures - 1, 0), 20))
    return timedelta(seconds=full * (0.5 + 0.5 * chance))


def poll(since: datetime | None, now: datetime) -> timedelta:
    """Answer the pause before something in progress is looked at again."""
    elapsed = (now - since).total_seconds() if since else 0.0
    return timedelta(seconds=min(POLL_MAX_S, max(POLL_MIN_S, elapsed * POLL_SHARE)))


def turn(key: str, period_s: float, after: datetime) -> datetime:
    """Answer the next turn of a key after a time: each has one every period, and all keys are spread over it evenly."""
    place_s = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2.0**64 * period_s
    gone_s = (after.timestamp() - place_s) % period_s
    return after + timedelta(seconds=period_s - gone_s)


def resync(pace: Pace, chance: float) -> timedelta:
    """Answer the pause of a settled tenant: the interval, give or take its jitter."""
    return timedelta(seconds=pace.resync_s * (1.0 + pace.jitter * (2.0 * chance - 1.0)))
