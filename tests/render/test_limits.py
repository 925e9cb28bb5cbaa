"""The rate-limit headers, in every form seen, and the bucket of every call."""

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.kinds import Bucket
from reconciler.render import limits

NOW = datetime(2026, 6, 9, 16, 25, 30, 500_000, tzinfo=UTC)


def headers(date: str, limit: str = "10", remaining: str = "5", reset: str = "0") -> dict[str, str]:
    return {
        "date": date, "ratelimit-limit": limit, "ratelimit-remaining": remaining, "ratelimit-reset": reset
    }  # fmt: skip


@pytest.mark.parametrize(
    ("date", "reset", "end"),
    [
        # recorded: privateservice/disks, two answers a second apart on both sides of an edge
        ("Wed, 14 May 2025 15:48:00 GMT", "0", "2025-05-14T15:48:00"),
        ("Wed, 14 May 2025 15:48:01 GMT", "58", "2025-05-14T15:49:00"),
        ("Wed, 14 May 2025 15:48:59 GMT", "0", "2025-05-14T15:49:00"),
        ("Wed, 14 May 2025 15:00:00 GMT", "3599", "2025-05-14T16:00:00"),
        ("Wed, 14 May 2025 23:59:58 GMT", "1", "2025-05-15T00:00:00"),
        # not a window aligned to the clock: believed as it is, and a second on top for the floor
        ("Wed, 14 May 2025 15:48:10 GMT", "20", "2025-05-14T15:48:31"),
    ],
)
def test_window_ends_at_the_full_minute_the_headers_come_close_to(date, reset, end):
    found = limits.limits_of(headers(date, reset=reset), NOW)
    assert found is not None
    assert found.resets_at == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_doubled_headers_count_by_the_smallest_remaining():
    # recorded: notifications/notifications_resource, two limiters stacked
    told = headers("Wed, 29 May 2024 19:37:35 GMT", "500, 400", "496,398", "24, 24")
    found = limits.limits_of(told, NOW)
    assert found is not None
    assert (found.limit, found.remaining) == (400, 398)


@pytest.mark.parametrize("bad", ["", "soon", "4,x", "-1", "1.5", "٤"])
def test_unreadable_headers_count_as_missing(bad):
    assert limits.limits_of(headers("Wed, 29 May 2024 19:37:35 GMT", remaining=bad), NOW) is None


@pytest.mark.parametrize("reset", ["3601", "86400", "9" * 30, "1717011454"])
def test_a_window_longer_than_any_counts_as_not_told(reset):
    assert limits.limits_of(headers("Wed, 29 May 2024 19:37:35 GMT", reset=reset), NOW) is None


def test_a_reset_may_be_an_epoch_second():
    date = datetime(2024, 5, 29, 19, 37, 35, tzinfo=UTC)
    told = headers("Wed, 29 May 2024 19:37:35 GMT", reset=str(int(date.timestamp()) + 24))
    found = limits.limits_of(told, NOW)
    assert found is not None and found.resets_at == datetime(2024, 5, 29, 19, 38, tzinfo=UTC)


def test_missing_date_is_the_clock():
    told = headers("", reset="29")
    found = limits.limits_of(told, NOW)
    assert found is not None
    assert found.date == NOW
    assert found.resets_at == datetime(2026, 6, 9, 16, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "until"),
    [
        ({}, "2026-06-09T16:26:00"),
        ({"date": "Tue, 09 Jun 2026 16:20:59 GMT"}, "2026-06-09T16:21:00"),
        (headers("Tue, 09 Jun 2026 16:20:10 GMT", "20", "0", "2389"), "2026-06-09T17:00:00"),
        ({"date": "Tue, 09 Jun 2026 16:20:10 GMT", "retry-after": "120"}, "2026-06-09T16:22:10"),
        (headers("Tue, 09 Jun 2026 16:20:10 GMT", "10", "0", "49") | {"retry-after": "5"}, "2026-06-09T16:21:00"),
        ({"date": "Tue, 09 Jun 2026 16:20:10 GMT", "retry-after": "soon"}, "2026-06-09T16:21:00"),
        ({"date": "Tue, 09 Jun 2026 16:20:10 GMT", "retry-after": "Tue, 09 Jun 2026"}, "2026-06-09T16:21:00"),
        # a time as HTTP writes it
        (
            {"date": "Tue, 09 Jun 2026 16:20:10 GMT", "retry-after": "Tue, 09 Jun 2026 16:40:00 GMT"},
            "2026-06-09T16:40:00",
        ),
        ({"retry-after": "Tue, 09 Jun 2020 16:40:00 GMT"}, "2026-06-09T16:26:00"),
        # absurd: no window is longer than an hour
        ({"date": "Tue, 09 Jun 2026 16:20:10 GMT", "retry-after": "9" * 30}, "2026-06-09T17:20:10"),
        (
            {"date": "Tue, 09 Jun 2026 16:20:10 GMT", "retry-after": "Fri, 09 Jun 2056 16:40:00 GMT"},
            "2026-06-09T17:20:10",
        ),
        (headers("Tue, 09 Jun 2026 16:20:10 GMT", "20", "0", "9" * 30), "2026-06-09T16:21:00"),
    ],
)
def test_throttled_until(told, until):
    asked_at = limits.date_of(told) or NOW
    assert limits.throttled_until(told, asked_at) == datetime.fromisoformat(until).replace(tzinfo=UTC)


def test_a_refused_call_is_never_tried_again_at_once():
    """Where our clock is ahead, the window that the answer speaks of is over for us: each try would be refused anew."""
    told = headers("Tue, 09 Jun 2026 16:59:59 GMT", "20", "0", "0")
    ahead = datetime(2026, 6, 9, 17, 0, 0, tzinfo=UTC)
    assert limits.throttled_until(told, ahead) == ahead + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("method", "path", "bucket"),
    [
        ("GET", "/services", (Bucket.READ, "")),
        ("GET", "/services/srv-1/deploys", (Bucket.READ, "")),
        ("POST", "/services", (Bucket.CREATE, "")),
        ("POST", "/postgres", (Bucket.CREATE, "")),
        ("POST", "/key-value", (Bucket.CREATE, "")),
        ("POST", "/projects", (Bucket.WRITE, "")),
        ("POST", "/env-groups", (Bucket.WRITE, "")),
        ("POST", "/disks", (Bucket.WRITE, "")),
        ("PATCH", "/services/srv-1", (Bucket.SERVICE, "srv-1")),
        ("POST", "/services/srv-1/deploys", (Bucket.SERVICE, "srv-1")),
        ("POST", "/services/srv-1/scale", (Bucket.SERVICE, "srv-1")),
        ("POST", "/services/srv-1/suspend", (Bucket.SERVICE, "srv-1")),
        ("POST", "/services/srv-1/resume", (Bucket.SERVICE, "srv-1")),
        ("PATCH", "/services/crn-1", (Bucket.CRON, "")),
        ("POST", "/services/crn-1/deploys", (Bucket.CRON, "")),
        ("POST", "/services/srv-1/custom-domains", (Bucket.DOMAIN, "")),
        ("POST", "/services/srv-1/jobs", (Bucket.JOB, "")),
        ("DELETE", "/services/srv-1/custom-domains/a.example", (Bucket.WRITE, "")),
        ("PUT", "/services/srv-1/env-vars", (Bucket.WRITE, "")),
        ("PUT", "/services/srv-1/autoscaling", (Bucket.WRITE, "")),
        ("DELETE", "/services/srv-1", (Bucket.WRITE, "")),
        ("PATCH", "/postgres/dpg-1-a", (Bucket.WRITE, "")),
        ("POST", "/postgres/dpg-1-a/suspend", (Bucket.WRITE, "")),
        ("POST", "/environments/evm-1/resources", (Bucket.WRITE, "")),
    ],
)
def test_bucket_of_a_call(method, path, bucket):
    assert limits.bucket_of(method, path) == bucket
