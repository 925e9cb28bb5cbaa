"""Says which rate limit a call counts in and what an answer's headers tell of it; it sends nothing.

Render API 2: fixed windows aligned to the UTC clock; `Ratelimit-Reset` is whole seconds until the window ends,
floored; `Date` is floored too; a header may come twice (`499,499`), then the smallest remaining counts. Render's own
documentation calls the reset an epoch second, so that is read as well. No window is longer than an hour: what says
otherwise is not believed, or a slip of theirs would stop a class of calls for years.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from reconciler.core.kinds import Bucket
from reconciler.ports import Limits

MINUTE_S = 60
LONGEST_S = 3600
AGAIN_S = 1
"""World seconds before a refused call is tried again, whatever its answer says."""
EDGE_S = 5
"""How far `Date` + reset may lie from a full minute and still mean that minute: two floors and some delay."""
CREATES = frozenset({"services", "postgres", "key-value", "redis"})
SERVICE_CALLS = frozenset({"deploys", "scale", "suspend", "resume", "restart"})


def bucket_of(method: str, path: str) -> tuple[Bucket, str]:
    """Answer the bucket of a call and the live id it is counted for (only `Bucket.SERVICE` has one).

    `path` is the part below the base URL, such as `/services/srv-1/scale`.
    """
    parts = path.strip("/").split("/")
    if method == "GET":
        return Bucket.READ, ""
    if method == "POST" and len(parts) == 1 and parts[0] in CREATES:
        return Bucket.CREATE, ""
    if parts[0] == "services" and len(parts) > 1:
        below = parts[2] if len(parts) == 3 else ""  # noqa: PLR2004 - services / id / what
        if method == "POST" and below == "custom-domains":
            return Bucket.DOMAIN, ""
        if method == "POST" and below == "jobs":
            return Bucket.JOB, ""
        patched = method == "PATCH" and len(parts) == 2  # noqa: PLR2004 - services / id
        if patched or (method == "POST" and below in SERVICE_CALLS):
            return (Bucket.CRON, "") if parts[1].startswith("crn-") else (Bucket.SERVICE, parts[1])
    return Bucket.WRITE, ""


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Read the `Date` header, UTC; None when it is missing or unreadable."""
    return _moment(headers.get("date", ""))


def _moment(text: str) -> datetime | None:
    """Read a time as HTTP writes it."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def limits_of(headers: Mapping[str, str], now: datetime) -> Limits | None:
    """Read the three limit headers; None when they are missing or unreadable. `now` stands in for a missing Date."""
    rows = list(
        zip(
            _numbers(headers.get("ratelimit-remaining", "")),
            _numbers(headers.get("ratelimit-limit", "")),
            _numbers(headers.get("ratelimit-reset", "")),
            strict=False,
        )
    )
    if not rows:
        return None
    remaining, limit, reset_s = min(rows)
    date = date_of(headers) or now.astimezone(UTC)
    if reset_s > LONGEST_S:
        reset_s -= int(date.timestamp())  # an epoch second, or nonsense
    if not 0 <= reset_s <= LONGEST_S:
        return None
    return Limits(limit=limit, remaining=max(0, remaining), resets_at=window_end(date, reset_s), date=date)


def window_end(date: datetime, reset_s: int) -> datetime:
    """Answer the end of the window: the full minute that `date` + reset comes close to, else a second after it."""
    told = date + timedelta(seconds=max(0, reset_s))
    edge = next_minute(told - timedelta(seconds=MINUTE_S / 2))
    if abs((edge - told).total_seconds()) <= EDGE_S:
        return edge
    return told + timedelta(seconds=1)


def next_minute(moment: datetime) -> datetime:
    """Answer the first full minute after a moment."""
    return moment.replace(second=0, microsecond=0) + timedelta(seconds=MINUTE_S)


def throttled_until(headers: Mapping[str, str], now: datetime) -> datetime:
    """Answer when a refused (429) call may be tried again: the window's end, or later if Retry-After says so.

    Without limit headers it is the end of the present minute: the shortest window there is. It is an hour at most,
    and never at once: where our clock is ahead of Render's, the window that is told to end may be over for us.
    """
    date = date_of(headers) or now.astimezone(UTC)
    limits = limits_of(headers, now)
    until = limits.resets_at if limits else next_minute(date)
    told = min(_told(headers.get("retry-after", ""), date), date + timedelta(seconds=LONGEST_S))
    return max(until, told, now.astimezone(UTC) + timedelta(seconds=AGAIN_S))


def _told(text: str, date: datetime) -> datetime:
    """Read `Retry-After`: seconds, or a time as HTTP writes it; what is neither asks for no wait."""
    waits = _numbers(text)
    if waits:
        return date + timedelta(seconds=min(LONGEST_S, max(waits)))
    return _moment(text) or date


def _numbers(text: str) -> list[int]:
    """Read `499` or `499, 499`; anything else counts as not said."""
    parts = [part.strip() for part in text.split(",")]
    return [int(part) for part in parts] if all(part.isascii() and part.isdigit() for part in parts) else []
