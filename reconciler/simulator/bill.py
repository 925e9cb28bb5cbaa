"""Computes what a bill for an interval would say, to the cent and beyond, from what was metered.

Per second: price of the plan times quantity times seconds over the seconds of a month (730 h by setting). Runs of
cron jobs and one-off jobs cost their seconds and belong to the instant they began. A cron job costs at least a
dollar a calendar month, by the share of it that it existed. Bills of adjoining intervals add up to that of both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from reconciler.simulator import metering, models, prices, times, workspace_bill
from reconciler.simulator.calendar_months import Span, months, share
from reconciler.simulator.wire import Json, Query, invalid
from reconciler.simulator.world import World

CENT = Decimal("0.01")
MINUTE_S = Decimal(60)
ZERO = Decimal(0)


@dataclass(slots=True)
class Tally:
    """What is charged of one resource: sku -> [unit seconds, US dollars]; and what has no price."""

    found: dict[str, list[Decimal]] = field(default_factory=dict)
    unpriced: set[str] = field(default_factory=set)

    def add(self, sku: str, unit_seconds: Decimal, amount: Decimal) -> None:
        """Charge a sku."""
        known = self.found.setdefault(sku, [ZERO, ZERO])
        known[0] += unit_seconds
        known[1] += amount


def tell(world: World, query: Query) -> Json:
    """Tell the bill of an interval; by default everything until now."""
    start_ns, end_ns = _instant(query, "from", 0), _instant(query, "to", world.now_ns())
    span = Span(start_ns, min(end_ns, world.now_ns()))
    month_s = Decimal(str(world.settings.hours_per_month)) * 3_600
    lines: list[Json] = []
    unpriced: set[str] = set()
    for meter in world.meters.oldest_first():
        tally = Tally()
        _always_on(meter, span, month_s, tally)
        _runs(meter, span, tally)
        unpriced |= tally.unpriced
        lines += [_line(meter, sku, *amounts) for sku, amounts in tally.found.items()]
    lines += workspace_bill.lines(world, span, month_s)
    total = sum((Decimal(line["amount"]) for line in lines), ZERO)
    return {
        "from": times.micro(span.start_ns), "to": times.micro(span.end_ns), "currency": "USD",
        "total": str(total), "rounded": str(total.quantize(CENT)), "lines": lines, "unpriced": sorted(unpriced),
    }  # fmt: skip


def _line(meter: models.Meter, sku: str, unit_seconds: Decimal, amount: Decimal) -> Json:
    return {
        "resource": meter.id, "name": meter.name, "kind": meter.kind, "sku": sku,
        "unit_seconds": str(unit_seconds), "amount": str(amount),
    }  # fmt: skip


def _instant(query: Query, name: str, default: int) -> int:
    values = query.get(name)
    if not values:
        return default
    try:
        # A plus sign of an offset arrives as a blank when it was not escaped.
        return times.parse(values[-1].replace(" ", "+"))
    except ValueError as error:
        raise invalid(f"{name} must be an RFC 3339 time or epoch seconds") from error


def _always_on(meter: models.Meter, span: Span, month_s: Decimal, tally: Tally) -> None:
    """Charge what was there, by the second."""
    for sku, quantity, part in metering.parts(meter, span):
        if sku in workspace_bill.SKUS:
            continue
        if sku.startswith("cron:"):
            tally.add("cron_minimum", part.seconds(), ZERO)
            continue
        for piece in _same_price(sku, part):
            price = prices.monthly(sku, piece.start_ns / times.SECOND_NS)
            if price is None:
                tally.unpriced.add(sku)
            else:
                seconds = piece.seconds() * quantity
                tally.add(sku, seconds, seconds * price / month_s)


def _same_price(sku: str, part: Span) -> Iterator[Span]:
    """Split an interval where the price of a sku changed."""
    change = int(prices.KEY_VALUE_CHANGE.timestamp()) * times.SECOND_NS
    if sku.startswith("key_value:") and part.start_ns < change < part.end_ns:
        yield Span(part.start_ns, change)
        yield Span(change, part.end_ns)
    else:
        yield part


def _runs(meter: models.Meter, span: Span, tally: Tally) -> None:
    """Charge runs; what is missing to the minimum of a cron job comes on top of them."""
    for begun_ns, plan, seconds in metering.runs(meter):
        if not span.start_ns <= begun_ns < span.end_ns:
            continue
        price = prices.cron_minute(plan)
        if price is None:
            tally.unpriced.add(f"run:{plan}")
        else:
            tally.add(f"run:{plan}", seconds, seconds / MINUTE_S * price)
    if "cron_minimum" in tally.found:
        for month in months(Span(max(span.start_ns, meter.created_ns), span.end_ns)):
            until_end = _missing(meter, Span(month.start_ns, min(month.end_ns, span.end_ns)), month)
            until_start = _missing(meter, Span(month.start_ns, max(month.start_ns, span.start_ns)), month)
            tally.add("cron_minimum", ZERO, until_end - until_start)


def _missing(meter: models.Meter, so_far: Span, month: Span) -> Decimal:
    """Tell what is missing to the minimum of a month, of which this much has passed."""
    there = sum((part.seconds() for sku, _, part in metering.parts(meter, so_far) if sku.startswith("cron:")), ZERO)
    ran = ZERO
    for begun_ns, plan, seconds in metering.runs(meter):
        if so_far.start_ns <= begun_ns < so_far.end_ns:
            ran += seconds / MINUTE_S * (prices.cron_minute(plan) or ZERO)
    return max(ZERO, prices.CRON_MINIMUM * share(there, month) - ran)
