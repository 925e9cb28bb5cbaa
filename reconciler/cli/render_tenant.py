"""Draws the page of one tenant: why, you, next, spec, components, conditions, cost, events; pure."""

import shutil
import textwrap
from collections.abc import Sequence
from datetime import datetime

from reconciler.api import views
from reconciler.cli import output, tables, text
from reconciler.cli.output import Column
from reconciler.core.status import ComponentStatus, ConditionType, Status
from reconciler.doors import BlueprintRow, CostRow, EventRow, Rejection, TenantRow

LABEL = 8
"""Width of the labels on the left: Why, You, Next."""
WIDTH_MAX = 110
NOTHING_TO_DO = "nothing to do"


def why(row: TenantRow) -> str:
    """Say why the tenant stands as it does."""
    return tables.why(row)


def you(row: TenantRow) -> str:
    """Say what a person must do."""
    if row.status is None or not row.fresh:
        return NOTHING_TO_DO
    return row.status.you or NOTHING_TO_DO


def two_lines(row: TenantRow) -> list[str]:
    """Answer the two lines that are the product in every state."""
    return [*labelled("Why", why(row)), *labelled("You", you(row))]


def rejected(row: Rejection) -> list[str]:
    """Say why a document was refused."""
    return [
        *[part for said in row.message.splitlines() for part in labelled("Why", said)],
        *labelled("You", f"correct the {row.kind} document and apply it again; what stood before is untouched"),
    ]


def labelled(label: str, words: str) -> list[str]:
    """Put a label before a text, wrapped to the terminal; a text's own lines stay lines."""
    width = min(shutil.get_terminal_size((WIDTH_MAX, 24)).columns, WIDTH_MAX) - LABEL
    found: list[str] = []
    for part in words.split("\n"):
        found += textwrap.wrap(text.safe(part), max(width, 40), break_long_words=False, break_on_hyphens=False) or [""]
    return [
        f"{label:<{LABEL}}{part}".rstrip() if place == 0 else " " * LABEL + part for place, part in enumerate(found)
    ]


def page(
    row: TenantRow,
    *,
    newest: int,
    cost: CostRow | None,
    events: Sequence[EventRow],
    now: datetime,
) -> list[str]:
    """Draw the whole page."""
    parts = [_heading(row, now), "", *two_lines(row)]
    if row.status is not None and row.status.next:
        parts += labelled("Next", row.status.next)
    if row.hold is not None:
        parts += labelled("Held", f'by {row.hold.by} until {text.about(row.hold.until, now)}, "{row.hold.why}"')
    parts += labelled("Spec", _spec(row, newest, now))
    if row.status is not None:
        parts += _warnings(row.status)
        if row.status.components:
            parts += ["", *_components(row.status.components, now)]
        parts += ["", *_conditions(row.status, cost, now)]
    parts += _events(events, now)
    return parts


def _heading(row: TenantRow, now: datetime) -> str:
    said = row.status
    parts = [f'{row.name}  "{row.display_name}"' if row.display_name else row.name, views.phase(row)]
    if said is not None:
        parts.append(f"{said.up} of {said.total} up")
        if said.eta is not None and row.fresh and said.eta > now:
            parts.append(f"ready about {text.about(said.eta, now)}")
        price = _price(row, said)
        if price:
            parts.append(price)
    if row.purge_at is not None and not row.purged:
        parts.append(f"purged at {text.about(row.purge_at, now)}")
    return "    ".join(parts)


def _price(row: TenantRow, said: Status) -> str:
    desired, present = said.monthly_usd_desired, said.monthly_usd
    if row.state != "running":
        desired = None
    if desired is None:
        return "" if present is None else f"{text.dollars(present)} a month"
    return f"{text.dollars(desired)} a month" + (" when done" if present != desired else "")


def _spec(row: TenantRow, newest: int, now: datetime) -> str:
    revision = row.revision or (row.status.revision if row.status is not None else 0)
    which = " (newest)" if revision == newest else f" (newest is r{newest})"
    blueprint = f"{row.blueprint} r{revision}{which}" if revision else f"{row.blueprint} (newest is r{newest})"
    said = [blueprint, *(word for word in (row.tier, row.region or "", row.state) if word)]
    acted = row.status.observed_generation if row.status is not None else 0
    made = f"made {text.at(row.created_at, now)} by {row.created_by}"
    outside = f", {row.external_id}" if row.external_id else ""
    return f"{', '.join(said)}; generation {row.generation}, acted on {acted}; {made}{outside}"


def _warnings(said: Status) -> list[str]:
    return [part for warning in said.warnings for part in labelled("Note", warning)]


def _components(components: Sequence[ComponentStatus], now: datetime) -> list[str]:
    names = max(len(text.safe(item.name)) for item in components)
    columns = (
        Column("COMPONENT"),
        Column("KIND"),
        Column("STATE"),
        Column("FOR", right=True),
        Column("LIVE"),
        Column("$/MONTH", right=True),
    )
    rows = [
        [
            text.safe(cell)
            for cell in (
                item.component,
                item.kind,
                item.state,
                text.age(item.since, now),
                f"{text.safe(item.name):<{names}}  {item.id}" if item.id else text.NOTHING,
                text.money(item.usd),
            )
        ]
        for item in components
    ]
    return output.aligned(columns, rows)


def _conditions(said: Status, cost: CostRow | None, now: datetime) -> list[str]:
    left = output.aligned(
        (Column(""), Column(""), Column(""), Column("")),
        [
            [item.type.value, item.status, item.reason.value, f"for {text.age(item.since, now)}"]
            for item in said.conditions
        ],
        headings=False,
    )
    right = [f"Drift  {_drift(said)}", f"Cost   {_cost(said, cost)}"]
    width = max((len(part) for part in left), default=0)
    height = max(len(left), len(right))
    left += [""] * (height - len(left))
    right += [""] * (height - len(right))
    return [f"{a:<{width}}    {b}".rstrip() for a, b in zip(left, right, strict=True)]


def _drift(said: Status) -> str:
    if said.drift:
        return "; ".join(text.safe(part) for part in said.drift)
    told = next((item.message for item in said.conditions if item.type is ConditionType.DRIFTED), "")
    return f"none; {text.safe(told)}" if told not in ("", "none") else "none"


def _cost(said: Status, cost: CostRow | None) -> str:
    full = said.monthly_usd_desired if said.monthly_usd_desired is not None else said.monthly_usd
    whole_month = f"{text.dollars(full)} a full month"
    if cost is None:
        return f"nothing so far this month, {whole_month}"
    unknown = f", {text.count(cost.unknown, 'price')} unknown" if cost.unknown else ""
    return f"{text.dollars(cost.usd)} so far, {text.dollars(cost.usd_forecast)} this month, {whole_month}{unknown}"


def _events(events: Sequence[EventRow], now: datetime) -> list[str]:
    if not events:
        return []
    reasons = max(len(row.reason) for row in events)
    drawn = [
        f"{text.at(row.last_at, now)}  {text.safe(row.reason):<{reasons}}  {tables.event_message(row, now)}"
        for row in reversed(events)
    ]
    return labelled("Events", "\n".join(text.safe(part) for part in drawn))


def blueprint(row: BlueprintRow) -> list[str]:
    """Draw what a Blueprint says, its document in YAML below."""
    rollout = row.rollout or "none under way"
    return [
        f"{row.name}    r{row.revision} of {row.newest}    {text.count(row.tenants, 'tenant')}",
        "",
        *labelled("Rollout", rollout),
        *labelled("Made", f"{text.at(row.created_at)} by {row.created_by}"),
        "",
        *output.yaml_text({"spec": dict(row.document)}).splitlines(),
    ]
