"""Opens the records in Postgres for one command, and makes sure first that there is somebody to talk to."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NoReturn

import psycopg

from reconciler import manifest
from reconciler.cli import worldtime
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.worldtime import WorldTime
from reconciler.core.values import Sensitive
from reconciler.doors import Registry
from reconciler.postgres import pool as pools
from reconciler.postgres.registry import PostgresRegistry
from reconciler.postgres.vault import KEY_BYTES, Vault

CONNECTIONS = 2
APPLICATION = "reconciler cli"


class Locked(Vault):
    """The vault of a verb that has nothing to do with secrets: it needs no key, and opens nothing."""

    def __init__(self) -> None:
        """Take no key; the one of zeros that the base class wants is never used."""
        super().__init__([bytes(KEY_BYTES)])

    def seal(self, scope: str, owner: str, key: str, value: Sensitive) -> NoReturn:
        """Refuse."""
        raise no_key()

    def open(self, scope: str, owner: str, key: str, ciphertext: bytes, sealed_by: str) -> NoReturn:
        """Refuse."""
        raise no_key()


def no_key() -> Failure:
    """Say that the encryption key is missing."""
    return Failure(
        "the encryption key is not known here",
        remedy="set RECONCILER_ENCRYPTION_KEY or RECONCILER_ENCRYPTION_KEY_FILE to the operator's own",
        code=ExitCode.USAGE,
    )


@asynccontextmanager
async def open_registry(url: str, keys: Sequence[bytes] | None) -> AsyncIterator[tuple[Registry, WorldTime]]:
    """Open the records; raises psycopg's error at once when nobody answers, where a pool would go on trying.

    `keys` are the encryption keys, the newest first; None for verbs that need none.
    """
    async with _open_pool(url) as pool:
        clock = await _time(pool)
        vault = Vault(keys) if keys is not None else Locked()
        if keys is not None:
            await vault.unlock(pool)
        yield PostgresRegistry(pool, reader=manifest.reader, vault=vault, clock=clock, book=manifest.price_book), clock


async def _time(pool: pools.Pool) -> WorldTime:
    """Ask the database what time it is in the world: the daemon keeps it told."""
    async with pool.connection() as connection:
        rows = await connection.execute(
            "SELECT reconciler.world_now() AS now, coalesce((SELECT speed FROM reconciler.world_clock), 1) AS speed"
        )
        row = await rows.fetchone()
    assert row is not None, "a SELECT without FROM has one row"
    return worldtime.told(row["now"], float(row["speed"]))


async def rotate(url: str, keys: Sequence[bytes]) -> int:
    """Seal every secret anew with the first key; answer how many were sealed with an older one."""
    async with _open_pool(url) as pool:
        vault = Vault(keys)
        await vault.unlock(pool)
        return await vault.rotate(pool)


@asynccontextmanager
async def _open_pool(url: str) -> AsyncIterator[pools.Pool]:
    # The pool reports every failed attempt; here the first one is the answer.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    async with await psycopg.AsyncConnection.connect(pools.address(url, APPLICATION)):
        pass
    async with pools.make_pool(url, max_size=CONNECTIONS, application_name=APPLICATION) as pool:
        yield pool
