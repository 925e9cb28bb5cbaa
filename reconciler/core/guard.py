"""Says what must not happen: mass changes, effects on an empty or shrunken picture, endless effects; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from reconciler.core.actions import Action, Verb, Wait, WaitReason
from reconciler.core.plan.view import Plan

CAP_WINDOW = timedelta(minutes=10)
CAP_AGAIN = timedelta(minutes=2)
"""What a cap stopped is looked at again after so long (world)."""
MASS_CHANGE = "mass change guard"
"""Who moves the brake in the name of this guard."""
ANSWERED = timedelta(hours=2)
"""So long (world) a person who releases the brake that this guard has set has answered for every tenant: by then each
was looked at. Without it the guard would strike again with the next one."""
CAPPED = frozenset({Verb.DELETE, Verb.SUSPEND})


BREAKS_AFTER = 5
"""So many failures of a class in a row (5xx, silence), of at least `BREAKS_TENANTS`, open its circuit breaker."""
BREAKS_TENANTS = 3
"""One tenant alone may fail for a reason of its own: its backoff is its breaker."""
BREAKS_WINDOW = timedelta(hours=2)
BREAK_MIN = timedelta(minutes=1)
BREAK_MAX = timedelta(minutes=10)
SPIN_WINDOW = timedelta(hours=1)
SPINS_MAX = 12
"""So often within the window the very same effect succeeds for one generation before it is held to be endless."""
BIRTH_WINDOW = timedelta(hours=24)
BIRTHS_MAX = 5
"""So often within the window a component is created before a person is asked: whatever makes it vanish costs money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Limits on mass effects: per ten minutes over all tenants, and the share of tenants with unasked plans."""

    deletes: int = 60
    suspends: int = 120
    mass_share: float = 0.05
    mass_minimum: int = 10
    shrink_share: float = 0.2
    shrink_minimum: int = 5

    def of(self, verb: Verb) -> int | None:
        """Answer how many effects of a verb ten minutes may hold; None where there is no cap."""
        return {Verb.DELETE: self.deletes, Verb.SUSPEND: self.suspends}.get(verb)


def shrunken(before: int, after: int, caps: Caps) -> bool:
    """Say whether a sweep lost so many objects at once that it is not believed.

    A few are: absence is proved by id before anything follows from it, and the only database of a workspace can go.
    """
    return before - after > max(caps.shrink_minimum, before * caps.shrink_share)


def mass_change(unasked: int, tenants: int, caps: Caps, since_release: timedelta | None = None) -> bool:
    """Say whether so many tenants got a plan without a spec having changed that a person must be asked.

    `since_release`: how long ago (world) a person released the brake that this guard had set.
    """
    answered = since_release is not None and since_release < ANSWERED
    return not answered and unasked >= caps.mass_minimum and unasked > tenants * caps.mass_share


def capped(plan: Plan, recent: Mapping[Verb, int], caps: Caps) -> tuple[Plan, Sequence[str]]:
    """Put waits on deletes and suspends beyond what ten minutes may hold; answer the guards that struck."""
    left = {
        Verb.DELETE: caps.deletes - recent.get(Verb.DELETE, 0),
        Verb.SUSPEND: caps.suspends - recent.get(Verb.SUSPEND, 0),
    }
    struck: dict[str, None] = {}
    actions: list[Action] = []
    for action in plan.actions:
        if action.verb not in CAPPED or not action.ready:
            actions.append(action)
            continue
        left[action.verb] -= 1
        if left[action.verb] >= 0:
            actions.append(action)
            continue
        struck[f"{action.verb}_cap"] = None
        wait = Wait(reason=WaitReason.GUARD, message=cap_text(action.verb), component=action.component)
        actions.append(replace(action, waits=(wait,)))
    return replace(plan, actions=tuple(actions)), tuple(struck)


def broken_for(in_a_row: int, tenants: int) -> timedelta | None:
    """Answer how long nothing of a class is sent after so many failures in a row, None: it goes on; each doubles it."""
    if in_a_row < BREAKS_AFTER or tenants < BREAKS_TENANTS:
        return None
    doublings: int = 2 ** min(in_a_row - BREAKS_AFTER, 10)
    return min(BREAK_MAX, BREAK_MIN * doublings)


def cap_text(verb: str) -> str:
    """Say which cap stands before an effect."""
    return f"the cap of {verb}s in ten minutes over all tenants"


def stopped(plan: Plan, wait: Wait) -> Plan:
    """Put one wait on every action: a hold, the brake, a picture that is not believed."""
    return replace(plan, actions=tuple(replace(action, waits=(wait, *action.waits)) for action in plan.actions))
