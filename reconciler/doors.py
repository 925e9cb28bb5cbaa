"""The contract between the doors (CLI, HTTP API, console) and the records; neither knows SQL nor the engine.

Every method that changes something takes the `Actor` for the audit log and raises `Invalid` with problems that name
the field, the value and the remedy, `NotFound`, or `Taken`. Times are world time, UTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from reconciler.core.actions import Wait
from reconciler.core.errors import Problem, ReconcilerError
from reconciler.core.passes import Done, Replayed
from reconciler.core.status import Status
from reconciler.core.values import Json, Sensitive
from reconciler.ports import Brake, Hold, Operation


class Taken(ReconcilerError):
    """A name or external id belongs to another tenant, or a generation moved; `field` says which."""

    def __init__(self, message: str, *, field: str) -> None:
        """Keep the field that clashed: `name`, `display_name`, `external_id` or `generation`."""
        self.field = field
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something: `via` is cli, http, sql or console; `name` the OS user, the key's name or the role."""

    name: str
    via: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantRow:
    """A tenant as the doors see it: spec columns, status (None before the first pass), and what stands beside it.

    `fresh` says whether the status speaks of the present generation. `revision` is the assigned one, 0 if none.
    `reconciled_at` is when the last pass recorded its status (world), None before the first. The next pass is due at
    `next_at` (world, None: at once) in the class `next_class`, which is empty where none will come. `failures` counts
    passes in a row that failed, `under_way` says whether one is at work now.
    """

    number: int
    name: str
    external_id: str | None
    display_name: str
    blueprint: str
    tier: str
    state: str
    params: Mapping[str, Json]
    labels: Mapping[str, str]
    region: str | None
    priority: int
    details: Mapping[str, Json]
    generation: int
    revision: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    purge_at: datetime | None = None
    purged: bool = False
    status: Status | None = None
    fresh: bool = False
    reconciled_at: datetime | None = None
    hold: Hold | None = None
    next_at: datetime | None = None
    next_class: str = ""
    failures: int = 0
    under_way: bool = False
    resource_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPage:
    """One page of tenants and the number of all that match."""

    count: int
    rows: Sequence[TenantRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an apply did: `created`, `changed` or `unchanged`; for Blueprints `revision` is the newest one now."""

    name: str
    outcome: str
    generation: int = 0
    revision: int = 0
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueprintRow:
    """A Blueprint's revision as stored; `document` is its `spec` object."""

    name: str
    revision: int
    newest: int
    document: Mapping[str, Json]
    created_at: datetime
    created_by: str
    tenants: int = 0
    rollout: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A document that apply refused: kept so that the list of tenants shows it until a good one comes."""

    kind: str
    name: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event with its count; `id` grows with every change, so that watching is asking for ids after one."""

    id: int
    tenant: str
    reason: str
    component: str
    message: str
    warning: bool
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """Money of one group (tenant, component, blueprint, tier or label value) in a window, US dollars.

    `usd` is summed from the ledger, `usd_per_month` is the present rate, `usd_forecast` the sum until the end of
    the calendar month at that rate; `unknown` counts resources whose price the book does not know.
    """

    key: str
    usd: Decimal
    usd_per_month: Decimal
    usd_forecast: Decimal
    unknown: int = 0
    uncertainty_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanRow:
    """A live object that carries our marks and is nobody's; `usd_per_month` None when the book does not know it.

    `tenant` is whose project it lies in or for whom it was named, `why` says which. `bears_data`: data dies with it.
    """

    id: str
    kind: str
    name: str
    project: str
    tenant: str
    why: str
    usd_per_month: Decimal | None
    created_at: datetime | None
    bears_data: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A tenant's place in the create queue; `eta` (world) assumes full use of every window to come."""

    tenant: str
    position: int
    wanted: int
    started: bool
    priority: int
    since: datetime
    eta: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key without its secret; only a salted hash of that is stored."""

    id: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """Who changed what, when."""

    at: datetime
    actor: str
    via: str
    action: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRow:
    """A kept pass at a glance; `at` is the end of the newest of `count` that said the same, `first_at` of the first.

    Times are world time, `took_s` is real. `version` is the program's. `done` and `waits` are empty where another
    version kept them in another form; `summary` says the same in a line.
    """

    id: int
    tenant: str
    epoch: int
    at: datetime
    first_at: datetime
    count: int
    wake_class: str
    took_s: float
    result: str
    generation: int
    blueprint: str
    revision: int
    version: str
    summary: str
    done: Sequence[Done] = ()
    waits: Sequence[Wait] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPass:
    """A kept pass whole: its inputs and plans as they were written, and what a replay says of them."""

    row: PassRow
    document: Mapping[str, Json]
    replayed: Replayed


class Registry(Protocol):
    """The records, as doors use them."""

    async def list_tenants(
        self,
        *,
        selector: Mapping[str, str] | None = None,
        names: Sequence[str] | None = None,
        include_purged: bool = False,
        created_by: str | None = None,
        limit: int = 1000,
        offset: int = 0,
    ) -> TenantPage:
        """List tenants by number, label selector, names and maker; purged tombstones only when asked for."""

    async def get_tenant(self, id_or_name: str) -> TenantRow:
        """Find a tenant by number (all digits) or name; NotFound."""

    async def find_display_name(self, display_name: str) -> TenantRow | None:
        """Find a tenant that is not purged by display name, case-insensitive."""

    async def put_tenant(
        self, columns: Mapping[str, Json], actor: Actor, *, create_only: bool = False, generation: int | None = None
    ) -> Applied:
        """Create or change the tenant `columns['name']`: given columns replace, absent ones stay.

        `create_only` raises Taken if it exists; `generation` raises Taken if it moved. Unchanged writes nothing.
        """

    async def set_state(self, name: str, state: str, actor: Actor, *, purge_mode: str = "wait") -> TenantRow:
        """Set running, suspended or deleted; `purge_mode` of a deletion: wait (keepFor), now, or orphan."""

    async def list_blueprints(self) -> Sequence[BlueprintRow]:
        """Answer the newest revision of every Blueprint."""

    async def get_blueprint(self, name: str, revision: int | None = None) -> BlueprintRow:
        """Answer one revision, the newest by default; NotFound."""

    async def put_blueprint(self, name: str, document: Mapping[str, Json], actor: Actor) -> Applied:
        """Store a new immutable revision if the document differs from the newest; start its rollout."""

    async def reject(self, kind: str, name: str, problems: Sequence[Problem], actor: Actor) -> None:
        """Remember a refused document; a later good put of the same kind and name clears it."""

    async def rejections(self) -> Sequence[Rejection]:
        """List refused documents that have not been put right."""

    async def set_secret(self, scope: str, owner: str, key: str, value: Sensitive, actor: Actor) -> None:
        """Keep a secret; scope is `tenant` or `blueprint`, owner its name. Wakes the tenants concerned."""

    async def delete_secret(self, scope: str, owner: str, key: str, actor: Actor) -> None:
        """Forget a secret; NotFound."""

    async def list_secrets(self, scope: str, owner: str) -> Mapping[str, datetime]:
        """Answer the names and times of secrets, never values."""

    async def set_hold(self, name: str, why: str, until: datetime, actor: Actor) -> None:
        """Hands off this tenant until then."""

    async def clear_hold(self, name: str, actor: Actor) -> None:
        """Lift a hold; NotFound when there is none."""

    async def brake(self) -> tuple[Brake, str]:
        """Read the brake and its reason."""

    async def set_brake(self, brake: Brake, why: str, actor: Actor) -> None:
        """Move the brake."""

    async def reconcile(self, name: str, actor: Actor) -> str:
        """Ask for a pass now, with a deep check and refusals lifted; answer the token that status will show."""

    async def retry_rollout(self, blueprint: str, actor: Actor) -> None:
        """Let a stopped rollout go on; NotFound when none is stopped."""

    async def events(self, tenant: str | None, *, after: int = 0, limit: int = 100) -> Sequence[EventRow]:
        """Newest last; `after` an id for watching."""

    async def operations(self, tenant: str, limit: int = 50) -> Sequence[Operation]:
        """The journal of a tenant, newest first."""

    async def passes(self, tenant: str, limit: int = 20) -> Sequence[PassRow]:
        """The kept passes of a tenant, newest first."""

    async def get_pass(self, id: int) -> KeptPass:
        """One kept pass, replayed; NotFound."""

    async def costs(
        self, by: str, since: datetime, until: datetime, selector: Mapping[str, str] | None = None
    ) -> Sequence[CostRow]:
        """Sum the ledger in [since, until) by `tenant`, `component`, `kind`, `blueprint`, `tier` or `label:KEY`."""

    async def queue(self) -> Sequence[QueueRow]:
        """The create queue in its order."""

    async def orphans(self) -> Sequence[OrphanRow]:
        """What carries our marks at Render and is nobody's, as of the newest sweep, by tenant."""

    async def audit(self, limit: int = 100, subject: str | None = None) -> Sequence[AuditRow]:
        """The newest audit rows."""

    async def create_key(self, name: str, scopes: Sequence[str], actor: Actor) -> tuple[ApiKey, Sensitive]:
        """Make an API key; the secret is answered once and never stored."""

    async def find_key(self, secret: Sensitive) -> ApiKey | None:
        """Find the unrevoked key with this secret."""

    async def list_keys(self) -> Sequence[ApiKey]:
        """List keys, revoked ones too."""

    async def revoke_key(self, id_or_name: str, actor: Actor) -> None:
        """Revoke; NotFound."""

    async def remember(self, key: str, fingerprint: str) -> tuple[int, Json] | None:
        """Begin an idempotent request: None = go on; a stored answer = repeat it.

        Taken with field `body` = the key came with another fingerprint; with field `in_flight` = not answered yet.
        """

    async def answer(self, key: str, fingerprint: str, status: int, body: Json) -> None:
        """Keep the answer of an idempotent request for a day."""

    async def forget(self, key: str, fingerprint: str) -> None:
        """Drop an idempotent request that ended without an answer, so that it may be asked again."""


class Planner(Protocol):
    """What a pass would do now, without doing it; the composition root makes one of compile, diff and plan."""

    async def plan(self, name: str, columns: Mapping[str, Json] | None = None) -> Json:
        """Plan a tenant as machines read it, with `columns` (of a tenants row) put over what stands.

        A tenant that does not exist yet is planned from `columns` alone. Raises Invalid, or NotFound without columns.
        """

    async def plan_text(self, name: str, columns: Mapping[str, Json] | None = None) -> str:
        """Plan the same as people read it."""
