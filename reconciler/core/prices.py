"""Prices what is observed or desired, by a versioned book; a plan the book lacks has no price, never the price zero."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from reconciler.core.kinds import COMPUTE, DATASTORES, SERVICES, Kind
from reconciler.core.observed import Observed, canonical_plan
from reconciler.core.stack import Resource, Stack
from reconciler.core.values import Json

ZERO = Decimal(0)
DEFAULT_STORAGE_GB = 15
STORAGE_GB_BY_FAMILY = {"free": 1, "basic": 15, "pro": 100, "accelerated": 250}
"""Disk of a Postgres whose size nobody named, by plan family (Render API 3.13.1)."""
DEFAULT_DISK_GB = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One line of the book: US dollars a month (cron: a minute) for a plan from a day until before another."""

    plan: str
    usd: Decimal
    quality: str
    since: date | None = None
    until: date | None = None

    def applies(self, day: date) -> bool:
        """Say whether the price holds on a day."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """All prices of one version; `rates` are per GB and month, and the minimum of a cron job a month."""

    version: str
    tables: Mapping[str, Sequence[Price]]
    rates: Mapping[str, Decimal]

    def price(self, table: str, plan: str, day: date) -> Decimal | None:
        """Look a plan up in a table (services, cron, postgres, key_value); None when the book does not know it."""
        wanted = _folded(plan)
        lines = self.tables.get(table, ())
        return next((one.usd for one in lines if _folded(one.plan) == wanted and one.applies(day)), None)


NO_BOOK = PriceBook(version="", tables={}, rates={})
"""Knows no price."""


def _folded(plan: str) -> str:
    """Write a plan without the difference between `2c-8g` and `2c_8g`."""
    return plan.replace("-", "_")


def _day(value: object) -> date | None:
    return value if isinstance(value, date) else None


def book_from(data: Mapping[str, object]) -> PriceBook:
    """Build a book from the parsed price file; a malformed file raises ValueError, KeyError or TypeError."""
    tables: dict[str, list[Price]] = {}
    for name in ("services", "cron", "postgres", "key_value"):
        lines = data[name]
        if not isinstance(lines, list):
            raise TypeError(f"price book: {name} is not a list")
        tables[name] = [
            Price(
                plan=str(line["plan"]),
                usd=Decimal(str(line["usd"])),
                quality=str(line["quality"]),
                since=_day(line.get("from")),
                until=_day(line.get("until")),
            )
            for line in lines
        ]
    rates = data["rates"]
    if not isinstance(rates, dict):
        raise TypeError("price book: rates is not a mapping")
    return PriceBook(
        version=str(data["version"]),
        tables=tables,
        rates={str(name): Decimal(str(rate["usd"])) for name, rate in rates.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is billed of one resource, and nothing else: equal facts cost the same."""

    kind: Kind
    plan: str
    instances: int = 1
    storage_gb: int = 0
    suspended: bool = False

    def as_json(self) -> dict[str, Json]:
        """Write the facts for the ledger."""
        return {
            "kind": str(self.kind),
            "plan": self.plan,
            "instances": self.instances,
            "storage_gb": self.storage_gb,
            "suspended": self.suspended,
        }


def _whole(value: Json, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def facts(kind: Kind, fields: Mapping[str, Json], *, suspended: bool = False) -> Facts | None:
    """Read what is billed from canonical fields; None for kinds that are not billed by themselves.

    Autoscaled services count their minimum: the running count is not in the service object. A high-availability
    standby and each read replica count as another instance (unproven, as the price book says).
    """
    plan = canonical_plan(kind, str(fields.get("plan") or ""))
    if kind in COMPUTE:
        scaling, disk = fields.get("autoscaling"), fields.get("disk")
        instances = (
            _whole(scaling.get("min"), 1) if isinstance(scaling, dict) else _whole(fields.get("numInstances"), 1)
        )
        storage = _whole(disk.get("sizeGB"), DEFAULT_DISK_GB) if isinstance(disk, dict) else 0
        return Facts(kind=kind, plan=plan, instances=instances, storage_gb=storage, suspended=suspended)
    if kind is Kind.POSTGRES:
        family = plan.split("_", 1)[0]
        replicas = fields.get("readReplicas")
        instances = (
            1 + bool(fields.get("highAvailabilityEnabled")) + (len(replicas) if isinstance(replicas, list) else 0)
        )
        storage = _whole(fields.get("diskSizeGB"), STORAGE_GB_BY_FAMILY.get(family, DEFAULT_STORAGE_GB))
        return Facts(kind=kind, plan=plan, instances=instances, storage_gb=storage, suspended=suspended)
    if kind in SERVICES or kind in DATASTORES:
        return Facts(kind=kind, plan=plan, suspended=suspended)
    return None


def monthly(book: PriceBook, fact: Facts, day: date) -> Decimal | None:
    """US dollars a month for these facts, None when the book lacks the plan.

    Suspended compute costs nothing, storage is billed all the same (for datastores unproven, assumed).
    """
    running = ZERO if fact.suspended else Decimal(1)
    if fact.kind is Kind.STATIC:
        return ZERO
    if fact.kind is Kind.CRON:
        return book.rates["cron_minimum_month"] * running
    if fact.kind is Kind.POSTGRES:
        price = book.price("postgres", fact.plan, day)
        storage = book.rates["postgres_gb_month"] * fact.storage_gb * fact.instances
        return None if price is None else price * fact.instances * running + (ZERO if fact.plan == "free" else storage)
    if fact.kind is Kind.KEY_VALUE:
        price = book.price("key_value", fact.plan, day)
        return None if price is None else price * running
    price = book.price("services", fact.plan, day)
    storage = book.rates["disk_gb_month"] * fact.storage_gb
    return None if price is None else price * fact.instances * running + storage


def of_observed(book: PriceBook, observed: Observed, day: date) -> Decimal | None:
    """Price a live object; zero for kinds that are not billed."""
    fact = facts(observed.kind, observed.fields, suspended=bool(observed.suspenders))
    return ZERO if fact is None else monthly(book, fact, day)


def of_resource(book: PriceBook, resource: Resource, day: date) -> Decimal | None:
    """Price a desired resource as it would be created; zero for kinds that are not billed."""
    fact = facts(resource.kind, {**resource.defaults, **resource.fields})
    return ZERO if fact is None else monthly(book, fact, day)


def of_stack(book: PriceBook, stack: Stack, day: date) -> tuple[Decimal, int]:
    """Sum the monthly price of a stack, and count the resources whose price is unknown."""
    prices = [of_resource(book, resource, day) for resource in stack.resources.values()]
    return sum((price for price in prices if price is not None), ZERO), sum(price is None for price in prices)
