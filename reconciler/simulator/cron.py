"""Reads five-field cron schedules and tells when they fire next, in UTC."""

import datetime
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

from reconciler.simulator import times
from reconciler.simulator.wire import invalid

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
EVERY = ("*", "?")
"""Both spellings of "whatever it is"; real files use the second one for days."""
HORIZON_DAYS = 366 * 5
SHORTHANDS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
}  # fmt: skip
MINUTE_NS = 60 * times.SECOND_NS
DAY_MINUTES = 1_440
EPOCH = datetime.date(1970, 1, 1)


def checked(schedule: str) -> str:
    """Accept a schedule or refuse it, naming the field."""
    _read(schedule)
    return schedule


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule taken apart: minutes of a day, and the days that count."""

    minutes: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool  # as cron has it: when both day fields are given, one of them is enough

    def on(self, day: datetime.date) -> bool:
        """Tell whether it fires on a day."""
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (in_month or in_week) if self.either_day else (in_month and in_week)


@lru_cache(maxsize=1024)
def _read(schedule: str) -> Schedule:
    parts = SHORTHANDS.get(schedule, schedule).split()
    if len(parts) != len(FIELDS):
        raise invalid(f"invalid schedule: {schedule}: five fields expected")
    sets = []
    for part, (name, low, high) in zip(parts, FIELDS, strict=True):
        try:
            sets.append(_field(part.lower(), low, high))
        except ValueError as error:
            raise invalid(f"invalid schedule: {schedule}: {name} {part}") from error
    minutes, hours, days, months, weekdays = sets
    return Schedule(
        minutes=tuple(hour * 60 + minute for hour in sorted(hours) for minute in sorted(minutes)),
        days=frozenset(days), months=frozenset(months), weekdays=frozenset(day % 7 for day in weekdays),
        either_day=parts[2] not in EVERY and parts[4] not in EVERY,
    )  # fmt: skip


def _field(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        span, _, step_text = item.partition("/")
        step = int(step_text) if step_text else 1
        first_text, dash, last_text = span.partition("-")
        if span in EVERY:
            first, last = low, high
        else:
            first = _number(first_text)
            last = _number(last_text) if dash else (high if step_text else first)
        if step < 1 or not low <= first <= last <= high:
            raise ValueError(item)
        found.update(range(first, last + 1, step))
    return found


def _number(text: str) -> int:
    for names, offset in ((MONTHS, 1), (WEEKDAYS, 0)):
        if text in names:
            return names.index(text) + offset
    return int(text)


def next_ns(schedule: str, after_ns: int) -> int:
    """Tell when a schedule fires next after an instant; 0 when it never does."""
    read = _read(schedule)
    minute = after_ns // MINUTE_NS + 1
    number, of_day = divmod(minute, DAY_MINUTES)
    for offset in range(HORIZON_DAYS):
        day = EPOCH + datetime.timedelta(days=number + offset)
        if not read.on(day):
            continue
        at = bisect_left(read.minutes, of_day if offset == 0 else 0)
        if at < len(read.minutes):
            return ((number + offset) * DAY_MINUTES + read.minutes[at]) * MINUTE_NS
    return 0
