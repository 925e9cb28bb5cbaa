"""Puts the verbs together and runs one of them: arguments in, exit code out; every error ends here as a line."""

import sys
import traceback
from collections.abc import Sequence

import typer

from reconciler.cli import faults, local, output, root
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.verbs import (
    adopt,
    apply,
    cost,
    database,
    describe,
    event,
    explain,
    get,
    guard,
    key,
    orphans,
    plan,
    recover,
    rollout,
    secret,
    simulate,
    state,
    wait,
    why,
)
from reconciler.cli.verbs import run as run_verb
from reconciler.core.errors import ReconcilerError

VERBS = (
    run_verb,
    simulate,
    database,
    apply,
    adopt,
    recover,
    get,
    describe,
    plan,
    wait,
    why,
    state,
    guard,
    rollout,
    orphans,
    secret,
    key,
    event,
    cost,
    explain,
)
"""The modules whose import adds verbs to the application."""


def run(arguments: Sequence[str]) -> int:
    """Run one command and answer the exit code; nothing but KeyboardInterrupt's code 130 comes from outside."""
    root.begin()
    try:
        command = typer.main.get_command(root.app)
        command.main(args=list(arguments), prog_name="reconciler", standalone_mode=True)
        code = int(ExitCode.OK)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(ExitCode.FAILED if stop.code else ExitCode.OK)
    except KeyboardInterrupt:
        code = int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        _quieten()
        code = int(ExitCode.FAILED)
    except Exception as error:  # the one place where every error becomes a line for a person
        code = int(_report(error))
    return _detailed(code) if "--detailed-exitcode" in arguments else code


def _detailed(code: int) -> int:
    """Follow Terraform: 0 no change, 1 any error, 2 changes."""
    if code:
        return int(ExitCode.FAILED)
    return 2 if root.INVOCATION.changes else int(ExitCode.OK)


def _report(error: Exception) -> ExitCode:
    if root.INVOCATION.debug:
        traceback.print_exception(error)
    lines, code = faults.explain(error, *_addresses())
    for written in lines:
        output.note(f"error: {written}")
    return code


def _addresses() -> tuple[str, str]:
    """Name what was talked to, for messages; settings that cannot be read are the error itself."""
    try:
        chosen = root.INVOCATION.settings
        return chosen.database_url or local.urls(chosen).get("admin", ""), chosen.url
    except (Failure, ReconcilerError):
        return "", ""


def _quieten() -> None:
    """Stop Python from complaining about a reader that went away (`reconciler get tenants | head`)."""
    sys.stderr.close()
