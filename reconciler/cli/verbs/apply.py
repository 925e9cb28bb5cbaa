"""The verb `apply`: files or `--set` words in, what became of each document out; the applying is done elsewhere."""

from collections.abc import Sequence
from typing import Annotated

import typer

from reconciler.cli import applying, bulk, faults, output, root, session, waiting
from reconciler.cli.applying import Result
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Format, Listing
from reconciler.cli.session import Session
from reconciler.cli.waiting import Goal
from reconciler.core.errors import ReconcilerError

GOALS = {"running": Goal.READY, "suspended": Goal.SUSPENDED, "deleted": Goal.GENERATION}
Files = Annotated[
    list[str] | None,
    typer.Option("-f", "--filename", metavar="FILE|DIR|-", help="Documents to apply; - is standard input."),
]
Recursive = Annotated[bool, typer.Option("-R", "--recursive", help="Look into the folders of a folder too.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one field, named as below spec: tier=pro, params.seats=20, env.worker.DEBUG=1. Empty: remove it.",
    ),
]


@root.app.command(
    "apply",
    short_help="Make specs be what documents, or --set, say.",
    epilog=root.examples(
        "reconciler apply -f specs/ -R",
        "reconciler apply -f acme.yaml --wait",
        "generate-specs | reconciler apply -f -",
        "reconciler apply acme --set tier=pro --set params.seats=20 --wait",
        "reconciler apply gaia --set blueprint=crm --set tier=starter    # a new tenant",
        "reconciler apply -f specs/ -R --dry-run",
    ),
)
def apply(
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TENANT]...", help="Tenants to change with --set.", show_default=False),
    ] = None,
    filenames: Files = None,
    recursive: Recursive = False,
    settings: Settings = None,
    wait: root.Wait = False,
    timeout: root.Timeout = "10m",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")] = False,
    form: root.Output = Format.TABLE,
) -> None:
    """Make specs be what the documents, or --set, say. Each document stands for itself: a bad one stops no other.

    Applying again what stands already changes nothing. Exit code 7 when some documents were refused, 1 when all were.
    """
    check_usage(names, filenames, settings)
    limit_s = root.seconds(timeout)
    paths = applying.files(filenames, recursive=recursive) if filenames else []

    async def apply_all(opened: Session) -> list[Result]:
        if names:
            results = [await _change(opened, name, settings or [], dry_run=dry_run) for name in dict.fromkeys(names)]
        elif dry_run:
            results = await applying.check(opened.registry, paths)
        else:
            results = await applying.apply(opened.registry, opened.actor, paths)
        _show(results, form, dry_run=dry_run)
        if wait and not dry_run:
            await _wait(opened, results, limit_s)
        return results

    results = session.run(apply_all)
    bulk.finish([result.code for result in results if result.failed], len(results))


def check_usage(names: Sequence[str] | None, filenames: Sequence[str] | None, settings: Sequence[str] | None) -> None:
    """Refuse combinations that mean nothing."""
    if bool(names) == bool(filenames):
        raise Failure("say what to apply", remedy="write -f FILE, or TENANT --set PATH=VALUE", code=ExitCode.USAGE)
    if names and not settings:
        raise Failure("say what to change", remedy="add --set PATH=VALUE", code=ExitCode.USAGE)
    if filenames and settings:
        raise Failure("--set changes a named tenant, not files", remedy="edit the files", code=ExitCode.USAGE)


async def _change(opened: Session, name: str, settings: Sequence[str], *, dry_run: bool) -> Result:
    try:
        return await applying.change(opened.registry, opened.actor, name, settings, dry_run=dry_run)
    except ReconcilerError as error:
        lines, code = faults.explain(error)
        for line in lines:
            output.note(f"error: {name}: {line}")
        return Result(kind="Tenant", name=name, outcome="refused", code=code)


def _show(results: Sequence[Result], form: Format, *, dry_run: bool) -> None:
    for result in results:
        for problem in result.problems:
            output.note(f"error: {result.kind.lower()}/{result.name}: {problem}")
        for warning in result.applied.warnings if result.applied is not None else ():
            output.note(f"warning: {result.kind.lower()}/{result.name}: {warning}")
    if form in (Format.TABLE, Format.WIDE):
        for result in results:
            if not result.failed:
                output.line(applying.line_of(result, dry_run=dry_run))
        return
    output.show(
        Listing(
            what="documents",
            columns=(),
            rows=(),
            documents=[applying.document_of(result) for result in results],
            names=[f"{result.kind.lower()}/{result.name}" for result in results if not result.failed],
        ),
        form,
    )


async def _wait(opened: Session, results: Sequence[Result], limit_s: float) -> None:
    """Wait for every tenant that was applied, each for what its own spec asks for."""
    for state, goal in GOALS.items():
        names = [
            result.name for result in results if result.kind == "Tenant" and result.state == state and not result.failed
        ]
        if names:
            await waiting.wait(opened, names, goal, limit_s)
