"""Cuts intervals of simulated time at the ends of calendar months, UTC."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from reconciler.simulator import times

DECEMBER = 12


@dataclass(frozen=True, slots=True)
class Span:
    """An interval of nanoseconds since 1970, its end excluded."""

    start_ns: int
    end_ns: int

    def seconds(self) -> Decimal:
        """Tell its length; nothing when it is empty."""
        return Decimal(max(0, self.end_ns - self.start_ns)) / times.SECOND_NS


def months(span: Span) -> Iterator[Span]:
    """Walk the whole calendar months that an interval touches."""
    moment = datetime.fromtimestamp(span.start_ns // times.SECOND_NS, UTC)
    first = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    while _ns(first) < span.end_ns:
        following = datetime(
            first.year + (first.month == DECEMBER), 1 if first.month == DECEMBER else first.month + 1, 1, tzinfo=UTC
        )
        yield Span(_ns(first), _ns(following))
        first = following


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * times.SECOND_NS


def share(seconds: Decimal, month: Span) -> Decimal:
    """Tell which part of a month some seconds are."""
    return seconds / month.seconds()
