"""Small pieces for themselves: times, schedules, ids, prices."""

from decimal import Decimal

import pytest

from reconciler.simulator import cron, domains, ids, prices, times
from reconciler.simulator.services.details import canonical_image
from reconciler.simulator.wire import ApiError


@pytest.mark.parametrize(
    ("nanos", "micro", "nano"),
    [
        (1_735_000_000_949_526_738, "2024-12-24T00:26:40.949527Z", "2024-12-24T00:26:40.949526738Z"),
        (1_735_000_000_108_880_000, "2024-12-24T00:26:40.10888Z", "2024-12-24T00:26:40.10888Z"),
        (1_735_000_000_000_000_000, "2024-12-24T00:26:40Z", "2024-12-24T00:26:40Z"),
        (1_735_000_000_999_999_999, "2024-12-24T00:26:41Z", "2024-12-24T00:26:40.999999999Z"),
    ],
)
def test_stamps_are_rounded_and_trimmed(nanos, micro, nano):
    assert times.micro(nanos) == micro
    assert times.nano(nanos) == nano
    assert times.parse(nano) == nanos


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("0 0 * * *", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("*/15 9-17 * * mon-fri", "2026-01-02T17:45:00Z", "2026-01-05T09:00:00Z"),
        ("0 0 1 jan *", "2026-06-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("0 0 29 2 *", "2026-06-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 12 13 * 5", "2026-01-01T00:00:00Z", "2026-01-02T12:00:00Z"),
        ("5/20 * * * *", "2026-01-01T00:26:00Z", "2026-01-01T00:45:00Z"),
        ("0 5 15 * ?", "2026-01-01T00:00:00Z", "2026-01-15T05:00:00Z"),
        ("0 5 ? * mon", "2026-01-01T00:00:00Z", "2026-01-05T05:00:00Z"),
        ("@daily", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
    ],
)
def test_schedules_fire_when_they_say(schedule, after, expected):
    assert times.micro(cron.next_ns(schedule, times.parse(after))) == expected


@pytest.mark.parametrize("schedule", ["0 5 31 2 ?", "0 0 30 2 *"])
def test_a_schedule_of_a_day_that_never_comes_is_taken_and_never_fires(schedule):
    assert cron.next_ns(cron.checked(schedule), times.parse("2026-01-01T00:00:00Z")) == 0


@pytest.mark.parametrize("schedule", ["* * * *", "60 * * * *", "* * * * mond", "*/0 * * * *", "5-1 * * * *", ""])
def test_bad_schedules_are_refused(schedule):
    with pytest.raises(ApiError, match="schedule"):
        cron.checked(schedule)


def test_ids_sort_by_creation_and_are_never_equal():
    source = ids.Ids(1)
    made = [source.new("srv", 1_780_000_000_000_000_000 + step * 100_000_000) for step in range(50)]
    assert made == sorted(set(made))
    assert ids.tail_of_cursor(ids.cursor_of("services", made[0])) == made[0][-16:]


def test_the_same_seed_gives_the_same_chance():
    assert ids.Ids(5).password() == ids.Ids(5).password()


@pytest.mark.parametrize(
    ("path", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.2", "docker.io/library/nginx:1.2"),
        ("acme/app", "docker.io/acme/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("ghcr.io/a/b@sha256:ab", "ghcr.io/a/b@sha256:ab"),
    ],
)
def test_images_are_spelled_in_full(path, full):
    assert canonical_image(path) == full


def test_domains_know_their_suffix():
    assert domains.is_apex("example.co.uk")
    assert not domains.is_apex("a.example.co.uk")
    assert domains.public_suffix("a.example.com") == "com"


def test_prices_are_the_published_ones():
    assert prices.monthly("compute:pro_plus", 0) == Decimal(175)
    assert prices.monthly("compute:starter_legacy", 0) is None
    after = prices.KEY_VALUE_CHANGE.timestamp()
    assert (prices.monthly("key_value:pro", after - 1), prices.monthly("key_value:pro", after)) == (135, 100)
    assert prices.cron_minute("standard") == Decimal("0.00058")
    assert prices.cron_minute("pro_max") == Decimal(225) / 43_200
