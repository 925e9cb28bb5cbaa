"""Opens connections with the time-outs that every statement of ours lives under; knows no statement.

Limits on real time: a statement 15 s, a lock 5 s, an idle transaction 5 s, which the server keeps. A silent peer is
noticed here, in two ways. One that is dead acknowledges nothing: TCP gives up within half a minute. One that lives and
says nothing (a pooler or a proxy that hangs) acknowledges for ever, and a query on it cannot be cancelled (psycopg
issue 1371): after 20 s without an answer our end of its socket is closed.

Behind a pooler that gives a session to each transaction (PgBouncer's transaction mode) nothing may be left on a
session: no statement is prepared and nothing is set but the time zone, which poolers carry along.
"""

import asyncio
import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, conninfo
from psycopg.abc import PQGen
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool
from pydantic_core import from_json

from reconciler.postgres.errors import normalise

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
RECONNECT_S = 4.0
"""So long a lost connection is tried again at growing intervals, then anew whenever one is wanted. Left to itself the
pool would wait for up to two minutes more after an outage of as long."""
CHECK_AFTER_S = 5.0
"""A connection seen alive so lately (real) is not asked again, which would double the trips of every pass, unless its
socket has something to say: a server that goes says so, and only one that dies in silence is noticed later."""
CHECK_WITHIN_S = 3.0
"""A connection that does not say so soon that it is alive is not."""
ANSWER_WITHIN_S = 20.0
"""Longer than the server lets any statement take."""
T = TypeVar("T")


class Connection(AsyncConnection[DictRow]):
    """A connection that gives up a silent peer; `checked_at_s` (monotonic) is when it was last seen to be alive.

    `pooled`: another process stands between us and the server, and sessions are not ours.
    """

    checked_at_s: float = 0.0
    answer_within_s: float = 0.0
    pooled: bool = False
    _silent: bool = False
    _watch: asyncio.TimerHandle | None = None

    async def wait(self, gen: PQGen[T], *args: Any, **more: Any) -> T:  # noqa: ANN401 - psycopg's own
        """Wait for the server as psycopg does, but not for ever; OperationalError when the connection was given up."""
        if more.get("timeout") is not None:  # the caller has a limit of his own
            return await super().wait(gen, *args, **more)
        limit_s = self.answer_within_s or ANSWER_WITHIN_S
        self._watch_for(limit_s)
        try:
            return await super().wait(gen, *args, **more)
        except psycopg.OperationalError as error:
            if self._silent:
                raise psycopg.OperationalError(f"no answer within {limit_s:g} s: the connection is given up") from error
            raise
        finally:
            if self._watch is not None:
                self._watch.cancel()

    def _watch_for(self, limit_s: float) -> None:
        self._watch = asyncio.get_running_loop().call_later(limit_s, self._give_up, limit_s)

    def _give_up(self, limit_s: float) -> None:
        """Close our end of the socket, which ends the wait; not where an answer came that this process slept over."""
        if self.closed:
            return
        if self.has_news():
            self._watch_for(limit_s)
            return
        self._silent = True
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self.fileno())) as ours:
            ours.shutdown(socket.SHUT_RDWR)

    def has_news(self) -> bool:
        """Say whether the socket can be read: while idle, its other end was closed, or a notice came."""
        waiting = select.poll()
        waiting.register(self.fileno(), select.POLLIN)
        return bool(waiting.poll(0))


Pool = AsyncConnectionPool[Connection]


def address(url: str, application_name: str) -> str:
    """Answer libpq's connection string for a URL, with our TCP settings where it has none of its own."""
    given = {key: str(value) for key, value in conninfo.conninfo_to_dict(normalise(url)).items() if value is not None}
    return conninfo.make_conninfo("", **({**TCP, "application_name": application_name} | given))


def read_json(text: str | bytes) -> Any:  # noqa: ANN401 - whatever it says
    """Read JSON fast, and what the fast reader refuses (very deep documents) as Python does."""
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


async def configure(connection: Connection) -> None:
    """Find out whether the session is ours, and set its time-outs, its zone and its reader of JSON."""
    set_json_loads(read_json, connection)
    cursor = await connection.execute("SELECT pg_backend_pid() AS pid")
    row = await cursor.fetchone()
    assert row is not None
    # A pooler makes up the numbers by which its clients cancel; only a server's own number is that of its process.
    connection.pooled = row["pid"] != connection.info.backend_pid
    if connection.pooled:
        connection.prepare_threshold = None
        await connection.execute("SET timezone = 'UTC'")
        return
    await connection.execute(
        f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}; SET lock_timeout = {LOCK_TIMEOUT_MS}; "
        f"SET idle_in_transaction_session_timeout = {IDLE_TRANSACTION_TIMEOUT_MS}; SET timezone = 'UTC'; "
        "SET default_transaction_isolation = 'read committed'".encode()
    )


async def check(connection: Connection) -> None:
    """Make sure that a connection is alive before it is handed out; cheaply where it was a moment ago."""
    now_s = time.monotonic()
    if now_s - connection.checked_at_s >= CHECK_AFTER_S or connection.has_news():
        connection.answer_within_s = CHECK_WITHIN_S
        await Pool.check_connection(connection)
        connection.answer_within_s = 0.0
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
        reconnect_timeout=RECONNECT_S,
        configure=configure,
        check=check,
        name=application_name,
        open=False,
    )
