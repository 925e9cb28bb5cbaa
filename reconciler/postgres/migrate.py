"""Brings a database to the newest schema, safely from several processes at once; knows nothing of stores or tenants."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from reconciler.postgres import pool, roles
from reconciler.postgres.errors import DatabaseError, WrongServer, explain

SCHEMA = "reconciler"
LOCK = 0x7265636F6E  # "recon": the advisory lock that every migration of this database takes
OLDEST, NEWEST_TESTED = 15, 18
T = TypeVar("T")
_alembic = threading.Lock()
"""Alembic keeps its context in globals of the process."""


def upgrade(url: str) -> list[str]:
    """Apply what is pending, in one transaction; answer notices that a person should read.

    Processes that start together wait for each other. Raises DatabaseError with a remedy.
    """
    with _begin(url) as connection:
        driver = _driver(connection)
        _check_version(driver)
        driver.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        notices: list[str] = []
        driver.add_notice_handler(lambda diagnostic: notices.append(_notice(diagnostic)))
        driver.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}".encode())
        before = _current(connection)
        if before != head():
            with _alembic:
                command.upgrade(_config(connection), "head")
        if before != head() or not roles.are_granted(driver):
            roles.grant(driver)
        return [notice for notice in notices if notice]


def current(url: str) -> str | None:
    """Answer the revision the database is at, None before the first."""
    return _read(url, _current)


def check(url: str) -> bool:
    """Say whether migrations are pending."""
    return current(url) != head()


def head() -> str:
    """Answer the newest revision this package has."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return newest


def differences(url: str) -> list[object]:
    """Compare the table metadata with the database as Alembic does; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from sqlmodel import SQLModel

    from reconciler.postgres import tables

    def compare(connection: Connection) -> list[object]:
        options = {
            "include_schemas": True,
            "include_name": lambda name, kind, _parents: kind != "schema" or name == tables.SCHEMA,
            "version_table_schema": tables.SCHEMA,
            "compare_type": True,
        }
        found: list[object] = compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata)
        return found

    return _read(url, compare)


def _read(url: str, ask: Callable[[Connection], T]) -> T:
    with _begin(url) as connection:
        return ask(connection)


@contextmanager
def _begin(url: str) -> Iterator[Connection]:
    text = pool.address(url, "reconciler migrate")
    # Behind a pooler a prepared statement would outlive its session.
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(text, prepare_threshold=None), poolclass=NullPool
    )
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise _explained(error.orig, url) from error
    except psycopg.Error as error:
        raise explain(error, url) from error
    finally:
        engine.dispose()


def _explained(error: BaseException | None, url: str) -> DatabaseError:
    return explain(error, url) if isinstance(error, psycopg.Error) else DatabaseError(type(error).__name__)


def _driver(connection: Connection) -> "psycopg.Connection[tuple[object, ...]]":
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _check_version(driver: "psycopg.Connection[tuple[object, ...]]") -> None:
    major = driver.info.server_version // 10_000
    if major < OLDEST:
        raise WrongServer(f"the server is PostgreSQL {major}: versions {OLDEST} to {NEWEST_TESTED} are supported")


def _current(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    return context.get_current_revision()


def _config(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _notice(diagnostic: psycopg.errors.Diagnostic) -> str:
    if diagnostic.severity_nonlocalized != "WARNING":
        return ""
    hint = f" ({diagnostic.message_hint})" if diagnostic.message_hint else ""
    return f"{diagnostic.message_primary}{hint}"
