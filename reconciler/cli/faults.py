"""Turns every error into clear lines and an exit code; it shows no secret, so no connection string and no body."""

import traceback

import httpx
import psycopg
from psycopg import errors as pg

from reconciler.cli import text
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.wire import Garbled
from reconciler.core.errors import Invalid, NotFound, ReconcilerError, StaleLease, StoreUnavailable
from reconciler.doors import Taken
from reconciler.postgres import errors as database

NOT_MIGRATED = (pg.UndefinedTable, pg.UndefinedColumn, pg.UndefinedFunction, pg.InvalidSchemaName)
CODES: tuple[tuple[type[ReconcilerError], ExitCode], ...] = (
    (NotFound, ExitCode.NOT_FOUND),
    (Taken, ExitCode.CONFLICT),
    (StaleLease, ExitCode.CONFLICT),
)
"""Errors of ours that end with a code of their own; all others fail with 1."""


def explain(error: BaseException, database_url: str = "", api_url: str = "") -> tuple[list[str], ExitCode]:
    """Answer the lines to print and the exit code."""
    root = _root(error)
    match root:
        case Failure():
            return [str(root)], root.code
        case Invalid():
            return [str(problem) for problem in root.problems] or ["invalid"], ExitCode.FAILED
        case ReconcilerError():
            return [str(root)], next((code for kind, code in CODES if isinstance(root, kind)), ExitCode.FAILED)
        case _:
            return [_foreign(root, database_url, api_url)], ExitCode.FAILED


def _root(error: BaseException) -> BaseException:
    """Look inside what wraps another error: SQLAlchemy's `orig`, groups, our own StoreUnavailable."""
    while True:
        inner: object = getattr(error, "orig", None)
        if isinstance(error, BaseExceptionGroup):
            inner = error.exceptions[0]
        if isinstance(error, StoreUnavailable):
            inner = error.__cause__
        if not isinstance(inner, BaseException):
            return error
        error = inner


def _foreign(error: BaseException, database_url: str, api_url: str) -> str:
    """Say what went wrong in a library's hands."""
    match error:
        case psycopg.Error():
            return _database(error, database_url)
        case httpx.HTTPError() | httpx.InvalidURL():
            return _http(error, api_url)
        case Garbled():
            return f"{text.safe(api_url)} is of another version: {error}"
        case OSError():
            return f"{error.strerror or type(error).__name__}{f': {error.filename}' if error.filename else ''}"
        case _:
            return f"unexpected {_place(error)}; --debug shows the traceback"


def _place(error: BaseException) -> str:
    """Name the type and the place, not the message: nobody knows what a strange message holds."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _database(error: psycopg.Error, url: str) -> str:
    if isinstance(error, NOT_MIGRATED):
        return f"{database.place(url)}: the database has no tables of this version: run `reconciler migrate`"
    if isinstance(error, pg.InsufficientPrivilege):
        return (
            f"{database.place(url)}: this role may not do that ({_primary(error)}): use one that may, or ask its owner"
        )
    if error.diag.message_primary and not isinstance(error, psycopg.OperationalError):
        return _primary(error)
    return str(database.explain(error, url))


def _primary(error: psycopg.Error) -> str:
    hint = f"; {error.diag.message_hint}" if error.diag.message_hint else ""
    return f"{error.diag.message_primary or type(error).__name__}{hint}"


def _http(error: Exception, url: str) -> str:
    where = text.safe(url) or "the HTTP API"
    match error:
        case httpx.TimeoutException():
            return f"{where} did not answer in time: check that it runs, then try again"
        case httpx.ConnectError():
            return f"{where} does not answer: check that it runs, and RECONCILER_URL"
        case _:
            return f"{where} cannot be used ({type(error).__name__}): check RECONCILER_URL"
