"""Holds actions: what one API effect will do, as a value that plans print and the engine runs; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from reconciler.core.kinds import Bucket, Kind
from reconciler.core.values import Json, Value


class Verb(StrEnum):
    """The closed set of effects the engine can have on Render, one API call each.

    Payload (`Action.payload`) by verb; `id` is the live id of the object acted on:

    create             fields of core.observed that apply (+ `environmentId`, `projectId`; a project also takes
                       `environment`: the name of its one environment); `values` = env, `files` = secret files
    update             changed fields only (PATCH of service, Postgres, Key Value; `name` for others)
    scale              {numInstances}
    set-autoscaling    {min, max, cpu, memory}  percent or null
    remove-autoscaling -
    set-env            `values` = variables to set, `removes` = keys to delete; every other key stays
    set-files          the same for secret files (`files`)
    set-group-var      `values` of exactly one key            remove-group-var  `removes` of exactly one key
    link-group         {serviceId}: id is the group           unlink-group      {serviceId}
    add-disk           {name, mountPath, sizeGB}              change-disk {diskId, ...}   remove-disk {diskId}
    add-domain         {name}                                 remove-domain {name}
    set-headers        {headers: [[path, name, value]]}       the whole list that shall stand
    set-routes         {routes: [[type, source, destination]]}
    move               {resourceIds}: id is the environment
    deploy             {commitId?, clearCache?}
    run-job            {startCommand}
    suspend, resume, delete, export   -
    """

    CREATE = "create"
    UPDATE = "update"
    SCALE = "scale"
    SET_AUTOSCALING = "set-autoscaling"
    REMOVE_AUTOSCALING = "remove-autoscaling"
    SET_ENV = "set-env"
    SET_FILES = "set-files"
    SET_GROUP_VAR = "set-group-var"
    REMOVE_GROUP_VAR = "remove-group-var"
    LINK_GROUP = "link-group"
    UNLINK_GROUP = "unlink-group"
    ADD_DISK = "add-disk"
    CHANGE_DISK = "change-disk"
    REMOVE_DISK = "remove-disk"
    ADD_DOMAIN = "add-domain"
    REMOVE_DOMAIN = "remove-domain"
    SET_HEADERS = "set-headers"
    SET_ROUTES = "set-routes"
    MOVE = "move"
    DEPLOY = "deploy"
    RUN_JOB = "run-job"
    SUSPEND = "suspend"
    RESUME = "resume"
    DELETE = "delete"
    EXPORT = "export"


class WaitReason(StrEnum):
    """Why an action does not run now."""

    DEPENDENCY = "Dependency"
    BUDGET = "Budget"
    OPERATION = "OperationOpen"
    HELD = "Held"
    BRAKE = "Brake"
    SECRET = "SecretMissing"
    REFUSED = "Refused"
    DENIED = "Denied"
    SUSPENDED = "Suspended"
    SUSPENDED_BY_RENDER = "SuspendedByRender"
    DEPLOY = "DeployInProgress"
    GUARD = "Guard"
    CONFLICT = "Conflict"
    IMMUTABLE = "Immutable"
    DATA_LOSS = "DataLoss"
    CONFIRMATION = "AbsenceUnproven"
    RETRY = "Backoff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One thing that an action, or the whole tenant, waits for; `message` is a phrase like `postgres db`."""

    reason: WaitReason
    message: str
    component: str = ""
    since: datetime | None = None
    until: datetime | None = None
    you: str = ""
    """What a person must do to end the wait; empty when nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field-level difference as people read it; secrets and variables show only their names.

    `before`/`after` are display text (`starter`, `1`, `set`, `absent`); `asked` is False for drift.
    """

    field: str
    before: str
    after: str
    asked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One API effect, complete but for the secrets that are filled in when it is sent.

    `marks` are the entries that `Known.applied` gains when it succeeds, `unmarks` those it loses.
    `needs_deploy` marks the service dirty once done. `usd_before`/`usd_after` are monthly prices, None when
    unknown to the price book. `notes` are phrases about consequences (`restarts, about 1 min down`).
    """

    verb: Verb
    component: str
    kind: Kind
    name: str
    id: str = ""
    payload: Mapping[str, Json] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)
    files: Mapping[str, Value] = field(default_factory=dict)
    removes: tuple[str, ...] = ()
    marks: Mapping[str, str] = field(default_factory=dict)
    unmarks: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    reason: str = ""
    bucket: Bucket = Bucket.WRITE
    needs_deploy: bool = False
    usd_before: Decimal | None = None
    usd_after: Decimal | None = None
    notes: tuple[str, ...] = ()
    wave: int = 1
    waits: tuple[Wait, ...] = ()

    @property
    def ready(self) -> bool:
        """Say whether nothing stands in the way, budgets aside."""
        return not self.waits
