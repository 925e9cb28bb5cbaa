"""Lists what things cost per month, in US dollars, as published.

Render API: prices of compute, databases, storage and cron minutes; a standby or replica counts as another
instance; Key Value became cheaper on 1 October 2026.
"""

from datetime import UTC, datetime
from decimal import Decimal

from reconciler.simulator.plans import POSTGRES_ALIASES

COMPUTE = {
    "free": "0", "starter": "7", "standard": "25", "pro": "85", "pro_plus": "175", "pro_max": "225",
    "pro_ultra": "450", "0.5c-512mb": "7", "1c-2g": "25", "2c-4g": "85", "2c-8g": "135", "2c-16g": "200",
    "4c-8g": "175", "4c-16g": "225", "4c-32g": "350", "8c-16g": "300", "8c-32g": "450", "8c-64g": "1000",
    "12c-24g": "450", "12c-48g": "800", "12c-96g": "1500",
}  # fmt: skip
POSTGRES = {
    "free": "0", "basic_256mb": "6", "basic_1gb": "19", "basic_4gb": "75",
    "pro_4gb": "55", "pro_8gb": "100", "pro_16gb": "200", "pro_32gb": "400", "pro_64gb": "800",
    "pro_128gb": "1700", "pro_192gb": "2500", "pro_256gb": "3000", "pro_384gb": "4600", "pro_512gb": "6200",
    "accelerated_16gb": "160", "accelerated_32gb": "350", "accelerated_64gb": "750", "accelerated_128gb": "1500",
    "accelerated_256gb": "2500", "accelerated_384gb": "4500", "accelerated_512gb": "6000",
    "accelerated_768gb": "9000", "accelerated_1024gb": "11000",
}  # fmt: skip
KEY_VALUE_BEFORE = {
    "free": "0", "starter": "10", "256mb": "10", "standard": "32", "1g": "32", "pro": "135", "5g": "135",
    "pro_plus": "250", "10g": "250", "pro_max": "550", "20g": "550", "pro_ultra": "1100", "40g": "1100",
}  # fmt: skip
KEY_VALUE_AFTER = {
    "free": "0", "starter": "10", "256mb": "10", "standard": "20", "1g": "20", "3g": "60", "pro": "100",
    "5g": "100", "pro_plus": "200", "10g": "200", "pro_max": "350", "20g": "350",
}  # fmt: skip
KEY_VALUE_CHANGE = datetime(2026, 10, 1, tzinfo=UTC)
CRON_MINUTE = {
    "starter": "0.00016", "standard": "0.00058", "pro": "0.00197", "pro_plus": "0.00405",
    "0.5c-512mb": "0.00016", "1c-2g": "0.00058", "2c-4g": "0.00197", "4c-8g": "0.00405", "8c-64g": "0.02315",
}  # fmt: skip
CRON_MONTH_MINUTES = Decimal(43_200)
CRON_MINIMUM = Decimal("1.00")
DISK_GB = Decimal("0.25")
POSTGRES_GB = Decimal("0.30")
DEDICATED_IP = Decimal(100)


def monthly(sku: str, at_s: float) -> Decimal | None:
    """Tell the monthly price of one unit of a sku at an instant; None when none is published."""
    kind, _, plan = sku.partition(":")
    if kind == "compute":
        return _read(COMPUTE, plan)
    if kind == "postgres":
        return _read(POSTGRES, POSTGRES_ALIASES.get(plan, plan))
    if kind == "key_value":
        table = KEY_VALUE_AFTER if at_s >= KEY_VALUE_CHANGE.timestamp() else KEY_VALUE_BEFORE
        return _read(table, plan)
    if kind == "cron":
        return CRON_MINIMUM
    return {"disk_gb": DISK_GB, "postgres_gb": POSTGRES_GB, "dedicated_ip": DEDICATED_IP}.get(kind)


def cron_minute(plan: str) -> Decimal | None:
    """Tell the price of a minute of run time; plans without one cost their monthly price spread over a month."""
    found = _read(CRON_MINUTE, plan)
    if found is not None:
        return found
    month = _read(COMPUTE, plan)
    return None if month is None else month / CRON_MONTH_MINUTES


def _read(table: dict[str, str], plan: str) -> Decimal | None:
    text = table.get(plan)
    return None if text is None else Decimal(text)
