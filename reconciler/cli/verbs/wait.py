"""The verb `wait`: reads what to wait for; the waiting itself is done elsewhere."""

from typing import Annotated

import typer

from reconciler.cli import root, session, waiting
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.waiting import Goal

GOALS = {goal.value.lower(): goal for goal in Goal}


@root.app.command(
    "wait",
    short_help="Wait until tenants stand as asked.",
    epilog=root.examples(
        "reconciler wait gaia",
        "reconciler wait acme bolt --for Suspended --timeout 10m",
        "reconciler wait acme --for generation     # the newest edit was acted on, whatever came of it",
    ),
)
def wait(
    names: root.Names,
    goal: Annotated[
        str, typer.Option("--for", metavar="Ready|Suspended|Deleted|generation", help="What to wait for.")
    ] = "Ready",
    timeout: root.Timeout = "10m",
) -> None:
    """Wait until tenants stand as asked. Exit code 3 at the timeout, 1 when waiting cannot help."""
    # kubectl's own spelling is accepted too: --for=condition=Ready
    word = goal.lower().removeprefix("condition=")
    if word not in GOALS:
        raise Failure(
            f'--for "{goal}" is not known',
            remedy=f"choose one of {', '.join(known.value for known in Goal)}",
            code=ExitCode.USAGE,
        )
    limit_s = root.seconds(timeout)
    session.run(lambda opened: waiting.wait(opened, names, GOALS[word], limit_s))
