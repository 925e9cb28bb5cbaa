"""Runs one action: journal, token, send, settle. It decides nothing: the plan did.

A grant is for now. A process that was stopped between grant and request may have been replaced meanwhile, its effect
looked up in vain and sent by another: what was granted too long ago is not sent at all.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.core import guard, resolve
from reconciler.core.actions import Action, Verb
from reconciler.core.errors import (
    Conflict,
    Denied,
    Gone,
    Refused,
    RenderError,
    Throttled,
    Unavailable,
    Unknown,
)
from reconciler.core.inventory import Owned
from reconciler.core.kinds import ENVIRONMENT, SERVICES, Kind
from reconciler.core.observed import Observed
from reconciler.core.plan.outcome import dirtied, linked, linked_to, owned_after
from reconciler.core.stops import request_hash
from reconciler.core.values import Lookup
from reconciler.engine.options import Ports
from reconciler.engine.shares import KEEPS
from reconciler.ports import Claim, OperationState, Plaintext, Reply, Settlement, Throttle

LOOK_AFTER = frozenset(
    {Verb.SUSPEND, Verb.RESUME, Verb.ADD_DISK, Verb.CHANGE_DISK, Verb.REMOVE_DISK, Verb.REMOVE_AUTOSCALING, Verb.DELETE}
)
"""Effects whose reply does not show the object: it is read once more."""


class Ending(StrEnum):
    """How an action ended, as far as the pass must know."""

    DONE = "succeeded"
    REFUSED = "refused"
    DENIED = "denied"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"
    STALE_VIEW = "stale view"
    TAKEN = "name taken"
    GUARDED = "guarded"
    BROKEN = "breaker open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What an action led to: rows that became true, rows that left, and why it did not work.

    `operation` is its row in the journal, 0 where it was not sent.
    """

    ending: Ending
    operation: int = 0
    owned: tuple[Owned, ...] = ()
    forgotten: tuple[Owned, ...] = ()
    message: str = ""
    throttle: Throttle | None = None
    until: datetime | None = None


async def act(ports: Ports, claim: Claim, action: Action, owned: Mapping[str, Owned], lookup: Lookup) -> Acted:
    """Carry out one action with its journal row. Only StaleLease and database errors escape."""
    now = ports.clock.now()
    plaintext = Plaintext(
        values=resolve.plaintext(action.values, lookup), files=resolve.plaintext(action.files, lookup)
    )
    operation = await ports.store.open_operation(claim, action, request_hash(action), now)
    asked_s = asyncio.get_running_loop().time()
    live_id = action.id if action.kind in SERVICES else ""
    cap, keeps = ports.options.caps.of(action.verb), KEEPS.get(claim.wake_class, 0.0)
    throttle = await ports.store.send_operation(
        claim, operation, action.bucket, live_id, ports.clock.now(), cap=cap, keeps=keeps
    )
    if throttle is not None:
        ports.telemetry.waited(str(action.bucket), (throttle.until - now).total_seconds())
        ports.telemetry.operated(str(action.kind), str(action.verb), "throttled")
        if throttle.guard:
            ports.telemetry.guarded(f"{action.verb}_cap")
            return Acted(ending=Ending.GUARDED, message=throttle.guard, until=throttle.until)
        if throttle.broken:
            return Acted(ending=Ending.BROKEN, message=throttle.broken, until=throttle.until)
        if throttle.message:
            return Acted(ending=Ending.DENIED, message=throttle.message, until=throttle.until)
        return Acted(ending=Ending.THROTTLED, throttle=throttle, until=throttle.until)
    sent_at = ports.clock.now()
    late_s = asyncio.get_running_loop().time() - asked_s
    if late_s > ports.options.send_within_s:
        return await _not_sent(ports, claim, operation, action, late_s)
    try:
        reply = await ports.render.send(action, plaintext, asked_s + _within_s(ports, action))
    except RenderError as error:
        acted = await _failed(ports, claim, operation, action, error)
    else:
        acted = await _succeeded(ports, claim, operation, action, owned, reply, sent_at=sent_at)
    return replace(acted, operation=operation)


def _within_s(ports: Ports, action: Action) -> float:
    """Real seconds for which a grant is good; what may be read before a change takes its time."""
    return ports.options.send_within_s if action.verb is Verb.CREATE else ports.options.change_within_s


async def _not_sent(ports: Ports, claim: Claim, operation: int, action: Action, late_s: float) -> Acted:
    """Make a sent effect a planned one again: that says nothing about Render, and the next pass plans anew."""
    message = f"too late to be sent: asked for {late_s:.0f} s ago"
    planned = Settlement(state=OperationState.PLANNED, message=message)
    await ports.store.settle_operation(claim, operation, planned, ports.clock.now())
    ports.telemetry.operated(str(action.kind), str(action.verb), "throttled")
    ports.telemetry.problem(
        "effect_late", tenant=claim.tenant, op=operation, epoch=claim.epoch, verb=str(action.verb),
        component=action.component, why=message,
    )  # fmt: skip
    return Acted(ending=Ending.UNAVAILABLE, message=message)


async def _succeeded(
    ports: Ports,
    claim: Claim,
    operation: int,
    action: Action,
    owned: Mapping[str, Owned],
    reply: Reply,
    *,
    sent_at: datetime,
) -> Acted:
    now = ports.clock.now()
    rows, seen = rows_after(action, owned, reply, sent_at)  # its deploy is younger than this, however late the reply
    replaced = _replaced(owned, rows) if action.verb is Verb.CREATE else []
    await ports.store.settle_operation(
        claim,
        operation,
        Settlement(
            state=OperationState.SUCCEEDED,
            observed=tuple(seen),
            owned=tuple(rows),
            forgotten=tuple(replaced),
            limits=reply.limits,
        ),
        now,
    )
    ports.telemetry.operated(str(action.kind), str(action.verb), "succeeded")
    ports.telemetry.log(
        "effect", tenant=claim.tenant, op=operation, epoch=claim.epoch, verb=str(action.verb),
        component=action.component, name=action.name, id=rows[0].id if rows else action.id, reason=action.reason,
    )  # fmt: skip
    if action.verb in LOOK_AFTER and rows:
        return await _look(ports, claim, rows)
    return Acted(ending=Ending.DONE, owned=tuple(rows))


def _replaced(owned: Mapping[str, Owned], made: Sequence[Owned]) -> list[str]:
    """Name the lost objects whose places a create has filled: a project's environment goes and comes with it."""
    return [old.id for row in made if (old := owned.get(row.component)) is not None and old.id != row.id]


def rows_after(
    action: Action, owned: Mapping[str, Owned], reply: Reply, now: datetime
) -> tuple[list[Owned], list[Observed]]:
    """Answer the inventory rows and observations that a reply proves."""
    before = owned.get(action.component)
    observed = reply.observed
    if observed is None and before is not None and before.observed is not None and action.verb is not Verb.CREATE:
        observed = _expected(action, before.observed, reply)
    row = owned_after(action, before, observed, reply.deploy, now)
    rows, seen = [row], [observed] if observed else []
    if action.kind is Kind.PROJECT and action.verb is Verb.CREATE:
        made = next((one for one in reply.created if one.kind is Kind.ENVIRONMENT), None)
        if made is not None:
            rows.append(
                owned_after(replace(action, component=ENVIRONMENT, kind=Kind.ENVIRONMENT), None, made, None, now)
            )
            seen.append(made)
    if action.kind is Kind.ENV_GROUP and action.needs_deploy:
        rows += [dirtied(one) for one in linked_to(owned, row.observed)]
    if action.verb in (Verb.LINK_GROUP, Verb.UNLINK_GROUP):
        rows, seen = _relinked(action, owned, row, seen)
    if action.verb is Verb.MOVE and before is not None:
        rows += _moved(action, owned, before.id)
    return rows, seen


def _expected(action: Action, before: Observed, reply: Reply) -> Observed:
    """Answer the object as an accepted call leaves it, where the reply does not show it."""
    fields = dict(before.fields)
    if action.verb is Verb.SCALE:
        fields["numInstances"] = action.payload["numInstances"]
    elif action.verb is Verb.SET_AUTOSCALING:
        fields["autoscaling"] = dict(action.payload)
    elif action.verb is Verb.REMOVE_AUTOSCALING:
        fields["autoscaling"] = None
    elif action.verb is Verb.ADD_DOMAIN and reply.detail is not None:
        return before
    return replace(before, fields=fields)


def _relinked(
    action: Action, owned: Mapping[str, Owned], row: Owned, seen: list[Observed]
) -> tuple[list[Owned], list[Observed]]:
    group = owned[str(action.payload["group"])]
    if group.observed is None:
        return [row], seen
    link = action.verb is Verb.LINK_GROUP
    after = linked(group.observed, str(action.payload["serviceId"]), link=link)
    return [row, replace(group, observed=after)], [*seen, after]


def _moved(action: Action, owned: Mapping[str, Owned], environment_id: str) -> list[Owned]:
    ids = action.payload.get("resourceIds")
    moved = ids if isinstance(ids, list) else []
    return [
        replace(row, observed=replace(row.observed, environment_id=environment_id))
        for row in owned.values()
        if row.id in moved and row.observed is not None
    ]


async def _look(ports: Ports, claim: Claim, rows: list[Owned]) -> Acted:
    """Read the object once more; an answer of 404 or 410 is the proof that lets its inventory row go."""
    row = rows[0]
    try:
        observed = await ports.render.get(row.kind, row.id)
    except Gone:
        await ports.store.save_owned(claim, (), (row.id,))
        return Acted(ending=Ending.DONE, forgotten=(row,))
    except RenderError as error:
        ports.telemetry.problem("look_failed", tenant=claim.tenant, component=row.component, error=str(error))
        return Acted(ending=Ending.DONE, owned=tuple(rows))
    seen = replace(row, observed=observed, known=replace(row.known, updated_at=observed.updated_at))
    await ports.store.save_owned(claim, (seen,))
    return Acted(ending=Ending.DONE, owned=(seen, *rows[1:]))


async def _failed(ports: Ports, claim: Claim, operation: int, action: Action, error: RenderError) -> Acted:
    now = ports.clock.now()
    state, ending = _classified(action, error)
    await ports.store.settle_operation(
        claim, operation, Settlement(state=state, message=error.message, status=error.status), now
    )
    ports.telemetry.operated(str(action.kind), str(action.verb), str(ending))
    ports.telemetry.problem(
        "effect_failed", tenant=claim.tenant, op=operation, epoch=claim.epoch, verb=str(action.verb),
        component=action.component, ending=str(ending), status=error.status, error=error.message,
        request_id=error.request_id,
    )  # fmt: skip
    until = now if ending is Ending.TAKEN else None  # the next pass looks whose the name is
    if isinstance(error, Throttled):
        until = error.until
        await ports.store.penalise(action.bucket, action.id if action.kind in SERVICES else "", until)
    elif isinstance(error, Denied):
        until = now + timedelta(seconds=ports.options.pace.denied_s)
        await ports.store.pause(action.bucket, until, f"{error.status}: {error.message}")
    elif ending in (Ending.UNKNOWN, Ending.UNAVAILABLE):
        await _break(ports, action, error, now)
    return Acted(ending=ending, message=error.message, until=until)


async def _break(ports: Ports, action: Action, error: RenderError, now: datetime) -> None:
    """Open the circuit breaker of a class whose calls fail one after the other, whoever's they are."""
    in_a_row, tenants = await ports.store.failures(action.bucket, now - guard.BREAKS_WINDOW)
    pause = guard.broken_for(in_a_row, tenants)
    if pause is None:
        return
    text = f"the last {in_a_row} calls of class {action.bucket} failed, the newest with: {error.message}"
    await ports.store.break_class(action.bucket, now + pause, text)
    ports.telemetry.guarded("circuit_breaker")
    ports.telemetry.problem("circuit_breaker", bucket=str(action.bucket), in_a_row=in_a_row, tenants=tenants)


def _classified(action: Action, error: RenderError) -> tuple[OperationState, Ending]:
    match error:
        case Conflict() if action.verb is Verb.CREATE:
            # The name may be taken by this very create: Render answers so after an effect whose answer it lost itself.
            return OperationState.UNKNOWN, Ending.TAKEN
        case Refused():
            return OperationState.REFUSED, Ending.REFUSED
        case Denied():
            return OperationState.NEVER_HAPPENED, Ending.DENIED
        case Throttled():
            return OperationState.NEVER_HAPPENED, Ending.THROTTLED
        case Conflict() | Gone():
            return OperationState.NEVER_HAPPENED, Ending.STALE_VIEW
        case Unavailable():
            return OperationState.NEVER_HAPPENED, Ending.UNAVAILABLE
        case Unknown():
            return OperationState.UNKNOWN, Ending.UNKNOWN
        case _:
            return OperationState.UNKNOWN, Ending.UNKNOWN
