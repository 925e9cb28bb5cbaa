"""Gives every part of the store its connections, and turns drivers' failures into StoreUnavailable; knows no table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import errors

from reconciler.core.errors import StoreUnavailable
from reconciler.core.spec import BlueprintSpec
from reconciler.ports import SpecReader
from reconciler.postgres.pool import Connection, Pool
from reconciler.postgres.vault import Vault

GUARD_BAND_MAX_S = 29.0
"""Two bands must leave something of a window of a minute."""


@asynccontextmanager
async def reachable() -> AsyncIterator[None]:
    """Raise StoreUnavailable where the database is gone, too slow, takes no writes, or a lock could not be had."""
    try:
        yield
    except errors.ReadOnlySqlTransaction as error:
        words = " ".join(str(error).split())[:200]
        raise StoreUnavailable(f"the database takes no writes (a standby, or made read-only): {words}") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        words = " ".join(str(error).split())[:200]
        raise StoreUnavailable(f"the database does not answer: {words or type(error).__name__}") from error


class Adapter:
    """What the parts of a store share: the pool, how documents are read, the vault, the workspace."""

    def __init__(
        self, pool: Pool, reader: SpecReader, vault: Vault, workspace: str = "", guard_band_s: float = 2.0,
        *, passes_max: int = 20, passes_s: float = 7 * 86400.0, direct_url: str = "",
    ) -> None:  # fmt: skip
        """Take an open pool and an unlocked vault; `guard_band_s` is world time around the edges of windows.

        Of each tenant the newest `passes_max` passes are kept, for `passes_s` of world time. `direct_url` leads to the
        same database where the pool goes through a pooler.
        """
        if not 0 <= guard_band_s <= GUARD_BAND_MAX_S:
            raise ValueError(f"guard_band_s must be 0 to {GUARD_BAND_MAX_S:.0f} seconds, not {guard_band_s}")
        self.pool = pool
        self.reader = reader
        self.vault = vault
        self.workspace = workspace
        self.guard_band_s = guard_band_s
        self.passes_max = passes_max
        self.passes_s = passes_s
        self.direct_url = direct_url
        self.speed = 1.0
        self._parsed: dict[tuple[str, int], BlueprintSpec] = {}

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        """A connection on which every statement is a transaction."""
        async with reachable(), self.pool.connection() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside one short transaction; never held across anything but statements."""
        async with self.session() as connection, connection.transaction():
            yield connection
