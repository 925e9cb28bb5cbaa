"""Writes down a pass: status, events, the create queue's demand, and when to look again; it has no effect on Render."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core import schedule
from reconciler.core.actions import Action, Verb, Wait, WaitReason
from reconciler.core.conditions import FAILING, HUMAN, Findings, all_waits, build_status, failing
from reconciler.core.health import Health, HealthState, judge
from reconciler.core.kinds import CREATE_BUDGETED, Bucket
from reconciler.core.plan import Plan, View
from reconciler.core.plan.view import label
from reconciler.core.spec import DesiredState
from reconciler.core.status import ConditionType, Event, Phase, Reason, Status
from reconciler.engine import rotation
from reconciler.engine.act import Acted, Ending
from reconciler.engine.options import Ports
from reconciler.ports import Claim, Demand, Record, Throttle, Verdict, WakeClass

EDGE = timedelta(minutes=1)
"""By less than this lies the end of a wait for the next hour behind the end of this one."""
ETA = "eta"
"""Among a status's details: the generation and the ETA that was first told of it."""
VERB_REASONS: Mapping[Verb, Reason] = {
    Verb.CREATE: Reason.CREATED,
    Verb.DELETE: Reason.DELETED,
    Verb.SUSPEND: Reason.SUSPENDING,
    Verb.RESUME: Reason.RESUMING,
    Verb.DEPLOY: Reason.DEPLOYING,
}
ENDING_WAITS: Mapping[Ending, WaitReason] = {
    Ending.REFUSED: WaitReason.REFUSED,
    Ending.DENIED: WaitReason.DENIED,
    Ending.THROTTLED: WaitReason.BUDGET,
    Ending.UNKNOWN: WaitReason.OPERATION,
    Ending.UNAVAILABLE: WaitReason.RETRY,
    Ending.STALE_VIEW: WaitReason.RETRY,
    Ending.TAKEN: WaitReason.OPERATION,
    Ending.GUARDED: WaitReason.GUARD,
    Ending.BROKEN: WaitReason.RETRY,
}
FAILURE_REASONS: Mapping[Ending, Reason] = {
    Ending.REFUSED: Reason.REFUSED,
    Ending.DENIED: Reason.DENIED,
    Ending.UNKNOWN: Reason.OUTCOME_UNKNOWN,
    Ending.UNAVAILABLE: Reason.UNREACHABLE,
    Ending.STALE_VIEW: Reason.CONFLICT,
    Ending.TAKEN: Reason.CONFLICT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a pass hands over to be written down."""

    claim: Claim
    record: Record
    view: View
    plan: Plan
    waits: tuple[Wait, ...]
    events: tuple[Event, ...]
    invalid: tuple[str, ...]
    probe: tuple[str, int | None] | None
    until: tuple[datetime, ...]
    failed: bool
    creates: tuple[Action, ...]


def wait_of(action: Action, acted: Acted, tenant: str) -> Wait:
    """Say in a wait why an action did not go through."""
    what = f"{action.verb} of {action.component.removeprefix('@')}"
    you = ""
    match acted.ending:
        case Ending.THROTTLED:
            text = _throttled(action, acted)
        case Ending.REFUSED:
            text = f"Render refused {what}: {acted.message}"
            you = f"edit the spec; or, once it is settled at Render: reconciler reconcile {tenant}"
        case Ending.DENIED:
            text = f"Render does not allow {what}: {acted.message}; asked again every 5 minutes"
            you = "check the API key, the plan and the payment method in the Render dashboard"
        case Ending.UNKNOWN:
            text = f"{what} got no answer; it is looked up before anything is repeated"
        case Ending.GUARDED:
            text = acted.message
        case Ending.BROKEN:
            text = f"{what} waits for Render to recover: {acted.message}"
        case Ending.TAKEN:
            text = f"{what}: {acted.message}; looked up whose the name is"
        case _:
            text = f"{what}: {acted.message}; tried again"
    queued = acted.throttle if action.bucket is Bucket.CREATE else None
    return Wait(
        reason=ENDING_WAITS.get(acted.ending, WaitReason.RETRY),
        message=text,
        component=action.component,
        until=_turn(queued) if queued else acted.until,
        you=you,
    )


def _throttled(action: Action, acted: Acted) -> str:
    throttle = acted.throttle
    if throttle is None or action.bucket is not Bucket.CREATE:
        return f"Render's rate limit for {action.verb} of {label(action.kind, action.component)}"
    place = f"; position {throttle.position} in the queue" if throttle.position else ""
    used = f"{throttle.used} of {throttle.limit} used"
    return f"Render's limit of {throttle.limit} new resources an hour: {used}{place}, about {_turn(throttle):%H:%M}"


def _turn(throttle: Throttle) -> datetime:
    """Answer when a create's turn comes if every hour to come is used fully; `until` is only when to ask again."""
    if not throttle.limit:
        return throttle.until
    short = throttle.ahead + 1 - (throttle.limit - throttle.used)
    hours = -(-short // throttle.limit)
    began = (throttle.until - EDGE).replace(minute=0, second=0, microsecond=0)
    return max(throttle.until, began + timedelta(hours=hours)) if short > 0 else throttle.until


def effect_events(action: Action) -> list[Event]:
    """Answer the events of an action that succeeded."""
    what = label(action.kind, action.component)
    if action.reason == "drift":
        changes = ", ".join(change.field for change in action.changes) or str(action.verb)
        text = f"{what}: {changes} put back ({action.verb})"
        return [Event(reason=Reason.HEALED, message=text, component=action.component)]
    reason = VERB_REASONS.get(action.verb, Reason.CHANGED)
    shown = ", ".join(f"{one.field} {one.before} -> {one.after}" for one in action.changes)
    text = f"{action.verb} {what}" + (f": {shown}" if shown and action.verb is not Verb.CREATE else "")
    return [Event(reason=reason, message=text, component=action.component)]


def failure_events(action: Action, acted: Acted) -> list[Event]:
    """Answer the events of an action that did not go through; a full budget is no event of a tenant's."""
    reason = FAILURE_REASONS.get(acted.ending)
    if reason is None:
        return []
    text = f"{action.verb} {label(action.kind, action.component)}: {acted.message or acted.ending}"
    return [Event(reason=reason, message=text, component=action.component, warning=True)]


def merged(events: Sequence[Event]) -> tuple[Event, ...]:
    """Make one event of a pass's events of one reason about one component: it happened once, in several words."""
    together: dict[tuple[Reason, str], list[Event]] = {}
    for event in events:
        together.setdefault((event.reason, event.component), []).append(event)
    return tuple(
        replace(
            some[0], message="; ".join(dict.fromkeys(e.message for e in some)), warning=any(e.warning for e in some)
        )
        for some in together.values()
    )


def drift_events(texts: Sequence[str]) -> list[Event]:
    """Answer one event per component for differences that nobody asked for."""
    found: dict[str, list[str]] = {}
    for text in texts:
        component, _, what = text.partition(": ")
        found.setdefault(component, []).append(what)
    return [
        Event(reason=Reason.DRIFTED, message=f"{component} {'; '.join(whats)}", component=component, warning=True)
        for component, whats in found.items()
    ]


def verdict(ports: Ports, facts: Facts, chance: float) -> Verdict:
    """Answer what to record of a pass."""
    record, view, now = facts.record, facts.view, ports.clock.now()
    keys = [*(view.stack.resources if view.stack else ()), *sorted(view.owned)]
    health = {key: judge(view.owned.get(key), now) for key in dict.fromkeys(keys)}
    purged = record.purged or _purged(facts)
    status = build_status(
        Findings(
            view=view,
            plan=facts.plan,
            health=health,
            generation=record.generation,
            revision=record.revision,
            previous=record.status,
            generation_at=record.generation_at,
            probe=facts.probe,
            probe_since=_probe_since(facts, now),
            waits=facts.waits,
            invalid=facts.invalid,
            purged=purged,
            purge_at=record.purge_at,
            token=record.reconcile_token,
            details=_details(facts),
        )
    )
    if status.ready_since is not None and record.status is not None and record.status.ready_since is None:
        ports.telemetry.converged((now - record.generation_at).total_seconds())
    status = _foretold(ports, facts, status, now)
    due, wake_class = _next(ports, facts, status, health, chance)
    return Verdict(
        status=status,
        events=merged((*facts.events, *_transitions(record, status, facts, now))),
        due_at=due,
        wake_class=wake_class,
        failed=facts.failed,
        demand=demand(facts),
        purged=purged and not record.purged,
        unchanged=status == record.status,
    )


def _details(facts: Facts) -> dict[str, str]:
    """Remember between passes which drift was told, and how the present revision found the tenant."""
    before = facts.record.status
    details = {"drift": "\n".join(facts.plan.drift)} if facts.plan.drift else {}
    if before is not None and before.revision != facts.record.revision:
        bad = failing(before.phase, before.conditions[1].reason)
        details["found"] = FAILING if bad else "fine"
    elif before is not None and "found" in before.details:
        details["found"] = before.details["found"]
    return details


def _foretold(ports: Ports, facts: Facts, status: Status, now: datetime) -> Status:
    """Remember the ETA that was first told of a generation until the tenant is Ready, and say how far it was off."""
    before = facts.record.status.details.get(ETA, "") if facts.record.status else ""
    generation, _, told = before.partition(" ")
    known = generation == str(status.observed_generation)
    if status.phase is Phase.READY:
        if known and status.conditions[1].status == "True":
            ports.telemetry.foretold((now - datetime.fromisoformat(told)).total_seconds())
            known = False
    elif not known and status.eta is not None:
        before, known = f"{status.observed_generation} {status.eta.isoformat()}", True
    return replace(status, details={**status.details, ETA: before}) if known else status


def _purged(facts: Facts) -> bool:
    """Say whether a deletion is complete: its time is up (or it is orphaned) and nothing is left of the stack."""
    record = facts.record
    if record.purge_at is None:
        return False
    over = facts.view.purge or record.purge_mode == "orphan"
    return over and not facts.view.owned and not facts.view.open and not facts.plan.actions


def _probe_since(facts: Facts, now: datetime) -> datetime:
    """Answer since when the entrypoint should answer: the newest deploy's end."""
    ends = [row.known.deploy.finished_at for row in facts.view.owned.values() if row.known.deploy]
    return max((end for end in ends if end is not None), default=now)


def _can_begin(facts: Facts, create: Action) -> bool:
    """Say whether nothing but budgets is between a create and Render, or plain writes of this very stack before it.

    Those (a project, a group) come within minutes, even if an answer was lost: nobody loses an hour's place by them.
    """
    if all(wait.reason is WaitReason.BUDGET for wait in create.waits):
        return True
    stack = facts.view.stack
    if stack is None or any(wait.reason is not WaitReason.DEPENDENCY for wait in create.waits):
        return False
    missing = {need for need in stack.resources[create.component].after if not facts.view.live(need)}
    waits = [wait for action in facts.plan.actions if action.component in missing for wait in action.waits]
    plain = not any(stack.resources[need].kind in CREATE_BUDGETED for need in missing)
    return bool(missing) and plain and not any(wait.reason in HUMAN for wait in waits)


def demand(facts: Facts) -> Demand | None:
    """Answer how many budgeted creates are still wanted; what waits for a person wants none."""
    open_to_time = [a for a in facts.creates if not any(w.reason in HUMAN for w in a.waits)]
    if not open_to_time or facts.view.state is not DesiredState.RUNNING:
        return None
    ready = [a for a in open_to_time if _can_begin(facts, a)]
    tenant = facts.record.tenant
    return Demand(
        wanted=len(open_to_time),
        ready=len(ready),
        started=any(not key.startswith("@") for key in facts.view.owned),
        priority=tenant.priority if tenant else 50,
        since=facts.record.created_at,
    )


def _transitions(record: Record, status: Status, facts: Facts, now: datetime) -> list[Event]:
    """Answer events of the tenant as a whole: ready, not ready, what a person must do."""
    before = record.status
    ready = status.conditions[0]
    was = before.conditions[0] if before else None
    events: list[Event] = []
    if ready.status == "True" and (was is None or was.status != "True"):
        took = _duration(now - record.generation_at)
        events.append(Event(reason=Reason.AVAILABLE, message=f"Ready after {took}: {ready.message}"))
    elif was is not None and was.status == "True" and ready.status != "True":
        events.append(Event(reason=ready.reason, message=ready.message, warning=status.phase is Phase.DEGRADED))
    elif ready.status != "True" and (was is None or (was.reason, was.message) != (ready.reason, ready.message)):
        notable = (
            Reason.INVALID,
            Reason.SUSPENDED,
            Reason.DELETING,
            Reason.PURGED,
            Reason.DEPLOY_FAILED,
            Reason.FAILED,
        )
        if ready.reason in notable and (was is None or was.reason is not ready.reason):
            warning = ready.reason in (Reason.INVALID, Reason.DEPLOY_FAILED, Reason.FAILED)
            events.append(Event(reason=ready.reason, message=ready.message, warning=warning))
    if before is None or before.you != status.you:
        pressing = [wait for wait in all_waits_of(facts) if wait.you]
        events += [
            Event(reason=HUMAN[w.reason], message=w.message, component=w.component, warning=True) for w in pressing[:3]
        ]
    return events


def all_waits_of(facts: Facts) -> Sequence[Wait]:
    """Answer the waits that end only when a person does something."""
    waits = [*facts.waits, *facts.plan.waits, *(wait for action in facts.plan.actions for wait in action.waits)]
    return [wait for wait in dict.fromkeys(waits) if wait.reason in HUMAN]


def _duration(span: timedelta) -> str:
    seconds = int(max(0.0, span.total_seconds()))
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def _next(
    ports: Ports, facts: Facts, status: Status, health: Mapping[str, Health], chance: float
) -> tuple[datetime, WakeClass]:
    """Answer when to look again, and in which class."""
    now, pace = facts.view.now, ports.options.pace
    candidates: list[tuple[datetime, WakeClass]] = [(now + schedule.resync(pace, chance), WakeClass.DRIFT)]
    candidates += [(max(at, now), WakeClass.SETTLE) for at in facts.until]
    check = rotation.next_check(ports, facts.claim.tenant, facts.view.owned.values())
    if check is not None and check > now:
        candidates.append((check, WakeClass.DRIFT))
    if facts.record.purge_at is not None and facts.record.purge_at > now and status.phase is not Phase.DELETED:
        candidates.append((facts.record.purge_at, WakeClass.SETTLE))
    if facts.failed:
        candidates.append((now + schedule.backoff(pace, facts.claim.failures + 1, chance), WakeClass.RETRY))
    if facts.view.state is DesiredState.RUNNING or facts.view.purge or status.phase is Phase.SUSPENDING:
        candidates += [(at, WakeClass.SETTLE) for at in _polls(facts, status, health)]
    return min(candidates, key=lambda one: one[0])


def _polls(facts: Facts, status: Status, health: Mapping[str, Health]) -> list[datetime]:
    """Answer when to look at what is on the move; a pass that a person must end is not polled."""
    now = facts.view.now
    times = [now + schedule.poll(one.since, now) for one in health.values() if one.state is HealthState.PROGRESSING]
    moving = [WaitReason.DEPENDENCY, WaitReason.SUSPENDED, WaitReason.CONFIRMATION, WaitReason.RETRY]
    waits = all_waits(Findings(
        view=facts.view, plan=facts.plan, health=health, generation=0, revision=0, previous=None, generation_at=now,
        waits=facts.waits,
    ))  # fmt: skip
    if any(wait.reason is WaitReason.BUDGET for wait in waits):
        moving.remove(WaitReason.DEPENDENCY)  # what waits for a create moves when the budget does; `until` says when
    if any(wait.reason in moving for wait in waits) and not any(wait.reason in HUMAN for wait in waits[:1]):
        times.append(now + schedule.poll(status.conditions[1].since, now))
    failing = any(row.known.failure for row in facts.view.owned.values())
    if failing or status.conditions[0].reason is Reason.NOT_ANSWERING:
        times.append(now + schedule.poll(status.conditions[0].since, now))
    if any(action.ready for action in facts.plan.actions):
        times.append(now + timedelta(seconds=1))
    assert status.conditions[1].type is ConditionType.SYNCED, "conditions keep their order"
    return times
