"""Writes and reads the timestamps of the API: RFC 3339 in UTC, six or nine digits, trailing zeros trimmed.

Render API: creates of datastores, groups, domains and address sets answer with nanoseconds, every later
read with the same instant rounded to microseconds.
"""

import datetime
import re
import time
from functools import lru_cache

SECOND_NS = 1_000_000_000
MICRO_NS = 1_000
EPOCH_SECONDS = re.compile(r"[0-9]{1,11}(\.[0-9]*)?")


@lru_cache(maxsize=4096)
def _whole(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _with_fraction(seconds: int, fraction: str) -> str:
    trimmed = fraction.rstrip("0")
    return f"{_whole(seconds)}.{trimmed}Z" if trimmed else f"{_whole(seconds)}Z"


def micro(instant_ns: int) -> str:
    """Write an instant rounded to microseconds."""
    seconds, micros = divmod((instant_ns + MICRO_NS // 2) // MICRO_NS, 1_000_000)
    return _with_fraction(seconds, f"{micros:06d}")


def rounded(instant_ns: int) -> int:
    """Round an instant to what a reader of the API sees of it."""
    return (instant_ns + MICRO_NS // 2) // MICRO_NS * MICRO_NS


def nano(instant_ns: int) -> str:
    """Write an instant with all nine digits of its fraction."""
    seconds, nanos = divmod(instant_ns, SECOND_NS)
    return _with_fraction(seconds, f"{nanos:09d}")


def http_date(instant_ns: int) -> bytes:
    """Write an instant the way the Date header wants it."""
    return _http_date(instant_ns // SECOND_NS)


@lru_cache(maxsize=64)
def _http_date(seconds: int) -> bytes:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(seconds)).encode()


def parse(text: str) -> int:
    """Read an RFC 3339 instant (or epoch seconds) as nanoseconds; ValueError when it is neither."""
    if EPOCH_SECONDS.fullmatch(text):
        return int(float(text) * SECOND_NS)
    head, dot, tail = text.partition(".")
    digits = ""
    if dot:
        count = 0
        while count < len(tail) and tail[count] in "0123456789":
            count += 1
        digits, tail = tail[:count], tail[count:]
        head += tail
    moment = datetime.datetime.fromisoformat(head)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return int(moment.timestamp()) * SECOND_NS + int(digits[:9].ljust(9, "0") or "0")


def seconds_ns(seconds: float) -> int:
    """Turn a length in seconds into nanoseconds."""
    return round(seconds * SECOND_NS)
