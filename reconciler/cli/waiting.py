"""Waits until tenants stand as asked, and says how long each component took; it changes nothing."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from reconciler.api import views
from reconciler.cli import output, render_tenant, tables, text
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.session import Session
from reconciler.core.errors import NotFound
from reconciler.core.status import Reason
from reconciler.doors import TenantRow

POLL_S = 0.5
EVENTS_READ = 500


class Goal(StrEnum):
    """What a tenant can be waited for."""

    READY = "Ready"
    SUSPENDED = "Suspended"
    DELETED = "Deleted"
    GENERATION = "generation"


STATE_FOR = {Goal.READY: "running", Goal.SUSPENDED: "suspended", Goal.DELETED: "deleted"}
"""The spec's state without which a goal is never met."""


def met(row: TenantRow, goal: Goal) -> bool:
    """Say whether a tenant stands as asked, at its present generation."""
    match goal:
        case Goal.READY:
            return row.state == "running" and views.phase(row) == "Ready"
        case Goal.SUSPENDED:
            return row.state == "suspended" and views.phase(row) == "Suspended"
        case Goal.DELETED:
            return row.purged
        case Goal.GENERATION:
            return row.fresh


def hopeless(row: TenantRow, goal: Goal) -> str:
    """Say why waiting cannot help, or nothing."""
    wanted = STATE_FOR.get(goal)
    if wanted is not None and row.state != wanted:
        return f"{row.name} is {row.state} in its spec, so it will not become {goal.value}"
    if goal in (Goal.READY, Goal.SUSPENDED) and views.phase(row) == "Invalid":
        return f"{row.name} is Invalid: {tables.why(row)}"
    return ""


async def wait(opened: Session, names: Sequence[str], goal: Goal, timeout_s: float) -> None:
    """Wait for all the tenants; Failure with code 3 at the timeout, 1 when one can never get there."""
    left = list(dict.fromkeys(names))
    ends = time.monotonic() + timeout_s
    said: dict[str, tuple[str, ...]] = {}
    while True:
        rows = [await _row(opened, name, goal) for name in left]
        for row in rows:
            if met(row, goal):
                for line in await _result(opened, row, goal):
                    output.line(line)
            elif reason := hopeless(row, goal):
                raise Failure(reason, remedy=render_tenant.you(row))
        waiting = [row for row in rows if not met(row, goal)]
        if not waiting:
            return
        if time.monotonic() >= ends:
            raise _timeout(waiting, goal, timeout_s)
        _report(waiting, said)
        left = [row.name for row in waiting]
        output.flush()
        await asyncio.sleep(min(POLL_S, max(0.0, ends - time.monotonic())))


async def _row(opened: Session, name: str, goal: Goal) -> TenantRow:
    try:
        return await opened.registry.get_tenant(name)
    except NotFound as error:
        refused = [row for row in await opened.registry.rejections() if row.name == name]
        if refused and goal is not Goal.DELETED:
            raise Failure(f"{name} is Invalid: {refused[0].message}") from error
        raise


def _timeout(waiting: Sequence[TenantRow], goal: Goal, timeout_s: float) -> Failure:
    first = waiting[0]
    others = f" ({text.count(len(waiting) - 1, 'more tenant')} too)" if len(waiting) > 1 else ""
    return Failure(
        f"{first.name} is not {_said(goal)} after {text.duration(timeout_s)}{others}: "
        f"{views.phase(first)}, {tables.why(first)}",
        remedy=render_tenant.you(first),
        code=ExitCode.TIMEOUT,
    )


def _said(goal: Goal) -> str:
    return "acted on" if goal is Goal.GENERATION else goal.value


def _report(waiting: Sequence[TenantRow], said: dict[str, tuple[str, ...]]) -> None:
    """Say on standard error where a tenant stands, whenever that changes."""
    for row in waiting:
        up = f"{row.status.up}/{row.status.total}" if row.status is not None else ""
        now = (views.phase(row), up)
        if said.get(row.name) != now:
            said[row.name] = now
            output.note("  ".join(part for part in (row.name, *now, tables.why(row)) if part))


async def _result(opened: Session, row: TenantRow, goal: Goal) -> list[str]:
    if goal is Goal.GENERATION:
        return [f"{row.name}  generation {row.generation} acted on: {views.phase(row)}, {tables.why(row)}"]
    if goal is not Goal.READY or row.status is None:
        return [f"{row.name}  {goal.value}"]
    since, ready = row.status.generation_since, row.status.ready_since
    url = f"  {row.status.url}" if row.status.url else ""
    if since is None or ready is None or ready < since:
        return [f"{row.name}  Ready{url}"]
    timings = _timings(row, await _starts(opened, row), since)
    parts = [f"{component} {text.duration(took)}" for component, took in timings.items()]
    after = text.duration((ready - since).total_seconds())
    return [*([f"{row.name}  {', '.join(parts)}"] if parts else []), f"{row.name}  Ready after {after}{url}"]


async def _starts(opened: Session, row: TenantRow) -> Mapping[str, datetime]:
    """Answer when each component was created."""
    events = await opened.registry.events(row.name, limit=EVENTS_READ)
    return {event.component: event.last_at for event in events if event.reason == Reason.CREATED and event.component}


def _timings(row: TenantRow, starts: Mapping[str, datetime], since: datetime) -> dict[str, float]:
    """Measure every component that became healthy at this generation, the quickest first."""
    assert row.status is not None
    took = {
        item.component: (item.since - max(since, starts.get(item.component, since))).total_seconds()
        for item in row.status.components
        if item.healthy and item.since is not None and item.since >= since
    }
    return dict(sorted(((name, took_s) for name, took_s in took.items() if took_s >= 0), key=lambda pair: pair[1]))
