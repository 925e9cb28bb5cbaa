"""The verbs `secret ...`: names and values of secrets go in, only names come out; encryption is not done here."""

import asyncio
import base64
import secrets
import sys
from datetime import datetime
from typing import Annotated

import typer

from reconciler.cli import bulk, local, output, root, session, text
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Column, Format, Listing
from reconciler.cli.session import Session
from reconciler.core.values import Sensitive
from reconciler.postgres.vault import KEY_BYTES

VALUE_MAX = 64 * 1024
"""More than any credential needs; a wrong file on standard input should not become a secret."""

verbs = root.group(
    "secret",
    "Set, list and delete secrets. Values come from a prompt or standard input, never from the command line.",
    "Set, list and delete secrets.",
    "reconciler secret set echo SMTP_PASSWORD",
    "reconciler secret list echo",
)

Blueprint = Annotated[
    str, typer.Option("--blueprint", help="The secret is shared by all tenants of this Blueprint.", show_default=False)
]


@verbs.command(
    "set",
    epilog=root.examples(
        "reconciler secret set echo SMTP_PASSWORD                 # asks for the value",
        "pass show smtp | reconciler secret set echo SMTP_PASSWORD",
        "reconciler secret set --blueprint crm SENTRY_DSN < dsn.txt",
    ),
)
def set_secret(
    words: Annotated[list[str], typer.Argument(metavar="[TENANT] KEY", help="Whose secret, and its name.")],
    blueprint: Blueprint = "",
) -> None:
    """Give a secret its value. Standard input is taken as it is, but for one line end."""
    scope, owner, key = _place(words, blueprint)
    value = _read_value(key)

    async def put(opened: Session) -> None:
        await opened.registry.set_secret(scope, owner, key, value, opened.actor)

    session.run(put, with_key=True)
    output.line(f"secret {key} of {scope} {owner} set")


@verbs.command(
    "list",
    epilog=root.examples("reconciler secret list echo", "reconciler secret list --blueprint crm -o json"),
)
def list_secrets(
    tenant: Annotated[str, typer.Argument(help="Name of a tenant.", show_default=False)] = "",
    blueprint: Blueprint = "",
    form: root.Output = Format.TABLE,
) -> None:
    """List the names of the secrets that have a value, and when it was set. Values are never shown."""
    scope, owner = _owner(tenant, blueprint)
    rows, now = session.run(lambda opened: _list(opened, scope, owner))
    output.show(
        Listing(
            what=f"secrets of {scope} {owner}",
            columns=(Column("SECRET"), Column("SET")),
            rows=[[key, text.at(moment, now)] for key, moment in rows],
            documents=[{"key": key, "setAt": moment.isoformat()} for key, moment in rows],
            names=[f"secret/{key}" for key, _ in rows],
        ),
        form,
    )


@verbs.command(
    "delete",
    epilog=root.examples(
        "reconciler secret delete echo SMTP_PASSWORD --yes", "reconciler secret delete --blueprint crm SENTRY_DSN"
    ),
)
def delete_secret(
    words: Annotated[list[str], typer.Argument(metavar="[TENANT] KEY", help="Whose secret, and its name.")],
    blueprint: Blueprint = "",
    yes: root.Yes = False,
) -> None:
    """Forget a secret. A stack that needs it waits for a new value; what Render already has stays there."""
    scope, owner, key = _place(words, blueprint)
    bulk.confirm(f"Forget the secret {key} of {scope} {owner}?", yes=yes)

    async def forget(opened: Session) -> None:
        await opened.registry.delete_secret(scope, owner, key, opened.actor)

    session.run(forget)
    output.line(f"secret {key} of {scope} {owner} deleted")


@verbs.command(
    "new-key", epilog=root.examples("reconciler secret new-key > encryption.key && chmod 600 encryption.key")
)
def new_key() -> None:
    """Print a fresh encryption key for RECONCILER_ENCRYPTION_KEY. It is kept nowhere."""
    output.line(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())


@verbs.command(
    "rotate-key",
    epilog=root.examples(
        'new="$(reconciler secret new-key)"',
        'RECONCILER_ENCRYPTION_KEY="$new,$old" reconciler secret rotate-key  # daemons need both till then',
    ),
)
def rotate_key() -> None:
    """Encrypt all stored secrets anew with the first key of RECONCILER_ENCRYPTION_KEY, which lists the old one too."""
    from reconciler.cli import database

    chosen = root.INVOCATION.settings
    url, keys = session.database_url(chosen), local.encryption_keys(chosen)
    changed = asyncio.run(database.rotate(url, keys))
    output.line(f"{text.count(changed, 'secret')} encrypted anew; the older key is not needed any more")


async def _list(opened: Session, scope: str, owner: str) -> tuple[list[tuple[str, datetime]], datetime]:
    if scope == "tenant":
        await opened.registry.get_tenant(owner)
    else:
        await opened.registry.get_blueprint(owner)
    return sorted((await opened.registry.list_secrets(scope, owner)).items()), opened.now()


def _owner(tenant: str, blueprint: str) -> tuple[str, str]:
    if bool(tenant) == bool(blueprint):
        raise Failure("name a tenant or --blueprint NAME, one of the two", code=ExitCode.USAGE)
    return ("tenant", tenant) if tenant else ("blueprint", blueprint)


def _place(words: list[str], blueprint: str) -> tuple[str, str, str]:
    """Read whose secret is meant; a value on the command line is refused without repeating it."""
    wanted = 1 if blueprint else 2
    if len(words) > wanted or (words and "=" in words[-1]):
        raise Failure(
            "the value of a secret does not go on the command line, where others can read it",
            remedy="leave it out: it is asked for, or read from standard input",
            code=ExitCode.USAGE,
        )
    if len(words) < wanted:
        raise Failure("name the tenant and the key: secret set TENANT KEY", code=ExitCode.USAGE)
    return ("blueprint", blueprint, words[0]) if blueprint else ("tenant", words[0], words[1])


def _read_value(key: str) -> Sensitive:
    if sys.stdin.isatty():
        value = str(typer.prompt(f"Value of {key}", hide_input=True, confirmation_prompt="Once more"))
    else:
        value = sys.stdin.read(VALUE_MAX + 1)
        value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise Failure(f"no value for {key} on standard input", remedy="pipe it in, or run this on a terminal")
    if len(value) > VALUE_MAX:
        raise Failure(f"the value of {key} is longer than {VALUE_MAX} characters", remedy="is it the right file?")
    return Sensitive(value)
