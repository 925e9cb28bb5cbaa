"""Keeps the state in an SQLite file: every changed object is written before its request is answered.

WAL without waiting for the disk: a killed process loses nothing it has answered; only the machine can.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from reconciler.simulator.wire import Json

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;
"""


_NAMES: dict[type[Any], tuple[str, ...]] = {}


def encode(thing: Any) -> str:  # noqa: ANN401 - any dataclass of the models
    """Write a thing as JSON."""
    kind = type(thing)
    names = _NAMES.get(kind)
    if names is None:
        kept = (item for item in fields(kind) if not item.metadata.get("elsewhere"))
        names = _NAMES[kind] = tuple(item.name for item in kept)
    return json.dumps({name: getattr(thing, name) for name in names}, separators=(",", ":"), ensure_ascii=False)


class Store:
    """An open state file."""

    def __init__(self, path: Path) -> None:
        """Open or create the file."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(SCHEMA)

    def load(self, kind: str) -> Iterable[Json]:
        """Read all objects of a kind, oldest id first."""
        rows = self._connection.execute("SELECT body FROM objects WHERE kind = ? ORDER BY substr(id, 5), id", (kind,))
        return (json.loads(body) for (body,) in rows.fetchall())

    def meta(self, name: str) -> Json:
        """Read a note beside the objects; empty when there is none."""
        row = self._connection.execute("SELECT body FROM meta WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else {}

    def save(
        self, changed: list[tuple[str, str, object]], deleted: list[tuple[str, str]], notes: dict[str, Json]
    ) -> None:
        """Write changed objects, deletions and notes in one transaction."""
        rows = [(kind, key, encode(thing)) for kind, key, thing in changed]
        lines = [(name, json.dumps(body)) for name, body in notes.items()]
        connection = self._connection
        connection.execute("BEGIN")
        try:
            if deleted:
                connection.executemany("DELETE FROM objects WHERE kind = ? AND id = ?", deleted)
            if rows:
                connection.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", rows)
            if lines:
                connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", lines)
        except BaseException:
            connection.execute("ROLLBACK")  # an open transaction would refuse every later save
            raise
        connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file and fold its log back in."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
