"""What the in-memory store keeps, shared by all replicas, and the door through which people change specs."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.core.inventory import Owned
from reconciler.core.kinds import Bucket, Kind
from reconciler.core.observed import Observed
from reconciler.core.passes import Kept
from reconciler.core.spec import BlueprintSpec, TenantSpec
from reconciler.core.status import Event, Status
from reconciler.core.values import Json, Sensitive
from reconciler.ports import Brake, Demand, Hold, Interval, Operation, OperationState, Refusal, SpecReader, WakeClass

EPOCH = datetime.fromtimestamp(0, UTC)
RANK = {WakeClass.DRIFT: 0, WakeClass.SETTLE: 1, WakeClass.RETRY: 2, WakeClass.USER: 3}
TICK_S = 0.001
EXTRAPOLATED_S = 120.0
"""So long (real) a world that runs faster than the machine is believed to go on."""
COUNTED = ("display_name", "tier", "state", "params", "labels", "region", "priority", "details")
"""The columns that the generation counts."""


@dataclass(slots=True)
class Tenant:
    """A row of the tenants table."""

    number: int
    columns: dict[str, Json]
    generation: int
    revision: int
    created_at: datetime
    generation_at: datetime
    deleted_at: datetime | None = None
    deleted_generation: int | None = None
    purge_at: datetime | None = None
    purge_mode: str = "wait"
    purged_at: datetime | None = None
    token: str = ""
    read: TenantSpec | None = None
    """The columns as the reader read them, for this generation."""


@dataclass(slots=True)
class Queued:
    """A row of the queue. `lease_until` and `queued_at` are real seconds, `due_at` is world time."""

    queued_at: float
    wake_seq: int = 1
    handled_seq: int = 0
    wake_class: WakeClass = WakeClass.USER
    due_at: datetime = EPOCH
    owner: str = ""
    lease_until: float | None = None
    epoch: int = 0
    failures: int = 0

    def leased(self, real_s: float) -> bool:
        return self.lease_until is not None and self.lease_until >= real_s


@dataclass(slots=True)
class JournalRow:
    """A row of the journal; `value` is what the engine sees of it."""

    value: Operation
    tenant: str
    bucket: Bucket
    epoch: int
    generation: int
    sent_real_s: float | None = None
    window_start: datetime | None = None
    planned_at: datetime = EPOCH
    settled_at: datetime | None = None


@dataclass(slots=True)
class Seen:
    """A row of the picture of Render."""

    observed: Observed
    absent_sweeps: int = 0
    gone: bool = False


@dataclass(slots=True)
class Held:
    """A row of the inventory; what was observed of it lies in the picture."""

    tenant: str
    owned: Owned


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRow:
    """A row of the budget."""

    window_start: datetime | None = None
    used: int = 0
    limit_seen: int | None = None
    penalty_until: datetime | None = None
    paused_until: datetime | None = None
    message: str = ""


@dataclass(slots=True)
class Blueprint:
    """A Blueprint with its revisions, its keepFor and its rollout."""

    revisions: list[BlueprintSpec] = field(default_factory=list)
    halted: set[int] = field(default_factory=set)
    rollout: int = 0
    """The revision that an active rollout leads to, 0 if there is none."""
    started_at: datetime = EPOCH


@dataclass(slots=True)
class Told:
    """A row of the events: how often, and what was said last."""

    event: Event
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A kept pass; one that said the same as the one before it is counted with that."""

    kept: Kept
    epoch: int
    fingerprint: str
    first_at: datetime
    at: datetime
    count: int = 1


@dataclass(frozen=True, slots=True)
class Clock:
    """What the world's clock said at a moment of real time, and how fast it runs."""

    world_at: datetime
    real_s: float
    speed: float


@dataclass(frozen=True, slots=True)
class Billed:
    """A closed interval of the ledger; an interval never begins before the one before it ended."""

    interval: Interval
    started_at: datetime
    ended_at: datetime
    end_uncertainty_s: float


class Database:
    """The tables. `real` answers the machine's time in seconds, `world` Render's, which nobody here reads but `now`."""

    def __init__(self, reader: SpecReader, real: Callable[[], float], world: Callable[[], datetime]) -> None:
        self.reader, self.real, self.world = reader, real, world
        self.blueprints: dict[str, Blueprint] = {}
        self.tenants: dict[str, Tenant] = {}
        self.queue: dict[str, Queued] = {}
        self.status: dict[str, Status] = {}
        self.events: dict[tuple[str, str, str], Told] = {}
        self.passes: dict[str, list[Explained]] = {}
        """What is kept of each tenant's passes, the newest last."""
        self.demand: dict[str, Demand] = {}
        self.journal: dict[int, JournalRow] = {}
        self.open: dict[tuple[str, str], int] = {}
        """The journal row that is open for a component: at most one."""
        self.refusals: dict[tuple[str, str, str, int], Refusal] = {}
        self.inventory: dict[str, Held] = {}
        self.picture: dict[str, Seen] = {}
        self.sweeps: dict[Kind, datetime] = {}
        self.budget: dict[tuple[Bucket, str], BucketRow] = {}
        self.broken: dict[Bucket, tuple[datetime, str]] = {}
        """The circuit breakers that are open: until when, and why."""
        self.deep: tuple[datetime, int] = (EPOCH, 0)
        """The calls of deep checks in a minute of the world."""
        self.singletons: dict[str, tuple[str, float]] = {}
        self.secrets: dict[tuple[str, str, str], Sensitive] = {}
        self.connections: dict[tuple[str, str], Mapping[str, Sensitive]] = {}
        self.ledger: dict[str, tuple[Interval, datetime]] = {}
        self.billed: list[Billed] = []
        self.holds: dict[str, Hold] = {}
        self.brake: tuple[Brake, str] = (Brake.NORMAL, "")
        self.brake_at: datetime | None = None
        self.audit: list[tuple[str, str, str]] = []
        """Who moved the brake, where to, and why."""
        self.clock: Clock | None = None
        self.finished: Callable[[str, int], None] | None = None
        """Called with a tenant and the generation that a status about to be written speaks of."""
        self.bell = asyncio.Event()
        self.listeners: list[dict[str, None]] = []
        """For each listener the names of those woken that it has not been told yet."""
        self._operations = 0

    # ------------------------------------------------------------ world time

    def now(self) -> datetime:
        """Answer the world's time as a replica told it last; a fast world stands still once nobody tells it."""
        if self.clock is None:
            return self.world()
        ago_s = self.real() - self.clock.real_s
        if self.clock.speed != 1.0:
            ago_s = min(ago_s, EXTRAPOLATED_S)
        return self.clock.world_at + timedelta(seconds=self.clock.speed * ago_s)

    def overdue_s(self, row: Queued, now: datetime) -> float:
        """Answer for how many real seconds a tenant has been due."""
        if row.wake_seq > row.handled_seq:
            return max(0.0, self.real() - row.queued_at)
        speed = self.clock.speed if self.clock is not None else 1.0
        return max(0.0, (now - row.due_at).total_seconds() / (speed or 1.0))

    # ------------------------------------------------------------ wake-ups

    def ring(self, names: Sequence[str] = ()) -> None:
        """Tell every listener, as NOTIFY does at commit."""
        for heard in self.listeners:
            heard.update(dict.fromkeys(names))
        self.bell.set()
        self.bell = asyncio.Event()

    def wake(self, names: Sequence[str], wake_class: WakeClass) -> list[str]:
        """Make tenants dirty and due at once."""
        woken = [name for name in sorted(set(names)) if name in self.queue]
        for name in woken:
            row = self.queue[name]
            dirty = row.wake_seq > row.handled_seq
            if not (dirty and RANK[row.wake_class] > RANK[wake_class]):
                row.wake_class = wake_class
            row.queued_at = row.queued_at if dirty else self.real()
            row.wake_seq += 1
            row.due_at = EPOCH
        if woken:
            self.ring(woken)
        return woken

    def next_due_s(self) -> float | None:
        """Answer in how many seconds the next tenant is due or the lease on one ends (worlds run at real speed)."""
        real_s, now = self.real(), self.world()
        return min(
            (
                row.lease_until - real_s + TICK_S
                if row.lease_until is not None and row.leased(real_s)
                else (row.due_at - now).total_seconds()
                for row in self.queue.values()
            ),
            default=None,
        )

    # ------------------------------------------------------------ the door for people

    def put_blueprint(self, spec: BlueprintSpec) -> int:
        """Accept a Blueprint's edit as its next revision, and start leading tenants to it."""
        kept = self.blueprints.setdefault(spec.name, Blueprint())
        kept.revisions.append(spec)
        newest = len(kept.revisions)
        behind = [t for t in self.tenants.values() if t.columns["blueprint"] == spec.name and t.purged_at is None]
        kept.rollout = newest if any(t.revision != newest for t in behind) else 0
        kept.started_at = self.now()
        return newest

    def put_tenant(self, **columns: Json) -> None:
        """Sign a tenant up, or change what is given of it."""
        name = str(columns["name"])
        row = self.tenants.get(name)
        if row is None:
            self._insert(name, columns)
            return
        if row.purged_at is not None:
            return
        changed = {key: value for key, value in columns.items() if row.columns.get(key) != value}
        if not changed or (row.purge_at is not None and row.purge_at <= self.now()):
            return
        row.columns.update(changed)
        if changed.keys() & set(COUNTED):
            row.generation += 1
            row.generation_at = self.now()
            row.read = None
        self._date_deletion(row)
        self.wake([name], WakeClass.USER)

    def _insert(self, name: str, columns: Mapping[str, Json]) -> None:
        now = self.now()
        blank: dict[str, Json] = {"external_id": None, "display_name": None, "tier": None, "state": "running"}
        blank |= {"params": {}, "labels": {}, "region": None, "priority": 50, "details": {}}
        kept = self.blueprints[str(columns["blueprint"])]
        fit = [number for number in range(1, len(kept.revisions) + 1) if number not in kept.halted]
        revision = fit[-1] if fit else len(kept.revisions)
        self.tenants[name] = Tenant(
            number=len(self.tenants) + 1, columns=blank | dict(columns), generation=1, revision=revision,
            created_at=now, generation_at=now,
        )  # fmt: skip
        self._date_deletion(self.tenants[name])
        self.queue[name] = Queued(queued_at=self.real())
        self.ring([name])

    def _date_deletion(self, row: Tenant) -> None:
        """Keep the time of purging as the trigger of the SQL contract does."""
        if row.columns["state"] != "deleted":
            row.deleted_at = row.deleted_generation = row.purge_at = None
            row.purge_mode = "wait"
        elif row.deleted_at is None:
            row.deleted_at, row.deleted_generation = self.now(), row.generation
            keep_s = self.blueprints[str(row.columns["blueprint"])].revisions[-1].on_delete.keep_for_s
            row.purge_at = row.deleted_at + timedelta(seconds=keep_s if row.purge_mode == "wait" else 0)

    def purge_now(self, name: str, mode: str = "now") -> None:
        """Delete a tenant without waiting (`now`), or forget its stack and leave it (`orphan`)."""
        row = self.tenants[name]
        if row.purged_at is not None:
            return
        row.purge_mode = mode
        if row.columns["state"] == "deleted":
            row.purge_at = min(row.purge_at or self.now(), self.now())
            self.wake([name], WakeClass.USER)
        else:
            self.put_tenant(name=name, state="deleted")

    def ask(self, name: str, token: str) -> None:
        """Ask for a pass now, with a deep check and refusals lifted."""
        row = self.tenants.get(name)
        if row is None or row.purged_at is not None:
            return
        row.token = token
        self.refusals = {key: refusal for key, refusal in self.refusals.items() if key[0] != name}
        self.wake([name], WakeClass.USER)

    def hold(self, name: str, until: datetime) -> None:
        """Hands off one tenant until then."""
        self.holds[name] = Hold(by="person", why="looking", until=until)
        self.wake([name], WakeClass.USER)

    def next_operation(self) -> int:
        """Number a journal row."""
        self._operations += 1
        return self._operations

    def creates(self, window_start: datetime) -> int:
        """Count the journal's creates of a window: what never reached Render or met its 429 costs nothing."""
        return sum(
            row.bucket is Bucket.CREATE
            and row.window_start == window_start
            and row.value.state is not OperationState.PLANNED
            and not _uncounted(row.value)
            for row in self.journal.values()
        )

    def see(self, id: str, **changes: Any) -> None:
        """Change columns of an inventory row."""
        held = self.inventory[id]
        held.owned = replace(held.owned, **changes)


def _uncounted(operation: Operation) -> bool:
    """Say whether an effect never reached Render's counter; of a verdict after look-ups nobody knows."""
    never = operation.state is OperationState.NEVER_HAPPENED and not operation.looks
    return never and operation.status in (0, 429)
