"""Holds the Typer application and the options that many verbs share; the verbs themselves are in their own modules."""

from dataclasses import dataclass, field
from importlib import metadata
from typing import Annotated

import typer
from typer.core import TyperGroup

from reconciler import settings
from reconciler.cli import output, text
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Format

ORDER = (
    *("run", "apply", "plan", "get", "describe", "why", "wait", "events", "cost"),
    *(
        "suspend",
        "resume",
        "delete",
        "reconcile",
        "hold",
        "brake",
        "rollout",
        "adopt",
        "recover",
        "orphans",
        "secret",
        "key",
        "audit",
    ),
    *("explain", "simulate", "url", "psql", "migrate", "version"),
)
"""Verbs as `--help` lists them: what is needed most comes first."""


class Verbs(TyperGroup):
    """The verbs in the order in which people need them."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override] # Typer's own class of it
        """Answer the names in order; one that nobody placed comes last."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


app = typer.Typer(
    name="reconciler",
    cls=Verbs,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def examples(*commands: str) -> str:
    r"""Write the examples of a command's help; `\b` keeps the lines as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  $ {command}" for command in commands)


def group(name: str, help_text: str, short: str, *commands: str) -> typer.Typer:
    """Make a group of sub-commands with examples of its own."""
    made = typer.Typer(name=name, help=help_text, short_help=short, epilog=examples(*commands), no_args_is_help=True)
    app.add_typer(made, name=name)
    return made


@dataclass
class Invocation:
    """What one start of the program knows; `changes`: `plan --detailed-exitcode` found some."""

    debug: bool = False
    changes: bool = False
    _settings: settings.Settings | None = field(default=None, repr=False)

    @property
    def settings(self) -> settings.Settings:
        """Read the environment at the first use, so that `--help` needs none."""
        if self._settings is None:
            self._settings = settings.load()
        return self._settings


INVOCATION = Invocation()
"""The present start of the program. One process runs one command; tests go through `app.run`, which renews it."""


def begin() -> None:
    """Forget an earlier command of this process."""
    INVOCATION.debug = INVOCATION.changes = False
    INVOCATION._settings = None


def version() -> str:
    """Name this program and its version."""
    return f"reconciler {metadata.version('reconciler')}"


def _version(asked: bool) -> None:
    if asked:
        output.line(version())
        raise typer.Exit


@app.callback(
    epilog=examples(
        "reconciler run --local                      # all of it on this machine, nothing needed",
        "reconciler get tenants",
        "reconciler plan acme --set tier=pro",
        "reconciler why echo",
    )
)
def root(
    debug: Annotated[bool, typer.Option("--debug", hidden=True, help="Show tracebacks.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Keep one stack per tenant on Render equal to its spec.

    Works on the database of DATABASE_URL, or else on that of the local run in this folder. With RECONCILER_URL and
    RECONCILER_KEY the verbs go to that operator's HTTP API instead.
    """
    del show_version  # its callback has done all
    INVOCATION.debug = debug


def seconds(words: str) -> float:
    """Read a length of time from the command line."""
    try:
        return text.seconds_of(words)
    except ValueError as error:
        raise Failure(str(error), code=ExitCode.USAGE) from error


def selector(words: list[str] | None) -> dict[str, str] | None:
    """Read `-l key=value,other=value`; None when nothing was asked."""
    if not words:
        return None
    pairs = [pair for word in words for pair in word.split(",")]
    chosen = dict(pair.partition("=")[::2] for pair in pairs)
    for pair in pairs:
        if "=" not in pair or not pair.partition("=")[0].strip():
            raise Failure(f'-l "{pair}" is not a label', remedy="write -l key=value", code=ExitCode.USAGE)
    return {key.strip(): value.strip() for key, value in chosen.items()}


Output = Annotated[Format, typer.Option("-o", "--output", help="How to print the result.")]
Selector = Annotated[
    list[str] | None, typer.Option("-l", "--selector", help="Only tenants with these labels: key=value,...")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the tenant stands as asked.")]
Timeout = Annotated[
    str, typer.Option("--timeout", help="How long to wait at most, by the clock on the wall: 90s, 10m.")
]
Yes = Annotated[bool, typer.Option("-y", "--yes", "--confirm", help="Do not ask.")]
Names = Annotated[list[str], typer.Argument(help="Names of tenants.", show_default=False)]
Name = Annotated[str, typer.Argument(help="Name of a tenant.", show_default=False)]
