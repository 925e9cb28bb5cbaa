"""The verbs `key ...`: make, list and revoke API keys; what a scope allows is decided by the HTTP API."""

from enum import StrEnum
from typing import Annotated

import typer

from reconciler.cli import bulk, output, root, session, tables
from reconciler.cli.output import Format, Listing
from reconciler.cli.session import Session
from reconciler.core.values import Sensitive
from reconciler.doors import ApiKey


class Scope(StrEnum):
    """What a key may do; each scope includes the ones before it, except that `signup` sees only its own."""

    READ = "read"
    SIGNUP = "signup"
    OPERATOR = "operator"
    ADMIN = "admin"


verbs = root.group(
    "key",
    "Make, list and revoke keys of the HTTP API.",
    "Keys of the HTTP API.",
    "reconciler key create backend --scope signup",
    "reconciler key list",
)


@verbs.command(
    "create",
    epilog=root.examples(
        "reconciler key create backend --scope signup",
        "reconciler key create prometheus --scope read",
        "reconciler key create oncall --scope operator -o json",
    ),
)
def create(
    name: Annotated[str, typer.Argument(help="What the key is for; shown in the audit log.", show_default=False)],
    scopes: Annotated[list[Scope], typer.Option("--scope", help="What it may do; may be given several times.")],
    form: root.Output = Format.TABLE,
) -> None:
    """Make a key. Its secret is printed now and never again."""

    async def make(opened: Session) -> tuple[ApiKey, Sensitive]:
        return await opened.registry.create_key(name, [scope.value for scope in scopes], opened.actor)

    key, secret = session.run(make)
    match form:
        case Format.JSON:
            output.print_json({"id": key.id, "name": key.name, "key": secret.reveal()})
        case Format.YAML:
            output.print_yaml({"id": key.id, "name": key.name, "key": secret.reveal()})
        case _:
            output.note(f"key {key.name} ({', '.join(sorted(key.scopes))}); it is shown only now:")
            output.line(secret.reveal())


@verbs.command("list", epilog=root.examples("reconciler key list", "reconciler key list -o json"))
def list_keys(form: root.Output = Format.TABLE) -> None:
    """List keys, revoked ones too. Only hashes of their secrets are stored."""

    async def listing(opened: Session) -> Listing:
        return tables.keys(await opened.registry.list_keys(), opened.now())

    output.show(session.run(listing), form)


@verbs.command("revoke", epilog=root.examples("reconciler key revoke backend --yes"))
def revoke(
    names: Annotated[list[str], typer.Argument(metavar="KEY...", help="Names or ids.", show_default=False)],
    yes: root.Yes = False,
) -> None:
    """Revoke keys: they are refused from now on."""
    bulk.confirm(f"Revoke {', '.join(names)}?", yes=yes)

    async def revoke_all(opened: Session) -> None:
        async def one(name: str) -> str:
            await opened.registry.revoke_key(name, opened.actor)
            return f"key/{name} revoked"

        await bulk.each(names, one)

    session.run(revoke_all)
