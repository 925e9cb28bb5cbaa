"""Names the things that exist in a workspace and what is remembered of each.

Instants are nanoseconds since 1970 of simulated time, 0 for "not yet". Parts that the API echoes as they are
(serviceDetails, criteria, allow lists) stay JSON. Everything here must survive a trip through JSON unchanged.
"""

from dataclasses import dataclass, field
from typing import Protocol

from reconciler.simulator.wire import Json

ELSEWHERE = {"elsewhere": True}
"""Marks a field that is not kept in the row of its thing."""


class Thing(Protocol):
    """What every kind has: an id."""

    id: str


@dataclass(slots=True)
class Service:
    """A web, private, worker, cron or static service; `details` is serviceDetails after normalisation."""

    id: str
    type: str
    name: str
    slug: str
    owner_id: str
    created_ns: int
    updated_ns: int
    root_dir: str = ""
    repo: str | None = None
    branch: str | None = None
    image_path: str | None = None
    registry_credential_id: str | None = None
    auto_deploy_trigger: str = "commit"
    build_filter: Json | None = None
    environment_id: str | None = None
    notifications: str = "default"
    preview_notifications: str = "default"
    suspenders: list[str] = field(default_factory=list)
    details: Json = field(default_factory=dict)
    disk_id: str | None = None
    variables: list[list[str]] = field(default_factory=list)  # [row id, key, value], oldest first
    files: list[list[str]] = field(default_factory=list)  # [row id, name, content], oldest first
    headers: list[Json] = field(default_factory=list)
    routes: list[Json] = field(default_factory=list)
    group_ids: list[str] = field(default_factory=list)
    deploy_ids: list[str] = field(default_factory=list)
    domain_ids: list[str] = field(default_factory=list)
    live_deploy_id: str | None = None
    running: Json | None = None  # what the instances run: image, env, files of the live deploy
    broken: str = ""  # "crash" or "down"
    autoscaled: int = 0  # running instances under autoscaling
    started_ns: int = 0  # start of the present instances
    due_ns: int = 0  # next run of a cron job
    last_run_ns: int = 0


@dataclass(slots=True)
class Deploy:
    """One deploy; `plan` holds the phases still to come as [status, length in seconds]."""

    id: str
    service_id: str
    status: str
    trigger: str
    created_ns: int
    updated_ns: int
    started_ns: int = 0
    finished_ns: int = 0
    commit: Json | None = None
    image: Json | None = None
    plan: list[list[str | float]] = field(default_factory=list)
    outcome: str = "live"
    snapshot: Json | None = None
    due_ns: int = 0
    clear_cache: bool = False
    rollback_of: str | None = None
    timed_out_s: float = 0.0  # the limit it will have run into
    unpullable: bool = False  # its image will not be there


@dataclass(slots=True)
class Disk:
    """A persistent disk of a service."""

    id: str
    service_id: str
    owner_id: str
    name: str
    mount_path: str
    size_gb: int
    created_ns: int
    updated_ns: int


@dataclass(slots=True)
class Domain:
    """A custom domain of a service."""

    id: str
    service_id: str
    name: str
    domain_type: str
    public_suffix: str
    redirect_for: str
    verified: bool
    created_ns: int
    due_ns: int = 0


@dataclass(slots=True)
class Event:
    """Something that happened to a service or datastore."""

    id: str
    type: str
    service_id: str
    service_name: str
    at_ns: int
    details: Json


@dataclass(slots=True)
class Run:
    """A one-off job or a run of a cron job."""

    id: str
    service_id: str
    cron: bool
    status: str
    created_ns: int
    command: str = ""
    plan_id: str = ""
    started_ns: int = 0
    finished_ns: int = 0
    triggered_by: str | None = None
    canceled_by: str | None = None
    due_ns: int = 0


@dataclass(slots=True)
class Postgres:
    """A Postgres primary or replica."""

    id: str
    name: str
    owner_id: str
    plan: str
    region: str
    version: str
    database: str
    user: str
    password: str
    disk_gb: int
    created_ns: int
    updated_ns: int
    status: str = "creating"
    disk_autoscaling: bool = False
    high_availability: bool = False
    allow_list: list[Json] = field(default_factory=list)
    overrides: dict[str, str] = field(default_factory=dict)
    replica_ids: list[str] = field(default_factory=list)
    primary_id: str | None = None
    letters_used: int = 1
    environment_id: str | None = None
    suspenders: list[str] = field(default_factory=list)
    connection_pool: str = "none"
    datadog: bool = False
    exports: list[Json] = field(default_factory=list)
    users: list[Json] = field(default_factory=list)
    disk_grown_ns: int = 0
    maintenance_id: str | None = None
    due_ns: int = 0


@dataclass(slots=True)
class KeyValue:
    """A Key Value (or, by its old name, Redis) instance."""

    id: str
    name: str
    owner_id: str
    plan: str
    region: str
    policy: str
    persistence: str
    password: str
    created_ns: int
    updated_ns: int
    status: str = "creating"
    allow_list: list[Json] = field(default_factory=list)
    environment_id: str | None = None
    suspenders: list[str] = field(default_factory=list)
    maintenance_id: str | None = None
    due_ns: int = 0


@dataclass(slots=True)
class Group:
    """An environment group."""

    id: str
    name: str
    owner_id: str
    created_ns: int
    updated_ns: int
    environment_id: str | None = None
    variables: list[list[str]] = field(default_factory=list)
    files: list[list[str]] = field(default_factory=list)
    service_ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Project:
    """A project."""

    id: str
    name: str
    owner_id: str
    created_ns: int
    updated_ns: int
    environment_ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Environment:
    """An environment of a project and what is in it."""

    id: str
    name: str
    owner_id: str
    project_id: str
    created_ns: int
    updated_ns: int
    protected: str = "unprotected"
    isolated: bool = False
    allow_list: list[Json] = field(default_factory=list)
    members: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Small:
    """A smaller resource that is hardly more than its JSON: `kind` says which."""

    id: str
    kind: str
    owner_id: str
    created_ns: int
    updated_ns: int
    name: str = ""
    body: Json = field(default_factory=dict)
    secret: str = ""
    due_ns: int = 0


@dataclass(slots=True)
class Delivery:
    """One event on its way to one webhook."""

    id: str
    webhook_id: str
    event_id: str
    attempt: int
    due_ns: int
    sent: list[Json] = field(default_factory=list)
    again: bool = False


@dataclass(slots=True)
class Meter:
    """What was billable of a resource since when: points of [instant, sku, quantity...] and counted uses.

    Uses grow with time, so each is kept in a row of its own (`Use`), and the meter's row without them.
    """

    id: str
    name: str
    kind: str
    created_ns: int
    points: list[list[object]] = field(default_factory=list)
    used_s: dict[str, float] = field(default_factory=dict, metadata=ELSEWHERE)  # "start:plan" -> seconds
    deleted_ns: int = 0


@dataclass(slots=True)
class Use:
    """How one use of a meter is kept; `id` is the meter's and the slot."""

    id: str
    meter_id: str
    slot: str
    seconds: float


@dataclass(slots=True)
class Ghost:
    """What is remembered of something deleted, under the end of its id: cursors that name it still have a place."""

    id: str
    key: str
    at_ns: int


@dataclass(slots=True)
class Write:
    """One accepted change: who, what, with which answer, touching which ids."""

    id: str
    seq: int
    at_ns: int
    method: str
    path: str
    status: int
    cause: str
    affected: list[str] = field(default_factory=list)
