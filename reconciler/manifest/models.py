"""Holds the pydantic models of the two documents: fields, defaults, descriptions; what a template says is core's."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from reconciler.core.spec import DesiredState, DriftPolicy, ParamType
from reconciler.manifest.types import (
    Commit,
    ComponentName,
    Domain,
    Duration,
    EnvKey,
    EnvLayer,
    Folder,
    GitRef,
    GitUrl,
    LabelKey,
    LabelValue,
    Line,
    Naming,
    ParamName,
    Region,
    Slug,
    Step,
    TierName,
    UrlPath,
    refuse,
)

API_VERSION = "reconciler/v1"
GENERATED_MIN, GENERATED_MAX = 8, 1024
Patch = dict[ComponentName, dict[str, JsonValue]]


def _scalar(value: JsonValue) -> JsonValue:
    if isinstance(value, dict | list):
        raise refuse("must be text, a number, true or false")
    return value


Scalar = Annotated[
    JsonValue, AfterValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
]


class Model(BaseModel):
    """What every part of a document has in common: camelCase names, no unknown fields, no silent conversions."""

    # Models are validated from JSON only, never called: a snake_case spelling must stay an unknown field.
    model_config: ClassVar[ConfigDict] = ConfigDict(  # type: ignore[pydantic-alias]
        alias_generator=to_camel, extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


class Metadata(Model):
    """Who a document is about."""

    name: Slug = Field(description="The name; immutable. It becomes part of every live name.")
    labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, description="Words to select and to group costs by; they change nothing else."
    )


class SourceModel(Model):
    """What services that name neither repo nor image are built from: `repo` and `commit` or `branch`, or `image`."""

    repo: GitUrl | None = Field(default=None, description="Git repository, https or ssh.")
    commit: Commit | None = Field(
        default=None, description="Commit to build: code is then part of the revision, and auto-deploys are off."
    )
    branch: GitRef | None = Field(default=None, description="Branch to follow: Render then deploys on every push.")
    image: Line | None = Field(default=None, description="Container image, instead of a repository.")

    @model_validator(mode="after")
    def _one_source(self) -> "SourceModel":
        if self.image is not None and (self.repo or self.commit or self.branch):
            raise refuse("names both an image and a repository", "keep one of the two")
        if self.image is None and self.repo is None:
            raise refuse("names neither repo nor image", "add one of the two")
        if self.repo is not None and (self.commit is None) == (self.branch is None):
            raise refuse("must name one of commit and branch beside repo", "keep or add one")
        return self


class ReadyModel(Model):
    """When a tenant counts as Ready: its entrypoint's URL + `path` answers below 400."""

    path: UrlPath = Field(default="/", description="Path asked for, on the entrypoint's URL.")
    within: Duration = Field(default="15m", description="How long that may take before the tenant is Degraded.")


class ParamModel(Model):
    """One thing a tenant may say."""

    type: ParamType = Field(default=ParamType.STRING, description="Type of the value.")
    required: bool = Field(default=False, description="Whether every tenant must say it.")
    default: Scalar = Field(default=None, description="Value for tenants that do not say it.")
    enum: list[Scalar] = Field(default_factory=list, description="The only values allowed, if any are listed.")

    @model_validator(mode="after")
    def _fits(self) -> "ParamModel":
        for value in (self.default, *self.enum):
            if value is not None and not fits(self.type, value):
                raise refuse(f"default and enum must be of type {self.type}", "change the type or the value")
        if self.default is not None and self.enum and self.default not in self.enum:
            raise refuse("the default is not among enum", "add it to enum or choose another")
        if self.required and self.default is not None:
            raise refuse("a required parameter needs no default", "remove required or default")
        return self


def fits(sort: ParamType, value: JsonValue) -> bool:
    """Say whether a value is of a parameter's type; true and false are not numbers here."""
    types: dict[ParamType, type | tuple[type, ...]] = {
        ParamType.STRING: str,
        ParamType.INTEGER: int,
        ParamType.NUMBER: (int, float),
        ParamType.BOOLEAN: bool,
    }
    return isinstance(value, types[sort]) and (sort is ParamType.BOOLEAN or not isinstance(value, bool))


class SecretModel(Model):
    """Where a `sync: false` key gets its value from; exactly one of the three."""

    generate: int | None = Field(
        default=None,
        ge=GENERATED_MIN,
        le=GENERATED_MAX,
        description="Made by the operator with this many characters, once per tenant, the same for all components.",
    )
    shared: Literal[True] | None = Field(
        default=None, description="One for all tenants: reconciler secret set --blueprint NAME KEY"
    )
    per_tenant: Literal[True] | None = Field(
        default=None, description="One per tenant: reconciler secret set TENANT KEY. The default; blocks until given."
    )

    @model_validator(mode="after")
    def _one_sort(self) -> "SecretModel":
        if sum(one is not None for one in (self.generate, self.shared, self.per_tenant)) != 1:
            raise refuse("must say exactly one of generate, shared and perTenant", "write for example {generate: 50}")
        return self


class TierModel(Model):
    """A named variation of the Blueprint."""

    patch: Patch = Field(
        default_factory=dict, description="Changes in render.yaml words, by component: backend: {plan: standard}."
    )
    max_monthly_usd: float | None = Field(
        default=None, ge=0, description="Refuses a revision whose stack would cost more a month; never a customer."
    )


class RolloutModel(Model):
    """How an accepted edit reaches the tenants."""

    step: Step = Field(default="10%", description="How many tenants change at once: a share such as 10%, or a number.")
    stop_after: int = Field(default=1, ge=1, description="How many failed tenants stop the rollout.")


class OnDeleteModel(Model):
    """What happens after a tenant's state becomes deleted."""

    keep_for: Duration = Field(default="7d", description="How long the stack stays suspended before it is purged.")
    export: bool = Field(default=False, description="Whether Postgres is exported before the purge.")


class BlueprintModel(Model):
    """The template of a tenant's stack, with parameters and tiers. Every accepted edit is a new revision."""

    template: dict[str, JsonValue] | None = Field(
        default=None, description="A render.yaml. Your real file works unmodified; use templateFile to name it."
    )
    template_file: Line | None = Field(
        default=None, description="Path of a render.yaml beside this document; the command line inlines it."
    )
    source: SourceModel | None = Field(default=None, description=SourceModel.__doc__)
    entrypoint: ComponentName | None = Field(
        default=None, description="The component whose URL is the tenant's URL; the only public one if absent."
    )
    ready: ReadyModel | None = Field(default=None, description=ReadyModel.__doc__)
    params: dict[ParamName, ParamModel] = Field(
        default_factory=dict, description="What a tenant may say; checked at the door, used as ${params.NAME}."
    )
    env: EnvLayer = Field(
        default_factory=dict, description='Adds or replaces variables, by component or "*" for all services.'
    )
    secrets: dict[EnvKey, SecretModel] = Field(
        default_factory=dict, description="Where each `sync: false` key gets its value from."
    )
    secret_files: dict[ComponentName, dict[Line, str]] = Field(
        default_factory=dict, description="Secret files by component and file name; ${secrets.NAME} is filled in."
    )
    tenant_variables: bool = Field(
        default=True, description="Whether every service gets TENANT_SLUG and TENANT_NAME; off for adopted stacks."
    )
    tiers: dict[TierName, TierModel] = Field(default_factory=dict, description="Named variations; none needed.")
    rollout: RolloutModel = Field(default=RolloutModel(), description=RolloutModel.__doc__)
    drift: DriftPolicy = Field(
        default=DriftPolicy.HEAL,
        description="What to do about differences nobody asked for: heal, report, or strict (heal, and remove what is "
        "not listed).",
    )
    on_delete: OnDeleteModel = Field(default=OnDeleteModel(), description=OnDeleteModel.__doc__)
    naming: Naming = Field(default="{component}-{tenant}", description="How live names are made.")
    project: bool = Field(default=True, description="Whether every tenant gets a Render project of its own.")

    @model_validator(mode="after")
    def _one_template(self) -> "BlueprintModel":
        if (self.template is None) == (self.template_file is None):
            raise refuse("must have one of template and templateFile", "name your render.yaml with templateFile")
        return self


class PluginModel(Model):
    """Code of the customer's own, cloned into components before they build or start."""

    repo: GitUrl = Field(description="Git repository, https or ssh, without credentials.")
    ref: GitRef | None = Field(default=None, description="Branch, tag or commit; the default branch if absent.")
    path: Folder | None = Field(default=None, description="Folder inside the repository that holds the plugins.")
    components: list[ComponentName] = Field(
        default_factory=list, description="The components that take it; all that can if none is named."
    )


class PinModel(Model):
    """Keeps a tenant on one revision until a day, with a reason: pins without an end rot."""

    revision: int = Field(ge=1, description="The revision to stay on.")
    until: date = Field(description="The last day of the pin, such as 2026-12-15.")
    why: Line = Field(description="The reason, for those who find it later.")


def _no_twice(value: dict[str, list[str]]) -> dict[str, list[str]]:
    seen: set[str] = set()
    for name in (name for names in value.values() for name in names):
        if name in seen:
            raise refuse(f"{name} is listed twice", "a domain belongs to one component")
        seen.add(name)
    return value


class TenantModel(Model):
    """The desired state of one customer's stack."""

    external_id: Line | None = Field(
        default=None, description="Your own id of the customer, a subscription's say; the same id is the same tenant."
    )
    display_name: Line | None = Field(default=None, description="The customer's name as people write it.")
    blueprint: Slug = Field(description="The Blueprint to stand on; cannot change.")
    tier: Line | None = Field(
        default=None, description="One of the Blueprint's tiers; a change is an up- or downgrade."
    )
    region: Region | None = Field(
        default=None, description="Overrides every region of the template; cannot change once something is built."
    )
    state: DesiredState = Field(
        default=DesiredState.RUNNING,
        description="running, suspended or deleted; deleted suspends now and purges after the Blueprint's keepFor.",
    )
    priority: int = Field(default=50, ge=0, le=100, description="Place in the create queue; more goes first.")
    params: dict[ParamName, Scalar] = Field(default_factory=dict, description="Values for the Blueprint's parameters.")
    env: EnvLayer = Field(
        default_factory=dict, description='Adds or replaces variables, by component or "*" for all services.'
    )
    domains: Annotated[dict[ComponentName, list[Domain]], AfterValidator(_no_twice)] = Field(
        default_factory=dict, description="Custom domains by component; unverified DNS never holds back Ready."
    )
    names: dict[ComponentName, Line] = Field(
        default_factory=dict,
        description="Live names by component, where they are not what the Blueprint's naming makes: of adopted stacks.",
    )
    plugins: list[PluginModel] = Field(default_factory=list, description=PluginModel.__doc__)
    overrides: Patch = Field(
        default_factory=dict, description="Changes in render.yaml words, by component, for this tenant alone."
    )
    pin: PinModel | None = Field(default=None, description=PinModel.__doc__)
    environment: Line | None = Field(
        default=None, description="Which environment of the template's projects, if it has several."
    )
    allow_data_loss: list[ComponentName] = Field(
        default_factory=list, description="Components whose data may be destroyed by a change or a removal."
    )


class BlueprintFile(Model):
    """A Blueprint document."""

    api_version: Literal["reconciler/v1"] = Field(description="The version of the language.")
    kind: Literal["Blueprint"] = Field(description="What the document describes.")
    metadata: Metadata = Field(description=Metadata.__doc__)
    spec: BlueprintModel = Field(description=BlueprintModel.__doc__)


class TenantFile(Model):
    """A Tenant document."""

    api_version: Literal["reconciler/v1"] = Field(description="The version of the language.")
    kind: Literal["Tenant"] = Field(description="What the document describes.")
    metadata: Metadata = Field(description=Metadata.__doc__)
    spec: TenantModel = Field(description=TenantModel.__doc__)


FILES: dict[str, type[BlueprintFile] | type[TenantFile]] = {"Blueprint": BlueprintFile, "Tenant": TenantFile}
