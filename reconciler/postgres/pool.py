"""Opens connections with the time-outs that every statement of ours lives under; knows no statement.

Limits on real time: a statement 15 s, a lock 5 s, an idle transaction 5 s. A silently dead peer is noticed by TCP
within half a minute, because a query on such a connection cannot be cancelled from here (psycopg issue 1371).
"""

import select
import time
from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection, conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from reconciler.postgres.errors import normalise


class Connection(AsyncConnection[DictRow]):
    """A connection of the pool; `checked_at_s` (monotonic) is when it was last seen to be alive."""

    checked_at_s: float = 0.0


Pool = AsyncConnectionPool[Connection]

STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 5_000
IDLE_TRANSACTION_TIMEOUT_MS = 5_000
TCP: Mapping[str, str] = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
POOL_WAIT_S = 10.0
CHECK_AFTER_S = 5.0
"""A connection seen alive so lately (real) is not asked again, which would double the trips of every pass, unless its
socket has something to say: a server that goes says so, and only one that dies in silence is noticed later."""


def address(url: str, application_name: str) -> str:
    """Answer libpq's connection string for a URL, with our TCP settings where it has none of its own."""
    given = {key: str(value) for key, value in conninfo.conninfo_to_dict(normalise(url)).items() if value is not None}
    return conninfo.make_conninfo("", **({**TCP, "application_name": application_name} | given))


async def configure(connection: AsyncConnection[Any]) -> None:
    """Set the time-outs and the zone of one session."""
    await connection.execute(
        f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}; SET lock_timeout = {LOCK_TIMEOUT_MS}; "
        f"SET idle_in_transaction_session_timeout = {IDLE_TRANSACTION_TIMEOUT_MS}; SET timezone = 'UTC'; "
        "SET default_transaction_isolation = 'read committed'".encode()
    )


def _has_news(connection: Connection) -> bool:
    """Say whether the socket of an idle connection can be read: then its other end was closed, or a notice came."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


async def check(connection: Connection) -> None:
    """Make sure that a connection is alive before it is handed out; cheaply where it was a moment ago."""
    now_s = time.monotonic()
    if now_s - connection.checked_at_s >= CHECK_AFTER_S or _has_news(connection):
        await Pool.check_connection(connection)
        connection.checked_at_s = now_s


def make_pool(url: str, *, max_size: int = 10, application_name: str = "reconciler") -> Pool:
    """Make a closed pool of autocommit connections with dict rows; open it with `async with` or `await pool.open()`."""
    return AsyncConnectionPool(
        address(url, application_name),
        connection_class=Connection,
        kwargs={"autocommit": True, "row_factory": dict_row},
        min_size=1,
        max_size=max_size,
        timeout=POOL_WAIT_S,
        configure=configure,
        check=check,
        name=application_name,
        open=False,
    )
