"""Describes answers for /docs and for generated clients; `views` writes them, and tests hold the two together.

Nothing is validated by these at run time: an answer is never withheld because its description is behind.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

Document = dict[str, JsonValue]
Dollars = str | None
"""US dollars as text, null where the price book knows no price."""


class Shape(BaseModel):
    """What all of /v1 has in common: camelCase names."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Metadata(Shape):
    """Who a tenant is, and what is known of the record."""

    name: str
    labels: dict[str, str] = Field(default_factory=dict)
    number: int
    generation: int = Field(description="Counts edits of the spec; the ETag.")
    external_id: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    purge_at: datetime | None = Field(description="Set while the state is deleted; until then running undoes it.")
    purged: bool


class HoldShape(Shape):
    """Hands off a tenant until a time."""

    by: str
    why: str
    until: datetime


class NextPass(Shape):
    """When a tenant is looked at next, and why; `failures` counts passes in a row that failed."""

    at: datetime | None = Field(description="Null: at once.")
    wake_class: str = Field(alias="class")
    failures: int
    under_way: bool


class ConditionShape(Shape):
    """A condition as in Kubernetes."""

    type: Literal["Ready", "Synced", "Drifted"]
    status: str
    reason: str
    message: str
    last_transition_time: datetime
    observed_generation: int


class ComponentShape(Shape):
    """How one component stands."""

    component: str
    kind: str
    name: str
    id: str
    url: str
    state: str
    healthy: bool
    since: datetime | None
    monthly_usd: Dollars


class StatusShape(Shape):
    """How a tenant stands; all but the first seven are there from its first pass on."""

    phase: str = Field(description="Never that of an older generation: Pending until the spec was acted on.")
    fresh: bool = Field(description="Whether the rest speaks of the present generation.")
    revision: int
    resource_ids: dict[str, str]
    reconciled_at: datetime | None
    hold: HoldShape | None
    next_pass: NextPass | None = Field(description="Null where none will come.")
    reported_phase: str = ""
    observed_generation: int = 0
    observed_revision: int = 0
    why: str = Field(default="", description="Why it is so.")
    you: str = Field(default="", description="What a person must do; `nothing to do` when nothing.")
    next: str = ""
    url: str = ""
    eta: datetime | None = None
    up: int = 0
    total: int = 0
    monthly_usd: Dollars = None
    monthly_usd_desired: Dollars = None
    drift: list[str] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    ready_since: datetime | None = None
    generation_since: datetime | None = None
    handled_token: str = Field(default="", description="The newest reconcile request that was worked off.")
    details: dict[str, str] = Field(default_factory=dict)
    conditions: list[ConditionShape] = Field(default_factory=list)
    components: list[ComponentShape] = Field(default_factory=list)


class TenantShape(Shape):
    """A tenant: what can be applied again, and its status."""

    api_version: Literal["reconciler/v1"]
    kind: Literal["Tenant"]
    metadata: Metadata
    spec: Document
    status: StatusShape


class AppliedTenant(TenantShape):
    """A tenant after a write."""

    outcome: Literal["created", "changed", "unchanged"]
    warnings: list[str]


class TenantList(Shape):
    """One page of tenants and the number of all that match."""

    count: int
    items: list[TenantShape]


class Revision(Shape):
    """Which revision of a Blueprint this is."""

    name: str
    revision: int
    newest_revision: int
    created_by: str
    created_at: datetime


class RolloutStatus(Shape):
    """How far a revision is."""

    tenants: int
    rollout: str


class BlueprintShape(Shape):
    """A revision of a Blueprint."""

    api_version: Literal["reconciler/v1"]
    kind: Literal["Blueprint"]
    metadata: Revision
    spec: Document
    status: RolloutStatus


class AppliedBlueprint(BlueprintShape):
    """A Blueprint after a write."""

    outcome: Literal["created", "changed", "unchanged"]
    warnings: list[str]


class BlueprintList(Shape):
    """The newest revisions."""

    count: int
    items: list[BlueprintShape]


class RetriedRollout(Shape):
    """A rollout that goes on."""

    blueprint: str
    revision: int
    rollout: str


class EventShape(Shape):
    """Something that happened; one row for each tenant, reason and component, counted."""

    id: int = Field(description="Grows with every change: ask for those after it to watch.")
    tenant: str
    reason: str
    component: str
    message: str
    warning: bool
    count: int
    first_at: datetime
    last_at: datetime


class EventList(Shape):
    """Events, newest last."""

    items: list[EventShape]


class OperationShape(Shape):
    """One effect on Render, as journalled."""

    id: int
    state: str
    verb: str
    component: str
    kind: str
    name: str
    live_id: str
    request_hash: str
    sent_at: datetime | None
    sent_ago_seconds: float | None
    looks: int
    looked_at: datetime | None
    environment_id: str
    summary: str


class OperationList(Shape):
    """Effects, newest first."""

    items: list[OperationShape]


class CostShape(Shape):
    """Money of one group in a window."""

    key: str
    usd: str
    usd_per_month: str
    usd_forecast: str
    unknown_prices: int
    uncertainty_seconds: float


class CostList(Shape):
    """Sums by group, in [since, until)."""

    since: datetime
    until: datetime
    by: str
    currency: Literal["USD"]
    items: list[CostShape]


class TenantCosts(Shape):
    """What one tenant cost in [since, until), and what its components cost now."""

    since: datetime
    until: datetime
    total: CostShape | None
    components: list[ComponentShape]


class PlaceShape(Shape):
    """A tenant's place in the queue for creates."""

    position: int
    tenant: str
    wanted: int
    started: bool
    priority: int
    since: datetime
    eta: datetime | None


class Queue(Shape):
    """The queue for creates, in order."""

    items: list[PlaceShape]


class OrphanShape(Shape):
    """A live object that carries our marks and is nobody's."""

    id: str
    kind: str
    name: str
    project: str
    tenant: str
    why: str
    usd_per_month: str | None
    created_at: datetime | None
    bears_data: bool


class OrphanList(Shape):
    """What nobody owns, by tenant."""

    items: list[OrphanShape]


class SecretName(Shape):
    """A secret that is set."""

    key: str
    set_at: datetime


class SecretNames(Shape):
    """Names of secrets, never values."""

    items: list[SecretName]


class ReconcileToken(Shape):
    """A pass that was asked for."""

    tenant: str
    token: str


class BrakeShape(Shape):
    """Where the brake stands."""

    brake: Literal["normal", "observe", "stop"]
    why: str


class RejectionList(Shape):
    """Refused documents, as tenants or Blueprints that are Invalid."""

    items: list[Document]


class AuditShape(Shape):
    """Who changed what, when."""

    at: datetime
    actor: str
    via: str
    action: str
    subject: str
    detail: str


class AuditList(Shape):
    """Changes, newest first."""

    items: list[AuditShape]


class KeyShape(Shape):
    """An API key without its secret."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None


class MadeKey(KeyShape):
    """A new key with its secret, which is shown once."""

    secret: str


class KeyList(Shape):
    """All keys."""

    items: list[KeyShape]


class Probe(Shape):
    """What a probe found."""

    status: Literal["ok", "failing"]
    reasons: list[str]


class WebhookOutcome(Shape):
    """What became of a webhook."""

    outcome: Literal["accepted", "repeated", "unowned"]
