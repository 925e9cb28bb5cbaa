"""Opens the records that a verb works on (database, or another operator over HTTP) and closes them; decides nothing."""

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from reconciler.cli import local, root
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.worldtime import WorldTime
from reconciler.doors import Actor, Registry
from reconciler.settings import Settings

T = TypeVar("T")


@dataclass(slots=True)
class Session:
    """The records, who is at work, and what time it is in Render's world."""

    settings: Settings
    registry: Registry
    actor: Actor
    time: WorldTime

    def now(self) -> datetime:
        """Answer the world time."""
        return self.time.now()


def run(body: Callable[[Session], Awaitable[T]], *, with_key: bool = False) -> T:
    """Open a session from the settings, let a verb use it, close it; answers what the verb answers.

    `with_key` for verbs that seal secrets: the encryption key is read, and proved to be the database's own.
    """
    return asyncio.run(_run(body, with_key=with_key))


async def _run(body: Callable[[Session], Awaitable[T]], *, with_key: bool) -> T:
    chosen = root.INVOCATION.settings
    async with open_registry(chosen, with_key=with_key) as (registry, clock):
        return await body(Session(chosen, registry, Actor(name=user(), via="cli"), clock))


def user() -> str:
    """Name the OS user, for the audit log; the number when the system has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@asynccontextmanager
async def open_registry(settings: Settings, *, with_key: bool) -> AsyncIterator[tuple[Registry, WorldTime]]:
    """Answer the records and the time that is kept with them.

    Which ones is chosen by RECONCILER_URL, then DATABASE_URL, then the local run of this folder.
    """
    if settings.url:
        if not settings.key.get_secret_value():
            raise Failure(
                "RECONCILER_URL is set but RECONCILER_KEY is not",
                remedy="set RECONCILER_KEY to a key that `reconciler key create` made there",
                code=ExitCode.USAGE,
            )
        from reconciler.cli.remote import RemoteRegistry

        async with RemoteRegistry(settings.url, settings.key) as remote:
            yield remote, await remote.time()
        return
    from reconciler.cli import database

    keys = local.encryption_keys(settings) if with_key else None
    async with database.open_registry(database_url(settings), keys) as opened:
        yield opened


def database_url(settings: Settings) -> str:
    """Answer DATABASE_URL, else that of the local run; Failure when there is neither."""
    if settings.url:
        raise Failure(
            "this verb works on the database itself, not over HTTP",
            remedy="unset RECONCILER_URL and set DATABASE_URL",
            code=ExitCode.USAGE,
        )
    return settings.database_url or local.url(settings, "admin")
