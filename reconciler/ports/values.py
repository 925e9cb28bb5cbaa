"""Holds the values that cross between the engine and the world; no behaviour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from reconciler.core.inventory import Owned
from reconciler.core.kinds import Kind
from reconciler.core.observed import Deploy, Detail, Observed
from reconciler.core.passes import Kept
from reconciler.core.spec import BlueprintSpec, DesiredState, Rollout, TenantSpec
from reconciler.core.status import Event, Phase, Reason, Status
from reconciler.core.stops import Brake, Hold, Refusal
from reconciler.core.values import Json, SecretRef, Sensitive


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the headers of one answer said of its bucket; `remaining` already counts that request."""

    limit: int
    remaining: int
    resets_at: datetime
    date: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a successful effect told us. `created` lists every object it made (a project also makes an environment)."""

    observed: Observed | None = None
    created: tuple[Observed, ...] = ()
    deploy: Deploy | None = None
    detail: Detail | None = None
    limits: Limits | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plaintext:
    """The secret texts of one action, resolved a moment before it is sent; never stored, never logged."""

    values: Mapping[str, Sensitive] = field(default_factory=dict)
    files: Mapping[str, Sensitive] = field(default_factory=dict)


class WakeClass(StrEnum):
    """Why a tenant is due; the worker draws classes by shares (60, 20, 10, 10)."""

    USER = "user"
    RETRY = "retry"
    SETTLE = "settle"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True)
class Turns:
    """When due tenants of a class have their turns: at `starts`, then one each `step`; the least of all is next.

    None of the class has its turn while less than the share `keeps` of the minute's reads or writes is left.
    """

    starts: float = 0.0
    step: float = 1.0
    keeps: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on a tenant: lease and fencing number. `token` is the newest `reconcile` request's."""

    tenant: str
    epoch: int
    wake_seq: int
    wake_class: WakeClass
    failures: int
    overdue_s: float = 0.0


class OperationState(StrEnum):
    """Life of one effect in the journal."""

    PLANNED = "planned"
    SENT = "sent"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    NEVER_HAPPENED = "never_happened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One open journal row. `sent_at` is world time, `sent_ago_s` real seconds by the database's clock.

    `looks` counts agreeing look-ups that did not find it, `looked_at` (world) the newest of them. `status` and
    `message` are of the answer, where there was one that left the outcome open.
    """

    id: int
    component: str
    verb: str
    kind: Kind
    name: str
    live_id: str
    request_hash: str
    state: OperationState
    sent_at: datetime | None = None
    sent_ago_s: float | None = None
    looks: int = 0
    looked_at: datetime | None = None
    environment_id: str = ""
    summary: str = ""
    status: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What the ledger's open interval says of one object: whose it is, what is billed, at which price."""

    tenant: str
    component: str
    facts: Mapping[str, Json]
    usd_per_month: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything a pass reads from the store, at one moment.

    `invalid` carries problems found while reading the documents (then `tenant` or `blueprint` is None);
    `state` is the tenant's own, which can be read even then. `revision` is the one the rollout assigned. `purge_at`
    (world) is set while the tenant is deleted; `purge_mode` is `wait`, `now` or `orphan`. `connection` and
    `secrets` are decrypted. `metered` maps the ids of owned objects to their open intervals of the ledger.
    """

    tenant: TenantSpec | None
    blueprint: BlueprintSpec | None
    revision: int
    generation: int
    number: int
    state: DesiredState = DesiredState.RUNNING
    invalid: tuple[str, ...] = ()
    created_at: datetime
    generation_at: datetime
    purge_at: datetime | None = None
    purge_mode: str = "wait"
    purged: bool = False
    status: Status | None = None
    owned: Mapping[str, Owned] = field(default_factory=dict)
    operations: tuple[Operation, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    hold: Hold | None = None
    brake: Brake = Brake.NORMAL
    brake_why: str = ""
    secrets: Mapping[SecretRef, Sensitive] = field(default_factory=dict)
    connection: Mapping[tuple[str, str], Sensitive] = field(default_factory=dict)
    metered: Mapping[str, Metered] = field(default_factory=dict)
    reconcile_token: str = ""
    exported: bool = False
    swept_at: datetime | None = None

    @property
    def asked(self) -> bool:
        """Say whether a person said `reconcile` and no pass has been recorded since."""
        return bool(self.reconcile_token) and (self.status is None or self.status.handled_token != self.reconcile_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """No token now: when to ask again (world), and what stands before us in the create queue.

    `message` is Render's own where the class of calls is paused after 401, 402 or 403; `guard` says which guard of
    ours struck, where it was no limit of Render's, `broken` why the circuit breaker of the class is open.
    """

    until: datetime
    position: int = 0
    ahead: int = 0
    used: int = 0
    limit: int = 0
    message: str = ""
    guard: str = ""
    broken: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """How often the very same effects of a tenant's generation succeeded lately, by hash, and creates by component."""

    effects: Mapping[str, int] = field(default_factory=dict)
    creates: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The outcome of an operation and everything that became true with it, written in one transaction.

    `owned` rows are upserted into the inventory, `forgotten` ids leave it (proof of absence or orphaned).
    """

    state: OperationState
    message: str = ""
    status: int = 0
    observed: Sequence[Observed] = ()
    owned: Sequence[Owned] = ()
    forgotten: Sequence[str] = ()
    limits: Limits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """How many creates a tenant still needs, for the create queue.

    `ready` of them could be sent at once, or as soon as plain writes of the same stack (project, group) are done.
    """

    wanted: int
    ready: int
    started: bool
    priority: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The end of a pass: what to record and when to look again (world).

    `unchanged`: the status read at the beginning of the pass said the same, so it need not be written again.
    `kept` explains the pass, None where there is nothing to explain.
    """

    status: Status
    events: Sequence[Event]
    due_at: datetime
    wake_class: WakeClass
    failed: bool = False
    demand: Demand | None = None
    purged: bool = False
    unchanged: bool = False
    kept: Kept | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What is billed of one object from a moment on; equal facts continue the open interval of the ledger.

    `facts` is a JSON object of sku, plan, quantities; `usd_per_month` None when the book has no price.
    `uncertainty_s` is the width of the bracket between last seen and seen, 0 when Render named the time.
    """

    tenant: str
    component: str
    resource_id: str
    at: datetime
    uncertainty_s: float
    facts: Mapping[str, Json]
    usd_per_month: Decimal | None
    book: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """When an object's last interval ends; `uncertainty_s` as an interval's: 0 when we ended it ourselves."""

    at: datetime
    uncertainty_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutTenant:
    """One tenant of a Blueprint under rollout: the revision assigned, and what its status said of which one.

    `observed_revision` and `observed_generation` are 0 before the first pass; `created_at` orders the steps.
    `synced` is the reason of its condition Synced. `found_failing` says whether that revision found it failing
    already (see `core.conditions.failing`), None for a tenant that was born on it.
    """

    name: str
    revision: int
    generation: int
    state: str
    pinned: bool
    created_at: datetime
    phase: Phase | None = None
    ready: bool = False
    observed_revision: int = 0
    observed_generation: int = 0
    synced: Reason | None = None
    found_failing: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutState:
    """An active rollout: the revision to reach, in which steps, and every tenant that is not purged."""

    blueprint: str
    revision: int
    policy: Rollout
    started_at: datetime
    tenants: tuple[RolloutTenant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unasked:
    """How many tenants got a plan that nobody asked for, of how many that are not purged.

    `released_at` (world) is when a person last released the brake that the guard against mass changes had set.
    """

    plans: int
    tenants: int
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The queue at a glance: tenants due per class, leased ones, and the longest overdue (real seconds)."""

    due: Mapping[WakeClass, int]
    leased: int
    oldest_overdue_s: float
    unknown_operations: int
