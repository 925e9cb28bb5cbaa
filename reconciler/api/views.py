"""Writes records as the JSON that clients get: complete, so that a client can make the record again; it reads nothing.

Field names are camelCase as in the documents, times RFC 3339 in UTC, money text in US dollars (so that no reader
makes a float of it), null where nothing is known.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from reconciler import manifest
from reconciler.core.actions import Wait
from reconciler.core.passes import Done
from reconciler.core.status import ComponentStatus, Condition, Phase, Status
from reconciler.core.values import Json
from reconciler.doors import (
    ApiKey,
    AuditRow,
    BlueprintRow,
    CostRow,
    EventRow,
    KeptPass,
    OrphanRow,
    PassRow,
    QueueRow,
    Rejection,
    TenantRow,
)
from reconciler.ports import Operation

API_VERSION = "reconciler/v1"
COLUMNS = (
    *("name", "external_id", "display_name", "blueprint", "tier", "state", "params", "labels", "region", "priority"),
    "details",
)
"""What a tenants row says of the desired state: the columns that `put_tenant` takes."""


def stamp(moment: datetime | None) -> Json:
    """Write a time."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def usd(amount: Decimal | None) -> Json:
    """Write money."""
    return None if amount is None else str(amount)


def columns(row: TenantRow) -> dict[str, Json]:
    """Answer the spec columns of a row, as `put_tenant` takes them."""
    found: dict[str, Json] = {}
    for name in COLUMNS:
        value = getattr(row, name)
        found[name] = dict(value) if isinstance(value, Mapping) else value
    return found


def tenant(row: TenantRow) -> dict[str, Json]:
    """Write a tenant whole: what can be applied again, and beside it what is read-only."""
    document: dict[str, Json] = dict(manifest.tenant_document(columns(row)))
    metadata = document.get("metadata")
    document["metadata"] = {
        **(metadata if isinstance(metadata, dict) else {"name": row.name}),
        "number": row.number,
        "generation": row.generation,
        "externalId": row.external_id,
        "createdBy": row.created_by,
        "createdAt": stamp(row.created_at),
        "updatedAt": stamp(row.updated_at),
        "purgeAt": stamp(row.purge_at),
        "purged": row.purged,
    }
    document["status"] = status(row)
    return document


def phase(row: TenantRow) -> Phase:
    """Answer the phase that may be shown: never that of an older generation."""
    if row.purged:
        return Phase.DELETED
    return row.status.phase if row.status is not None and row.fresh else Phase.PENDING


def status(row: TenantRow) -> dict[str, Json]:
    """Write a tenant's status; `fresh` says whether it speaks of the present generation."""
    hold = row.hold
    found: dict[str, Json] = {
        "phase": phase(row).value,
        "fresh": row.fresh,
        "revision": row.revision,
        "resourceIds": dict(row.resource_ids),
        "reconciledAt": stamp(row.reconciled_at),
        "hold": None if hold is None else {"by": hold.by, "why": hold.why, "until": stamp(hold.until)},
        "nextPass": next_pass(row),
    }
    return found if row.status is None else found | _said(row.status)


def next_pass(row: TenantRow) -> Json:
    """Write when a tenant is looked at next, at once where `at` is null; null where nothing wakes it any more."""
    if not row.next_class:
        return None
    return {
        "at": stamp(row.next_at),
        "class": row.next_class,
        "failures": row.failures,
        "underWay": row.under_way,
    }


def _said(said: Status) -> dict[str, Json]:
    return {
        "reportedPhase": said.phase.value,
        "observedGeneration": said.observed_generation,
        "observedRevision": said.revision,
        "why": said.why,
        "you": said.you,
        "next": said.next,
        "url": said.url,
        "eta": stamp(said.eta),
        "up": said.up,
        "total": said.total,
        "monthlyUsd": usd(said.monthly_usd),
        "monthlyUsdDesired": usd(said.monthly_usd_desired),
        "drift": list(said.drift),
        "warnings": list(said.warnings),
        "readySince": stamp(said.ready_since),
        "generationSince": stamp(said.generation_since),
        "handledToken": said.handled_token,
        "details": dict(said.details),
        "conditions": [condition(item) for item in said.conditions],
        "components": [component(item) for item in said.components],
    }


def condition(item: Condition) -> dict[str, Json]:
    """Write a condition with Kubernetes' own field names."""
    return {
        "type": item.type.value,
        "status": item.status,
        "reason": item.reason.value,
        "message": item.message,
        "lastTransitionTime": stamp(item.since),
        "observedGeneration": item.observed_generation,
    }


def component(item: ComponentStatus) -> dict[str, Json]:
    """Write how one component stands."""
    return {
        "component": item.component,
        "kind": item.kind,
        "name": item.name,
        "id": item.id,
        "url": item.url,
        "state": item.state,
        "healthy": item.healthy,
        "since": stamp(item.since),
        "monthlyUsd": usd(item.usd),
    }


def blueprint(row: BlueprintRow) -> dict[str, Json]:
    """Write a revision as the document it was applied from, with its number beside it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Blueprint",
        "metadata": {
            "name": row.name,
            "revision": row.revision,
            "newestRevision": row.newest,
            "createdBy": row.created_by,
            "createdAt": stamp(row.created_at),
        },
        "spec": dict(row.document),
        "status": {"tenants": row.tenants, "rollout": row.rollout},
    }


def rejection(row: Rejection) -> dict[str, Json]:
    """Write a refused document as a tenant or Blueprint that is Invalid."""
    return {
        "apiVersion": API_VERSION,
        "kind": row.kind,
        "metadata": {"name": row.name},
        "status": {"phase": "Invalid", "why": row.message, "rejectedAt": stamp(row.at)},
    }


def event(row: EventRow) -> dict[str, Json]:
    """Write an event."""
    return {
        "id": row.id,
        "tenant": row.tenant,
        "reason": row.reason,
        "component": row.component,
        "message": row.message,
        "warning": row.warning,
        "count": row.count,
        "firstAt": stamp(row.first_at),
        "lastAt": stamp(row.last_at),
    }


def operation(row: Operation) -> dict[str, Json]:
    """Write a row of the journal."""
    return {
        "id": row.id,
        "state": row.state.value,
        "verb": row.verb,
        "component": row.component,
        "kind": row.kind.value,
        "name": row.name,
        "liveId": row.live_id,
        "requestHash": row.request_hash,
        "sentAt": stamp(row.sent_at),
        "sentAgoSeconds": row.sent_ago_s,
        "looks": row.looks,
        "lookedAt": stamp(row.looked_at),
        "environmentId": row.environment_id,
        "summary": row.summary,
    }


def wait(item: Wait) -> dict[str, Json]:
    """Write what stands in the way."""
    return {
        "reason": item.reason.value,
        "message": item.message,
        "component": item.component,
        "since": stamp(item.since),
        "until": stamp(item.until),
        "you": item.you,
    }


def done(item: Done) -> dict[str, Json]:
    """Write an effect that a pass tried."""
    return {
        "operation": item.operation,
        "verb": item.verb.value,
        "component": item.component,
        "kind": item.kind.value,
        "name": item.name,
        "ending": item.ending,
        "message": item.message,
    }


def kept_row(row: PassRow) -> dict[str, Json]:
    """Write a kept pass at a glance."""
    return {
        "id": row.id,
        "tenant": row.tenant,
        "epoch": row.epoch,
        "at": stamp(row.at),
        "firstAt": stamp(row.first_at),
        "count": row.count,
        "class": row.wake_class,
        "tookSeconds": row.took_s,
        "result": row.result,
        "generation": row.generation,
        "blueprint": row.blueprint,
        "revision": row.revision,
        "version": row.version,
        "summary": row.summary,
        "done": [done(item) for item in row.done],
        "waits": [wait(item) for item in row.waits],
    }


def kept_pass(kept: KeptPass) -> dict[str, Json]:
    """Write a kept pass whole."""
    replayed = kept.replayed
    differences: list[Json] = [*replayed.differences]
    told: dict[str, Json] = {
        "outcome": replayed.outcome.value,
        "message": replayed.message,
        "differences": differences,
    }
    return {**kept_row(kept.row), "replay": told, "document": dict(kept.document)}


def cost(row: CostRow) -> dict[str, Json]:
    """Write a row of costs."""
    return {
        "key": row.key,
        "usd": usd(row.usd),
        "usdPerMonth": usd(row.usd_per_month),
        "usdForecast": usd(row.usd_forecast),
        "unknownPrices": row.unknown,
        "uncertaintySeconds": row.uncertainty_s,
    }


def queue(row: QueueRow) -> dict[str, Json]:
    """Write a place in the create queue."""
    return {
        "position": row.position,
        "tenant": row.tenant,
        "wanted": row.wanted,
        "started": row.started,
        "priority": row.priority,
        "since": stamp(row.since),
        "eta": stamp(row.eta),
    }


def orphan(row: OrphanRow) -> dict[str, Json]:
    """Write an object that nobody owns."""
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "project": row.project,
        "tenant": row.tenant,
        "why": row.why,
        "usdPerMonth": usd(row.usd_per_month),
        "createdAt": stamp(row.created_at),
        "bearsData": row.bears_data,
    }


def audit(row: AuditRow) -> dict[str, Json]:
    """Write a row of the audit log."""
    return {
        "at": stamp(row.at),
        "actor": row.actor,
        "via": row.via,
        "action": row.action,
        "subject": row.subject,
        "detail": row.detail,
    }


def key(row: ApiKey) -> dict[str, Json]:
    """Write an API key, which has no secret any more."""
    scopes: list[Json] = [*sorted(row.scopes)]
    return {
        "id": row.id,
        "name": row.name,
        "scopes": scopes,
        "createdAt": stamp(row.created_at),
        "revokedAt": stamp(row.revoked_at),
    }
