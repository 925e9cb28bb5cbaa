"""Turns the results of a pass into status: conditions, phase, and the two lines "why" and "you"; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from reconciler.core import prices
from reconciler.core.actions import Action, Verb, Wait, WaitReason
from reconciler.core.health import Health, HealthState
from reconciler.core.kinds import Kind
from reconciler.core.plan.view import Plan, View, label
from reconciler.core.spec import DesiredState
from reconciler.core.status import ComponentStatus, Condition, ConditionType, Phase, Reason, Status

NOTHING_TO_DO = "nothing to do"

HUMAN: Mapping[WaitReason, Reason] = {
    WaitReason.SECRET: Reason.SECRET_MISSING,
    WaitReason.REFUSED: Reason.REFUSED,
    WaitReason.DENIED: Reason.DENIED,
    WaitReason.SUSPENDED_BY_RENDER: Reason.SUSPENDED_BY_RENDER,
    WaitReason.CONFLICT: Reason.CONFLICT,
    WaitReason.DATA_LOSS: Reason.DATA_LOSS,
    WaitReason.IMMUTABLE: Reason.IMMUTABLE,
    WaitReason.GUARD: Reason.GUARDED,
    WaitReason.HELD: Reason.HELD,
    WaitReason.BRAKE: Reason.BRAKED,
}
"""Waits that end only when a person does something, most pressing first, and the reason they give."""
PASSING: Mapping[WaitReason, Reason] = {
    WaitReason.OPERATION: Reason.OUTCOME_UNKNOWN,
    WaitReason.BUDGET: Reason.QUEUED,
    WaitReason.RETRY: Reason.UNREACHABLE,
    WaitReason.CONFIRMATION: Reason.WAITING,
    WaitReason.DEPENDENCY: Reason.WAITING,
    WaitReason.SUSPENDED: Reason.WAITING,
    WaitReason.DEPLOY: Reason.DEPLOYING,
}
REASONS = {**HUMAN, **PASSING}

FAILING = "failing"
FAILED = frozenset({Phase.DEGRADED, Phase.INVALID, Phase.BLOCKED})
STUCK = frozenset({Reason.SECRET_MISSING, Reason.REFUSED, Reason.CONFLICT, Reason.IMMUTABLE, Reason.GUARDED})
"""Reasons of not being in sync that a revision is to blame for: a person must do something, though the tenant is up.

Data that is kept until a person says otherwise is none: all else of the revision is there.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a pass found out, for judging. `probe` is (url, HTTP status or None) once the entrypoint was asked.

    `waits` stand before the tenant as a whole (budget, hold, brake, error); `invalid` are the spec's problems.
    `typical` is how long stacks of this Blueprint took to become Ready, if known.
    """

    view: View
    plan: Plan
    health: Mapping[str, Health]
    generation: int
    revision: int
    previous: Status | None
    generation_at: datetime
    probe: tuple[str, int | None] | None = None
    probe_since: datetime | None = None
    waits: Sequence[Wait] = ()
    invalid: Sequence[str] = ()
    purged: bool = False
    purge_at: datetime | None = None
    token: str = ""
    typical: timedelta | None = None
    details: Mapping[str, str] = field(default_factory=dict)


def failing(phase: Phase, synced: Reason) -> bool:
    """Say whether a tenant with this phase and reason of Synced cannot go on by itself."""
    return phase in FAILED or synced in STUCK


def all_waits(found: Findings) -> list[Wait]:
    """Answer every wait of the tenant, its plan and its actions, once each, most pressing first."""
    waits = [*found.waits, *found.plan.waits, *(wait for action in found.plan.actions for wait in action.waits)]
    order = [*HUMAN, *PASSING]
    return sorted(dict.fromkeys(waits), key=lambda wait: order.index(wait.reason))


def _worst(found: Findings, state: HealthState) -> tuple[str, Health] | None:
    return next(((key, one) for key, one in found.health.items() if one.state is state), None)


def _answers(found: Findings) -> bool:
    """Say whether the entrypoint answered below 400, or there is none to ask."""
    return found.probe is None or (found.probe[1] is not None and found.probe[1] < 400)  # noqa: PLR2004 HTTP errors


def _ready(found: Findings) -> tuple[str, Reason, str]:
    """Judge Ready: status, reason, message."""
    state = found.view.state
    if found.purged:
        return "False", Reason.PURGED, "purged"
    if state is DesiredState.DELETED:
        return "False", Reason.DELETING, _purge_text(found)
    if state is DesiredState.SUSPENDED:
        return "False", Reason.SUSPENDED, _suspended_text(found)
    if found.invalid:
        return "False", Reason.INVALID, found.invalid[0]
    return _ready_running(found)


def _ready_running(found: Findings) -> tuple[str, Reason, str]:
    degraded = _worst(found, HealthState.DEGRADED)
    if degraded:
        reason = Reason.DEPLOY_FAILED if "deploy" in degraded[1].text else Reason.FAILED
        return "False", reason, f"{degraded[0]}: {degraded[1].text}"
    waits = all_waits(found)
    missing = _worst(found, HealthState.MISSING)
    if missing:
        if waits:
            return "False", REASONS[waits[0].reason], _wait_text(waits)
        return "False", Reason.CREATING, f"{missing[0]} is created"
    asleep = _worst(found, HealthState.SUSPENDED)
    if asleep:
        return _asleep(waits, f"{asleep[0]}: {asleep[1].text}")
    working = _worst(found, HealthState.PROGRESSING)
    if working:
        return "False", Reason.DEPLOYING, f"{working[0]}: {working[1].text}"
    if not _answers(found):
        url, status = found.probe or ("", None)
        said = f"answers {status}" if status is not None else "does not answer"
        return "False", Reason.NOT_ANSWERING, f"{url} {said}"
    changing = [action for action in found.plan.actions if action.reason != "drift" and not _stopped(action)]
    if changing:
        return "False", Reason.UPDATING, _doing(changing)
    url, status = found.probe or ("", None)
    return "True", Reason.AVAILABLE, f"{url} answers {status}" if url else "every component is up"


def _stopped(action: Action) -> bool:
    """Say whether an action waits for a person: it does not move, so what runs stays as ready as it is."""
    return any(wait.reason in HUMAN for wait in action.waits)


def _asleep(waits: Sequence[Wait], text: str) -> tuple[str, Reason, str]:
    """Say who keeps it suspended: Render itself, a policy that only reports, or nobody any more."""
    for reason in (WaitReason.SUSPENDED_BY_RENDER, WaitReason.GUARD):
        named = [wait for wait in waits if wait.reason is reason]
        if named:
            return "False", REASONS[reason], _wait_text(named)
    return "False", Reason.RESUMING, text


def _doing(actions: Sequence[Action]) -> str:
    first = actions[0]
    more = f" and {len(actions) - 1} more" if len(actions) > 1 else ""
    return f"{first.verb} {label(first.kind, first.component)}{more}"


def _hindered(found: Findings) -> str:
    """Say what an ending or a suspension still waits for, as the rest of a sentence."""
    waits = all_waits(found)
    return f"; {_wait_text(waits)}" if waits else ""


def _purge_text(found: Findings) -> str:
    if found.view.purge or found.purge_at is None:
        return f"is being purged{_hindered(found)}"
    word = "is being suspended" if found.plan.actions or found.plan.waits else "suspended"
    return f"{word}; its data is kept until {found.purge_at:%Y-%m-%d %H:%M} UTC{_hindered(found)}"


def _suspended_text(found: Findings) -> str:
    return "suspended in its spec" + (_hindered(found) if found.view.owned else "; nothing was created")


def _wait_text(waits: Sequence[Wait]) -> str:
    first = waits[0]
    same = [wait for wait in waits if wait.reason is first.reason]
    if first.reason is WaitReason.DEPENDENCY:
        texts = dict.fromkeys(
            f"{wait.component} waits for {wait.message}" if wait.component else wait.message for wait in same
        )
    elif first.reason is WaitReason.SUSPENDED:
        texts = dict.fromkeys(f"waits for {wait.message}" for wait in same)
    else:
        texts = dict.fromkeys(wait.message for wait in same)
    return "; ".join(list(texts)[:3])


def _synced(found: Findings) -> tuple[str, Reason, str]:
    """Judge Synced: what Render has is what the spec asks for, as far as we may change it."""
    if found.invalid:
        return "False", Reason.INVALID, "; ".join(found.invalid[:3])
    waits = all_waits(found)
    if waits:
        return "False", REASONS[waits[0].reason], _wait_text(waits)
    if found.plan.actions:
        return "False", Reason.UPDATING, _doing(found.plan.actions)
    return "True", Reason.IN_SYNC, "what Render has is what the spec says"


def _drifted(found: Findings) -> tuple[str, Reason, str]:
    if found.plan.unhealed:
        return "True", Reason.DRIFTED, "; ".join(found.plan.unhealed[:3])
    if found.plan.drift:
        return "True", Reason.DRIFTED, "; ".join(found.plan.drift[:3]) + "; being healed"
    return "False", Reason.IN_SYNC, "none"


def _condition(found: Findings, kind: ConditionType, judged: tuple[str, Reason, str]) -> Condition:
    status, reason, message = judged
    before = next((one for one in found.previous.conditions if one.type is kind), None) if found.previous else None
    since = before.since if before is not None and before.status == status else found.view.now
    return Condition(
        type=kind, status=status, reason=reason, message=message, since=since, observed_generation=found.generation
    )


def _phase(found: Findings, ready: Condition) -> Phase:
    if found.purged:
        return Phase.DELETED
    if found.view.state is DesiredState.DELETED:
        return Phase.DELETING
    awake = [one for one in found.health.values() if one.state not in (HealthState.SUSPENDED, HealthState.MISSING)]
    if found.view.state is DesiredState.SUSPENDED:
        stopping = any(action.verb is Verb.SUSPEND for action in found.plan.actions) or found.plan.waits
        return Phase.SUSPENDING if stopping and awake else Phase.SUSPENDED
    if found.invalid:
        return Phase.INVALID
    return _phase_running(found, ready)


def _phase_running(found: Findings, ready: Condition) -> Phase:
    if ready.status == "True":
        return Phase.READY
    been_ready = found.previous is not None and found.previous.ready_since is not None
    broken = ready.reason in (Reason.DEPLOY_FAILED, Reason.FAILED, Reason.SUSPENDED_BY_RENDER) or _lost(found)
    if broken or (ready.reason is Reason.NOT_ANSWERING and (_fell_silent(found) or _overdue(found))):
        return Phase.DEGRADED
    waits = all_waits(found)
    if waits and waits[0].reason in HUMAN and _worst(found, HealthState.MISSING):
        return Phase.BLOCKED
    if been_ready:
        return Phase.UPDATING
    return Phase.PROVISIONING if found.view.owned or found.plan.actions else Phase.PENDING


def _lost(found: Findings) -> bool:
    """Say whether something that stood was taken away, and only a person can bring it back."""
    stopped = [a for a in found.plan.actions if any(wait.reason in HUMAN for wait in a.waits)]
    return any(
        found.view.gone(action.component) is not None or any(w.reason is WaitReason.DATA_LOSS for w in action.waits)
        for action in stopped
    )


def _fell_silent(found: Findings) -> bool:
    """Say whether the entrypoint answered at the last look and does not now; a fresh deploy has its time to answer."""
    before = found.previous
    if before is None:
        return False
    ready = before.conditions[0]
    return ready.status == "True" or (before.phase is Phase.DEGRADED and ready.reason is Reason.NOT_ANSWERING)


def _overdue(found: Findings) -> bool:
    stack, since = found.view.stack, found.probe_since
    return stack is not None and since is not None and found.view.now - since > timedelta(seconds=stack.ready_within_s)


def _components(found: Findings) -> tuple[ComponentStatus, ...]:
    keys = [*(found.view.stack.resources if found.view.stack else ()), *sorted(found.view.owned)]
    return tuple(_component(found, key) for key in dict.fromkeys(keys) if not key.startswith("@"))


def _component(found: Findings, key: str) -> ComponentStatus:
    owned, view = found.view.live(key), found.view
    resource = view.stack.resources.get(key) if view.stack else None
    health = found.health.get(key) or Health(state=HealthState.MISSING, text="missing")
    kind = resource.kind if resource else view.owned[key].kind
    state = health.text
    action = next((one for one in found.plan.actions if one.component == key and one.waits), None)
    if health.state is HealthState.MISSING and action is not None:
        state = f"waits for {action.waits[0].message}"
    if health.state is HealthState.MISSING and view.state is not DesiredState.RUNNING:
        state = "not created"
    before = next((one for one in found.previous.components if one.component == key), None) if found.previous else None
    since = before.since if before is not None and before.state == state else (health.since or view.now)
    day = view.now.date()
    if owned is not None and owned.observed is not None:
        usd = prices.of_observed(view.book, owned.observed, day)
    else:
        usd = prices.of_resource(view.book, resource, day) if resource else None
    return ComponentStatus(
        component=key,
        kind=str(kind),
        name=owned.name if owned else (resource.name if resource else ""),
        state=state,
        healthy=health.state is HealthState.HEALTHY,
        id=owned.id if owned else "",
        url=owned.observed.attributes.get("url", "") if owned and owned.observed else "",
        since=since,
        usd=usd,
    )


def _lines(found: Findings, ready: Condition, phase: Phase) -> tuple[str, str]:
    """Write "why" and "you"."""
    waits = all_waits(found)
    you = next((wait.you for wait in waits if wait.you), NOTHING_TO_DO)
    if phase is Phase.INVALID:
        return ready.message, f"edit the spec: reconciler apply {found.view.tenant} ..."
    if phase in (Phase.DELETED, Phase.DELETING, Phase.SUSPENDED, Phase.SUSPENDING):
        undo = (
            f"to undo: reconciler resume {found.view.tenant}"
            if phase is Phase.DELETING and not found.view.purge
            else you
        )
        return ready.message, undo
    if phase is Phase.DEGRADED and you == NOTHING_TO_DO:
        key = (_worst(found, HealthState.DEGRADED) or (found.view.stack.entrypoint if found.view.stack else "", None))[
            0
        ]
        retry = f"reconciler reconcile {found.view.tenant}"
        you = f"look at the logs of {key} at Render; fix it in the spec or the code, or: {retry}"
    if ready.status == "True" and waits:
        return f"{ready.message}; but {_wait_text(waits)}", you
    if phase is Phase.BLOCKED:
        text = _wait_text(waits)
        return (text if found.view.owned else f"{text}. Nothing was created, nothing costs money."), you
    return ready.message, you


def _money(found: Findings) -> tuple[Decimal | None, Decimal | None]:
    """Answer what it costs a month now, and what its spec would cost running."""
    view, day = found.view, found.view.now.date()
    living = [owned.observed for key in view.owned if (owned := view.live(key)) is not None and owned.observed]
    now = [prices.of_observed(view.book, observed, day) for observed in living]
    desired = [prices.of_resource(view.book, one, day) for one in view.stack.resources.values()] if view.stack else []
    return (
        None if any(price is None for price in now) else sum((p for p in now if p is not None), prices.ZERO),
        None if any(price is None for price in desired) else sum((p for p in desired if p is not None), prices.ZERO),
    )


def _eta(found: Findings, phase: Phase) -> datetime | None:
    if phase not in (Phase.PENDING, Phase.PROVISIONING, Phase.UPDATING):
        return None
    until = [wait.until for wait in all_waits(found) if wait.until is not None]
    work = timedelta(seconds=found.plan.eta_s or 60.0)
    return max(until, default=found.view.now) + work


def build_status(found: Findings) -> Status:
    """Answer the whole status of a tenant after a pass."""
    ready = _condition(found, ConditionType.READY, _ready(found))
    synced = _condition(found, ConditionType.SYNCED, _synced(found))
    drifted = _condition(found, ConditionType.DRIFTED, _drifted(found))
    phase = _phase(found, ready)
    components = _components(found)
    why, you = _lines(found, ready, phase)
    monthly, desired = _money(found)
    previous = found.previous
    ready_since = previous.ready_since if previous else None
    if ready.status == "True" and ready_since is None:
        ready_since = found.view.now
    entrypoint = next((c for c in components if found.view.stack and c.component == found.view.stack.entrypoint), None)
    return Status(
        phase=phase,
        observed_generation=found.generation,
        revision=found.revision,
        conditions=(ready, synced, drifted),
        components=components,
        why=why,
        you=you,
        next=_next(found),
        url=entrypoint.url if entrypoint else "",
        eta=_eta(found, phase),
        up=sum(one.healthy for one in components if one.kind != Kind.ENV_GROUP),
        total=sum(one.kind != Kind.ENV_GROUP for one in components),
        monthly_usd=monthly,
        monthly_usd_desired=desired,
        drift=found.plan.unhealed,
        warnings=tuple(str(one) for one in found.view.stack.warnings) if found.view.stack else (),
        ready_since=ready_since,
        generation_since=found.generation_at,
        handled_token=found.token,
        details=found.details,
    )


def _next(found: Findings) -> str:
    ready = [action for action in found.plan.actions if action.ready]
    if ready:
        return _doing(ready)
    waiting = [action for action in found.plan.actions if action.waits]
    return _doing(waiting) if waiting else ""
