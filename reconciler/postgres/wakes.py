"""Listens for wake-ups on a connection of its own that proves itself alive; it knows channels, not tenants.

Silent death of a LISTEN connection is the norm, not the exception: every ten seconds the listener notifies itself, and
without an echo within five it reconnects, listens again, and only then says "" - look at everything once.

Through a pooler nobody can listen, unless there is another way to the server: then those who poll find everything.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from reconciler.postgres.adapter import Adapter
from reconciler.postgres.pool import Connection, address, configure

CHANNEL = "reconciler_tenants"
PROBE = "probe:"
PROBE_EVERY_S = 10.0
ECHO_WITHIN_S = 5.0
RECONNECT_S = 1.0
POOLED_S = 60.0
"""So long until it is tried again whether a pooler still stands in the way."""


class _Dead(Exception):
    """The connection answers nothing."""


class _Pooled(Exception):
    """The session is not ours, so nothing can be heard on it."""


class Wakes(Adapter):
    """The listening side of the store."""

    probe_every_s = PROBE_EVERY_S
    echo_within_s = ECHO_WITHIN_S

    async def wakes(self) -> AsyncGenerator[str, None]:
        """Yield tenant names as NOTIFY brings them; "" first and after every gap: look at everything once."""
        while True:
            try:
                async with await self._listen() as connection:
                    yield ""
                    async with aclosing(self._notices(connection)) as notices:
                        async for name in notices:
                            yield name
            except _Pooled:
                yield ""
                await asyncio.sleep(POOLED_S)
            except (psycopg.Error, OSError, _Dead):
                await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> Connection:
        where = address(self.direct_url, self.pool.name) if self.direct_url else self.pool.conninfo
        assert isinstance(where, str)
        connection = await Connection.connect(where, autocommit=True, row_factory=dict_row)
        try:
            await configure(connection)
            if connection.pooled:
                raise _Pooled
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _notices(self, connection: Connection) -> AsyncGenerator[str, None]:
        mark = PROBE + secrets.token_hex(8)
        while True:
            async with aclosing(connection.notifies(timeout=self.probe_every_s)) as heard:
                async for notice in heard:
                    if not notice.payload.startswith(PROBE):
                        yield notice.payload
            await connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, mark])
            echoed = False
            # Closed before the next statement: a generator left open keeps the connection to itself.
            async with aclosing(connection.notifies(timeout=self.echo_within_s)) as heard:
                async for notice in heard:
                    if notice.payload == mark:
                        echoed = True
                        break
                    if not notice.payload.startswith(PROBE):
                        yield notice.payload
            if not echoed:
                raise _Dead
