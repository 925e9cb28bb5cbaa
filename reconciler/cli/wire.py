"""Reads the JSON of the HTTP API back into the records that the verbs know; the opposite of `api.views`; pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from reconciler.cli import text
from reconciler.core.kinds import Kind
from reconciler.core.status import ComponentStatus, Condition, ConditionType, Phase, Reason, Status
from reconciler.core.values import Json
from reconciler.doors import (
    ApiKey,
    AuditRow,
    BlueprintRow,
    CostRow,
    EventRow,
    OrphanRow,
    QueueRow,
    Rejection,
    TenantRow,
)
from reconciler.manifest import Document, tenant_columns
from reconciler.ports import Hold, Operation, OperationState

Fields = Mapping[str, Json]


class Garbled(Exception):
    """The answer is not what this version of the API promises."""


def fields(value: Json) -> Fields:
    """Take an object; anything else counts as an empty one, whose missing fields say so themselves."""
    return value if isinstance(value, dict) else {}


def items(value: Json) -> Sequence[Fields]:
    """Take a list of objects, bare or as `results` or `items` of a page."""
    if isinstance(value, dict):
        value = value.get("results", value.get("items"))
    return [fields(item) for item in value] if isinstance(value, list) else []


def word(value: Json) -> str:
    """Take a text; null is the empty one."""
    return "" if value is None else str(value)


def whole(value: Json) -> int:
    """Take a whole number; null is 0."""
    return int(value) if isinstance(value, int | float | str) and str(value).lstrip("-").isdigit() else 0


def money(value: Json) -> Decimal | None:
    """Take an amount, which travels as text."""
    return None if value is None else text.number(str(value))


def moment(value: Json) -> datetime | None:
    """Take a time."""
    if value is None or value == "":
        return None
    try:
        return datetime.fromisoformat(str(value))
    except ValueError as error:
        raise Garbled(f'"{text.safe(value)[:40]}" is not a time') from error


def certainly(value: Json) -> datetime:
    """Take a time that must be there."""
    read = moment(value)
    if read is None:
        raise Garbled("a time is missing")
    return read


def tenant(value: Json) -> TenantRow:
    """Read a tenant with its status."""
    whole_document = fields(value)
    metadata, status = fields(whole_document.get("metadata")), fields(whole_document.get("status"))
    columns = _columns(whole_document)
    labels, params, details = (fields(columns.get(name)) for name in ("labels", "params", "details"))
    hold, coming = fields(status.get("hold")), fields(status.get("nextPass"))
    return TenantRow(
        number=whole(metadata.get("number")),
        name=word(metadata.get("name")),
        external_id=word(metadata.get("externalId")) or None,
        display_name=word(columns.get("display_name")),
        blueprint=word(columns.get("blueprint")),
        tier=word(columns.get("tier")),
        state=word(columns.get("state")) or "running",
        params=params,
        labels={key: word(label) for key, label in labels.items()},
        region=word(columns.get("region")) or None,
        priority=whole(columns.get("priority", 50)),
        details=details,
        generation=whole(metadata.get("generation")),
        revision=whole(status.get("revision")),
        created_by=word(metadata.get("createdBy")),
        created_at=certainly(metadata.get("createdAt")),
        updated_at=certainly(metadata.get("updatedAt")),
        purge_at=moment(metadata.get("purgeAt")),
        purged=metadata.get("purged") is True,
        status=_status(status) if "observedGeneration" in status else None,
        fresh=status.get("fresh") is True,
        hold=Hold(by=word(hold.get("by")), why=word(hold.get("why")), until=certainly(hold.get("until")))
        if hold
        else None,
        reconciled_at=moment(status.get("reconciledAt")),
        next_at=moment(coming.get("at")),
        next_class=word(coming.get("class")),
        failures=whole(coming.get("failures")),
        under_way=coming.get("underWay") is True,
        resource_ids={key: word(found) for key, found in fields(status.get("resourceIds")).items()},
    )


def _columns(value: Fields) -> dict[str, Json]:
    """Read the spec as any other document, without what is read-only in its metadata."""
    metadata = fields(value.get("metadata"))
    plain: dict[str, Json] = {key: metadata[key] for key in ("name", "labels") if key in metadata}
    data: dict[str, Json] = {
        "apiVersion": value.get("apiVersion"),
        "kind": "Tenant",
        "metadata": plain,
        "spec": value.get("spec"),
    }
    return tenant_columns(Document(kind="Tenant", name=word(plain.get("name")), data=data))


def _status(value: Fields) -> Status:
    details = fields(value.get("details"))
    return Status(
        phase=Phase(word(value.get("reportedPhase", value.get("phase")))),
        observed_generation=whole(value.get("observedGeneration")),
        revision=whole(value.get("observedRevision", value.get("revision"))),
        conditions=tuple(_condition(item) for item in items(value.get("conditions"))),
        components=tuple(_component(item) for item in items(value.get("components"))),
        why=word(value.get("why")),
        you=word(value.get("you")),
        next=word(value.get("next")),
        url=word(value.get("url")),
        eta=moment(value.get("eta")),
        up=whole(value.get("up")),
        total=whole(value.get("total")),
        monthly_usd=money(value.get("monthlyUsd")),
        monthly_usd_desired=money(value.get("monthlyUsdDesired")),
        drift=words(value.get("drift")),
        warnings=words(value.get("warnings")),
        ready_since=moment(value.get("readySince")),
        generation_since=moment(value.get("generationSince")),
        handled_token=word(value.get("handledToken")),
        details={key: word(said) for key, said in details.items()},
    )


def words(value: Json) -> tuple[str, ...]:
    """Take a list of texts."""
    return tuple(word(item) for item in value) if isinstance(value, list) else ()


def _condition(value: Fields) -> Condition:
    return Condition(
        type=ConditionType(word(value.get("type"))),
        status=word(value.get("status")),
        reason=Reason(word(value.get("reason"))),
        message=word(value.get("message")),
        since=certainly(value.get("lastTransitionTime")),
        observed_generation=whole(value.get("observedGeneration")),
    )


def _component(value: Fields) -> ComponentStatus:
    return ComponentStatus(
        component=word(value.get("component")),
        kind=word(value.get("kind")),
        name=word(value.get("name")),
        state=word(value.get("state")),
        healthy=value.get("healthy") is True,
        id=word(value.get("id")),
        url=word(value.get("url")),
        since=moment(value.get("since")),
        usd=money(value.get("monthlyUsd")),
    )


def blueprint(value: Json) -> BlueprintRow:
    """Read a revision of a Blueprint."""
    found = fields(value)
    metadata, status = fields(found.get("metadata")), fields(found.get("status"))
    revision = whole(metadata.get("revision"))
    return BlueprintRow(
        name=word(metadata.get("name")),
        revision=revision,
        newest=whole(metadata.get("newestRevision")) or revision,
        document=fields(found.get("spec")),
        created_at=certainly(metadata.get("createdAt")),
        created_by=word(metadata.get("createdBy")),
        tenants=whole(status.get("tenants")),
        rollout=word(status.get("rollout")),
    )


def rejection(value: Fields) -> Rejection:
    """Read a refused document."""
    status = fields(value.get("status"))
    return Rejection(
        kind=word(value.get("kind")),
        name=word(fields(value.get("metadata")).get("name")),
        message=word(status.get("why")),
        at=certainly(status.get("rejectedAt")),
    )


def event(value: Fields) -> EventRow:
    """Read an event."""
    return EventRow(
        id=whole(value.get("id")),
        tenant=word(value.get("tenant")),
        reason=word(value.get("reason")),
        component=word(value.get("component")),
        message=word(value.get("message")),
        warning=value.get("warning") is True,
        count=whole(value.get("count")),
        first_at=certainly(value.get("firstAt")),
        last_at=certainly(value.get("lastAt")),
    )


def operation(value: Fields) -> Operation:
    """Read a row of the journal."""
    return Operation(
        id=whole(value.get("id")),
        component=word(value.get("component")),
        verb=word(value.get("verb")),
        kind=Kind(word(value.get("kind"))),
        name=word(value.get("name")),
        live_id=word(value.get("liveId")),
        request_hash=word(value.get("requestHash")),
        state=OperationState(word(value.get("state"))),
        sent_at=moment(value.get("sentAt")),
        looks=whole(value.get("looks")),
        looked_at=moment(value.get("lookedAt")),
        environment_id=word(value.get("environmentId")),
        summary=word(value.get("summary")),
    )


def cost(value: Fields) -> CostRow:
    """Read a row of costs."""
    uncertainty = text.number(word(value.get("uncertaintySeconds")) or "0")
    return CostRow(
        key=word(value.get("key")),
        usd=money(value.get("usd")) or Decimal(0),
        usd_per_month=money(value.get("usdPerMonth")) or Decimal(0),
        usd_forecast=money(value.get("usdForecast")) or Decimal(0),
        unknown=whole(value.get("unknownPrices")),
        uncertainty_s=float(uncertainty or 0),
    )


def queue(value: Fields) -> QueueRow:
    """Read a place in the create queue."""
    return QueueRow(
        tenant=word(value.get("tenant")),
        position=whole(value.get("position")),
        wanted=whole(value.get("wanted")),
        started=value.get("started") is True,
        priority=whole(value.get("priority")),
        since=certainly(value.get("since")),
        eta=moment(value.get("eta")),
    )


def orphan(value: Fields) -> OrphanRow:
    """Read an object that nobody owns."""
    words = {name: word(value.get(name)) for name in ("id", "kind", "name", "project", "tenant", "why")}
    return OrphanRow(
        **words,
        usd_per_month=money(value.get("usdPerMonth")),
        created_at=moment(value.get("createdAt")),
        bears_data=value.get("bearsData") is True,
    )


def key(value: Json) -> ApiKey:
    """Read an API key."""
    found = fields(value)
    return ApiKey(
        id=word(found.get("id")),
        name=word(found.get("name")),
        scopes=frozenset(words(found.get("scopes"))),
        created_at=certainly(found.get("createdAt")),
        revoked_at=moment(found.get("revokedAt")),
    )


def audit(value: Fields) -> AuditRow:
    """Read a row of the audit log."""
    return AuditRow(
        at=certainly(value.get("at")),
        actor=word(value.get("actor")),
        via=word(value.get("via")),
        action=word(value.get("action")),
        subject=word(value.get("subject")),
        detail=word(value.get("detail")),
    )
