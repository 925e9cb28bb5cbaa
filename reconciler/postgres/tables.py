"""Gathers the metadata of every table in the schema `reconciler`, for Alembic and readers; it holds no statement."""

from reconciler.postgres import tables_fleet, tables_render
from reconciler.postgres.columns import SCHEMA

__all__ = ["SCHEMA", "tables_fleet", "tables_render"]
