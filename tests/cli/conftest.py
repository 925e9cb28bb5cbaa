"""Fixtures of the command line's tests: a way to run it, a Blueprint to work with, and what the engine would say."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from reconciler.cli import app
from reconciler.settings import PLAIN_NAMES, PREFIX

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
RENDER_YAML = """
services:
  - {type: web, name: app, runtime: image, plan: starter, image: {url: "docker.io/library/nginx:1.27"},
     envVars: [{key: TOKEN, sync: false}, {key: DSN, sync: false}]}
  - {type: worker, name: jobs, runtime: image, plan: starter, image: {url: "docker.io/library/nginx:1.27"}}
databases:
  - {name: db, plan: basic-256mb}
"""
BLUEPRINT = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: crm}
spec:
  templateFile: render.yaml
  entrypoint: app
  params:
    locale: {type: string, enum: [en, de], required: true}
    seats: {type: integer, default: 10}
  secrets: {TOKEN: {perTenant: true}, DSN: {shared: true}}
  tiers:
    starter: {}
    pro: {patch: {app: {plan: standard}}}
"""


def tenant_yaml(name: str, extra: str = "", tier: str = "starter") -> str:
    """A good tenant of the Blueprint above, with more lines of its spec."""
    return (
        f"apiVersion: reconciler/v1\nkind: Tenant\nmetadata: {{name: {name}, labels: {{segment: smb}}}}\n"
        f"spec:\n  displayName: {name.title()}\n  blueprint: crm\n  tier: {tier}\n  params: {{locale: de}}\n{extra}"
    )


@dataclass(frozen=True)
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine's reaches a test, and every relative path is the test's own."""
    for name in list(os.environ):
        if name.startswith(PREFIX) or name in PLAIN_NAMES.values():
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run the program in this process: arguments in, exit code and texts out."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = app.run(arguments)
        written = capsys.readouterr()
        return Ran(code, written.out, written.err)

    return run


@pytest.fixture
def db(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated database that the command line works on, with its encryption key."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("RECONCILER_ENCRYPTION_KEY", KEY)
    return database_url


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A folder with a Blueprint, its template, and two tenants."""
    folder = tmp_path / "specs"
    (folder / "tenants").mkdir(parents=True)
    (folder / "render.yaml").write_text(RENDER_YAML)
    (folder / "crm.yaml").write_text(BLUEPRINT)
    (folder / "tenants" / "acme.yaml").write_text(tenant_yaml("acme"))
    (folder / "tenants" / "bolt.yaml").write_text(tenant_yaml("bolt", tier="pro"))
    return folder


@pytest.fixture
def fleet(db: str, specs: Path, cli: Cli) -> Iterator[str]:
    """The database with those specs applied."""
    ran = cli("apply", "-f", str(specs), "-R")
    assert ran.code == 0, ran.err
    yield db


def execute(url: str, statement: str, values: Mapping[str, object] | None = None) -> list[tuple[object, ...]]:
    """Run one statement as the owner."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


NOW = datetime(2026, 11, 23, 13, 30, tzinfo=UTC)
__all__ = ["Jsonb"]
