"""Fixtures that every part of the tests shares: a PostgreSQL server, and a fresh database a test."""

import importlib
import importlib.util
import itertools
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from reconciler.postgres.embedded import EmbeddedPostgres

TEMPLATE = "migrated_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for the session, which under xdist means one for each worker."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("server") / "pg", durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres_server: EmbeddedPostgres) -> str:
    """A database with all migrations applied, to copy from; nobody may connect to it afterwards."""
    execute(postgres_server.url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    if importlib.util.find_spec("reconciler.postgres.migrate") is not None:
        migrate = importlib.import_module("reconciler.postgres.migrate")
        migrate.upgrade(url_of(postgres_server.url, TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """The superuser's URL of a migrated database that this test has for itself."""
    yield from fresh_database(postgres_server.url, migrated_template)


@pytest.fixture
def empty_database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The superuser's URL of a database without migrations."""
    yield from fresh_database(postgres_server.url, "template1")


def fresh_database(server_url: str, template: str) -> Iterator[str]:
    """Copy a template under a new name, and drop the copy afterwards, whoever is still connected."""
    name = sql.Identifier(database := f"test_{next(_numbers)}")
    execute(server_url, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template)))
    yield url_of(server_url, database)
    execute(server_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def execute(url: str, statement: sql.Composed) -> None:
    """Run one statement outside a transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def url_of(server_url: str, database: str) -> str:
    """The same server and user, another database."""
    return urlsplit(server_url)._replace(path=f"/{database}").geturl()
