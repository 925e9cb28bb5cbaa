"""The verb `explain`: says what a field of the language or a setting means; the texts stand with the models."""

from typing import Annotated

import typer

from reconciler import manifest, settings
from reconciler.cli import output, root
from reconciler.cli.exits import ExitCode, Failure


@root.app.command(
    "explain",
    short_help="What a field of a document means.",
    epilog=root.examples(
        "reconciler explain tenant.spec.tier",
        "reconciler explain blueprint.spec.rollout",
        "reconciler explain --schema tenant > tenant.schema.json",
        "reconciler explain settings",
    ),
)
def explain(
    field: Annotated[
        str, typer.Argument(metavar="[FIELD]", help="tenant or blueprint, and a path below it; or settings.")
    ] = "",
    schema: Annotated[
        str, typer.Option("--schema", metavar="tenant|blueprint|all", help="Print its JSON Schema, for editors.")
    ] = "",
) -> None:
    """Say what a field of a document means, its type and default; or print the JSON Schema that editors use."""
    if bool(field) == bool(schema):
        raise Failure("say what to explain", remedy="for example `reconciler explain tenant.spec`", code=ExitCode.USAGE)
    if schema:
        _print_schema(schema)
    elif field.lower() == "settings":
        output.lines(settings_text())
    else:
        output.lines(manifest.explain(field))


def _print_schema(kind: str) -> None:
    if kind.lower() == "all":
        output.print_json(manifest.combined_schema())
        return
    schemas = {name.lower(): schema for name, schema in manifest.json_schemas().items()}
    if kind.lower() not in schemas:
        raise Failure(
            f'there is no schema of "{kind}"', remedy=f"choose {', '.join(schemas)} or all", code=ExitCode.NOT_FOUND
        )
    output.print_json(schemas[kind.lower()])


def settings_text() -> str:
    """Write every setting with its variable, default and reason."""
    parts = []
    for name, field in settings.Settings.model_fields.items():
        default = "" if settings.is_secret(field) or field.default in ("", None) else f"  default {field.default}"
        reason = " ".join((field.description or "").split())
        parts.append(f"{settings.variable(name)}{default}\n  {reason}")
    return "\n".join(parts)
