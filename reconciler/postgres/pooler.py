"""Says what a connection pooler between us and the server takes away; it changes nothing."""

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from reconciler.postgres.pool import (
    IDLE_TRANSACTION_TIMEOUT_MS,
    LOCK_TIMEOUT_MS,
    STATEMENT_TIMEOUT_MS,
    Connection,
    Pool,
    address,
    configure,
)

DIRECT = "RECONCILER_DATABASE_DIRECT_URL"
LIMITS = {
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "lock_timeout": LOCK_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": IDLE_TRANSACTION_TIMEOUT_MS,
}
"""Milliseconds that we set on sessions of our own."""


async def findings(pool: Pool, direct_url: str, poll_s: float) -> list[str]:
    """Say in a sentence each what does not work through a pooler, and what to do; nothing where there is none."""
    async with pool.connection() as connection:
        if not connection.pooled:
            return []
        missing = await _unlimited(connection)
        user, database = connection.info.user, connection.info.dbname
    found = [f"DATABASE_URL leads through a connection pooler: {await _listening(direct_url, poll_s)}"]
    if missing:
        names = " or ".join(missing)
        role, place = sql.Identifier(user).as_string(), sql.Identifier(database).as_string()
        remedy = "; ".join(
            f"ALTER ROLE {role} IN DATABASE {place} SET {name} = '{LIMITS[name] // 1000}s'" for name in missing
        )
        found.append(f"no {names} is set behind the pooler, where a session cannot set its own: {remedy}")
    return found


async def _unlimited(connection: Connection) -> list[str]:
    names = list(LIMITS)
    rows = await connection.execute(
        "SELECT name FROM pg_settings WHERE name = ANY (%s) AND setting = '0' ORDER BY name", [names]
    )
    return [str(row["name"]) for row in await rows.fetchall()]


async def _listening(direct_url: str, poll_s: float) -> str:
    """Say how new work is heard of."""
    polls = f"new work is found by asking every {poll_s:g} s, not by NOTIFY"
    if not direct_url:
        return f"{polls}; {DIRECT} with the server's own address brings NOTIFY back"
    try:
        async with await Connection.connect(
            address(direct_url, "reconciler"), autocommit=True, row_factory=dict_row
        ) as connection:
            await configure(connection)
    except (psycopg.Error, OSError) as error:
        return f"{polls}: {DIRECT} cannot be reached now ({type(error).__name__})"
    if connection.pooled:
        return f"{polls}: {DIRECT} leads through one too"
    return f"NOTIFY is heard by {DIRECT}"
