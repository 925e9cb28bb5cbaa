"""Draws why a tenant stands as it does, and kept passes with their plans and replays; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.api import views
from reconciler.cli import output, render_plan, render_tenant, text, wire, wire_plan
from reconciler.cli.output import Column, Listing
from reconciler.core import conditions
from reconciler.core.actions import Wait
from reconciler.core.kinds import ENVIRONMENT, PROJECT
from reconciler.core.passes import Replay, Result, phrase
from reconciler.core.plan import Plan
from reconciler.core.status import ConditionType
from reconciler.core.values import Json
from reconciler.doors import KeptPass, PassRow, QueueRow, TenantRow
from reconciler.ports import Brake

GROUPINGS = frozenset({PROJECT, ENVIRONMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """All that bears on the question. `newest` is the newest kept pass, `queue` the whole create queue."""

    row: TenantRow
    newest: PassRow | None
    queue: Sequence[QueueRow]
    brake: Brake
    brake_why: str

    @property
    def last(self) -> PassRow | None:
        """The newest kept pass, if the last one said the same; else that found nothing to do, and was not kept."""
        newest, recorded = self.newest, self.row.reconciled_at
        if newest is None or recorded is None or newest.at >= recorded or self._waits_on(newest):
            return newest
        return None

    def _waits_on(self, newest: PassRow) -> bool:
        """Say whether the tenant still waits for what that pass waited for: passes that only wait on are not kept."""
        status = self.row.status
        if status is None or newest.result != Result.WAITED or newest.revision != status.revision:
            return False
        synced = next(one for one in status.conditions if one.type is ConditionType.SYNCED)
        reasons = {conditions.REASONS[wait.reason] for wait in newest.waits}
        return newest.generation == status.observed_generation and synced.status != "True" and synced.reason in reasons

    @property
    def place(self) -> QueueRow | None:
        """The tenant's place in the create queue."""
        return next((one for one in self.queue if one.tenant == self.row.name), None)


def page(why: Why, now: datetime) -> list[str]:
    """Draw the two lines, and what they rest on."""
    parts = render_tenant.two_lines(why.row)
    parts += _last(why, now)
    parts += _waits(why, now)
    place = why.place
    if place is not None:
        wanted = text.count(place.wanted, "create")
        about = "" if place.eta is None else f", about {text.about(place.eta, now)}"
        parts += render_tenant.labelled("Queue", f"{place.position} of {len(why.queue)} stacks, {wanted} wanted{about}")
    for stop in _stops(why, now):
        parts += render_tenant.labelled("Stops", stop)
    return [*parts, *_next(why.row, now)]


def _last(why: Why, now: datetime) -> list[str]:
    row, last, newest = why.row, why.last, why.newest
    parts = []
    if last is None and row.reconciled_at is not None:
        parts += render_tenant.labelled("Last", f"{text.at(row.reconciled_at, now)}  looked, nothing to do")
    if newest is not None:
        parts += render_tenant.labelled("Last" if last is newest else "Before", _pass_line(newest, now))
    if last is not None and row.reconciled_at is not None and last.at < row.reconciled_at:
        parts += render_tenant.labelled("", f"{text.at(row.reconciled_at, now)}  looked again, still so")
    return parts


def _pass_line(row: PassRow, now: datetime) -> str:
    often = f", {row.count} times since {text.at(row.first_at, now)}" if row.count > 1 else ""
    how = f"pass {row.id}, {row.wake_class}, took {_took(row.took_s)}{often}"
    what = "" if row.result == Result.WAITED and row.waits else f": {row.summary}"  # the waits are told below
    return f"{text.at(row.at, now)}  {row.result}{what} ({how})"


def _took(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds < 10 else text.duration(seconds)  # noqa: PLR2004 - tenths say nothing then


def since(why: Why, wait: Wait) -> datetime | None:
    """Answer since when something waits: as it says, else as its component stands so, else as the passes say so."""
    if wait.since is not None:
        return wait.since
    status, last = why.row.status, why.last
    for one in status.components if status is not None and why.row.fresh else ():
        if one.component == wait.component and one.since is not None and wait.message in one.state:
            return one.since
    return last.first_at if last is not None else None


def _waits(why: Why, now: datetime) -> list[str]:
    last = why.last
    if last is None or not last.waits:
        return []
    rows = []
    for wait in last.waits:
        began = since(why, wait)
        who = "everything" if not wait.component or wait.component in GROUPINGS else wait.component
        rows.append(
            [
                text.safe(cell)
                for cell in (
                    who,
                    phrase(wait),
                    "" if began is None else f"for {text.age(began, now)}",
                    "" if wait.until is None else f"until {text.at(wait.until, now)}",
                )
            ]
        )
    drawn = output.aligned([Column("") for _ in range(4)], rows, headings=False)
    return [f"{'Waits' if place == 0 else '':<{render_tenant.LABEL}}{line}" for place, line in enumerate(drawn)]


def _stops(why: Why, now: datetime) -> list[str]:
    found = []
    if why.brake is not Brake.NORMAL:
        found.append(f"the brake is on {why.brake} ({why.brake_why}): reconciler brake normal")
    hold = why.row.hold
    if hold is not None:
        release = f"reconciler hold {why.row.name} --release"
        found.append(f"held by {hold.by} until {text.about(hold.until, now)}, {hold.why}: {release}")
    return found


def _next(row: TenantRow, now: datetime) -> list[str]:
    if row.under_way:
        return render_tenant.labelled("Next", "a pass is under way now")
    if not row.next_class:
        return []
    when = (
        "at once"
        if row.next_at is None or row.next_at <= now
        else f"{text.at(row.next_at, now)}, in {text.age(now, row.next_at)}"
    )
    failed = f", after {text.count(row.failures, 'failure')} in a row" if row.failures else ""
    doing = f": {row.status.next}" if row.status is not None and row.fresh and row.status.next else ""
    return render_tenant.labelled("Next", f"{when} ({row.next_class}{failed}){doing}")


def document(why: Why) -> dict[str, Json]:
    """Write the same for programs."""
    row, last, place, hold = why.row, why.last, why.place, why.row.hold
    waits: list[Json] = [
        {**views.wait(wait), "since": views.stamp(since(why, wait))} for wait in (last.waits if last else ())
    ]
    return {
        "tenant": row.name,
        "phase": views.phase(row).value,
        "why": render_tenant.why(row),
        "you": render_tenant.you(row),
        "reconciledAt": views.stamp(row.reconciled_at),
        "newestKeptPass": None if why.newest is None else views.kept_row(why.newest),
        "waits": waits,
        "queue": None if place is None else {**views.queue(place), "length": len(why.queue)},
        "brake": {"brake": why.brake.value, "why": why.brake_why},
        "hold": None if hold is None else {"by": hold.by, "why": hold.why, "until": views.stamp(hold.until)},
        "nextPass": views.next_pass(row),
    }


def passes(rows: Sequence[PassRow], now: datetime) -> Listing:
    """List kept passes, newest first."""
    return Listing(
        what="kept passes",
        columns=(
            Column("PASS", right=True),
            Column("AT"),
            Column("CLASS"),
            Column("TOOK", right=True),
            Column("TIMES", right=True),
            Column("REVISION", wide=True),
            Column("GENERATION", wide=True, right=True),
            Column("VERSION", wide=True),
            Column("RESULT"),
            Column("WHAT"),
        ),
        rows=[
            [
                str(row.id),
                text.at(row.at, now),
                row.wake_class,
                _took(row.took_s),
                str(row.count),
                f"{row.blueprint} r{row.revision}",
                str(row.generation),
                row.version,
                row.result,
                row.summary,
            ]
            for row in rows
        ],
        documents=[views.kept_row(row) for row in rows],
        names=[f"pass/{row.id}" for row in rows],
    )


# ------------------------------------------------------------ one pass


def pass_page(kept: KeptPass, now: datetime) -> list[str]:
    """Draw one pass: what it was made from, the plan it made, what it did, and whether that replays."""
    row = kept.row
    parts = [f"pass {row.id} of {row.tenant}    {row.result}    {text.at(row.at, now)}    {row.wake_class}", ""]
    parts += render_tenant.labelled("What", row.summary)
    if row.count > 1:
        said = f"{row.count} passes in a row said so since {text.at(row.first_at, now)}; this is the newest"
        parts += render_tenant.labelled("Times", said)
    parts += render_tenant.labelled("Took", f"{_took(row.took_s)}, epoch {row.epoch}")
    parts += render_tenant.labelled("From", _inputs(kept))
    parts += _done(row)
    if kept.replayed.outcome is Replay.OTHER_VERSION:
        drawn = ["", "its plan was written by another version: -o json shows it as it is"]
    else:
        drawn = _plan(kept)
    parts += [*drawn, "", kept.replayed.message]
    return [*parts, *(f"  {one}" for one in kept.replayed.differences)]


def _rounds(kept: KeptPass) -> list[wire.Fields]:
    return list(wire.items(kept.document.get("rounds")))


def _inputs(kept: KeptPass) -> str:
    row, rounds = kept.row, _rounds(kept)
    tenant = wire.fields(kept.document.get("tenant"))
    parts = [f"{row.blueprint} r{row.revision}" if row.blueprint else "a Blueprint that cannot be read"]
    parts += [word for word in (wire.word(tenant.get("tier")), wire.word(tenant.get("region"))) if word]
    parts += [f"generation {row.generation}"]
    if rounds:
        parts += _seen(wire.fields(rounds[0].get("view")), wire.fields(rounds[0].get("stops")))
    parts += [f"price book {wire.word(kept.document.get('book'))}", f"version {row.version}"]
    return ", ".join(parts)


def _seen(view: wire.Fields, stops: wire.Fields) -> list[str]:
    """Say what the first plan was made from, as counts and names."""
    said = [
        f"state {wire.word(view.get('state'))}",
        text.count(len(wire.fields(view.get("owned"))), "object") + " ours",
    ]
    lists = {"conflicts": "foreign", "open": "without an outcome", "missing_secrets": "secrets missing"}
    for name, words in lists.items():
        names = sorted(wire.fields(view.get(name)))
        said += [f"{words}: {', '.join(names)}"] if names else []
    said += ["held"] if stops.get("hold") else []
    said += [f"brake {wire.word(stops.get('brake'))}"] if stops.get("brake") not in (None, Brake.NORMAL.value) else []
    said += ["before the first sweep"] if stops.get("swept") is False else []
    refusals = len(wire.items(stops.get("refusals")))
    return said + ([text.count(refusals, "refusal")] if refusals else [])


def _done(row: PassRow) -> list[str]:
    told = [
        f"{one.verb} {one.component.removeprefix('@')}: {one.ending}{f', {one.message}' if one.message else ''}"
        f" (operation {one.operation})"
        for one in row.done
    ]
    return render_tenant.labelled("Did", "\n".join(told)) if told else []


def _plan(kept: KeptPass) -> list[str]:
    """Draw what the pass set out to do, and what was left of it at its end."""
    plans = [one.get("plan") for one in _rounds(kept) if one.get("plan")]
    if not plans:
        return []
    row = kept.row
    heading = f"Its plan ({text.count(len(plans), 'round')}, this is the first):" if len(plans) > 1 else "Its plan:"
    drawn = ["", *(line.words for line in render_plan.lines(heading, read_plan(plans[0])))]
    left = read_plan(plans[-1])
    if len(plans) > 1 and left.actions:
        names = ", ".join(dict.fromkeys(f"{one.verb} {one.component.removeprefix('@')}" for one in left.actions))
        waits = dict.fromkeys(phrase(wait) for wait in row.waits)
        drawn += ["", *render_tenant.labelled("Left", "; ".join((names, *waits)))]
    return drawn


def read_plan(value: Json) -> Plan:
    """Read a kept plan as far as it is drawn."""
    told = wire_plan.plan(value)
    return Plan(
        actions=told.actions,
        drift=told.drift,
        waits=told.waits,
        usd_before=told.usd_before,
        usd_after=told.usd_after,
        eta_s=told.eta_s,
    )
