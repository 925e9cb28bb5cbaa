"""Does one thing to several tenants, each independent of the others, and decides the exit code; knows no verb."""

from collections.abc import Awaitable, Callable, Sequence

import typer

from reconciler.cli import faults, output
from reconciler.cli.exits import ExitCode, Failure
from reconciler.core.errors import ReconcilerError


async def each(names: Sequence[str], act: Callable[[str], Awaitable[str]]) -> None:
    """Act on every name and print what the act answers; one that fails does not stop the others.

    Exit: a single name's own code; 7 when some failed and some did not; 1 when all of several did.
    """
    codes: list[ExitCode] = []
    for name in dict.fromkeys(names):
        try:
            output.line(await act(name))
        except (ReconcilerError, Failure) as error:
            lines, code = faults.explain(error)
            for line in lines:
                output.note(f"error: {line}" if len(names) == 1 else f"error: {name}: {line}")
            codes.append(code)
    finish(codes, len(dict.fromkeys(names)))


def finish(codes: Sequence[ExitCode], total: int) -> None:
    """Leave with the code that sums up the failures of `total` acts; return when there were none."""
    if not codes:
        return
    if total == 1:
        raise typer.Exit(int(codes[0]))
    raise typer.Exit(int(ExitCode.FAILED if len(codes) == total else ExitCode.PARTIAL))


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that is hard to undo; without a terminal only --yes answers."""
    if yes:
        return
    if not output.is_terminal():
        raise Failure(
            f"not done without a confirmation: {question}",
            remedy="add --yes",
            code=ExitCode.REFUSED,
        )
    if not typer.confirm(question):
        raise Failure("nothing was done", code=ExitCode.REFUSED)
