"""Holds what the operator says of a tenant: conditions, components, the lines "why" and "you", events; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Phase(StrEnum):
    """One word for the whole tenant; derived from its conditions."""

    PENDING = "Pending"
    PROVISIONING = "Provisioning"
    UPDATING = "Updating"
    READY = "Ready"
    DEGRADED = "Degraded"
    SUSPENDING = "Suspending"
    SUSPENDED = "Suspended"
    BLOCKED = "Blocked"
    INVALID = "Invalid"
    DELETING = "Deleting"
    DELETED = "Deleted"


class ConditionType(StrEnum):
    """The closed vocabulary of conditions."""

    READY = "Ready"
    SYNCED = "Synced"
    DRIFTED = "Drifted"


class Reason(StrEnum):
    """Why a condition stands as it does; also the reasons of events."""

    AVAILABLE = "Available"
    ACCEPTED = "Accepted"
    CREATING = "Creating"
    UPDATING = "Updating"
    DEPLOYING = "Deploying"
    WAITING = "Waiting"
    QUEUED = "Queued"
    SUSPENDED = "Suspended"
    SUSPENDING = "Suspending"
    RESUMING = "Resuming"
    DELETING = "Deleting"
    PURGED = "Purged"
    ORPHANED = "Orphaned"
    INVALID = "Invalid"
    SECRET_MISSING = "SecretMissing"
    REFUSED = "Refused"
    DENIED = "Denied"
    CONFLICT = "Conflict"
    DUPLICATE = "Duplicate"
    IMMUTABLE = "Immutable"
    DATA_LOSS = "DataLoss"
    UNAPPLIABLE = "Unappliable"
    GUARDED = "Guarded"
    HELD = "Held"
    BRAKED = "Braked"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    UNREACHABLE = "Unreachable"
    DEPLOY_FAILED = "DeployFailed"
    DEADLINE = "DeadlineExceeded"
    NOT_ANSWERING = "NotAnswering"
    CRASHED = "Crashed"
    DATASTORE_MISSING = "DatastoreMissing"
    SUSPENDED_BY_RENDER = "SuspendedByRender"
    IN_SYNC = "InSync"
    DRIFTED = "Drifted"
    HEALED = "Healed"
    CHANGED = "Changed"
    CREATED = "Created"
    DELETED = "Deleted"
    ADOPTED = "Adopted"
    RECOVERED = "Recovered"
    ROLLOUT = "Rollout"
    FAILED = "Failed"
    UNASKED = "Unasked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition as in Kubernetes; `since` moves only when `status` (True, False, Unknown) flips."""

    type: ConditionType
    status: str
    reason: Reason
    message: str
    since: datetime
    observed_generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentStatus:
    """How one component stands. `since` is the time since which `state` holds; `usd` its monthly price, or None."""

    component: str
    kind: str
    name: str
    state: str
    healthy: bool
    id: str = ""
    url: str = ""
    since: datetime | None = None
    usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything a tenant's status says. Times are world time, money is US dollars a month."""

    phase: Phase
    observed_generation: int
    revision: int
    conditions: tuple[Condition, ...]
    components: tuple[ComponentStatus, ...] = ()
    why: str = ""
    you: str = ""
    next: str = ""
    url: str = ""
    eta: datetime | None = None
    up: int = 0
    total: int = 0
    monthly_usd: Decimal | None = None
    monthly_usd_desired: Decimal | None = None
    drift: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    ready_since: datetime | None = None
    generation_since: datetime | None = None
    handled_token: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a tenant; one row per (tenant, reason, component) with a count."""

    reason: Reason
    message: str
    component: str = ""
    warning: bool = False
