"""Makes core specs of validated models and of stored columns: the SpecReader the store is given."""

from collections.abc import Mapping
from decimal import Decimal

from reconciler.core.spec import (
    BlueprintSpec,
    OnDelete,
    Param,
    Pin,
    Plugin,
    Ready,
    Rollout,
    SecretSort,
    SecretSource,
    Source,
    TenantSpec,
    Tier,
)
from reconciler.core.values import Json
from reconciler.manifest.models import (
    BlueprintModel,
    ParamModel,
    PinModel,
    PluginModel,
    SecretModel,
    SourceModel,
    TenantFile,
    TierModel,
)
from reconciler.manifest.records import tenant_document
from reconciler.manifest.types import seconds, step
from reconciler.manifest.validation import validate


class Reader:
    """Reads what the store keeps; the same checks as at the doors, so that no row can crash a pass."""

    def tenant(self, columns: Mapping[str, Json]) -> TenantSpec:
        """Read the columns of a tenants row; raises Invalid with paths as in the document (`spec.tier`)."""
        return tenant_spec(validate(TenantFile, tenant_document(columns)))

    def blueprint(self, name: str, document: Mapping[str, Json]) -> BlueprintSpec:
        """Read the `spec` object of a stored revision; raises Invalid with paths that begin at `spec`."""
        return blueprint_spec(name, validate(BlueprintModel, dict(document), "spec"))


def tenant_spec(file: TenantFile) -> TenantSpec:
    """Make the core's value of a validated tenant."""
    spec = file.spec
    return TenantSpec(
        name=file.metadata.name,
        labels=file.metadata.labels,
        display_name=spec.display_name or "",
        blueprint=spec.blueprint,
        tier=spec.tier or "",
        region=spec.region or "",
        state=spec.state,
        priority=spec.priority,
        params=spec.params,
        env=spec.env,
        domains={component: tuple(names) for component, names in spec.domains.items()},
        names=spec.names,
        plugins=tuple(_plugin(one) for one in spec.plugins),
        overrides=spec.overrides,
        pin=_pin(spec.pin) if spec.pin else None,
        environment=spec.environment or "",
        allow_data_loss=tuple(spec.allow_data_loss),
    )


def _plugin(model: PluginModel) -> Plugin:
    return Plugin(repo=model.repo, ref=model.ref or "", path=model.path or "", components=tuple(model.components))


def _pin(model: PinModel) -> Pin:
    return Pin(revision=model.revision, until=model.until, why=model.why)


def blueprint_spec(name: str, spec: BlueprintModel) -> BlueprintSpec:
    """Make the core's value of a validated Blueprint whose template is inlined."""
    share, count = step(spec.rollout.step)
    keep_for_s = seconds(spec.on_delete.keep_for)
    return BlueprintSpec(
        name=name,
        template=spec.template or {},
        source=_source(spec.source) if spec.source else Source(),
        entrypoint=spec.entrypoint or "",
        ready=Ready(path=spec.ready.path, within_s=seconds(spec.ready.within)) if spec.ready else None,
        params={key: _param(one) for key, one in spec.params.items()},
        env=spec.env,
        secrets={key: _secret(one) for key, one in spec.secrets.items()},
        files=spec.secret_files,
        tenant_variables=spec.tenant_variables,
        tiers={key: _tier(one) for key, one in spec.tiers.items()},
        rollout=Rollout(step_share=share, step_count=count, stop_after=spec.rollout.stop_after),
        drift=spec.drift,
        on_delete=OnDelete(keep_for_s=keep_for_s, export=spec.on_delete.export),
        naming=spec.naming,
        project=spec.project,
    )


def _source(model: SourceModel) -> Source:
    return Source(repo=model.repo or "", commit=model.commit or "", branch=model.branch or "", image=model.image or "")


def _param(model: ParamModel) -> Param:
    return Param(type=model.type, required=model.required, default=model.default, enum=tuple(model.enum))


def _secret(model: SecretModel) -> SecretSource:
    if model.generate is not None:
        return SecretSource(sort=SecretSort.GENERATE, length=model.generate)
    return SecretSource(sort=SecretSort.SHARED if model.shared else SecretSort.PER_TENANT)


def _tier(model: TierModel) -> Tier:
    ceiling = None if model.max_monthly_usd is None else Decimal(str(model.max_monthly_usd))
    return Tier(patch=model.patch, max_monthly_usd=ceiling)
