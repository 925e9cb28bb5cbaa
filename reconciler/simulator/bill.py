"""Computes what a bill for an interval would say, to the cent and beyond, from what was metered.

Per second: price of the plan times quantity times seconds over the seconds of a month (730 h by setting). Cron
jobs cost their minutes, and at least a dollar a month each, spread over the time they existed.
"""

from decimal import Decimal

from reconciler.simulator import models, prices, times
from reconciler.simulator.wire import Json, Query, invalid
from reconciler.simulator.world import World

HOUR_NS = 3_600 * times.SECOND_NS
CENT = Decimal("0.01")
MINUTE_S = Decimal(60)


def tell(world: World, query: Query) -> Json:
    """Tell the bill of an interval; by default everything until now."""
    start_ns, end_ns = _instant(query, "from", 0), _instant(query, "to", world.now_ns())
    end_ns = min(end_ns, world.now_ns())
    month_s = Decimal(str(world.settings.hours_per_month)) * 3_600
    lines: list[Json] = []
    unpriced: set[str] = set()
    for meter in world.meters.oldest_first():
        for sku, (unit_seconds, amount) in _meter(meter, start_ns, end_ns, month_s, unpriced).items():
            lines.append({
                "resource": meter.id, "name": meter.name, "kind": meter.kind, "sku": sku,
                "unit_seconds": str(unit_seconds), "amount": str(amount),
            })  # fmt: skip
    total = sum((Decimal(line["amount"]) for line in lines), Decimal(0))
    return {
        "from": times.micro(start_ns), "to": times.micro(end_ns), "currency": "USD",
        "total": str(total), "rounded": str(total.quantize(CENT)), "lines": lines, "unpriced": sorted(unpriced),
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


def _meter(
    meter: models.Meter, start_ns: int, end_ns: int, month_s: Decimal, unpriced: set[str]
) -> dict[str, tuple[Decimal, Decimal]]:
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for index, (at_ns, quantities) in enumerate(meter.points):
        following = meter.points[index + 1][0] if index + 1 < len(meter.points) else end_ns
        begin, end = max(_int(at_ns), start_ns), min(_int(following), end_ns)
        if begin >= end or not isinstance(quantities, dict):
            continue
        for sku, quantity in quantities.items():
            for part_begin, part_end in _parts(sku, begin, end):
                _add(found, sku, Decimal(str(quantity)), (part_begin, part_end), month_s, unpriced)
    _add_runs(meter, start_ns, end_ns, found, unpriced)
    return found


def _parts(sku: str, begin: int, end: int) -> list[tuple[int, int]]:
    """Split an interval where the price of a sku changed."""
    change = int(prices.KEY_VALUE_CHANGE.timestamp()) * times.SECOND_NS
    if sku.startswith("key_value:") and begin < change < end:
        return [(begin, change), (change, end)]
    return [(begin, end)]


def _add(
    found: dict[str, tuple[Decimal, Decimal]], sku: str, quantity: Decimal, span: tuple[int, int],
    month_s: Decimal, unpriced: set[str],
) -> None:  # fmt: skip
    price = prices.monthly(sku, span[0] / times.SECOND_NS)
    if price is None:
        unpriced.add(sku)
        return
    seconds = Decimal(span[1] - span[0]) / times.SECOND_NS * quantity
    name = "cron_minimum" if sku.startswith("cron:") else sku
    known = found.get(name, (Decimal(0), Decimal(0)))
    found[name] = (known[0] + seconds, known[1] + seconds * price / month_s)


def _add_runs(
    meter: models.Meter, start_ns: int, end_ns: int, found: dict[str, tuple[Decimal, Decimal]], unpriced: set[str]
) -> None:
    """Charge run time by the hour it began in; what exceeds the minimum comes on top of it."""
    minimum = found.get("cron_minimum", (Decimal(0), Decimal(0)))[1]
    for slot, seconds in meter.used_s.items():
        hour, _, plan = slot.partition(":")
        if not start_ns <= int(hour) * HOUR_NS + HOUR_NS - 1 < end_ns + HOUR_NS:
            continue
        price = prices.cron_minute(plan)
        if price is None:
            unpriced.add(f"run:{plan}")
            continue
        known = found.get(f"run:{plan}", (Decimal(0), Decimal(0)))
        run_s = Decimal(str(seconds))
        found[f"run:{plan}"] = (known[0] + run_s, known[1] + run_s / MINUTE_S * price)
    if minimum:
        runs = sum((amount for name, (_, amount) in found.items() if name.startswith("run:")), Decimal(0))
        found["cron_minimum"] = (found["cron_minimum"][0], max(Decimal(0), minimum - runs))


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
