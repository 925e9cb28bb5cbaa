"""Lets requests that would claim the same name take turns within this process; it knows no name's meaning.

Customers' names are unique for the older contract alone, so the database has no constraint for them. Two replicas can
still accept twins in the same instant; the slug, which has a constraint, tells them apart.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """A lock for each word that somebody holds or waits for, and none for others."""

    def __init__(self) -> None:
        """Begin with no lock."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, word: str) -> AsyncIterator[None]:
        """Wait until nobody else holds this word, whatever its case."""
        lock = self._locks.setdefault(word.casefold(), asyncio.Lock())
        async with lock:
            yield
