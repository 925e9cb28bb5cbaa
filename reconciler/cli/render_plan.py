"""Draws a plan as Terraform's readers expect it: glyphs, waves, prices, cost in money, time and calls; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from reconciler.api import views
from reconciler.cli import output, text
from reconciler.cli.output import Column
from reconciler.core.actions import Action, Change, Verb, Wait, WaitReason
from reconciler.core.kinds import DATASTORES
from reconciler.core.values import Json

IMPOSSIBLE = frozenset(
    {WaitReason.IMMUTABLE, WaitReason.DATA_LOSS, WaitReason.REFUSED, WaitReason.DENIED, WaitReason.CONFLICT}
)
"""Obstacles that time does not remove: the part of the spec is left out, the rest goes on."""
NOTHING_CHANGES = "nothing to do"


class PlanView(Protocol):
    """What is drawn of a plan; `core.plan.Plan` is one."""

    @property
    def actions(self) -> tuple[Action, ...]:
        """What would be done, in order."""

    @property
    def drift(self) -> tuple[str, ...]:
        """Differences that no spec asked for."""

    @property
    def waits(self) -> tuple[Wait, ...]:
        """What the whole tenant waits for."""

    @property
    def usd_before(self) -> Decimal | None:
        """Dollars a month now; None when a price is unknown."""

    @property
    def usd_after(self) -> Decimal | None:
        """Dollars a month once it is done; None when a price is unknown."""

    @property
    def creates(self) -> int:
        """Creates that cost the hourly budget."""

    @property
    def writes(self) -> int:
        """Other writing calls."""

    @property
    def eta_s(self) -> float | None:
        """World seconds until it is done, if that can be said."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line and its colour on a terminal."""

    words: str
    style: str = ""


GLYPHS = {"create": "+", "delete": "-", "change": "~"}
STYLES = {"create": "green", "delete": "bold red", "change": "yellow"}
SORTS = ("create", "change", "delete")


def sort_of(actions: Sequence[Action]) -> str:
    """Say what happens to a component in one word: create, change or delete."""
    verbs = {action.verb for action in actions}
    return "create" if Verb.CREATE in verbs else "delete" if Verb.DELETE in verbs else "change"


def by_component(plan: PlanView) -> dict[str, list[Action]]:
    """Gather the actions of each component, in the order in which components first come."""
    found: dict[str, list[Action]] = {}
    for action in plan.actions:
        found.setdefault(action.component, []).append(action)
    return dict(sorted(found.items(), key=lambda pair: min(action.wave for action in pair[1])))


def lines(heading: str, plan: PlanView) -> list[Line]:
    """Draw the whole plan."""
    drawn = [Line(heading, "bold")]
    groups = by_component(plan)
    drawn += _table(groups)
    drawn += [Line(f"  {_obstacle(wait)}", "yellow") for wait in plan.waits]
    drawn += [Line(f"  drift: {text.safe(difference)}", "yellow") for difference in plan.drift]
    if not groups:
        waiting = " until that is settled" if any(wait.reason not in IMPOSSIBLE for wait in plan.waits) else ""
        return [*drawn, Line(f"Plan: {NOTHING_CHANGES}{waiting}.")]
    return [*drawn, _summary(groups, lost_data(plan)), Line(_money_time_calls(plan))]


def _obstacle(wait: Wait) -> str:
    label = "not done" if wait.reason in IMPOSSIBLE else "waits"
    return f"{label}: {text.safe(wait.message)}" + (f" ({text.safe(wait.you)})" if wait.you else "")


def _table(groups: dict[str, list[Action]]) -> list[Line]:
    rows: list[list[str]] = []
    styles: list[str] = []
    last_wave = 0
    for component, actions in groups.items():
        sort = sort_of(actions)
        wave = min(action.wave for action in actions)
        said = _changes(actions) or [""]
        for place, words in enumerate(said):
            first = place == 0
            rows.append(
                [
                    str(wave) if first and wave != last_wave else "",
                    GLYPHS[sort] if first else "",
                    component if first else "",
                    actions[0].kind.value if first else "",
                    words,
                    _price(actions) if first else "",
                    _notes(actions) if first else "",
                ]
            )
            styles.append(STYLES[sort])
        last_wave = wave
    columns = (Column("", right=True), *(Column("") for _ in range(4)), Column("", right=True), Column(""))
    safe_rows = [[text.safe(cell) for cell in row] for row in rows]
    return [
        Line(f"  {written}".rstrip(), style)
        for written, style in zip(output.aligned(columns, safe_rows, headings=False), styles, strict=True)
    ]


def _changes(actions: Sequence[Action]) -> list[str]:
    """Say field by field what changes; an action without fields says its verb."""
    said: list[str] = []
    for action in actions:
        if action.verb is Verb.CREATE:
            said.append(f"as {action.name}")
        elif action.verb is Verb.DEPLOY:
            continue
        elif action.changes:
            said += [_change(change) for change in action.changes]
        else:
            said.append(action.verb.value.replace("-", " "))
    if not said:
        said = [action.reason or action.verb.value for action in actions]
    return list(dict.fromkeys(said))


def _change(change: Change) -> str:
    return f"{change.field} {change.before} -> {change.after}" + ("" if change.asked else "  (drift)")


def _price(actions: Sequence[Action]) -> str:
    before = next((action.usd_before for action in actions if action.usd_before is not None), None)
    after = next((action.usd_after for action in reversed(actions) if action.usd_after is not None), None)
    if sort_of(actions) == "create":
        return "" if after is None else f"${text.money(after)}"
    if sort_of(actions) == "delete":
        return "" if before is None else f"${text.money(before)} -> $0.00"
    if before is None or after is None or before == after:
        known = after if after is not None else before
        return "" if known is None else f"${text.money(known)}"
    return f"${text.money(before)} -> ${text.money(after)}"


def _notes(actions: Sequence[Action]) -> str:
    notes = [note for action in actions for note in action.notes]
    waits = [f"waits for {wait.message}" for action in actions for wait in action.waits]
    deploys = any(action.verb is Verb.DEPLOY or action.needs_deploy for action in actions)
    if deploys and sort_of(actions) == "change" and not any("deploy" in note for note in notes):
        notes.append("1 deploy")
    return "; ".join(dict.fromkeys(notes + waits))


def lost_data(plan: PlanView) -> list[str]:
    """Name the components whose data an action destroys."""
    lost = [
        action.component
        for action in plan.actions
        if (action.verb is Verb.DELETE and action.kind in DATASTORES) or action.verb is Verb.REMOVE_DISK
    ]
    return list(dict.fromkeys(lost))


def counts(groups: dict[str, list[Action]]) -> dict[str, int]:
    """Count components to create, to change and to delete."""
    sorts = [sort_of(actions) for actions in groups.values()]
    return {sort: sorts.count(sort) for sort in SORTS}


def _summary(groups: dict[str, list[Action]], lost: Sequence[str]) -> Line:
    number = counts(groups)
    data = f"DATA IS LOST: {', '.join(lost)}." if lost else "No data is lost."
    total = f"Plan: {number['create']} to create, {number['change']} to change, {number['delete']} to delete."
    return Line(f"{total} {text.safe(data)}", "bold red" if lost else "bold")


def _money_time_calls(plan: PlanView) -> str:
    return f"Cost: {_cost(plan)}.   Time: {_time(plan)}.   API: {_calls(plan)}."


def _cost(plan: PlanView) -> str:
    before, after = plan.usd_before, plan.usd_after
    if before is None or after is None:
        return f"{text.dollars(before)} -> {text.dollars(after)} a month"
    if before == after:
        return f"${text.money(after)} a month, unchanged"
    sign = "+" if after > before else "-"
    return f"${text.money(before)} -> ${text.money(after)} a month ({sign}${text.money(abs(after - before))})"


def _time(plan: PlanView) -> str:
    blocking = [wait for wait in plan.waits if wait.reason not in IMPOSSIBLE]
    ready = any(action.ready for action in plan.actions) and not blocking
    waits = [*blocking, *(wait for action in plan.actions for wait in action.waits)]
    start = f"waits for {text.safe(waits[0].message)}" if waits and not ready else "starts at once"
    return start if plan.eta_s is None else f"{start}, about {text.duration(plan.eta_s)}"


def _calls(plan: PlanView) -> str:
    return f"{text.count(plan.writes, 'write')}, {text.count(plan.creates, 'create')}"


def document(tenant: str, plan: PlanView) -> Json:
    """Write a plan as JSON: what would be done and why, without the values that would be sent."""
    groups = by_component(plan)
    return {
        "apiVersion": views.API_VERSION,
        "kind": "Plan",
        "tenant": tenant,
        "actions": [_action(action) for action in plan.actions],
        "waits": [_wait(wait) for wait in plan.waits],
        "drift": list(plan.drift),
        "summary": {
            **counts(groups),
            "dataLost": list[Json](lost_data(plan)),
            "usdBefore": views.usd(plan.usd_before),
            "usdAfter": views.usd(plan.usd_after),
            "writes": plan.writes,
            "creates": plan.creates,
            "etaSeconds": plan.eta_s,
        },
    }


def _action(action: Action) -> Json:
    return {
        "verb": action.verb.value,
        "component": action.component,
        "kind": action.kind.value,
        "name": action.name,
        "id": action.id,
        "wave": action.wave,
        "reason": action.reason,
        "changes": [
            {"field": change.field, "before": change.before, "after": change.after, "asked": change.asked}
            for change in action.changes
        ],
        "notes": list(action.notes),
        "waits": [_wait(wait) for wait in action.waits],
        "usdBefore": views.usd(action.usd_before),
        "usdAfter": views.usd(action.usd_after),
    }


def _wait(wait: Wait) -> Json:
    return {
        "reason": wait.reason.value,
        "message": wait.message,
        "component": wait.component,
        "since": views.stamp(wait.since),
        "until": views.stamp(wait.until),
        "you": wait.you,
    }
