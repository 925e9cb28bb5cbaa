"""Loads named statements from the .sql files beside it; knows no table.

A file holds statements, each under a line `-- name: some_name`; the comment lines after it say why it is as it is.
"""

from functools import cache
from pathlib import Path

from psycopg.sql import SQL

FOLDER = Path(__file__).parent / "sql"
MARK = "-- name: "


@cache
def load(file: str) -> dict[str, SQL]:
    """Read every statement of sql/`file`.sql by name."""
    statements: dict[str, SQL] = {}
    for block in ("\n" + (FOLDER / f"{file}.sql").read_text()).split("\n" + MARK)[1:]:
        name, _, text = block.partition("\n")
        if name.strip() in statements:
            raise ValueError(f"sql/{file}.sql has two statements named {name.strip()}")
        statements[name.strip()] = SQL(text.strip().rstrip(";"))
    return statements
