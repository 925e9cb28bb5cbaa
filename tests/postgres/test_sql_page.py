"""docs/sql.md: every statement is run as written, by the role it names, with the outcome it shows."""

import re
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.postgres.conftest import Database

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"


@dataclass
class Step:
    """One statement of the page and the comment lines that tell its outcome."""

    role: str
    statement: str
    outcome: list[str]


def steps() -> list[Step]:
    found = []
    for block in re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL):
        first, *lines = block.splitlines()
        role = re.fullmatch(r"-- as (signup|operator)", first)
        assert role is not None, f"a block does not say who runs it: {first}"
        statement: list[str] = []
        for line in lines:
            if line.startswith("-- "):
                found[-1].outcome.append(line[3:].strip())
                continue
            statement.append(line)
            if line.partition(" -- ")[0].rstrip().endswith(";"):
                found.append(Step(role.group(1), "\n".join(statement), []))
                statement = []
        assert statement == [], f"a statement has no end: {statement}"
    return found


def shown(value: object) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    return "" if value is None else str(value)


def test_every_statement_does_what_the_page_says(database: Database) -> None:
    database.run("DELETE FROM reconciler.tiers WHERE tier NOT IN ('starter', 'pro')")
    count = 0
    for step in steps():
        with psycopg.connect(database.url, autocommit=True) as client:
            client.execute(f"SET SESSION AUTHORIZATION {step.role}".encode())
            outcome: list[str] = []
            try:
                cursor = client.execute(step.statement.encode())
                if cursor.description and step.outcome:
                    outcome = [re.sub(r"\s+", " ", " | ".join(map(shown, row))).strip() for row in cursor.fetchall()]
            except psycopg.Error as error:
                hint = error.diag.message_hint
                outcome = [f"ERROR:  {error.diag.message_primary}", *([f"HINT:  {hint}"] if hint else [])]
            assert outcome == step.outcome, step.statement
            count += 1
    assert count > 20


def test_the_page_shows_outcomes() -> None:
    assert sum(len(step.outcome) for step in steps()) >= 15


@pytest.mark.parametrize("word", ["sign_up", "tenant_status", "reconciler_status", "purge_at", "world_now"])
def test_the_page_names_the_contract(word: str) -> None:
    assert word in PAGE.read_text()
