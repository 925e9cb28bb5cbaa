"""Charges what a workspace is charged for as a whole: its fee, and what exceeds the amounts its plan includes.

Without a plan (setting `workspace_plan`) none of it is charged. Bandwidth and build minutes are included by the
calendar month, custom domains by their number at any instant.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from reconciler.simulator import metering, models, times
from reconciler.simulator.calendar_months import Span, months
from reconciler.simulator.wire import Json
from reconciler.simulator.world import World

BANDWIDTH, DOMAIN, BUILD = "bandwidth_gb_hour", "custom_domain", "build"
SKUS = frozenset({BANDWIDTH, DOMAIN})
BANDWIDTH_GB, BUILD_MINUTE, DOMAIN_MONTH = Decimal("0.15"), Decimal(5) / 1_000, Decimal("0.25")
HOUR_S, MINUTE_S = Decimal(3_600), Decimal(60)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Plan:
    """The fee of a month, and what it includes."""

    fee_usd: Decimal
    bandwidth_gb: Decimal
    build_minutes: Decimal
    domains: Decimal


PLANS = {
    "hobby": Plan(Decimal(0), Decimal(5), Decimal(500), Decimal(2)),
    "pro": Plan(Decimal(25), Decimal(25), Decimal(1_000), Decimal(15)),
    "scale": Plan(Decimal(499), Decimal(1_000), Decimal(5_000), Decimal(25)),
}


def lines(world: World, span: Span, month_s: Decimal) -> list[Json]:
    """Charge the workspace for an interval."""
    plan = PLANS.get(world.settings.workspace_plan)
    if plan is None:
        return []
    meters = list(world.meters.oldest_first())
    span = Span(max(span.start_ns, world.born_ns), span.end_ns)
    fee_s = span.seconds()
    gb = _exceeding(span, plan.bandwidth_gb, lambda part: _gigabytes(meters, part))
    minutes = _exceeding(span, plan.build_minutes, lambda part: _build_minutes(meters, part))
    domain_s = _domain_seconds(meters, span, plan.domains)
    found = [
        (f"workspace:{world.settings.workspace_plan}", fee_s, fee_s * plan.fee_usd / month_s),
        ("bandwidth_gb", gb, gb * BANDWIDTH_GB),
        ("build_minute", minutes, minutes * BUILD_MINUTE),
        (DOMAIN, domain_s, domain_s * DOMAIN_MONTH / month_s),
    ]
    return [
        {
            "resource": world.owner_id, "name": "workspace", "kind": "workspace", "sku": sku,
            "unit_seconds": str(quantity), "amount": str(amount),
        }
        for sku, quantity, amount in found
        if amount
    ]  # fmt: skip


def _exceeding(span: Span, included: Decimal, used: Callable[[Span], Decimal]) -> Decimal:
    """Tell how much of an interval's use lies above what each month includes."""
    total = ZERO
    for month in months(span):
        before = used(Span(month.start_ns, max(month.start_ns, span.start_ns)))
        after = used(Span(month.start_ns, min(month.end_ns, span.end_ns)))
        total += max(ZERO, after - included) - max(ZERO, before - included)
    return total


def _gigabytes(meters: list[models.Meter], span: Span) -> Decimal:
    return sum(
        (
            quantity * part.seconds() / HOUR_S
            for meter in meters
            for sku, quantity, part in metering.parts(meter, span)
            if sku == BANDWIDTH
        ),
        ZERO,
    )


def _build_minutes(meters: list[models.Meter], span: Span) -> Decimal:
    return sum(
        (
            seconds / MINUTE_S
            for meter in meters
            for begun_ns, seconds in metering.builds(meter)
            if span.start_ns <= begun_ns < span.end_ns
        ),
        ZERO,
    )


def _domain_seconds(meters: list[models.Meter], span: Span, included: Decimal) -> Decimal:
    """Tell for how many domain-seconds there were more domains than the plan includes."""
    steps: list[tuple[int, Decimal]] = []
    for meter in meters:
        for sku, quantity, part in metering.parts(meter, span):
            if sku == DOMAIN:
                steps += [(part.start_ns, quantity), (part.end_ns, -quantity)]
    total, count, since_ns = ZERO, ZERO, 0
    for at_ns, change in sorted(steps):
        total += max(ZERO, count - included) * Decimal(at_ns - since_ns) / times.SECOND_NS
        count, since_ns = count + change, at_ns
    return total
