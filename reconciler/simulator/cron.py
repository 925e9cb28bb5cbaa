"""Reads five-field cron schedules and tells when they fire next, in UTC."""

import datetime
from functools import lru_cache

from reconciler.simulator import times
from reconciler.simulator.wire import invalid

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
HORIZON_DAYS = 366 * 5
SHORTHANDS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
}  # fmt: skip
Sets = tuple[frozenset[int], ...]


def checked(schedule: str) -> str:
    """Accept a schedule or refuse it, naming the field."""
    _sets(schedule)
    return schedule


@lru_cache(maxsize=1024)
def _sets(schedule: str) -> tuple[Sets, bool]:
    parts = SHORTHANDS.get(schedule, schedule).split()
    if len(parts) != len(FIELDS):
        raise invalid(f"invalid schedule: {schedule}: five fields expected")
    sets = []
    for part, (name, low, high) in zip(parts, FIELDS, strict=True):
        try:
            sets.append(frozenset(_field(part.lower(), low, high)))
        except ValueError as error:
            raise invalid(f"invalid schedule: {schedule}: {name} {part}") from error
    weekdays = frozenset(day % 7 for day in sets[4])
    either_day = parts[2] != "*" and parts[4] != "*"
    return (sets[0], sets[1], sets[2], sets[3], weekdays), either_day


def _field(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        span, _, step_text = item.partition("/")
        step = int(step_text) if step_text else 1
        first_text, dash, last_text = span.partition("-")
        if span == "*":
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
    (minutes, hours, days, months, weekdays), either_day = _sets(schedule)
    moment = datetime.datetime.fromtimestamp(after_ns // times.SECOND_NS, datetime.UTC)
    moment = moment.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
    day = moment.replace(hour=0, minute=0)
    for offset in range(HORIZON_DAYS):
        today = day + datetime.timedelta(days=offset)
        in_month, weekday_ok = today.day in days, today.isoweekday() % 7 in weekdays
        fits = (in_month or weekday_ok) if either_day else (in_month and weekday_ok)
        if today.month not in months or not fits:
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                candidate = today.replace(hour=hour, minute=minute)
                if candidate >= moment:
                    return int(candidate.timestamp()) * times.SECOND_NS
    return 0
