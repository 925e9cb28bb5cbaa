"""Holds tenant and Blueprint specs after validation: frozen values that the rest of the core reads; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from reconciler.core.values import Json


class DesiredState(StrEnum):
    """What a tenant's spec asks for; one word, the same in YAML, SQL and HTTP."""

    RUNNING = "running"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class DriftPolicy(StrEnum):
    """What to do about a difference that nobody asked for in a spec."""

    HEAL = "heal"
    REPORT = "report"
    STRICT = "strict"


class ParamType(StrEnum):
    """Types a parameter may have."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


class SecretSort(StrEnum):
    """Where the value of a `sync: false` key comes from."""

    GENERATE = "generate"
    SHARED = "shared"
    PER_TENANT = "perTenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One thing a tenant may say, checked at the door."""

    type: ParamType = ParamType.STRING
    required: bool = False
    default: Json = None
    enum: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSource:
    """How a secret gets its value; `length` is the number of characters of a generated one."""

    sort: SecretSort = SecretSort.PER_TENANT
    length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What services that name neither repo nor image are built from."""

    repo: str = ""
    commit: str = ""
    branch: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The URL question that decides readiness: GET entrypoint + `path` answers below 400 within `within_s` seconds."""

    path: str = "/"
    within_s: int = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A named variation: a patch per component in render.yaml words, and a ceiling on the monthly price."""

    patch: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    max_monthly_usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How an edit reaches tenants: at most `step` of them (a share 0..1, or a count from 1) not yet Ready at once."""

    step_share: float = 0.1
    step_count: int = 0
    stop_after: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDelete:
    """What happens after `state: deleted`: suspended for `keep_for_s` seconds, Postgres exported first if asked."""

    keep_for_s: int = 7 * 24 * 3600
    export: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueprintSpec:
    """One revision of a Blueprint. `template` is the render.yaml document as parsed JSON, self-contained.

    `files` are secret files by component and file name (`secretFiles` in the document). `project` says whether
    each tenant gets a project of its own with one environment; `tenant_variables`, whether every service gets
    TENANT_SLUG and TENANT_NAME.
    """

    name: str
    template: Mapping[str, Json]
    source: Source = Source()
    entrypoint: str = ""
    ready: Ready | None = None
    params: Mapping[str, Param] = field(default_factory=dict)
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tenant_variables: bool = True
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    rollout: Rollout = Rollout()
    drift: DriftPolicy = DriftPolicy.HEAL
    on_delete: OnDelete = OnDelete()
    naming: str = "{component}-{tenant}"
    project: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """Code of the customer's own, cloned into named components before they build or start."""

    repo: str
    ref: str = ""
    path: str = ""
    components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Keeps a tenant on one revision until a date, with a reason."""

    revision: int
    until: date
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSpec:
    """The desired state of one customer. `name` is the slug; `env` and `overrides` are keyed by component or `*`.

    `names` are live names by component, for objects whose names the Blueprint's naming would not make.
    """

    name: str
    display_name: str = ""
    blueprint: str
    tier: str = ""
    region: str = ""
    state: DesiredState = DesiredState.RUNNING
    priority: int = 50
    labels: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Json] = field(default_factory=dict)
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    plugins: tuple[Plugin, ...] = ()
    overrides: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    pin: Pin | None = None
    environment: str = ""
    allow_data_loss: tuple[str, ...] = ()
