"""The verb `recover`: gives a fleet back to a database that lost it, and reports before anything else happens."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import typer

from reconciler.api import views
from reconciler.cli import output, planning, render_adopt, root, session, text
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Column, Format, Listing
from reconciler.core.adoption.match import Match
from reconciler.core.adoption.orphans import Orphan
from reconciler.core.values import Json
from reconciler.daemon import adopting
from reconciler.daemon.recovering import Recovery, TenantReport
from reconciler.doors import Actor
from reconciler.ports import Brake

COLUMNS = (
    Column("TENANT"),
    Column("STATE"),
    Column("OWNED", right=True),
    Column("FOUND", right=True),
    Column("MISSING", right=True),
    Column("SECRETS", right=True),
    Column("NOTE"),
)


@root.app.command(
    "recover",
    short_help="Own the fleet again after the database was lost.",
    epilog=root.examples(
        'reconciler brake observe --why "restoring the database"',
        "reconciler recover              # what it would own again, what is missing, what is left over",
        "reconciler recover --yes",
        "reconciler recover -o json",
    ),
)
def recover(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show; the default without --yes.")] = False,
    yes: root.Yes = False,
    form: root.Output = Format.TABLE,
) -> None:
    """Own the whole fleet again by project and name, after the control database was lost or an older one restored.

    Apply specs first, and put the brake on observe: nothing is written to Render, and nothing may be meanwhile. Secrets
    that Render holds are read back. Exit code 7 when something of the fleet needs a person.
    """
    asyncio.run(_run(take=yes and not dry_run, form=form))


async def _run(*, take: bool, form: Format) -> None:
    async with adopting.opened(planning.complete(root.INVOCATION.settings)) as adopter:
        recovery = Recovery(adopter, Actor(name=session.user(), via="cli"))
        if take and await recovery.brake() is Brake.NORMAL:
            raise Failure(
                "the brake is not on: passes would go on while ownership is written",
                remedy='reconciler brake observe --why "recovering"',
                code=ExitCode.REFUSED,
            )
        reports = [report async for report in recovery.tenants(take=take)]
        left = await recovery.orphans()
        _show(recovery, reports, left, form, taken=take)
    if any(not report.fine for report in reports) or recovery.totals.gone:
        raise typer.Exit(int(ExitCode.PARTIAL))


def _show(
    recovery: Recovery, reports: Sequence[TenantReport], left: Sequence[Orphan], form: Format, *, taken: bool
) -> None:
    if form in (Format.JSON, Format.YAML):
        said = _document(recovery, reports, left, taken=taken)
        (output.print_json if form is Format.JSON else output.print_yaml)(said)
        return
    output.show(
        Listing(
            what="tenants",
            columns=COLUMNS,
            rows=[_row(report) for report in reports],
            documents=(),
            names=[f"tenant/{report.tenant}" for report in reports],
        ),
        form,
    )
    if form is Format.NAME:
        return
    for tenant, component, id in recovery.totals.gone:
        output.line(f"gone: {id} was {component} of {tenant}, and is not at Render", "yellow")
    for one in left:
        live = one.observed
        price = text.dollars(recovery.usd(live))
        output.line(f"left over: {live.kind} {live.name} {live.id} ({price} a month) {one.why}", "yellow")
    output.note(_sum(recovery, left, taken=taken))


def _sum(recovery: Recovery, left: Sequence[Orphan], *, taken: bool) -> str:
    """Say the totals, and what comes next."""
    totals = recovery.totals
    word = "are owned again" if taken else "would be owned again"
    prices = [recovery.usd(one.observed) for one in left]
    over = sum((usd for usd in prices if usd is not None), Decimal(0))
    lines = [
        f"{text.count(totals.tenants, 'tenant')}: {text.count(totals.found, 'object')} {word} "
        f"({text.dollars(totals.usd)} a month), {totals.owned} were, {totals.missing} are missing, "
        f"{totals.unsure} are not clear, {text.count(totals.secrets, 'secret')} read back",
        f"{text.count(len(left), 'object')} left over ({text.dollars(over)} a month). Nothing was written to Render.",
    ]
    if taken:
        lines.append('Next: look at `reconciler get tenants`, then `reconciler brake normal --why "plans look right"`')
    else:
        lines.append("Nothing was changed; add --yes to take ownership")
    return "\n".join(lines)


def _row(report: TenantReport) -> list[str]:
    return [
        report.tenant,
        report.state,
        str(len(report.owned)),
        str(len(report.found)),
        str(len(report.missing)),
        str(len(report.examined.secrets)),
        _note(report) or text.NOTHING,
    ]


def _note(report: TenantReport) -> str:
    """Say what of a tenant needs a person."""
    parts = [report.refused] if report.refused else []
    parts += list(report.examined.invalid[:1])
    parts += [f"missing: {', '.join(_plain(one) for one in report.missing)}"] if report.missing else []
    for one in report.unsure:
        others = ", ".join(other.id for other in one.others)
        words = (render_adopt.WORDS[one.standing], one.note, others)
        parts.append(f"{_plain(one)}: {'; '.join(word for word in words if word)}")
    parts += [f"secret {ref.name} differs in {', '.join(users)}" for ref, users in report.examined.split.items()]
    return "; ".join(parts)


def _plain(one: Match) -> str:
    return one.component.removeprefix("@")


def _document(recovery: Recovery, reports: Sequence[TenantReport], left: Sequence[Orphan], *, taken: bool) -> Json:
    totals = recovery.totals
    return {
        "apiVersion": views.API_VERSION,
        "kind": "Recovery",
        "taken": taken,
        "tenants": [_tenant(report) for report in reports],
        "gone": [{"tenant": tenant, "component": component, "id": id} for tenant, component, id in totals.gone],
        "orphans": [_orphan(recovery, one) for one in left],
        "totals": {
            "tenants": totals.tenants,
            "owned": totals.owned,
            "found": totals.found,
            "missing": totals.missing,
            "unsure": totals.unsure,
            "secrets": totals.secrets,
            "variablesRead": totals.reads,
            "usdPerMonth": views.usd(totals.usd),
            "unknownPrices": totals.unknown,
        },
    }


def _tenant(report: TenantReport) -> Json:
    matches = report.examined.matched.matches.values()
    return {
        "name": report.tenant,
        "state": report.state,
        "fine": report.fine,
        "note": _note(report),
        "secrets": list[Json](sorted(ref.name for ref in report.examined.secrets)),
        "resources": [
            {
                "component": one.component,
                "kind": one.kind.value,
                "standing": one.standing.value,
                "id": one.found.id if one.found is not None else None,
                "candidates": list[Json]([other.id for other in one.others]),
            }
            for one in matches
        ],
    }


def _orphan(recovery: Recovery, one: Orphan) -> Json:
    live = one.observed
    return {
        "id": live.id,
        "kind": live.kind.value,
        "name": live.name,
        "tenant": one.tenant,
        "why": one.why,
        "usdPerMonth": views.usd(recovery.usd(live)),
    }
