"""The verb group `orphans`: deletes what nobody owns, on a person's word; `get orphans` lists it."""

import asyncio
from typing import Annotated

import typer

from reconciler.cli import bulk, output, planning, root, session, tables, text
from reconciler.cli.exits import ExitCode, Failure
from reconciler.core.errors import Refused
from reconciler.daemon import adopting, leftovers
from reconciler.doors import Actor, OrphanRow

group = root.group(
    "orphans",
    "Delete what nobody owns at Render; `reconciler get orphans` lists it.",
    "Delete what nobody owns at Render.",
    "reconciler get orphans",
    "reconciler orphans delete srv-d3kq0 --yes",
    "reconciler orphans delete dpg-d3kq0-a --with-data --yes",
)


@group.command(
    "delete",
    short_help="Delete single objects that nobody owns.",
    epilog=root.examples(
        "reconciler orphans delete srv-d3kq0 srv-d3kpv --yes", "reconciler orphans delete dpg-d3kq0-a --with-data --yes"
    ),
)
def delete(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids as `get orphans` lists them.")],
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Databases, persistent Key Values and disks too. Not undoable.")
    ] = False,
    yes: root.Yes = False,
) -> None:
    """Delete objects that carry our marks at Render and belong to no tenant, after one more look at each.

    Refused with code 6 without --yes, for data without --with-data, under the brake, and beyond the cap on deletes.
    """
    asyncio.run(_delete(ids, with_data=with_data, yes=yes))


async def _delete(ids: list[str], *, with_data: bool, yes: bool) -> None:
    async with adopting.opened(planning.complete(root.INVOCATION.settings)) as adopter:
        rows = await leftovers.chosen(adopter, ids)
        _check_data(rows, with_data=with_data)
        output.show(tables.orphans(rows, adopter.wiring.clock.now()), output.Format.TABLE)
        bulk.confirm(f"Delete {text.count(len(rows), 'object')} at Render? This cannot be undone.", yes=yes)
        try:
            async for row in leftovers.delete(adopter, rows, Actor(name=session.user(), via="cli")):
                output.line(f"orphan/{row.id} deleted")
        except Refused as error:
            raise Failure(error.message, code=ExitCode.REFUSED) from error


def _check_data(rows: list[OrphanRow], *, with_data: bool) -> None:
    bearing = [row.id for row in rows if row.bears_data]
    if bearing and not with_data:
        raise Failure(
            f"{', '.join(bearing)} would lose data", remedy="add --with-data if it may", code=ExitCode.REFUSED
        )
