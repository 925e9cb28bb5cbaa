"""Declares one column of a table's metadata; knows types and keys, no table."""

from typing import Any

from sqlalchemy import Column, Identity
from sqlalchemy.types import TypeEngine
from sqlmodel import Field

SCHEMA = "reconciler"


def column(
    kind: TypeEngine[Any] | type[TypeEngine[Any]],
    *,
    primary_key: bool = False,
    nullable: bool = False,
    identity: bool = False,
) -> Any:  # noqa: ANN401 - stands where a model's attribute of any type is declared, as SQLModel's own Field does
    """A column, NOT NULL unless said otherwise; `identity` is GENERATED ALWAYS."""
    counted = [Identity(always=True)] if identity else []
    return Field(sa_column=Column(kind, *counted, primary_key=primary_key, nullable=nullable))
