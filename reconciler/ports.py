"""The contract between the engine and the world: Protocols and the values that cross them; no adapter is known here."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from reconciler.core.actions import Action
from reconciler.core.inventory import Owned
from reconciler.core.kinds import Bucket, Kind
from reconciler.core.observed import Deploy, Detail, Observed
from reconciler.core.spec import BlueprintSpec, Rollout, TenantSpec
from reconciler.core.status import Event, Phase, Reason, Status
from reconciler.core.values import Json, SecretRef, Sensitive

# ---------------------------------------------------------------- time


class Clock(Protocol):
    """World time: Render's. Everything shown, scheduled or judged uses it; leases and timeouts do not."""

    def now(self) -> datetime:
        """Answer the world time, UTC, microseconds."""

    def speed(self) -> float:
        """Answer how many world seconds pass in a real one: 1 against Render, 60 under `make run`."""

    async def sleep(self, world_s: float) -> None:
        """Wait that many world seconds (or until cancelled); a stopped clock is polled in real time."""


# ---------------------------------------------------------------- Render


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


class Render(Protocol):
    """Render's API. Every method raises the RenderError that says what to do (core.errors); none retries a write."""

    async def check(self) -> str:
        """Ask who we are (GET /users, /owners) and answer the workspace id; Denied when the key is refused."""

    async def sweep(self, kind: Kind) -> Sequence[Observed]:
        """List every object of a kind in the workspace, all pages, de-duplicated by id.

        Services of all five kinds come with any of them: ask once, with Kind.WEB.
        """

    async def get(self, kind: Kind, id: str) -> Observed:
        """Read one object; Gone when it is not there."""

    async def find(self, kind: Kind, name: str) -> Sequence[Observed]:
        """List the objects of a kind with exactly this name (environments: all; filter by project)."""

    async def detail(self, kind: Kind, id: str) -> Detail:
        """Read what lists do not show: env vars, files, domains, rules, newest deploy, connection info."""

    async def deploy(self, id: str) -> Deploy | None:
        """Read the newest deploy of a service."""

    async def connection(self, kind: Kind, id: str) -> Mapping[str, Sensitive]:
        """Read the secret attributes of a datastore (`connectionString`, `password`, ...)."""

    async def failure(self, id: str, since: datetime) -> str | None:
        """Answer a phrase when the service's events since then show a crashed server that has not come back."""

    async def exported(self, id: str, since: datetime) -> bool:
        """Say whether an export of a Postgres that was asked for since then is done."""

    async def send(self, action: Action, plaintext: Plaintext) -> Reply:
        """Carry out one action. Raises Unknown when nobody knows whether it happened."""

    async def probe(self, url: str) -> int | None:
        """GET a tenant's own URL, following no redirect; the status, or None when nothing answered."""


# ---------------------------------------------------------------- store


class WakeClass(StrEnum):
    """Why a tenant is due; the worker draws classes by shares (60, 20, 10, 10)."""

    USER = "user"
    RETRY = "retry"
    SETTLE = "settle"
    DRIFT = "drift"


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

    `looks` counts agreeing look-ups that did not find it, `looked_at` (world) the newest of them.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A refused effect: not asked again for the same generation and request."""

    component: str
    request_hash: str
    generation: int
    message: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Hands off one tenant until a time, with a reason."""

    by: str
    why: str
    until: datetime


class Brake(StrEnum):
    """Hands off all: `observe` plans and reports without effects, `stop` does not even claim."""

    NORMAL = "normal"
    OBSERVE = "observe"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything a pass reads from the store, at one moment.

    `invalid` carries problems found while reading the documents (then `tenant` or `blueprint` is None);
    `row` has the raw column values for messages. `revision` is the one the rollout assigned. `purge_at`
    (world) is set while the tenant is deleted; `purge_mode` is `wait`, `now` or `orphan`. `connection` and
    `secrets` are decrypted. `named` holds snapshot objects bearing a wanted name that nobody's inventory has.
    """

    tenant: TenantSpec | None
    blueprint: BlueprintSpec | None
    revision: int
    generation: int
    number: int
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
    reconcile_token: str = ""
    exported: bool = False
    swept_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """No token now: when to ask again (world), and what stands before us in the create queue.

    `message` is Render's own where the class of calls is paused after 401, 402 or 403.
    """

    until: datetime
    position: int = 0
    ahead: int = 0
    used: int = 0
    limit: int = 0
    message: str = ""


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
    """How many creates a tenant still needs, for the create queue; `ready` of them could be sent at once."""

    wanted: int
    ready: int
    started: bool
    priority: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The end of a pass: what to record and when to look again (world)."""

    status: Status
    events: Sequence[Event]
    due_at: datetime
    wake_class: WakeClass
    failed: bool = False
    demand: Demand | None = None
    purged: bool = False


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
class Backlog:
    """The queue at a glance: tenants due per class, leased ones, and the longest overdue (real seconds)."""

    due: Mapping[WakeClass, int]
    leased: int
    oldest_overdue_s: float
    unknown_operations: int


class Store(Protocol):
    """The operator's memory, in Postgres. World time comes as a parameter, real time is the database's."""

    async def claim(self, wake_class: WakeClass, limit: int, owner: str, lease_s: float, now: datetime) -> list[Claim]:
        """Take due tenants of a class: epoch + 1, SKIP LOCKED, one short transaction."""

    async def renew(self, owner: str, lease_s: float, tenants: Collection[str] | None = None) -> set[str]:
        """Extend this owner's leases of these tenants (of all, without names) and answer the tenants still held."""

    async def release_all(self, owner: str) -> None:
        """Give every lease and duty of this owner back, at shutdown or when its process is dead."""

    async def load(self, tenant: str, now: datetime) -> Record:
        """Read all a pass needs; NotFound when there is no such tenant."""

    async def unowned(self, names: Sequence[tuple[Kind, str]]) -> Sequence[Observed]:
        """Answer snapshot objects with one of these names that no tenant's inventory holds."""

    async def put_secrets(self, tenant: str, generated: Mapping[str, Sensitive]) -> Mapping[str, Sensitive]:
        """Keep generated secrets, never replacing one that exists; answer what is kept."""

    async def put_connection(self, tenant: str, component: str, attributes: Mapping[str, Sensitive]) -> None:
        """Keep a datastore's secret attributes, encrypted."""

    async def open_operation(self, claim: Claim, action: Action, request_hash: str, now: datetime) -> int:
        """Journal an effect as planned and answer its id; StaleLease when the epoch moved."""

    async def send_operation(
        self, claim: Claim, operation: int, bucket: Bucket, live_id: str, now: datetime
    ) -> Throttle | None:
        """Take the tokens and mark the row sent, in one transaction; a Throttle means the row went back."""

    async def settle_operation(
        self, claim: Claim | None, operation: int, settlement: Settlement, now: datetime
    ) -> None:
        """Write an outcome, conditional on the operation's id alone: a fact is true whoever holds the lease."""

    async def look_operation(self, operation: int, now: datetime) -> int:
        """Count one more agreeing look that did not find an unknown create; answer the count."""

    async def save_owned(self, claim: Claim, owned: Sequence[Owned], forgotten: Sequence[str] = ()) -> None:
        """Write inventory knowledge gained without an effect; StaleLease when the epoch moved."""

    async def observe(
        self, observed: Sequence[Observed], swept: Sequence[Kind], started_at: datetime, now: datetime
    ) -> Sequence[str]:
        """Write changed snapshot rows, count absence for swept kinds, wake the tenants concerned; answer them."""

    async def swept_at(self, kind: Kind) -> datetime | None:
        """Answer when the last full sweep of a kind began (world)."""

    async def count_snapshot(self, kinds: Sequence[Kind]) -> int:
        """Count the objects of the shared picture that are not known to be gone."""

    async def meter(self, intervals: Sequence[Interval], ended: Mapping[str, datetime]) -> None:
        """Close and open ledger intervals; `ended` maps resource ids to the time of their end."""

    async def finish(self, claim: Claim, verdict: Verdict, now: datetime) -> None:
        """Write status, events, demand and next wake, and release: one transaction WHERE epoch = mine."""

    async def give_back(self, claim: Claim, due_at: datetime, error: str, now: datetime) -> None:
        """End a pass that broke: release, wake again at `due_at`; an `error` counts as one more failure."""

    async def count_recent(self, verbs: Sequence[str], since: datetime) -> int:
        """Count journal rows of these verbs sent since a world time, over all tenants (for guards)."""

    async def count_unasked(self, since: datetime) -> tuple[int, int]:
        """Count tenants that got a plan nobody asked for since a world time, and all tenants that are not purged."""

    async def read_token(self, now: datetime) -> Throttle | None:
        """Take one GET token from this process's block, or say when."""

    async def learn(self, bucket: Bucket, live_id: str, limits: Limits) -> None:
        """Believe an answer's headers where they are lower than our own count."""

    async def penalise(self, bucket: Bucket, live_id: str, until: datetime) -> None:
        """Empty a bucket until a time, after a 429."""

    async def pause(self, bucket: Bucket, until: datetime, message: str) -> None:
        """Stop a class of calls after 401, 402 or 403, to be probed again at `until`."""

    async def unpause(self, bucket: Bucket) -> None:
        """Lift a pause after a call of its class succeeded."""

    async def singleton(self, name: str, owner: str, lease_s: float) -> bool:
        """Hold or renew the lease row of a single-runner duty."""

    async def brake(self) -> tuple[Brake, str]:
        """Read the brake and its reason."""

    async def set_brake(self, brake: Brake, why: str, by: str) -> None:
        """Move the brake, audited."""

    async def rollouts(self, now: datetime) -> Sequence[RolloutState]:
        """Read every active rollout with the tenants of its Blueprint."""

    async def assign(self, names: Sequence[str], revision: int, now: datetime) -> Sequence[str]:
        """Give tenants a revision of their Blueprint and wake them as by a user; answer those that moved."""

    async def stop_rollout(self, blueprint: str, why: str) -> None:
        """Stop an active rollout: nobody moves on, new tenants get the newest revision that was not stopped."""

    async def finish_rollout(self, blueprint: str) -> None:
        """Mark an active rollout as done."""

    async def set_clock(self, now: datetime, speed: float) -> None:
        """Tell the database what time it is in the world, for its triggers; every few real seconds."""

    async def backlog(self, now: datetime) -> Backlog:
        """Read the queue's figures, for liveness and metrics."""

    async def trim(self, now: datetime) -> int:
        """Delete what is past its keeping (old journal rows, refusals, answers, idle budgets); answer how many."""

    def wakes(self) -> AsyncIterator[str]:
        """Yield tenant names as NOTIFY brings them; reconnects and probes itself, and yields "" after a gap."""


class SpecReader(Protocol):
    """Turns stored documents into core specs; the store is given one, so that it needs no knowledge of the language."""

    def tenant(self, columns: Mapping[str, Json]) -> TenantSpec:
        """Read the columns of a tenants row (`name`, `display_name`, `blueprint`, ..., `details`); Invalid if wrong."""

    def blueprint(self, name: str, document: Mapping[str, Json]) -> BlueprintSpec:
        """Read the `spec` object of a stored Blueprint revision; Invalid if wrong."""


class Resolver(Protocol):
    """Keyed hashing of secret values; the key never leaves the adapter."""

    def digest(self, context: str, text: str) -> str:
        """Answer the keyed hash of a text in its context (tenant/component/KEY)."""


class Telemetry(Protocol):
    """Where the engine says what it does: log lines by event name, and figures. Never a secret or a tenant label."""

    def log(self, event: str, **fields: object) -> None:
        """Write one structured line at info level."""

    def problem(self, event: str, **fields: object) -> None:
        """Write one structured line at warning level."""

    def passed(self, result: str, seconds: float, wake_class: str, queued_s: float) -> None:
        """Count a finished pass: result success, error, requeue or requeue_after; real seconds."""

    def operated(self, kind: str, verb: str, outcome: str) -> None:
        """Count an effect by outcome: succeeded, refused, unknown, throttled."""

    def drifted(self, kind: str, field: str, healed: bool) -> None:
        """Count a drifted field, found or healed."""

    def guarded(self, guard: str) -> None:
        """Count an effect stopped by a guard."""

    def stale(self) -> None:
        """Count a write rejected because the epoch moved."""

    def waited(self, bucket: str, world_s: float) -> None:
        """Observe the wait for a budget, world seconds."""

    def converged(self, world_s: float) -> None:
        """Observe the time from a spec change to Ready at that generation, world seconds."""
