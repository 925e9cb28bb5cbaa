"""The verb `why`: fetches what explains a tenant, its kept passes or one of them; the pages are drawn elsewhere."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Annotated, TypeVar

import typer

from reconciler.api import views
from reconciler.cli import output, render_tenant, render_why, root, session
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Format
from reconciler.cli.render_why import Why
from reconciler.cli.session import Session
from reconciler.core.errors import NotFound
from reconciler.core.values import Json
from reconciler.doors import KeptPass, PassRow
from reconciler.ports import Brake

PASSES_MAX = 1000
T = TypeVar("T")


@root.app.command(
    "why",
    short_help="Why a tenant stands so, what to do.",
    epilog=root.examples(
        "reconciler why echo",
        "reconciler why echo -o json",
        "reconciler why echo --passes            # what was done to it, pass by pass",
        "reconciler why --pass 41                # one of them, its plan made again from what it saw",
    ),
)
def why(
    name: Annotated[str, typer.Argument(help="Name of a tenant.", show_default=False)] = "",
    passes: Annotated[bool, typer.Option("--passes", help="List its kept passes.")] = False,
    one: Annotated[int | None, typer.Option("--pass", metavar="ID", help="Show a kept pass and replay it.")] = None,
    form: root.Output = Format.TABLE,
) -> None:
    """Say in two lines why a tenant stands as it does and what you must do; and what that rests on.

    Passes that changed, failed or waited for something are kept for a while with all that their plans were made from.
    """
    if (one is None) == (not name) or (one is not None and passes):
        raise Failure("why takes a tenant, or --pass ID", remedy="write `reconciler why NAME`", code=ExitCode.USAGE)
    if one is not None:
        _show_pass(one, form)
    elif passes:
        rows, now = session.run(lambda opened: _passes(opened, name))
        output.show(render_why.passes(rows, now), form)
    else:
        _show_why(name, form)


def _show_why(name: str, form: Format) -> None:
    found = session.run(lambda opened: _why(opened, name))
    if isinstance(found, list):
        _print(found)
        return
    facts, now = found
    _show(render_why.document(facts), render_why.page(facts, now), f"tenant/{facts.row.name}", form)


def _show_pass(id: int, form: Format) -> None:
    kept, now = session.run(lambda opened: _kept(opened, id))
    _show(views.kept_pass(kept), render_why.pass_page(kept, now), f"pass/{id}", form)


def _show(document: dict[str, Json], page: list[str], name: str, form: Format) -> None:
    match form:
        case Format.JSON:
            output.print_json(document)
        case Format.YAML:
            output.print_yaml(document)
        case Format.NAME:
            output.line(name)
        case _:
            _print(page)


def _print(page: list[str]) -> None:
    for part in page:
        output.line(part)


async def _why(opened: Session, name: str) -> tuple[Why, datetime] | list[str]:
    """Fetch what explains a tenant; one whose document was refused answers with the reason."""
    registry = opened.registry
    try:
        row = await registry.get_tenant(name)
    except NotFound:
        refused = [row for row in await registry.rejections() if row.name == name]
        if not refused:
            raise
        return render_tenant.rejected(refused[0])
    kept = await _allowed(registry.passes(row.name, 1), [])
    brake, brake_why = await _allowed(registry.brake(), (Brake.NORMAL, ""))
    queue = await _allowed(registry.queue(), [])
    newest = kept[0] if kept else None
    return Why(row=row, newest=newest, queue=queue, brake=brake, brake_why=brake_why), opened.now()


async def _allowed(asked: Awaitable[T], otherwise: T) -> T:
    """Await something that a key of a small scope may not read; the rest of the answer stands without it."""
    try:
        return await asked
    except Failure as failure:
        if failure.code is not ExitCode.REFUSED:
            raise
        return otherwise


async def _passes(opened: Session, name: str) -> tuple[Sequence[PassRow], datetime]:
    row = await opened.registry.get_tenant(name)
    return await opened.registry.passes(row.name, PASSES_MAX), opened.now()


async def _kept(opened: Session, id: int) -> tuple[KeptPass, datetime]:
    return await opened.registry.get_pass(id), opened.now()
