"""Judges one component: Healthy, Progressing (with a deadline), Degraded, Suspended or Missing; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.core.inventory import Owned
from reconciler.core.kinds import DATASTORES, SERVICES
from reconciler.core.observed import FINE, Deploy, DeployState
from reconciler.core.plan.view import LOOKS_TO_BE_GONE


class HealthState(StrEnum):
    """The closed set of answers, from best to worst."""

    HEALTHY = "Healthy"
    SUSPENDED = "Suspended"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    MISSING = "Missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One component's health. `text` is what people read; `since` is Render's own time where there is one."""

    state: HealthState
    text: str
    since: datetime | None = None
    deadline: datetime | None = None


DEPLOY_DEADLINES: Mapping[str, timedelta] = {
    "created": timedelta(minutes=150),
    "queued": timedelta(minutes=300),
    "build_in_progress": timedelta(minutes=125),
    "pre_deploy_in_progress": timedelta(minutes=155),
    "update_in_progress": timedelta(minutes=170),
}
"""From a deploy's creation: Render's own limits (build 120, pre-deploy 30, start 15 minutes; 3.9) and a margin."""
DATASTORE_DEADLINE = timedelta(minutes=30)
WORKING = frozenset(
    {
        "creating",
        "unknown",
        "updating_instance",
        "config_restart",
        "maintenance_in_progress",
        "recovery_in_progress",
        "",
    }
)
__all__ = ["FINE", "Health", "HealthState", "judge"]


def _deploy_health(deploy: Deploy, now: datetime) -> Health:
    words = deploy.status.replace("_", " ")
    if deploy.state in (DeployState.LIVE, DeployState.SUPERSEDED):
        return Health(state=HealthState.HEALTHY, text="live", since=deploy.finished_at or deploy.created_at)
    if deploy.state is DeployState.PROGRESSING:
        limit = DEPLOY_DEADLINES.get(deploy.status, DEPLOY_DEADLINES["queued"])
        deadline = deploy.created_at + limit if deploy.created_at else None
        if deadline and now > deadline:
            text = f"deploy stuck in {words} for more than {int(limit.total_seconds() // 60)} min"
            return Health(state=HealthState.DEGRADED, text=text, since=deadline)
        return Health(
            state=HealthState.PROGRESSING, text=f"deploys ({words})", since=deploy.created_at, deadline=deadline
        )
    return Health(state=HealthState.DEGRADED, text=f"deploy ended as {words}", since=deploy.finished_at)


def _datastore_health(owned: Owned, status: str, now: datetime) -> Health:
    if status in FINE:
        return Health(state=HealthState.HEALTHY, text="available", since=owned.since)
    since = owned.since or owned.created_at
    if status in WORKING:
        deadline = since + DATASTORE_DEADLINE if since else None
        if deadline and now > deadline:
            return Health(
                state=HealthState.DEGRADED, text=f"{status or 'unknown'} for more than 30 min", since=deadline
            )
        return Health(state=HealthState.PROGRESSING, text=status or "unknown", since=since, deadline=deadline)
    return Health(state=HealthState.DEGRADED, text=status.replace("_", " "), since=since)


def _awaited(owned: Owned, text: str, overdue: str, now: datetime) -> Health:
    """Judge what has not shown itself yet: it has as long as a datastore has to come up."""
    deadline = owned.created_at + DATASTORE_DEADLINE if owned.created_at else None
    if deadline and now > deadline:
        return Health(state=HealthState.DEGRADED, text=f"{overdue} more than 30 min", since=deadline)
    return Health(state=HealthState.PROGRESSING, text=text, since=owned.created_at, deadline=deadline)


def judge(owned: Owned | None, now: datetime) -> Health:
    """Judge one component by its inventory row and newest observation."""
    if owned is None or owned.absent_looks >= LOOKS_TO_BE_GONE:
        return Health(state=HealthState.MISSING, text="missing" if owned else "to be created")
    observed = owned.observed
    if observed is None:
        return _awaited(owned, "not seen yet", "was never seen in", now)
    if observed.suspenders:
        who = "" if tuple(observed.suspenders) == ("user",) else f" by {', '.join(observed.suspenders)}"
        return Health(state=HealthState.SUSPENDED, text=f"suspended{who}", since=owned.since)
    if owned.kind in DATASTORES:
        return _datastore_health(owned, observed.status, now)
    if owned.kind in SERVICES:
        if owned.known.deploy is None:
            return _awaited(owned, "deploy not seen yet", "no deploy was seen for", now)
        health = _deploy_health(owned.known.deploy, now)
        if owned.known.failure and health.state is HealthState.HEALTHY:
            return Health(state=HealthState.DEGRADED, text=owned.known.failure, since=health.since)
        return health
    return Health(state=HealthState.HEALTHY, text="exists", since=owned.created_at)
