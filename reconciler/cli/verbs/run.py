"""The verb `run`: hands the settings and the options of a daemon to the composition root, and leaves with its code."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reconciler import settings
from reconciler.cli import applying, root
from reconciler.cli.exits import ExitCode, Failure


class Role(StrEnum):
    """Which parts a process runs."""

    ALL = "all"
    ENGINE = "engine"
    API = "api"


LOCAL_SPECS = Path("specs")
"""What a local run applies when nothing else is said, if it is there."""


@root.app.command(
    "run",
    short_help="Run the operator.",
    epilog=root.examples(
        "reconciler run --local                 # embedded PostgreSQL, simulated Render, specs/ applied",
        "reconciler run --local --once          # until every tenant stands as it should; exit code 1 if one does not",
        "RENDER_API_KEY=rnd_... DATABASE_URL=postgresql://... reconciler run",
        "reconciler run --role engine           # another replica that only works",
    ),
)
def run(
    *,
    local: Annotated[
        bool, typer.Option("--local", help="Use an embedded PostgreSQL and a simulated Render where none is set.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Stop with a summary when every tenant stands as it should, or cannot.")
    ] = False,
    role: Annotated[Role, typer.Option("--role", help="Which parts this process runs.")] = Role.ALL,
    apply: Annotated[
        Path | None,
        typer.Option("--apply", metavar="DIR", help="Apply the documents in it at the start; specs/ with --local."),
    ] = None,
    timeout: Annotated[
        str, typer.Option("--timeout", help="How long --once may take, by the clock on the wall.")
    ] = "10m",
) -> None:
    """Run the operator: compare every tenant's spec with what runs on Render, and make them equal.

    Without --local a missing RENDER_API_KEY or DATABASE_URL is an error: a real run never falls back to a simulation.
    """
    chosen = root.INVOCATION.settings
    timeout_s = root.seconds(timeout)
    if apply is not None and not apply.is_dir():
        raise Failure(f"--apply {apply} is no folder", code=ExitCode.NOT_FOUND)
    if not local:
        settings.require_production(chosen)
    from reconciler import daemon

    documents = apply if apply is not None else LOCAL_SPECS if local and LOCAL_SPECS.is_dir() else None
    options = daemon.Options(
        local=local,
        once=once,
        role=role.value,
        apply=documents,
        applier=applying.apply_folder,
        timeout_s=timeout_s,
    )
    raise typer.Exit(daemon.run(chosen, options))
