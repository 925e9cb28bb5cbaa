"""Holds what may stand before a tenant's effects, and puts it on a plan: hold, brake, refusals, what failed; pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from reconciler.core import guard
from reconciler.core.actions import Action, Verb, Wait, WaitReason
from reconciler.core.plan.view import Plan
from reconciler.core.values import Json


class Brake(StrEnum):
    """Hands off all: `observe` plans and reports without effects, `stop` does not even claim."""

    NORMAL = "normal"
    OBSERVE = "observe"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Hands off one tenant until a time, with a reason."""

    by: str
    why: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A refused effect: not asked again for the same generation and request."""

    component: str
    request_hash: str
    generation: int
    message: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """Everything that may stop the effects of one tenant at one moment.

    `swept` is False until the whole workspace has been looked at once. `blocked` has the components that failed
    earlier in this pass. `tenant` is for remedies: the name the tenant was claimed by. `spins` counts the effects of
    this generation by their hash in `guard.SPIN_WINDOW`, `births` the creates of a component in `guard.BIRTH_WINDOW`.
    """

    tenant: str
    generation: int
    hold: Hold | None = None
    brake: Brake = Brake.NORMAL
    brake_why: str = ""
    swept: bool = True
    refusals: tuple[Refusal, ...] = ()
    blocked: Mapping[str, Wait] = field(default_factory=dict)
    spins: Mapping[str, int] = field(default_factory=dict)
    births: Mapping[str, int] = field(default_factory=dict)


def request_hash(action: Action) -> str:
    """Name a request by what it asks, secrets by their digests: the same question has the same hash."""
    asked: dict[str, Json] = {
        "verb": str(action.verb),
        "component": action.component,
        "id": action.id,
        "payload": dict(action.payload),
        "marks": dict(action.marks),
        "removes": list[Json](action.removes),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:32]


def in_force(stops: Stops, now: datetime) -> list[Wait]:
    """Answer what stands before every effect of the tenant: hold, brake, no picture of Render yet."""
    found = []
    if stops.hold is not None and stops.hold.until > now:
        hold = stops.hold
        text = f"held by {hold.by} until {hold.until:%Y-%m-%d %H:%M} UTC, {hold.why}"
        you = f"reconciler hold {stops.tenant} --release"
        found.append(Wait(reason=WaitReason.HELD, message=text, until=hold.until, you=you))
    if stops.brake is not Brake.NORMAL:
        text = f"brake is on {stops.brake} ({stops.brake_why})"
        found.append(Wait(reason=WaitReason.BRAKE, message=text, you="reconciler brake normal"))
    if not stops.swept:
        found.append(Wait(reason=WaitReason.RETRY, message="the first look at the whole workspace"))
    return found


def put_on(plan: Plan, stops: Stops, now: datetime) -> Plan:
    """Put every stop that is in force on a plan; the caps on mass effects come after it (`guard.capped`)."""
    plan = replace(plan, actions=tuple(_stopped(stops, action) for action in plan.actions))
    for wait in in_force(stops, now):
        plan = guard.stopped(plan, wait)
    return plan


def _stopped(stops: Stops, action: Action) -> Action:
    """Put a wait on an action that was refused for this generation, or whose component failed in this pass."""
    if not action.ready:
        return action
    blocked = stops.blocked.get(action.component)
    if blocked is not None:
        return replace(action, waits=(blocked,))
    asked = request_hash(action)
    for refusal in stops.refusals:
        if refusal.request_hash == asked and refusal.generation == stops.generation:
            text = f"Render refused {action.verb} of {action.component}: {refusal.status}, {refusal.message}"
            you = f"edit the spec; or, once it is settled at Render: reconciler reconcile {stops.tenant}"
            wait = Wait(reason=WaitReason.REFUSED, message=text, component=action.component, you=you)
            return replace(action, waits=(wait,))
    return _spinning(stops, action, asked)


def _spinning(stops: Stops, action: Action, asked: str) -> Action:
    """Put a wait on an effect that comes again and again: the circuit breaker of one tenant."""
    births = stops.births.get(action.component, 0) if action.verb is Verb.CREATE else 0
    spins = stops.spins.get(asked, 0)
    if births >= guard.BIRTHS_MAX:
        text = f"{action.component} was created {births} times within a day and is missing again"
    elif spins >= guard.SPINS_MAX:
        text = f"{action.verb} of {action.component} was done {spins} times within an hour and is wanted again"
    else:
        return action
    you = f"find out why (reconciler why {stops.tenant}), then: reconciler reconcile {stops.tenant}"
    return replace(action, waits=(Wait(reason=WaitReason.GUARD, message=text, component=action.component, you=you),))
