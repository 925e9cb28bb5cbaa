"""Answers what a pass would do, without doing it, for the CLI and the HTTP API."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum

from reconciler.core.errors import Invalid, NotFound, Problem
from reconciler.core.plan import Plan
from reconciler.core.values import Json
from reconciler.daemon.wiring import Wiring, wire
from reconciler.engine import reconcile
from reconciler.manifest import Reader
from reconciler.ports import Record
from reconciler.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A plan and what it was made for; `revision` is the Blueprint revision it compiles."""

    tenant: str
    blueprint: str
    revision: int
    newest_revision: int
    tier_before: str
    tier_after: str
    plan: Plan


def _edited(record: Record, columns: Mapping[str, Json] | None) -> Record:
    """Put edited columns into a record; Invalid when they cannot be read."""
    if columns is None:
        return record
    return replace(record, tenant=Reader().tenant(columns), invalid=())


async def _record(wiring: Wiring, name: str, columns: Mapping[str, Json] | None) -> Record:
    """Read a tenant's record, or make one for a tenant that does not exist yet."""
    try:
        return await wiring.store.load(name, wiring.clock.now())
    except NotFound:
        if columns is None:
            raise
    row = await wiring.registry.get_blueprint(str(columns.get("blueprint") or ""))
    now = wiring.clock.now()
    return Record(
        tenant=None,
        blueprint=Reader().blueprint(row.name, row.document),
        revision=row.revision,
        generation=1,
        number=0,
        created_at=now,
        generation_at=now,
        swept_at=now,
        secrets=await wiring.store.shared_secrets(row.name),
    )


async def make(wiring: Wiring, name: str, columns: Mapping[str, Json] | None) -> Preview:
    """Plan a tenant as it stands, or with these columns. Raises Invalid with every problem, or NotFound."""
    record = await _record(wiring, name, columns)
    before = record.tenant
    edited = _edited(record, columns)
    plan, desired = await reconcile.preview(wiring.ports, edited, name)
    if desired.invalid:
        raise Invalid([Problem(path="spec", message=text) for text in desired.invalid])
    newest = 0
    if edited.tenant is not None:
        newest = (await wiring.registry.get_blueprint(edited.tenant.blueprint)).newest
    return Preview(
        tenant=name,
        blueprint=edited.tenant.blueprint if edited.tenant else "",
        revision=edited.revision,
        newest_revision=newest,
        tier_before=before.tier if before else "",
        tier_after=edited.tenant.tier if edited.tenant else "",
        plan=plan,
    )


async def preview(settings: Settings, name: str, columns: Mapping[str, Json] | None = None) -> Preview:
    """Open everything, plan, close: what `reconciler plan` does."""
    wiring = await wire(settings, application_name="reconciler plan")
    try:
        wiring.use_workspace(await wiring.render.check())
        return await make(wiring, name, columns)
    finally:
        await wiring.close()


def as_json(value: object) -> Json:
    """Write a plan as JSON: decimals and times as text, enums by value, secrets are not in it."""
    if isinstance(value, Enum):
        return as_json(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(one) for one in value]
    raise TypeError(f"a plan holds no {type(value).__name__}")


def plan_json(made: Preview) -> Json:
    """Write a preview for machines, without the symbolic values and digests that only the engine needs."""
    plan = made.plan
    hidden = ("values", "files", "marks", "unmarks")
    actions = []
    for action in plan.actions:
        shown = {name: one for name, one in asdict(action).items() if name not in hidden}
        actions.append(shown | {"variables": sorted(action.values), "files": sorted(action.files)})
    return as_json(
        {
            "tenant": made.tenant,
            "blueprint": made.blueprint,
            "revision": made.revision,
            "tier": {"before": made.tier_before, "after": made.tier_after},
            "actions": actions,
            "drift": plan.drift,
            "waits": [asdict(wait) for wait in plan.waits],
            "usd_before": plan.usd_before,
            "usd_after": plan.usd_after,
            "creates": plan.creates,
            "writes": plan.writes,
            "eta_s": plan.eta_s,
        }
    )
