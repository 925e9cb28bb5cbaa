"""Draws what adopting would own, what differs and what cannot be said, for people and for programs; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from reconciler.api import views
from reconciler.cli import output, render_plan, text
from reconciler.cli.output import Column
from reconciler.cli.render_plan import Line
from reconciler.core.adoption.match import Match, Standing
from reconciler.core.observed import Observed
from reconciler.core.values import Json
from reconciler.engine.adopt import Examined

Price = Callable[[Observed], Decimal | None]
COLUMNS = (
    Column("COMPONENT"),
    Column("KIND"),
    Column("NAME"),
    Column("ID"),
    Column("$/MONTH", right=True),
    Column("NOTE"),
)
WORDS: Mapping[Standing, str] = {
    Standing.OWNED: "owned already",
    Standing.FOUND: "",
    Standing.MISSING: "not there",
    Standing.GONE: "gone",
    Standing.AMBIGUOUS: "not clear which",
    Standing.ELSEWHERE: "elsewhere",
    Standing.TAKEN: "another tenant's",
    Standing.OURSELVES: "the operator's own",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Everything said of one tenant to adopt for; `notes` are what a proposal could not express."""

    heading: str
    tenant: str
    examined: Examined
    price: Price
    notes: Sequence[str] = ()


def lines(drawn: Drawn) -> list[Line]:
    """Draw it for people."""
    found = drawn.examined
    said = [Line(drawn.heading, "bold"), *_table(drawn)]
    said += [Line(f"  cannot be said: {text.safe(note)}", "yellow") for note in drawn.notes]
    said += _secrets(found)
    for one in found.matched.strays:
        said.append(
            Line(f"  also in its project, and nobody's: {_named(one)} ({_usd(drawn.price(one))} a month)", "yellow")
        )
    said += [Line(f"  {text.safe(problem)}", "red") for problem in found.invalid]
    if found.fits:
        said.append(Line("Plan: nothing would be done at Render.", "green"))
    elif not found.invalid:
        said += render_plan.lines("What would differ:", found.plan)
    return said


def total(drawn: Drawn) -> str:
    """Say how much would be owned: `8 objects, $48.50 a month`."""
    prices = [drawn.price(one) for one in drawn.examined.matched.found.values()]
    known = sum((usd for usd in prices if usd is not None), Decimal(0))
    more = f" and {text.count(prices.count(None), 'unknown price')}" if None in prices else ""
    return f"{text.count(len(prices), 'object')}, {text.dollars(known)} a month{more}"


def _named(one: Observed) -> str:
    return text.safe(f"{one.kind} {one.name} {one.id}")


def _usd(usd: Decimal | None) -> str:
    return text.dollars(usd)


def _table(drawn: Drawn) -> list[Line]:
    rows = [_row(drawn, one) for one in drawn.examined.matched.matches.values()]
    safe_rows = [[text.safe(cell) for cell in row] for row in rows]
    styles = ["" if one.standing in (Standing.FOUND, Standing.OWNED) else "yellow" for one in _matches(drawn)]
    head, *body = output.aligned(COLUMNS, safe_rows)
    return [Line(f"  {head}", "bold"), *(Line(f"  {row}", style) for row, style in zip(body, styles, strict=True))]


def _matches(drawn: Drawn) -> list[Match]:
    return list(drawn.examined.matched.matches.values())


def _row(drawn: Drawn, one: Match) -> list[str]:
    word = WORDS[one.standing]
    others = ", ".join(other.id for other in one.others)
    note = "; ".join(part for part in (word, one.note, others) if part)
    live = one.found
    price = text.money(drawn.price(live)) if live is not None else text.NOTHING
    name = live.name if live is not None else one.name
    return [one.component.removeprefix("@"), str(one.kind), name, live.id if live else text.NOTHING, price, note]


def _secrets(found: Examined) -> list[Line]:
    said = []
    if found.secrets:
        names = ", ".join(sorted(ref.name for ref in found.secrets))
        said.append(Line(f"  read from Render, to be kept encrypted: {text.safe(names)}"))
    for ref, users in sorted(found.split.items(), key=lambda pair: pair[0].name):
        words = f"  secret {ref.name} is not the same in {', '.join(users)}: that of the first counts"
        said.append(Line(text.safe(words), "yellow"))
    return said


def document(drawn: Drawn) -> Json:
    """Write it for programs; secrets by name only."""
    found = drawn.examined
    return {
        "apiVersion": views.API_VERSION,
        "kind": "Adoption",
        "tenant": drawn.tenant,
        "blueprint": found.stack.blueprint if found.stack is not None else None,
        "fits": found.fits,
        "resources": [_entry(drawn, one) for one in _matches(drawn)],
        "strays": [_object(drawn, one) for one in found.matched.strays],
        "secrets": list[Json](sorted(ref.name for ref in found.secrets)),
        "differingSecrets": {ref.name: list[Json](users) for ref, users in found.split.items()},
        "notes": list[Json](drawn.notes),
        "problems": list[Json](found.invalid),
        "plan": render_plan.document(drawn.tenant, found.plan),
    }


def _entry(drawn: Drawn, one: Match) -> Json:
    return {
        "component": one.component,
        "kind": one.kind.value,
        "standing": one.standing.value,
        "object": _object(drawn, one.found) if one.found is not None else None,
        "candidates": [_object(drawn, other) for other in one.others],
        "note": one.note,
    }


def _object(drawn: Drawn, one: Observed) -> Json:
    return {"kind": one.kind.value, "name": one.name, "id": one.id, "usdPerMonth": views.usd(drawn.price(one))}
