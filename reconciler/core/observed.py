"""Says what a live Render object looks like to us, normalised so that equal things compare equal; pure.

Field names are those of the API's answers, flattened: `plan`, `region`, `runtime`, `repo`, `branch`,
`rootDir`, `imagePath`, `registryCredential`, `buildCommand`, `startCommand`, `dockerCommand`,
`dockerContext`, `dockerfilePath`, `preDeployCommand`, `healthCheckPath`, `maxShutdownDelaySeconds`,
`maintenanceMode`, `autoDeployTrigger`, `buildFilter`, `schedule`, `publishPath`, `ipAllowList`,
`renderSubdomainPolicy`, `previews`, `numInstances`, `autoscaling`, `disk` (services); `version`,
`databaseName`, `databaseUser`, `diskSizeGB`, `diskAutoscalingEnabled`, `highAvailabilityEnabled`,
`readReplicas`, `connectionPool`, `parameterOverrides` (Postgres); `maxmemoryPolicy`, `persistenceMode`
(Key Value); `links` (env groups: sorted service ids).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from reconciler.core.kinds import Kind
from reconciler.core.values import Json, Sensitive


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One live object as Render last reported it.

    `suspenders` is empty while it runs (a suspended Key Value counts as suspended by `user`: Render
    API 3.14 has no such field there). `attributes` are the plain live attributes that references need.
    Times are world time, UTC.
    """

    id: str
    kind: Kind
    name: str
    fields: Mapping[str, Json]
    environment_id: str | None = None
    status: str = ""
    suspenders: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    seen_at: datetime


FINE = frozenset({"available", "maintenance_scheduled"})
"""Statuses of a datastore that works (Render API 3.13.3, 3.14)."""


class DeployState(StrEnum):
    """What a deploy's status means to us (Render API 3.9)."""

    PROGRESSING = "progressing"
    LIVE = "live"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    CANCELED = "canceled"


DEPLOY_STATES = {
    "created": DeployState.PROGRESSING,
    "queued": DeployState.PROGRESSING,
    "build_in_progress": DeployState.PROGRESSING,
    "pre_deploy_in_progress": DeployState.PROGRESSING,
    "update_in_progress": DeployState.PROGRESSING,
    "live": DeployState.LIVE,
    "deactivated": DeployState.SUPERSEDED,
    "build_failed": DeployState.FAILED,
    "pre_deploy_failed": DeployState.FAILED,
    "update_failed": DeployState.FAILED,
    "canceled": DeployState.CANCELED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """One deploy of a service; `id` is empty for a queued one whose reply (202) carried none, `commit` for an image."""

    id: str
    status: str
    trigger: str = ""
    created_at: datetime | None = None
    finished_at: datetime | None = None
    commit: str = ""

    @property
    def state(self) -> DeployState:
        """Fold the status; an unheard-of word counts as progressing, and its deadline will catch it."""
        return DEPLOY_STATES.get(self.status, DeployState.PROGRESSING)


class Part(StrEnum):
    """What a service has many of and each can be asked for by name; the value is Render's word in paths."""

    VARIABLE = "env-vars"
    FILE = "secret-files"
    DOMAIN = "custom-domains"


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A custom domain as Render shows it; `redirect_for` names the twin of an apex/www pair."""

    name: str
    verified: bool = False
    redirect_for: str = ""


Rule = tuple[str, ...]
"""A header (path, name, value) or a route (type, source, destination)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What lists do not show of one object, read by a deep check; None means this kind has no such thing."""

    env: Mapping[str, Sensitive] | None = None
    files: Mapping[str, Sensitive] | None = None
    domains: tuple[Domain, ...] | None = None
    headers: tuple[Rule, ...] | None = None
    routes: tuple[Rule, ...] | None = None
    deploy: Deploy | None = None
    fields: Mapping[str, Json] = field(default_factory=dict)
    connection: Mapping[str, Sensitive] = field(default_factory=dict)


PLAN_ALIASES = {
    "0.5c-512mb": "starter",
    "1c-2g": "standard",
    "2c-4g": "pro",
    "4c-8g": "pro_plus",
    "4c-16g": "pro_max",
    "8c-32g": "pro_ultra",
}
POSTGRES_PLAN_ALIASES = {
    "0.1c-256mb": "basic_256mb",
    "0.5c-1g": "basic_1gb",
    "2c-4g": "basic_4gb",
    "1c-4g": "pro_4gb",
    "2c-8g": "pro_8gb",
    "2c-16g": "accelerated_16gb",
}
KEY_VALUE_PLAN_ALIASES = {
    "256mb": "starter",
    "1g": "standard",
    "5g": "pro",
    "10g": "pro_plus",
    "20g": "pro_max",
    "40g": "pro_ultra",
}
"""Plan ids since 28 Aug 2026 -> older names (Render API 8.1)."""


@lru_cache(maxsize=4096)
def canonical_plan(kind: Kind, plan: str) -> str:
    """Fold spelling (`pro plus`, `basic-256mb`, `1c-2g`) into the name answers used to carry."""
    aliases = {Kind.POSTGRES: POSTGRES_PLAN_ALIASES, Kind.KEY_VALUE: KEY_VALUE_PLAN_ALIASES}.get(kind, PLAN_ALIASES)
    lowered = plan.strip().lower()
    # Plans named by CPU and memory (`2c-8g`) keep their dash: it is part of Render's id.
    return aliases.get(lowered, lowered if lowered[:1].isdigit() else lowered.replace(" ", "_").replace("-", "_"))


def canonical_image(path: str) -> str:
    """Write an image reference as Render reports it: registry, repository and tag or digest (Render API 3.5)."""
    registry, _, rest = path.partition("/")
    named = bool(rest) and ("." in registry or ":" in registry or registry == "localhost")
    if not named:
        registry, rest = "docker.io", path if "/" in path else f"library/{path}"
    elif registry == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    tagged = "@" in rest or ":" in rest.rsplit("/", 1)[-1]
    return f"{registry}/{rest}" if tagged else f"{registry}/{rest}:latest"


def canonical_repo(url: str) -> str:
    """Write a repository's URL without what makes no difference: case, a slash or `.git` at its end."""
    return url.rstrip("/").removesuffix(".git").lower()


def canonical_allow_list(value: Json) -> Json:
    """Fold null and [] into [], and sort entries: order has no meaning (Render API 3.13.3, 3.14)."""
    if not isinstance(value, list):
        return []
    entries = [
        (str(entry.get("cidrBlock", "")), str(entry.get("description") or ""))
        for entry in value
        if isinstance(entry, dict)
    ]
    return [{"cidrBlock": block, "description": description} for block, description in sorted(entries)]
