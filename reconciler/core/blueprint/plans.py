"""Knows which plans and regions there are and how they may be spelled; it must not know what they cost."""

import re

from reconciler.core.blueprint import readers
from reconciler.core.blueprint.spots import Spot, a, nearest
from reconciler.core.kinds import Kind
from reconciler.core.observed import KEY_VALUE_PLAN_ALIASES, PLAN_ALIASES, POSTGRES_PLAN_ALIASES, canonical_plan
from reconciler.core.values import Json

REGIONS = ("oregon", "ohio", "virginia", "frankfurt", "singapore")
_PAID = ("starter", "standard", "pro", "pro_plus", "pro_max", "pro_ultra")
_OF_WEB_ALONE = ("starter_plus", "standard_plus", "custom")
_BY_SPEC = ("2c-8g", "2c-16g", "4c-32g", "8c-16g", "8c-64g")
_LARGEST_BY_SPEC = ("12c-24g", "12c-48g", "12c-96g")
_POSTGRES_PRO = tuple(f"pro_{size}gb" for size in (4, 8, 16, 32, 64, 128, 192, 256, 384, 512))
_POSTGRES_FAST = tuple(f"accelerated_{size}gb" for size in (16, 32, 64, 128, 256, 384, 512, 768, 1024))
PLANS = {
    Kind.WEB: ("free", *_PAID, *_OF_WEB_ALONE, *_BY_SPEC, *_LARGEST_BY_SPEC),
    Kind.PRIVATE: (*_PAID, *_BY_SPEC, *_LARGEST_BY_SPEC),
    Kind.WORKER: (*_PAID, *_BY_SPEC, *_LARGEST_BY_SPEC),
    Kind.CRON: (*_PAID, *_BY_SPEC),
    Kind.POSTGRES: (
        *("free", "basic_256mb", "basic_1gb", "basic_4gb", *_POSTGRES_PRO, *_POSTGRES_FAST),
        *("starter", "standard", "pro", "pro_plus", "custom"),
    ),
    Kind.KEY_VALUE: ("free", *_PAID, "custom", "3g", "50g"),
}
"""Canonical plan names by kind (Render API 8.1); a Postgres plan may also be named by its CPU and memory."""
ALIASES = {Kind.POSTGRES: POSTGRES_PLAN_ALIASES, Kind.KEY_VALUE: KEY_VALUE_PLAN_ALIASES}
_SPEC_PLAN = re.compile(r"\d+(\.\d+)?c-\d+(mb|g)")


def plan(value: Json, spot: Spot) -> Json:
    """Read a plan in any spelling of the language: `pro plus`, `Starter`, `basic-256mb`, `2c-4g`."""
    if not isinstance(value, str):
        return readers.text(value, spot)
    known = PLANS[spot.kind]
    found = canonical_plan(spot.kind, value)
    by_spec = spot.kind is Kind.POSTGRES and _SPEC_PLAN.fullmatch(found)
    # Render's own reader takes database plans with dashes only.
    underscored = spot.kind is Kind.POSTGRES and "_" in value
    if (found in known or by_spec) and not underscored:
        return found
    choices = [one.replace("_", "-" if spot.kind is Kind.POSTGRES else " ") for one in known]
    remedy = nearest(
        value.replace("_", "-") if underscored else value, [*choices, *ALIASES.get(spot.kind, PLAN_ALIASES)]
    )
    return readers.wrong(spot, f"is not a plan of {a(spot.kind)}", value, remedy)


def region(value: Json, spot: Spot) -> Json:
    """Read a region."""
    return readers.choice(*REGIONS)(value, spot)
