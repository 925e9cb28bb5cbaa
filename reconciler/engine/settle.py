"""Resolves operations of unknown outcome by looking: adopts early, denies late, never repeats a create blindly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.core.actions import Action, Verb, Wait, WaitReason
from reconciler.core.errors import Gone
from reconciler.core.inventory import Known, Owned
from reconciler.core.kinds import ENVIRONMENT, SERVICES, Kind
from reconciler.core.observed import Deploy, Observed
from reconciler.core.plan.outcome import dirtied, linked_to, owned_after
from reconciler.core.plan.view import label
from reconciler.core.status import Event, Reason
from reconciler.engine.options import Ports
from reconciler.ports import Claim, Operation, OperationState, Settlement

LOOKS_NEEDED = 2
TAKEN = 409
TAKEN_GRACES = 5
"""A name that Render calls taken although nothing shows it is asked for again after so many times the grace: each
question costs a create of the hour."""
SKEW = timedelta(seconds=5)
PAUSE_MIN_S = 1.0
"""Shortest wait (real) for what may still be under way."""
OUR_TRIGGER = "api"
DEPLOYED_AFTER = frozenset(
    {Verb.UPDATE, Verb.SET_ENV, Verb.SET_FILES, Verb.SET_GROUP_VAR, Verb.REMOVE_GROUP_VAR, Verb.LINK_GROUP}
    | {Verb.UNLINK_GROUP, Verb.ADD_DISK, Verb.CHANGE_DISK}
)
"""What may only run with a deploy after it; where nobody knows whether it happened, one deploy too many is no harm."""


@dataclass(slots=True)
class Settled:
    """What settling found: components that must wait, rows gained and gone, components to read anew, events."""

    waits: dict[str, Wait] = field(default_factory=dict)
    owned: list[Owned] = field(default_factory=list)
    gone: list[Owned] = field(default_factory=list)
    stale: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    again_at: datetime | None = None

    def latest(self, row: Owned) -> Owned:
        """Answer a row as it was settled last: several effects may have been under way on one object."""
        return next((one for one in reversed(self.owned) if one.id == row.id), row)

    def wait(self, operation: Operation, message: str, until: datetime | None, *, you: str = "") -> None:
        """Let a component wait for the outcome of its operation."""
        reason = WaitReason.CONFLICT if you else WaitReason.OPERATION
        self.waits[operation.component] = Wait(
            reason=reason, message=message, component=operation.component, since=operation.sent_at, until=until, you=you
        )
        if until is not None and (self.again_at is None or until < self.again_at):
            self.again_at = until


async def settle(ports: Ports, claim: Claim, operations: Sequence[Operation], owned: Mapping[str, Owned]) -> Settled:
    """Settle every open operation of a tenant, as far as looking can tell today."""
    result = Settled()
    for operation in operations:
        if operation.state is OperationState.PLANNED:
            await _close(ports, claim, operation, OperationState.NEVER_HAPPENED, "was never sent")
        elif operation.verb == Verb.CREATE:
            await _settle_create(ports, claim, operation, owned, result)
        else:
            await _settle_other(ports, claim, operation, owned, result)
    return result


async def _close(ports: Ports, claim: Claim, operation: Operation, state: OperationState, why: str) -> None:
    await ports.store.settle_operation(claim, operation.id, Settlement(state=state, message=why), ports.clock.now())


def _deadline_left_s(ports: Ports, operation: Operation) -> float:
    """Real seconds until the original request can no longer be under way."""
    return ports.options.request_timeout_s - (operation.sent_ago_s or 0.0)


def _pause(ports: Ports, left_s: float) -> timedelta:
    """World time until real seconds are over; no less than one, or a moment's rest is asked about without end."""
    return timedelta(seconds=max(left_s, PAUSE_MIN_S) * max(1.0, ports.clock.speed()))


async def _candidates(ports: Ports, operation: Operation) -> tuple[list[Observed], bool]:
    """Find live objects of the wanted name that nobody's inventory holds and that are young enough to be ours.

    Also answers whether the name is borne at all. A service whose name Render calls taken is ours only in our own
    environment: the names of services are unique, so it may well be another's.
    """
    found = await ports.render.find(operation.kind, operation.name)
    now = ports.clock.now()
    await ports.store.observe(found, now)
    free = {one.id for one in await ports.store.unowned([(operation.kind, operation.name)])}
    since = (operation.sent_at or now) - SKEW * max(1.0, ports.clock.speed())
    unproved = operation.status == TAKEN and operation.kind in SERVICES and not operation.environment_id
    ours = [
        one
        for one in found
        if one.id in free
        and (one.created_at is None or one.created_at >= since)
        and (not operation.environment_id or one.environment_id == operation.environment_id)
        and not unproved
    ]
    return ours, bool(found)


async def _settle_create(
    ports: Ports, claim: Claim, operation: Operation, owned: Mapping[str, Owned], result: Settled
) -> None:
    found, borne = await _candidates(ports, operation)
    what = label(operation.kind, operation.component)
    if len(found) > 1:
        ids = ", ".join(sorted(one.id for one in found))
        you = f"delete all but one at Render, then: reconciler reconcile {claim.tenant}"
        result.wait(
            operation, f"Duplicate: {len(found)} objects named {operation.name} appeared ({ids})", None, you=you
        )
        return
    if found:
        await _adopt(ports, claim, operation, owned, found[0], result)
        return
    if borne and operation.status == TAKEN:
        await _close(ports, claim, operation, OperationState.NEVER_HAPPENED, "the name is another's")
        return
    sent = operation.sent_at or ports.clock.now()
    message = f"create of {operation.name} {_unsaid(operation)} at {sent:%H:%M:%S}. Looked: not there"
    left_s = _deadline_left_s(ports, operation)
    if left_s > 0:
        again = ports.clock.now() + _pause(ports, left_s)
        result.wait(operation, f"{message}. No second create before {again:%H:%M:%S}", again)
        return
    looks = await ports.store.look_operation(operation.id, ports.clock.now())
    graces = TAKEN_GRACES if operation.status == TAKEN else 1
    ends = sent + timedelta(seconds=ports.options.grace_s * graces)
    if looks >= LOOKS_NEEDED and ports.clock.now() >= ends:
        await _close(ports, claim, operation, OperationState.NEVER_HAPPENED, f"not found in {looks} looks")
        text = f"the create of {what} never happened: not found in {looks} looks"
        result.events.append(Event(reason=Reason.RECOVERED, message=text, component=operation.component))
        return
    again = max(ends, ports.clock.now() + timedelta(seconds=ports.options.grace_s / 4))
    result.wait(operation, f"{message}. Looking again at {again:%H:%M:%S}; no second create before", again)


def _unsaid(operation: Operation) -> str:
    """Say what left the outcome of a create open."""
    return f'was answered "{operation.message}"' if operation.status == TAKEN else "got no answer"


async def _adopt(
    ports: Ports, claim: Claim, operation: Operation, owned: Mapping[str, Owned], found: Observed, result: Settled
) -> None:
    """Take what was found into the inventory, in place of the lost object that it was made to replace."""
    now = ports.clock.now()
    sent = operation.sent_at or now
    made = [_adopted(operation.component, found, sent)]
    if operation.kind is Kind.PROJECT:
        made += [_adopted(ENVIRONMENT, one, sent) for one in await _environments(ports, found)]
    await ports.store.settle_operation(
        claim,
        operation.id,
        Settlement(
            state=OperationState.SUCCEEDED,
            message="found by look-up",
            observed=[one.observed for one in made if one.observed],
            owned=made,
            forgotten=[old.id for one in made if (old := owned.get(one.component)) is not None and old.id != one.id],
        ),
        now,
    )
    result.owned += made
    result.stale |= {one.component for one in made}
    made_at = f"{operation.sent_at:%H:%M:%S}"
    text = f"found {found.name} at Render as {found.id}, made by us {made_at}: adopted, not created twice"
    result.events.append(Event(reason=Reason.ADOPTED, message=text, component=operation.component))
    ports.telemetry.log("adopted", tenant=claim.tenant, op=operation.id, component=operation.component, id=found.id)


def _adopted(component: str, observed: Observed, sent_at: datetime) -> Owned:
    """Answer the row of a found object, dated by its create: its first deploy is as old, and is waited for."""
    action = Action(verb=Verb.CREATE, component=component, kind=observed.kind, name=observed.name)
    row = owned_after(action, None, observed, None, sent_at)
    return replace(row, known=replace(Known(), deploy=row.known.deploy, deploy_asked_at=row.known.deploy_asked_at))


async def _environments(ports: Ports, project: Observed) -> list[Observed]:
    ids = project.fields.get("environmentIds")
    return [await ports.render.get(Kind.ENVIRONMENT, str(one)) for one in ids] if isinstance(ids, list) else []


async def _settle_other(
    ports: Ports, claim: Claim, operation: Operation, owned: Mapping[str, Owned], result: Settled
) -> None:
    """Updates, suspends and deletes are idempotent: read the object anew and let the plan compare."""
    left_s = _deadline_left_s(ports, operation)
    if left_s > 0 and operation.state is OperationState.SENT:
        again = ports.clock.now() + _pause(ports, left_s)
        result.wait(operation, f"{operation.verb} of {operation.name} may still be under way", again)
        return
    row = owned.get(operation.component)
    if row is None:
        await _close(ports, claim, operation, OperationState.NEVER_HAPPENED, "its object is not ours any more")
        return
    told = len(result.owned)
    happened = await _happened(ports, operation, owned, result)
    state = OperationState.SUCCEEDED if happened else OperationState.NEVER_HAPPENED
    gone = happened and operation.verb == Verb.DELETE  # asked for, and now 404 or 410: that is the proof
    settlement = Settlement(
        state=state, message="compared with what Render shows", owned=tuple(result.owned[told:]),
        forgotten=(row.id,) if gone else (),
    )  # fmt: skip
    await ports.store.settle_operation(claim, operation.id, settlement, ports.clock.now())
    if gone:
        result.gone.append(row)
    else:
        result.stale.add(operation.component)


def _is_ours(ports: Ports, operation: Operation, row: Owned, deploy: Deploy) -> bool:
    """Say whether a deploy is the one an operation asked for, or one so much later that it carries the same.

    Clocks differ a little, so a deploy of just before counts too, but only if an API call started it and it is news: a
    resume starts one by itself, with what was written until then (Render API 5.1).
    """
    sent_at = operation.sent_at or ports.clock.now()
    skew = SKEW * max(1.0, ports.clock.speed())
    if deploy.created_at is None or deploy.created_at < sent_at - skew:
        return False
    known = row.known.deploy.id if row.known.deploy else ""
    return deploy.created_at >= sent_at + skew or (deploy.trigger == OUR_TRIGGER and deploy.id != known)


async def _deployed(ports: Ports, operation: Operation, row: Owned, result: Settled) -> bool:
    """Say whether the deploy that an operation asked for is there; a service that is gone has none."""
    try:
        deploy = await ports.render.deploy(row.id)
    except Gone:
        return False
    if deploy is None or not _is_ours(ports, operation, row, deploy):
        return False
    known = replace(row.known, deploy=deploy, dirty=False, deploy_asked_at=ports.clock.now())
    result.owned.append(replace(row, known=known))
    return True


async def _happened(ports: Ports, operation: Operation, owned: Mapping[str, Owned], result: Settled) -> bool:
    """Ask Render what an unknown effect left behind, and keep what that tells us."""
    row = result.latest(owned[operation.component])
    if operation.verb == Verb.DEPLOY and row.kind in SERVICES:
        return await _deployed(ports, operation, row, result)
    if operation.verb == Verb.RUN_JOB:
        text = f"the initial deploy hook of {row.component} got no answer; it is not run a second time"
        result.events.append(Event(reason=Reason.OUTCOME_UNKNOWN, message=text, component=row.component, warning=True))
        result.owned.append(replace(row, known=replace(row.known, hook_done=True)))
        return True
    try:
        found = await ports.render.get(row.kind, row.id)
    except Gone:
        return operation.verb == Verb.DELETE
    if row.kind in SERVICES and operation.verb in DEPLOYED_AFTER:
        result.owned.append(dirtied(row))
    elif row.kind is Kind.ENV_GROUP and operation.verb in DEPLOYED_AFTER:
        result.owned += [dirtied(result.latest(one)) for one in linked_to(owned, found)]
    return operation.verb != Verb.DELETE
