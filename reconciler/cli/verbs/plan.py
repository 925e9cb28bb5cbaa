"""The verb `plan`: shows what would be done and at what price; getting the plan and drawing it are done elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from reconciler import manifest
from reconciler.api import views
from reconciler.cli import applying, output, planning, render_plan, root, session, text
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Format
from reconciler.cli.render_plan import PlanView
from reconciler.cli.session import Session
from reconciler.cli.verbs.apply import Files, Recursive, Settings
from reconciler.core.errors import Invalid
from reconciler.core.values import Json
from reconciler.doors import TenantRow


@dataclass(frozen=True, slots=True)
class Planned:
    """A tenant's plan with its heading."""

    name: str
    heading: str
    plan: PlanView


@root.app.command(
    "plan",
    short_help="What would be done, and its price.",
    epilog=root.examples(
        "reconciler plan acme                                 # what the next pass would do",
        "reconciler plan acme --set tier=pro                  # what an edit would do",
        "reconciler plan -f specs/tenants/ --detailed-exitcode    # 0 nothing, 1 error, 2 changes",
        "reconciler plan acme --set tier=pro -o json",
    ),
)
def plan(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[TENANT]...", help="Tenants to plan.", show_default=False)
    ] = None,
    settings: Settings = None,
    filenames: Files = None,
    recursive: Recursive = False,
    detailed: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode", help="Exit 0 when nothing would change, 2 when something would, 1 on errors."
        ),
    ] = False,
    form: root.Output = Format.TABLE,
) -> None:
    """Show what would be created, changed and deleted, in which order and for how much money, without doing it."""
    if bool(names) == bool(filenames):
        raise Failure("say what to plan", remedy="write TENANT [--set PATH=VALUE], or -f FILE", code=ExitCode.USAGE)
    if filenames and settings:
        raise Failure("--set changes a named tenant, not files", remedy="edit the files", code=ExitCode.USAGE)
    paths = applying.files(filenames, recursive=recursive) if filenames else []
    planned = session.run(
        lambda opened: _of_files(opened, paths) if paths else _of_names(opened, names or [], settings or [])
    )
    _show(planned, form)
    if detailed and any(one.plan.actions for one in planned):
        root.INVOCATION.changes = True


async def _of_names(opened: Session, names: Sequence[str], settings: Sequence[str]) -> list[Planned]:
    planned = []
    for name in dict.fromkeys(names):
        before = await applying.known(opened.registry, name)
        columns = None
        if before is None or settings:
            columns = applying.changed(before, name, settings)
            await applying.check_columns(opened.registry, columns)
        planned.append(await _one(opened, name, before, columns))
    return planned


async def _of_files(opened: Session, paths: Sequence[str]) -> list[Planned]:
    """Plan the tenants of some files; Blueprints among them would first have to be applied."""
    found, refused = applying.load(paths)
    if refused:
        raise Invalid([problem for result in refused for problem in result.problems])
    planned = []
    for doc in found:
        if doc.kind == "Blueprint":
            output.note(
                f"note: blueprint/{doc.name} is not planned: tenants are planned on the newest applied revision"
            )
            continue
        columns = manifest.tenant_columns(doc)
        before = await applying.known(opened.registry, doc.name)
        merged = {**(views.columns(before) if before is not None else {}), **columns}
        try:
            await applying.check_columns(opened.registry, merged)
        except Invalid as error:
            raise Invalid(manifest.locate(doc, error.problems)) from None
        planned.append(await _one(opened, doc.name, before, merged))
    return planned


async def _one(opened: Session, name: str, before: TenantRow | None, columns: dict[str, Json] | None) -> Planned:
    found = await planning.preview(opened, name, columns)
    return Planned(name, _heading(name, before, columns), found)


def _heading(name: str, before: TenantRow | None, columns: dict[str, Json] | None) -> str:
    """Say whose plan it is and which words of the spec it changes: `acme  crm r12  starter -> pro`."""
    if before is None:
        blueprint, tier = (str((columns or {}).get(word) or text.NOTHING) for word in ("blueprint", "tier"))
        return f"{name}  {blueprint}  {tier}  (new)"
    parts = [name, f"{before.blueprint} r{before.revision}" if before.revision else before.blueprint]
    old = views.columns(before)
    for column in ("tier", "state"):
        now = old[column] if columns is None else columns.get(column, old[column])
        if now != old[column]:
            parts.append(f"{old[column]} -> {now}")
        elif column == "tier" and now:
            parts.append(str(now))
    others = sorted(
        column
        for column in (columns or {})
        if column not in ("tier", "state") and (columns or {})[column] != old.get(column)
    )
    return "  ".join([*parts, *([f"({', '.join(others)} changed)"] if others else [])])


def _show(planned: Sequence[Planned], form: Format) -> None:
    shown = [render_plan.document(one.name, one.plan) for one in planned]
    match form:
        case Format.JSON:
            output.print_json(shown[0] if len(shown) == 1 else shown)
        case Format.YAML:
            output.print_yaml(shown[0] if len(shown) == 1 else shown)
        case Format.NAME:
            for one in planned:
                output.line(f"tenant/{one.name}")
        case _:
            for place, one in enumerate(planned):
                if place:
                    output.line()
                for line in render_plan.lines(one.heading, one.plan):
                    output.line(line.words, line.style)
