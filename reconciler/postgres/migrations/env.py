"""Runs Alembic on the connection that `migrate` hands over, in its transaction; it never opens one of its own."""

from alembic import context
from sqlmodel import SQLModel

from reconciler.postgres import tables

if context.is_offline_mode():
    raise SystemExit("migrations run on a connection: use `reconciler migrate`")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    version_table_schema=tables.SCHEMA,
    include_schemas=True,
    include_name=lambda name, kind, _parents: kind != "schema" or name == tables.SCHEMA,
)
context.run_migrations()
