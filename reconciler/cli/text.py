"""Turns values into words for a terminal: times, lengths, money, hostile strings made harmless; prints nothing."""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

NOTHING = "-"
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_UNITS_S = (86400, 3600, 60, 1)
_LONGEST_S = 10 * 366 * 86400
"""Ten years: longer is a typing error, and far below what datetime can add."""


def safe(value: object, *, lines: bool = False) -> str:
    r"""Write what a terminal could obey (escape codes, controls, direction overrides) as `\x1b` instead.

    With `lines`, line feeds stay: for texts of several lines that are ours, never for one cell of a table.
    """
    return "".join(c if c.isprintable() or (lines and c == "\n") else _escaped(c) for c in str(value))


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004


def duration(seconds: float) -> str:
    """Say a length as people do, two units at most: 27s, 3m42s, 1h05m, 2d03h."""
    whole = max(0, round(seconds))
    if whole < 60:  # noqa: PLR2004
        return f"{whole}s"
    if whole < 3600:  # noqa: PLR2004
        return f"{whole // 60}m{whole % 60:02d}s" if whole % 60 else f"{whole // 60}m"
    if whole < 86400:  # noqa: PLR2004
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m" if whole % 3600 >= 60 else f"{whole // 3600}h"  # noqa: PLR2004
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h" if whole % 86400 >= 3600 else f"{whole // 86400}d"  # noqa: PLR2004


def seconds_of(words: str) -> float:
    """Read `90s`, `10m`, `2h`, `1d12h` or plain seconds; ValueError says how to write it."""
    stripped = words.strip().lower()
    plain = re.fullmatch(r"\d+(\.\d+)?", stripped)
    found = _DURATION.fullmatch(stripped)
    if plain is None and (found is None or not stripped):
        raise ValueError(f'"{safe(words)[:40]}" is not a length of time: write 90s, 10m, 2h, 1d12h')
    if plain is not None:
        total = float(stripped)
    else:
        assert found is not None
        total = sum(float(part or 0) * unit for part, unit in zip(found.groups(), _UNITS_S, strict=True))
    if total > _LONGEST_S:
        raise ValueError(f'"{safe(words)[:40]}" is longer than ten years')
    return total


def money(usd: Decimal | None, *, sign: bool = False) -> str:
    """Write US dollars with cents and no currency mark: 1,234.50; `-` when unknown."""
    if usd is None:
        return NOTHING
    cents = usd.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return f"{cents:+,.2f}" if sign else f"{cents:,.2f}"


def dollars(usd: Decimal | None) -> str:
    """Write money within a sentence: $41.50, or `an unknown price`."""
    return "an unknown price" if usd is None else f"${money(usd)}"


def at(moment: datetime | None, now: datetime | None = None) -> str:
    """Write a time of day in UTC; with the date when it is not of the same day as `now`."""
    if moment is None:
        return NOTHING
    utc = moment.astimezone(UTC)
    same_day = now is not None and utc.date() == now.astimezone(UTC).date()
    return utc.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")


def about(moment: datetime, now: datetime) -> str:
    """Write a time to come to the minute."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%H:%M" if utc - now < timedelta(hours=20) else "%Y-%m-%d %H:%M")


def age(since: datetime | None, now: datetime) -> str:
    """Say how long something has been so."""
    return NOTHING if since is None else duration((now - since).total_seconds())


def number(words: str) -> Decimal | None:
    """Read a decimal, or None."""
    try:
        return Decimal(words)
    except InvalidOperation:
        return None


def count(amount: int, singular: str, plural: str = "") -> str:
    """Say a number with its noun: `1 tenant`, `4 tenants`."""
    return f"{amount} {singular if amount == 1 else plural or singular + 's'}"
