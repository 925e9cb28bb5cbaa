"""The verbs `migrate`, `url`, `psql` and `version`: what concerns the database itself rather than what is in it."""

import os
import shutil
from enum import StrEnum
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from reconciler.cli import local, output, root, session
from reconciler.cli.exits import Failure


class Address(StrEnum):
    """An address of the local run."""

    ADMIN = "admin"
    OPERATOR = "operator"
    SIGNUP = "signup"
    API = "api"
    SIMULATOR = "simulator"


class SqlRole(StrEnum):
    """Who opens SQL."""

    ADMIN = "admin"
    OPERATOR = "operator"
    SIGNUP = "signup"


@root.app.command(
    "migrate",
    short_help="Bring the database to this version.",
    epilog=root.examples(
        "DATABASE_URL=postgresql://... reconciler migrate", "reconciler migrate --check    # exit code 1 when pending"
    ),
)
def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 when something is pending.")
    ] = False,
) -> None:
    """Bring the database to this version's schema; safe from several machines at once, and harmless when done."""
    from reconciler.postgres import migrate as migrations

    chosen = root.INVOCATION.settings
    url = chosen.database_direct_url or session.database_url(chosen)
    before = migrations.current(url)
    if check:
        if before != migrations.head():
            raise Failure(
                f"pending: from {before or 'nothing'} to {migrations.head()}", remedy="run `reconciler migrate`"
            )
        output.line(f"up to date at {before}")
        return
    for notice in migrations.upgrade(url):
        output.note(f"note: {notice}")
    after = migrations.current(url)
    output.line(f"up to date at {after}" if before == after else f"migrated from {before or 'nothing'} to {after}")


@root.app.command(
    "url",
    short_help="Print an address of the local run.",
    epilog=root.examples(
        'psql "$(reconciler url signup)"', 'curl "$(reconciler url api)/livez"', "reconciler url operator"
    ),
)
def url(
    which: Annotated[Address, typer.Argument(help="Whose address.", show_default=False)],
) -> None:
    """Print an address of the local run; those of the database hold a password, so mind where you print them."""
    output.line(local.url(root.INVOCATION.settings, which.value))


@root.app.command(
    "psql",
    short_help="Open SQL on the database.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=root.examples(
        "reconciler psql",
        "reconciler psql --role signup",
        "reconciler psql -c 'SELECT name, phase FROM reconciler.tenant_status'",
    ),
)
def psql(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGUMENTS]...", help="Passed to psql.", show_default=False)
    ] = None,
    role: Annotated[SqlRole, typer.Option("--role", help="As whom, in a local run.")] = SqlRole.OPERATOR,
) -> None:
    """Open SQL on the database with the client that comes along; the password stays out of the process list."""
    chosen = root.INVOCATION.settings
    address = chosen.database_url or local.url(chosen, role.value)
    client = _client()
    parts = urlsplit(address)
    environment = dict(os.environ)
    environment.pop("DATABASE_URL", None)
    if parts.password is not None:
        environment["PGPASSWORD"] = unquote(parts.password)
        name = parts.netloc.partition("@")[0].partition(":")[0]
        address = parts._replace(netloc=f"{name}@{parts.netloc.rpartition('@')[2]}").geturl()
    # A new program in this process's place: it gets the terminal and its signals.
    os.execve(client, [client, "-d", address, *(arguments or [])], environment)  # noqa: S606 - no shell, our arguments


def _client() -> str:
    """Find psql on PATH, else the one that comes with the embedded server."""
    found = shutil.which("psql")
    if found is not None:
        return found
    from reconciler.postgres.embedded import NotInstalled, psql_path

    try:
        return str(psql_path())
    except NotInstalled as error:
        raise Failure("there is no psql", remedy="install the extra `embedded` or a PostgreSQL client") from error


@root.app.command("version", short_help="Print the version.", epilog=root.examples("reconciler version"))
def version() -> None:
    """Print the version of this program."""
    output.line(root.version())
