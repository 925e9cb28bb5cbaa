"""Holds what a pass leaves behind, and makes its plans again from it by the engine's own functions; pure.

A pass plans in rounds: at its beginning, and after the effects of each round. What a plan depends on is in its round's
`view` and `stops`, and in the `caps` of the pass; nothing else may make a difference, and no secret is among it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from reconciler.core import guard, stops
from reconciler.core.actions import Verb, Wait, WaitReason
from reconciler.core.compile import compile_stack
from reconciler.core.errors import Invalid
from reconciler.core.guard import Caps
from reconciler.core.inventory import Owned
from reconciler.core.kinds import Kind
from reconciler.core.plan import Plan, View, make_plan
from reconciler.core.prices import PriceBook
from reconciler.core.spec import BlueprintSpec, TenantSpec
from reconciler.core.stack import Stack
from reconciler.core.stops import Stops

SUCCEEDED = "succeeded"
SUMMARY_MAX = 300
NAMES_ONLY = frozenset({WaitReason.DEPENDENCY, WaitReason.SUSPENDED})
"""Reasons of waits whose message names what is waited for, no more."""


class Result(StrEnum):
    """How a pass ended. `broke`: an error ended it before its time; `waited`: nothing could be done yet."""

    CHANGED = "changed"
    FAILED = "failed"
    WAITED = "waited"
    BROKE = "broke"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One effect that was tried: its row in the journal, what it was, and how it ended."""

    operation: int
    verb: Verb
    component: str
    kind: Kind
    name: str
    ending: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One plan and all it was made from; `recent` counts capped effects of all tenants in the last ten minutes.

    `plan` is None where an error ended the pass before the plan was there.
    """

    view: View
    stops: Stops
    recent: Mapping[Verb, int] = field(default_factory=dict)
    plan: Plan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept of a pass. `took_s` is real seconds, `found` what settling earlier effects brought to light.

    `tenant` is None where its document cannot be read; `blueprint` and `revision` name the revision compiled.
    """

    began_at: datetime
    took_s: float
    result: Result
    generation: int
    tenant: TenantSpec | None = None
    blueprint: str = ""
    revision: int = 0
    caps: Caps = field(default_factory=Caps)
    book: str = ""
    rounds: tuple[Round, ...] = ()
    done: tuple[Done, ...] = ()
    found: tuple[str, ...] = ()
    error: str = ""
    phase: str = ""

    @property
    def waits(self) -> tuple[Wait, ...]:
        """What the last plan waited for, once each."""
        plan = self.rounds[-1].plan if self.rounds else None
        return waits_of(plan) if plan is not None else ()


class Replay(StrEnum):
    """What came of making a kept pass's plans again."""

    SAME = "same"
    DIFFERENT = "different"
    OTHER_VERSION = "other version"
    NO_PLAN = "no plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A replay in words; `differences` by path, what was kept on the left."""

    outcome: Replay
    message: str
    differences: Sequence[str] = ()


def waits_of(plan: Plan) -> tuple[Wait, ...]:
    """Answer what a plan waits for, once each: the whole tenant first."""
    return tuple(dict.fromkeys((*plan.waits, *(wait for action in plan.actions for wait in action.waits))))


def phrase(wait: Wait) -> str:
    """Say a wait as a phrase of its own: some are only the name of what is waited for."""
    return f"waits for {wait.message}" if wait.reason in NAMES_ONLY else wait.message


def fingerprint(kept: Kept) -> str:
    """Name what a pass did and waits for, times and counts aside; empty for one that changed something.

    A pass with the fingerprint of the one before it is that one once more, and is counted rather than kept beside it.
    """
    if kept.found or any(one.ending == SUCCEEDED for one in kept.done):
        return ""
    said = [kept.result, str(kept.generation), str(kept.revision), kept.phase, kept.error]
    said += [f"{one.verb} {one.component} {one.ending}" for one in kept.done]
    plan = kept.rounds[-1].plan if kept.rounds else None
    if plan is not None:
        said += [f"{one.verb} {one.component} {[str(wait.reason) for wait in one.waits]}" for one in plan.actions]
        said += [f"{wait.reason} {wait.component}" for wait in plan.waits]
    return hashlib.sha256("\n".join(said).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def summary(kept: Kept) -> str:
    """Say in a line what a pass did, or why it did nothing; no secret is in it."""
    if kept.error:
        return kept.error[:SUMMARY_MAX]
    said: dict[str, list[str]] = {}
    for one in kept.done:
        how = str(one.verb) if one.ending == SUCCEEDED else f"{one.ending}: {one.verb}"
        said.setdefault(how, []).append(one.component.removeprefix("@"))
    parts = [f"{how} {', '.join(dict.fromkeys(names))}" for how, names in said.items()]
    parts += kept.found
    if not parts:
        parts = list(dict.fromkeys(phrase(wait) for wait in kept.waits)) or ["put off to its next pass"]
    return "; ".join(parts)[:SUMMARY_MAX]


def stack_of(blueprint: BlueprintSpec, revision: int, tenant: TenantSpec, owned: Mapping[str, Owned]) -> Stack:
    """Compile a tenant with the addresses that its living objects have; Invalid with every problem."""

    def live(component: str, attribute: str) -> str | None:
        row = owned.get(component)
        return row.observed.attributes.get(attribute) if row and row.observed else None

    return compile_stack(blueprint, revision, tenant, live)


def restored(
    view: View, tenant: TenantSpec | None, blueprint: BlueprintSpec | None, revision: int, book: PriceBook
) -> View:
    """Give a kept view back what is not kept with it: the compiled stack and the prices."""
    stack: Stack | None = None
    if tenant is not None and blueprint is not None:
        try:
            stack = stack_of(blueprint, revision, tenant, view.owned)
        except Invalid:
            stack = None  # as the pass found it too: nothing is planned of a spec that cannot be built
    return replace(view, stack=stack, book=book)


def plan_again(one: Round, caps: Caps) -> Plan:
    """Make the plan of a round again, its stops and guards included."""
    proposed = stops.put_on(make_plan(one.view), one.stops, one.view.now)
    return guard.capped(proposed, one.recent, caps)[0]
