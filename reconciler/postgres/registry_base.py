"""Gives every part of the registry its transactions, in which an actor speaks; knows no verb."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from reconciler.core.errors import NotFound, shown
from reconciler.core.prices import NO_BOOK, PriceBook
from reconciler.doors import Actor
from reconciler.ports import Clock, Hold, SpecReader
from reconciler.postgres import codec, queries
from reconciler.postgres.adapter import reachable
from reconciler.postgres.pool import Connection, Pool
from reconciler.postgres.refusals import refusals
from reconciler.postgres.vault import Vault

SQL = queries.load("registry")
SECRETS = queries.load("secrets")
Row = dict[str, Any]
Book = Callable[[], PriceBook]


def no_book() -> PriceBook:
    """Answer the book that knows no price."""
    return NO_BOOK


class RegistryPart:
    """What the parts of the registry share."""

    def __init__(self, pool: Pool, reader: SpecReader, vault: Vault, clock: Clock, book: Book = no_book) -> None:
        """Take an open pool, an unlocked vault, the world's clock, and where the prices for replays are."""
        self.pool = pool
        self.reader = reader
        self.vault = vault
        self.clock = clock
        self.book = book

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        """A connection on which every statement is a transaction."""
        async with reachable(), self.pool.connection() as connection:
            yield connection

    @asynccontextmanager
    async def acting(self, actor: Actor) -> AsyncIterator[Connection]:
        """A transaction in which the triggers know the actor, and what they refuse becomes Invalid or Taken."""
        async with refusals(), self.session() as connection, connection.transaction():
            names = {"actor": codec.storable(actor.name), "via": actor.via}
            await connection.execute(SQL["speak_for"], names)
            yield connection

    async def note(self, connection: Connection, actor: Actor, action: str, subject: str, detail: str = "") -> None:
        """Write a line of the audit log."""
        who = {"actor": codec.storable(actor.name), "via": actor.via, "now": self.now()}
        what = {"action": action, "subject": subject, "detail": codec.storable(detail)}
        await connection.execute(SQL["audit"], who | what)

    async def note_action(self, actor: Actor, action: str, subject: str, detail: str = "") -> None:
        """Write a line of the audit log about something that changes no record."""
        async with self.acting(actor) as connection:
            await self.note(connection, actor, action, subject, detail)

    def now(self) -> datetime:
        """The world's time."""
        return self.clock.now().astimezone(UTC)

    async def must_exist(self, connection: Connection, scope: str, owner: str) -> None:
        """Raise NotFound unless there is such a tenant (not purged) or Blueprint."""
        row = await (await connection.execute(SQL["exists"], {"scope": scope, "owner": owner})).fetchone()
        if row is None or not row["found"]:
            raise NotFound(f"there is no {scope} {shown(owner)}")


def read_hold(row: Mapping[str, str] | None) -> Hold | None:
    """Make the value of a hold that was read as JSON."""
    return Hold(by=row["held_by"], why=row["why"], until=datetime.fromisoformat(row["until"])) if row else None
