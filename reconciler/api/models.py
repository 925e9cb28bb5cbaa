"""Describes the small bodies and common parameters of /v1; documents themselves are the manifest's."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from reconciler.core.errors import Invalid, Problem, shown
from reconciler.ports import Brake

DURATION = re.compile(r"(\d{1,6})([smhd])")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Name = Annotated[str, Path(description="The tenant's name, or its number.", max_length=100)]
BlueprintName = Annotated[str, Path(description="The Blueprint's name.", max_length=100)]
SecretKey = Annotated[str, Path(description="The secret's name.", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="How many to skip.")]
Labels = Annotated[
    list[str] | None,
    Query(alias="label", max_length=20, description="A label as `segment=smb`; repeated, all must fit."),
]
Moment = Annotated[str, Query(max_length=40, description="RFC 3339; `since` and `until` go before `window`.")]
Window = Annotated[
    str, Query(max_length=100, description="`month`, `lastmonth`, `7d`, or two RFC 3339 times with a comma between.")
]


class Body(BaseModel):
    """What all bodies have in common: no unknown fields, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True)


class StateChange(Body):
    """A tenant's state; `purgeMode` of a deletion: wait for keepFor, now, or orphan (forget, leave running)."""

    state: Literal["running", "suspended", "deleted"]
    purge_mode: Literal["wait", "now", "orphan"] = Field(default="wait", alias="purgeMode")


class HoldRequest(Body):
    """Hands off a tenant: why, and for how long (`2h`, `3d`) or until when."""

    why: str = Field(min_length=1, max_length=500)
    # `for` is a word of Python's.
    for_: str | None = Field(default=None, alias="for", pattern=r"^\d{1,6}[smhd]$", examples=["2h"])
    until: datetime | None = Field(default=None, strict=False)


class SecretValue(Body):
    """A secret; it is encrypted and never answered."""

    value: str = Field(min_length=1, max_length=65536, repr=False)


class BrakeRequest(Body):
    """Where the brake shall stand, and why."""

    brake: Annotated[Brake, Field(strict=False)]
    why: str = Field(min_length=1, max_length=500)


class KeyRequest(Body):
    """A new API key: its name stands in the audit log."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]*$")
    scopes: list[str] = Field(examples=[["read"]])


def selector_of(labels: list[str] | None) -> dict[str, str] | None:
    """Read `["a=b", "c=d"]`; None when there are none. Invalid names the one that is wrong."""
    found: dict[str, str] = {}
    for part in labels or ():
        key, equals, value = part.partition("=")
        if not equals or not key or not value:
            problem = Problem(path="label", message="cannot be read", value=shown(part), remedy="write KEY=VALUE")
            raise Invalid([problem])
        found[key] = value
    return found or None


def duration_of(text: str) -> timedelta | None:
    """Read `90s`, `15m`, `2h` or `7d`; None when it is none of these."""
    match = DURATION.fullmatch(text)
    return timedelta(seconds=int(match[1]) * UNITS_S[match[2]]) if match else None


def hold_end(request: HoldRequest, now: datetime) -> datetime:
    """Answer when a hold ends, world time; Invalid unless exactly one of `for` and `until` says so, in the future."""
    if (request.for_ is None) == (request.until is None):
        problem = Problem(path="for", message="one of for and until is needed", remedy='send e.g. "for": "2h"')
        raise Invalid([problem])
    if request.until is not None and request.until.tzinfo is None:
        problem = Problem(
            path="until", message="has no time zone", value=shown(request.until.isoformat()), remedy="end it with Z"
        )
        raise Invalid([problem])
    lasts = duration_of(request.for_ or "")
    end = request.until if lasts is None else now + lasts
    assert end is not None
    if end <= now:
        problem = Problem(
            path="until",
            message="is not in the future",
            value=shown(end.isoformat()),
            remedy=f"name a time after {now.isoformat(timespec='seconds')}",
        )
        raise Invalid([problem])
    return end


def window_of(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Read a window of costs: `month`, `lastmonth`, `7d`, or two RFC 3339 times with a comma; Invalid.

    Answers [since, until), UTC; months are calendar months.
    """
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if text == "month":
        return month, (month + timedelta(days=32)).replace(day=1)
    if text == "lastmonth":
        return (month - timedelta(days=1)).replace(day=1), month
    lasts = duration_of(text)
    if lasts is not None:
        return now - lasts, now
    since, _, until = text.partition(",")
    try:
        start, end = datetime.fromisoformat(since.strip()), datetime.fromisoformat(until.strip())
    except ValueError:
        start = end = now
    if start.tzinfo is None or end.tzinfo is None or not start < end:
        raise Invalid(
            [
                Problem(
                    path="window",
                    message="cannot be read",
                    value=shown(text),
                    remedy="write month, lastmonth, 7d, or 2026-01-01T00:00:00Z,2026-02-01T00:00:00Z",
                )
            ]
        )
    return start, end
