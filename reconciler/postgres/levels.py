"""Reads how full the buckets of the API are, for metrics; it takes nothing and decides nothing."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.core.kinds import BUCKET_LIMITS, BUCKET_WINDOWS_S, Bucket
from reconciler.postgres import queries
from reconciler.postgres.adapter import Adapter

SQL = queries.load("budgets")
SHARED = tuple(bucket for bucket in Bucket if bucket is not Bucket.SERVICE)
"""Buckets of the whole key; those of single services would make a series each."""


@dataclass(frozen=True, slots=True)
class Level:
    """One bucket's present window: calls left and allowed; `learned` when Render's headers named the limit."""

    bucket: Bucket
    tokens: int
    limit: int
    learned: bool


class Levels(Adapter):
    """The store's view of its budgets."""

    async def levels(self, now: datetime) -> list[Level]:
        """Answer the level of every shared bucket in the window of a world time."""
        found: list[Level] = []
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["levels"], {"workspace": self.workspace})).fetchall()
            start = now.replace(minute=0, second=0, microsecond=0)
            key = {"workspace": self.workspace, "window_start": start}
            made = await (await connection.execute(SQL["count_creates"], key)).fetchone()
        known = {row["bucket"]: row for row in rows}
        for bucket in SHARED:
            row = known.get(bucket.value)
            seen = row["limit_seen"] if row is not None else None
            limit = seen if seen is not None else BUCKET_LIMITS[bucket]
            used = 0
            if row is not None and row["window_start"] is not None:
                age_s = (now - row["window_start"]).total_seconds()
                used = row["used"] if 0 <= age_s < BUCKET_WINDOWS_S[bucket] else 0
            if bucket is Bucket.CREATE and made is not None:
                used += made["used"]
            found.append(Level(bucket, max(0, limit - used), limit, seen is not None))
        return found
