"""Turns what the SQL contract refuses into Invalid and Taken with the field's name; it checks nothing itself."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import errors

from reconciler.core.errors import Invalid, Problem
from reconciler.doors import Taken

METADATA = {"name", "labels"}
CONSTRAINTS = {
    "name_is_a_dns_label": "name",
    "external_id_is_short": "external_id",
    "display_name_is_short": "display_name",
    "state_is_known": "state",
    "purge_mode_is_known": "purge_mode",
    "priority_is_0_to_100": "priority",
    "params_are_an_object": "params",
    "labels_are_an_object": "labels",
    "details_are_an_object": "details",
    "name_is_taken": "name",
    "external_id_is_taken": "external_id",
    "tier_in_use": "tier",
    "blueprint_in_use": "blueprint",
}
"""The contract's constraints by the column they guard; the triggers name it themselves."""
LIMITS = {
    "external_id": "give 1 to 255 characters",
    "display_name": "give at most 200 characters",
    "priority": "give a whole number from 0 to 100",
    "params": "give a JSON object of at most 64 KB",
    "labels": "give a JSON object of at most 16 KB",
    "details": "give at most 1 MB",
}


def path_of(column: str) -> str:
    """Answer where a column stands in a document: `spec.displayName`, `metadata.name`."""
    head, *rest = column.split("_")
    word = head + "".join(part.capitalize() for part in rest)
    if column in METADATA:
        return f"metadata.{word}"
    return "spec" if column == "details" else f"spec.{word}"


def problem_of(error: psycopg.Error) -> Problem:
    """Say what was refused, in the words of the contract."""
    diagnostic = error.diag
    column = diagnostic.column_name or CONSTRAINTS.get(diagnostic.constraint_name or "", "")
    message = diagnostic.message_primary or "cannot be stored"
    if diagnostic.constraint_name and not diagnostic.column_name:
        message = "is out of its limits"
    parameter = re.match(r"params\.(\S+) ", message)
    path = f"spec.params.{parameter.group(1)}" if parameter else path_of(column) if column else "spec"
    return Problem(path=path, message=message, remedy=diagnostic.message_hint or LIMITS.get(column, ""))


@asynccontextmanager
async def refusals() -> AsyncIterator[None]:
    """Raise Invalid or Taken where a statement inside is refused by the contract."""
    try:
        yield
    except errors.UniqueViolation as error:
        field = CONSTRAINTS.get(error.diag.constraint_name or "", "name")
        words = {
            "name": "the name is taken; choose another",
            "external_id": "the external id belongs to another tenant",
        }
        raise Taken(words[field], field=field) from error
    except (errors.CheckViolation, errors.NotNullViolation, errors.ForeignKeyViolation) as error:
        raise Invalid([problem_of(error)]) from error
    except psycopg.DataError as error:
        remedy = "remove NUL characters and broken Unicode, and keep numbers in range"
        raise Invalid([Problem(path="spec", message="holds a value that cannot be stored", remedy=remedy)]) from error
