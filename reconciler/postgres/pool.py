"""Opens connections with the time-outs that every statement of ours lives under; knows no statement.

Limits on real time: a statement 15 s, a lock 5 s, an idle transaction 5 s. A silently dead peer is noticed by TCP
within half a minute, because a query on such a connection cannot be cancelled from here (psycopg issue 1371).
"""

from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection, conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from reconciler.postgres.errors import normalise

Connection = AsyncConnection[DictRow]
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
        check=AsyncConnectionPool.check_connection,
        name=application_name,
        open=False,
    )
