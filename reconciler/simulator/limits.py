"""Decides whether a call still fits its rate limit, and what the headers say about it.

Render API: fixed windows aligned to the UTC clock; `Ratelimit-Reset` is whole seconds until the window ends;
`Ratelimit-Remaining` already counts the present request; every key has buckets of its own, calls on services
one per service, calls on cron jobs one for all of them.
"""

from dataclasses import dataclass

from reconciler.simulator import times
from reconciler.simulator.settings import Settings
from reconciler.simulator.wire import Bucket

MINUTE_S = 60
HOUR_S = 3_600
HOURLY = frozenset({Bucket.CREATE, Bucket.CREATE_DATA, Bucket.DOMAIN, Bucket.JOB})
PRUNE_AT = 20_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one call found: the limit of its bucket, what is left, when the window ends."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: int

    def headers(self, retry_after: bool) -> list[tuple[bytes, bytes]]:
        """Write the headers every reply carries."""
        lines = [
            (b"ratelimit-limit", b"%d" % self.limit),
            (b"ratelimit-remaining", b"%d" % self.remaining),
            (b"ratelimit-reset", b"%d" % self.reset_s),
        ]
        if retry_after and not self.allowed:
            lines.append((b"retry-after", b"%d" % (self.reset_s + 1)))
        return lines


def _limit_of(bucket: Bucket, settings: Settings) -> int:
    return {
        Bucket.READ: settings.limit_read_per_minute,
        Bucket.WRITE: settings.limit_write_per_minute,
        Bucket.CREATE: settings.limit_create_per_hour,
        Bucket.CREATE_DATA: settings.limit_create_per_hour,
        Bucket.SERVICE: settings.limit_service_per_minute,
        Bucket.CRON: settings.limit_cron_per_minute,
        Bucket.DOMAIN: settings.limit_domain_per_hour,
        Bucket.LOG_STREAM: settings.limit_log_stream_per_minute,
        Bucket.JOB: settings.limit_job_per_hour,
    }[bucket]


class Limits:
    """Counts calls per key and bucket."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self._counts: dict[str, tuple[int, int]] = {}

    def take(self, key: str, bucket: Bucket, subject: str, now_ns: int, settings: Settings, *, halved: bool) -> Verdict:
        """Count a call, unless its window is used up."""
        bucket, name = _resolve(bucket, subject, settings)
        limit = _limit_of(bucket, settings)
        if halved:
            limit = max(1, limit // 2)
        length_s = HOUR_S if bucket in HOURLY else MINUTE_S
        second = now_ns // times.SECOND_NS
        window = second // length_s
        reset_s = length_s - 1 - second % length_s
        slot = f"{'' if settings.limits_shared_by_keys else key}\n{name}"
        seen_window, used = self._counts.get(slot, (window, 0))
        if seen_window != window:
            used = 0
        if settings.limits_enabled and used >= limit:
            return Verdict(allowed=False, limit=limit, remaining=0, reset_s=reset_s)
        self._counts[slot] = (window, used + 1)
        if len(self._counts) > PRUNE_AT:
            self._prune(second)
        return Verdict(allowed=True, limit=limit, remaining=max(0, limit - used - 1), reset_s=reset_s)

    def _prune(self, second: int) -> None:
        live = {second // MINUTE_S, second // HOUR_S}
        self._counts = {slot: count for slot, count in self._counts.items() if count[0] in live}

    def save(self) -> dict[str, list[int]]:
        """Give the counts for the state file."""
        return {slot: list(count) for slot, count in self._counts.items()}

    def load(self, saved: dict[str, list[int]]) -> None:
        """Take the counts of an earlier run."""
        self._counts = {slot: (count[0], count[1]) for slot, count in saved.items()}


def _resolve(bucket: Bucket, subject: str, settings: Settings) -> tuple[Bucket, str]:
    """Find the bucket a call really counts in, and its name."""
    if bucket is Bucket.SUSPEND:
        bucket = Bucket.SERVICE if settings.suspend_in_service_bucket else Bucket.WRITE
    if bucket is Bucket.SERVICE:
        if subject.startswith("crn-"):
            return Bucket.CRON, Bucket.CRON.value
        return bucket, f"{bucket.value}:{subject}"
    if bucket is Bucket.CREATE_DATA and settings.shared_create_bucket:
        return Bucket.CREATE, Bucket.CREATE.value
    return bucket, bucket.value
