"""The verb `cost`: reads which window and which groups, and lists the sums; summing is the ledger's business."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import typer

from reconciler.cli import output, root, session, tables, text
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Format, Listing
from reconciler.cli.session import Session

GROUPS = ("tenant", "component", "kind", "blueprint", "tier")


@root.app.command(
    "cost",
    short_help="What tenants cost.",
    epilog=root.examples(
        "reconciler cost                                   # this month so far, by tenant",
        "reconciler cost --by component -l segment=smb",
        "reconciler cost --by label:segment --window 30d",
        "reconciler cost --window 2026-10-01,2026-11-01 -o json",
    ),
)
def cost(
    by: Annotated[
        str, typer.Option("--by", metavar="GROUP", help="tenant, component, kind, blueprint, tier or label:KEY.")
    ] = "tenant",
    window: Annotated[
        str, typer.Option("--window", help="month (since its first day, UTC), 7d, 24h, or FROM,TO as dates.")
    ] = "month",
    selector: root.Selector = None,
    form: root.Output = Format.TABLE,
) -> None:
    """Say what tenants cost: in the window, a month at the present rate, and until the end of this month."""
    if by not in GROUPS and not (by.startswith("label:") and len(by) > len("label:")):
        raise Failure(
            f'--by "{by}" is not known', remedy=f"choose {', '.join(GROUPS)} or label:KEY", code=ExitCode.USAGE
        )
    chosen = root.selector(selector)

    async def listing(opened: Session) -> Listing:
        since, until = window_of(window, opened.now())
        return tables.costs(await opened.registry.costs(by, since, until, chosen), by)

    found = session.run(listing)
    output.show(found, form)
    if form in (Format.TABLE, Format.WIDE) and len(found.rows) > 1:
        _print_total(found)


def _print_total(found: Listing) -> None:
    total = sum((text.number(row[1].replace(",", "")) or Decimal(0) for row in found.rows), Decimal(0))
    rate = sum((text.number(row[2].replace(",", "")) or Decimal(0) for row in found.rows), Decimal(0))
    output.note(f"total: {text.dollars(total)} in the window, {text.dollars(rate)} a month at the present rate")


def window_of(words: str, now: datetime) -> tuple[datetime, datetime]:
    """Read a window, its end exclusive. A month goes to its last day: the forecast is made to the window's end."""
    if words == "month":
        return month_of(now)
    if "," in words:
        first, _, last = words.partition(",")
        since, until = _moment(first), _moment(last)
        if since >= until:
            raise Failure(f'--window "{words}" ends before it begins', remedy="write FROM,TO", code=ExitCode.USAGE)
        return since, until
    return now - timedelta(seconds=root.seconds(words)), now


def month_of(now: datetime) -> tuple[datetime, datetime]:
    """Answer the calendar month of a moment, UTC."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first, (first + timedelta(days=31)).replace(day=1)


def _moment(words: str) -> datetime:
    try:
        read = datetime.fromisoformat(words.strip())
    except ValueError as error:
        raise Failure(
            f'"{words.strip()}" is not a time', remedy="write 2026-10-01 or 2026-10-01T12:00Z", code=ExitCode.USAGE
        ) from error
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
