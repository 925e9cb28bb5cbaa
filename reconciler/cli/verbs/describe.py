"""The verb `describe`: fetches all that is known of one tenant or Blueprint; the page is drawn elsewhere."""

from datetime import datetime
from typing import Annotated

import typer

from reconciler.api import views
from reconciler.cli import output, render_tenant, root, session
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Format
from reconciler.cli.session import Session
from reconciler.cli.verbs.cost import month_of
from reconciler.cli.verbs.get import Sort, sort_of
from reconciler.doors import BlueprintRow, CostRow, TenantRow

EVENTS_SHOWN = 8


@root.app.command(
    "describe",
    short_help="Everything about one tenant.",
    epilog=root.examples(
        "reconciler describe tenant acme",
        "reconciler describe acme -o json",
        "reconciler describe blueprint crm",
    ),
)
def describe(
    what: Annotated[
        list[str],
        typer.Argument(metavar="[tenant|blueprint] NAME", help="What to describe.", show_default=False),
    ],
    form: root.Output = Format.TABLE,
) -> None:
    """Say everything about one tenant: why it stands so, what you must do, what comes next, components, cost."""
    sort, name = _target(what)
    if sort is Sort.BLUEPRINTS:
        _print_blueprint(session.run(lambda opened: opened.registry.get_blueprint(name)), form)
        return
    row, page = session.run(lambda opened: _describe(opened, name))
    match form:
        case Format.JSON:
            output.print_json(views.tenant(row))
        case Format.YAML:
            output.print_yaml(views.tenant(row))
        case Format.NAME:
            output.line(f"tenant/{row.name}")
        case _:
            for part in page:
                output.line(part)


def _target(words: list[str]) -> tuple[Sort, str]:
    if len(words) == 1:
        first, _, name = words[0].partition("/")
        return (sort_of(first), name) if name else (Sort.TENANTS, first)
    if len(words) == 2:  # noqa: PLR2004 - a sort and a name
        sort = sort_of(words[0])
        if sort in (Sort.TENANTS, Sort.BLUEPRINTS):
            return sort, words[1]
    raise Failure(
        "describe takes one tenant or Blueprint",
        remedy="write `reconciler describe tenant NAME`",
        code=ExitCode.USAGE,
    )


async def _describe(opened: Session, name: str) -> tuple[TenantRow, list[str]]:
    row = await opened.registry.get_tenant(name)
    now = opened.now()
    events = await opened.registry.events(row.name, limit=EVENTS_SHOWN)
    cost = await _cost(opened, row.name, now)
    newest = (await opened.registry.get_blueprint(row.blueprint)).newest
    return row, render_tenant.page(row, newest=newest, cost=cost, events=events, now=now)


async def _cost(opened: Session, name: str, now: datetime) -> CostRow | None:
    since, until = month_of(now)
    return next((row for row in await opened.registry.costs("tenant", since, until) if row.key == name), None)


def _print_blueprint(row: BlueprintRow, form: Format) -> None:
    match form:
        case Format.JSON:
            output.print_json(views.blueprint(row))
        case Format.NAME:
            output.line(f"blueprint/{row.name}")
        case Format.YAML:
            output.print_yaml(views.blueprint(row))
        case _:
            for part in render_tenant.blueprint(row):
                output.line(part)
