"""Turns what was observed of billed objects into ledger intervals; prices come from the book, times from Render."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from reconciler.core import prices
from reconciler.core.inventory import Owned
from reconciler.core.plan.view import LOOKS_TO_BE_GONE
from reconciler.core.prices import PriceBook
from reconciler.ports import End, Interval, Metered

YOUNG = timedelta(seconds=5)
"""An object that moved only so shortly after its creation is billed from its creation."""


def _boundary(row: Owned, now: datetime) -> tuple[datetime, float]:
    """Answer when the present facts began, and how unsure that is in seconds."""
    observed = row.observed
    if observed is None:
        return now, 0.0
    created, updated = observed.created_at, observed.updated_at
    if created is not None and (updated is None or updated - created < YOUNG):
        return created, 0.0
    if updated is not None:
        return min(updated, now), 0.0
    return observed.seen_at, max(0.0, (now - observed.seen_at).total_seconds())


def vanished(owned: Iterable[Owned], now: datetime) -> dict[str, End]:
    """Answer the ends of what is proved gone: somebody deleted it between the time it was last seen and now."""
    return {
        row.id: End(at=row.observed.seen_at, uncertainty_s=max(0.0, (now - row.observed.seen_at).total_seconds()))
        for row in owned
        if row.observed is not None and row.absent_looks >= LOOKS_TO_BE_GONE
    }


def news(found: Iterable[Interval], metered: Mapping[str, Metered]) -> list[Interval]:
    """Leave out what only continues the ledger's open interval: nearly all, nearly always."""
    return [one for one in found if not _continues(metered.get(one.resource_id), one)]


def _continues(before: Metered | None, one: Interval) -> bool:
    return before is not None and (
        (before.tenant, before.component, before.usd_per_month) == (one.tenant, one.component, one.usd_per_month)
        and before.facts == one.facts
    )


def intervals(tenant: str, owned: Iterable[Owned], book: PriceBook, now: datetime) -> list[Interval]:
    """Answer what is billed of a tenant's living objects from now on; equal facts continue what the ledger has."""
    found: list[Interval] = []
    for row in owned:
        observed = row.observed
        if observed is None or row.absent_looks:
            continue
        fact = prices.facts(row.kind, observed.fields, suspended=bool(observed.suspenders))
        if fact is None:
            continue
        at, uncertainty_s = _boundary(row, now)
        found.append(
            Interval(
                tenant=tenant,
                component=row.component,
                resource_id=row.id,
                at=at,
                uncertainty_s=uncertainty_s,
                facts=fact.as_json(),
                usd_per_month=prices.monthly(book, fact, now.date()),
                book=book.version,
            )
        )
    return found
