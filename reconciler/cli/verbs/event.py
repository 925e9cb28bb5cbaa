"""The verbs `events` and `audit`: what happened, and who changed what; they fetch and list."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from reconciler.cli import output, root, session, tables
from reconciler.cli.output import Format, Listing
from reconciler.cli.session import Session
from reconciler.doors import EventRow

WATCH_S = 0.5
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, the newest.")]


@root.app.command(
    "events",
    short_help="What happened, newest last.",
    epilog=root.examples(
        "reconciler events",
        "reconciler events acme --watch",
        "reconciler events acme -o json",
    ),
)
def events(
    tenant: Annotated[str, typer.Argument(help="Name of a tenant; all of them without.", show_default=False)] = "",
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Go on printing new ones until Ctrl-C.")] = False,
    limit: Limit = 50,
    form: root.Output = Format.TABLE,
) -> None:
    """Show what happened, newest last; repeated events are one line with a count."""
    if watch:
        session.run(lambda opened: _watch(opened, tenant or None, limit))
        return
    output.show(session.run(lambda opened: _list(opened, tenant or None, limit)), form)


async def _list(opened: Session, tenant: str | None, limit: int) -> Listing:
    if tenant is not None:
        await opened.registry.get_tenant(tenant)
    return tables.events(await opened.registry.events(tenant, limit=limit), opened.now())


async def _watch(opened: Session, tenant: str | None, limit: int) -> None:
    if tenant is not None:
        await opened.registry.get_tenant(tenant)
    rows = await opened.registry.events(tenant, limit=limit)
    newest = 0
    while True:
        _print(rows, opened, named=tenant is not None)
        newest = max([newest, *(row.id for row in rows)])
        output.flush()
        await asyncio.sleep(WATCH_S)
        rows = await opened.registry.events(tenant, after=newest, limit=limit)


def _print(rows: Sequence[EventRow], opened: Session, *, named: bool) -> None:
    """Print lines of fixed columns, so that those that come later stand below the first ones."""
    now = opened.now()
    for row in rows:
        cells = tables.event_cells(row, now)
        who = "" if named else f"{cells[1]:<16}  "
        output.line(f"{cells[0]}  {who}{cells[2]:<12}  {cells[-1]}", style="yellow" if row.warning else "")


@root.app.command(
    "audit",
    short_help="Who changed what, newest first.",
    epilog=root.examples("reconciler audit", "reconciler audit acme --limit 20", "reconciler audit -o json"),
)
def audit(
    subject: Annotated[str, typer.Argument(help="Tenant, Blueprint or key that was changed.", show_default=False)] = "",
    limit: Limit = 50,
    form: root.Output = Format.TABLE,
) -> None:
    """Show who changed what, by which door, newest first."""

    async def listing(opened: Session) -> Listing:
        return tables.audit(await opened.registry.audit(limit, subject or None), opened.now())

    output.show(session.run(listing), form)
