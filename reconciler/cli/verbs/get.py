"""The verb `get`: fetches one sort of record and lists it; how a table looks is not decided here."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from reconciler.cli import output, root, session, tables
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Format, Listing
from reconciler.cli.session import Session
from reconciler.core.errors import NotFound
from reconciler.doors import Rejection, TenantRow

PAGE = 1000
WATCH_S = 1.0


class Sort(StrEnum):
    """What can be listed."""

    TENANTS = "tenants"
    BLUEPRINTS = "blueprints"
    QUEUE = "queue"
    EVENTS = "events"
    KEYS = "keys"
    OPERATIONS = "operations"
    AUDIT = "audit"
    ORPHANS = "orphans"


ALIASES = {
    "tenant": Sort.TENANTS,
    "t": Sort.TENANTS,
    "blueprint": Sort.BLUEPRINTS,
    "bp": Sort.BLUEPRINTS,
    "event": Sort.EVENTS,
    "ev": Sort.EVENTS,
    "key": Sort.KEYS,
    "orphan": Sort.ORPHANS,
    "operation": Sort.OPERATIONS,
    "op": Sort.OPERATIONS,
    "ops": Sort.OPERATIONS,
}


def sort_of(word: str) -> Sort:
    """Read the sort of record, in singular, plural or short."""
    lowered = word.lower()
    found = ALIASES.get(lowered) or next((sort for sort in Sort if sort.value == lowered), None)
    if found is None:
        raise Failure(
            f'there is no "{word}" to get',
            remedy=f"choose one of {', '.join(sort.value for sort in Sort)}",
            code=ExitCode.USAGE,
        )
    return found


def split(words: Sequence[str]) -> tuple[Sort, list[str]]:
    """Read `tenants acme bolt`, `tenant/acme`."""
    first, _, name = words[0].partition("/")
    return sort_of(first), ([name] if name else []) + list(words[1:])


@root.app.command(
    "get",
    short_help="List tenants, blueprints, queue, events...",
    epilog=root.examples(
        "reconciler get tenants",
        "reconciler get tenants -l segment=smb -o wide",
        "reconciler get tenant acme -o yaml > acme.yaml",
        "reconciler get tenants --watch",
        "reconciler get blueprint crm --revision 3 -o yaml",
        "reconciler get queue",
        "reconciler get operations acme",
    ),
)
def get(
    *,
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="SORT [NAME]...",
            help="tenants, blueprints, queue, events, keys, operations, orphans or audit; then names.",
            show_default=False,
        ),
    ],
    selector: root.Selector = None,
    form: root.Output = Format.TABLE,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Go on printing tenants that change.")] = False,
    purged: Annotated[bool, typer.Option("--purged", help="List purged tenants too.")] = False,
    revision: Annotated[int | None, typer.Option("--revision", min=1, help="A Blueprint's older revision.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Rows of events and journal.")] = 100,
) -> None:
    """List tenants, blueprints, the create queue, events, keys, operations or audited changes."""
    sort, names = split(what)
    chosen = root.selector(selector)
    if sort is Sort.TENANTS:
        if watch:
            session.run(lambda opened: _watch(opened, names, chosen, purged=purged))
            return
        listing = session.run(lambda opened: tenants(opened, names, chosen, purged=purged))
    else:
        listing = session.run(lambda opened: _others(opened, sort, names, limit=limit, revision=revision))
    output.show(listing, form)


async def tenants(
    opened: Session, names: Sequence[str], selector: dict[str, str] | None, *, purged: bool = False
) -> Listing:
    """List tenants and refused documents; NotFound when a named one is neither."""
    rows = await rows_of(opened, names, selector, purged=purged)
    rejected = await _rejected(opened, names, selector)
    known = {row.name for row in rows} | {row.name for row in rejected} | {str(row.number) for row in rows}
    for name in names:
        if name not in known:
            raise NotFound(f'there is no tenant "{name}"; see `reconciler get tenants`')
    return tables.tenants(rows, rejected, opened.now(), single=len(names) == 1)


async def rows_of(
    opened: Session, names: Sequence[str], selector: dict[str, str] | None, *, purged: bool = False
) -> list[TenantRow]:
    """Fetch all pages of a list of tenants."""
    found: list[TenantRow] = []
    while True:
        page = await opened.registry.list_tenants(
            selector=selector,
            names=list(names) or None,
            include_purged=purged,
            limit=PAGE,
            offset=len(found),
        )
        found.extend(page.rows)
        if not page.rows or len(found) >= page.count:
            return found


async def _rejected(opened: Session, names: Sequence[str], selector: dict[str, str] | None) -> list[Rejection]:
    """List refused documents; a label selector leaves them out, for their labels were never accepted."""
    if selector:
        return []
    return [row for row in await opened.registry.rejections() if not names or row.name in names]


async def _others(opened: Session, sort: Sort, names: Sequence[str], *, limit: int, revision: int | None) -> Listing:
    match sort:
        case Sort.BLUEPRINTS:
            return await _blueprints(opened, names, revision)
        case Sort.QUEUE:
            return tables.queue(await opened.registry.queue(), opened.now())
        case Sort.EVENTS:
            tenant = names[0] if names else None
            return tables.events(await opened.registry.events(tenant, limit=limit), opened.now())
        case Sort.ORPHANS:
            return tables.orphans(await opened.registry.orphans(), opened.now())
        case Sort.KEYS:
            return tables.keys(await opened.registry.list_keys(), opened.now())
        case Sort.AUDIT:
            return tables.audit(await opened.registry.audit(limit, names[0] if names else None), opened.now())
        case _:
            if len(names) != 1:
                raise Failure(
                    "operations are those of one tenant",
                    remedy="write `reconciler get operations TENANT`",
                    code=ExitCode.USAGE,
                )
            await opened.registry.get_tenant(names[0])
            return tables.operations(await opened.registry.operations(names[0], limit), opened.now())


async def _blueprints(opened: Session, names: Sequence[str], revision: int | None) -> Listing:
    if names:
        rows = [await opened.registry.get_blueprint(name, revision) for name in names]
    else:
        rows = list(await opened.registry.list_blueprints())
    return tables.blueprints(rows, opened.now(), single=len(names) == 1)


async def _watch(opened: Session, names: Sequence[str], selector: dict[str, str] | None, *, purged: bool) -> None:
    """Print the list once, then every row that changes, until Ctrl-C."""
    printed: dict[str, tuple[str, ...]] = {}
    while True:
        listing = await tenants(opened, names if not printed else (), selector, purged=purged)
        changed = [row for row in listing.rows if printed.get(row[0]) != tuple(row) and (not names or row[0] in names)]
        if changed:
            part = Listing(what=listing.what, columns=listing.columns, rows=changed, documents=())
            output.table(part, headings=not printed)
            printed |= {row[0]: tuple(row) for row in changed}
        output.flush()
        await asyncio.sleep(WATCH_S)
