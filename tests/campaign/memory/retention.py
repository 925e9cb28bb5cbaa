"""What the in-memory store forgets, and when."""

from collections.abc import Callable, MutableMapping
from datetime import datetime, timedelta
from typing import TypeVar

from reconciler.core.kinds import BUCKET_WINDOWS_S, Bucket
from tests.campaign.memory.database import EPOCH, BucketRow, JournalRow, Seen
from tests.campaign.memory.journal import OPEN, Journal

EFFECTS, PICTURE, PASSES, IDLE = timedelta(days=90), timedelta(days=30), timedelta(days=7), timedelta(days=1)
Key = TypeVar("Key")
Row = TypeVar("Row")


def _drop(table: MutableMapping[Key, Row], old: Callable[[Key, Row], bool]) -> int:
    """Delete the rows that are old and answer how many there were."""
    found = [key for key, row in table.items() if old(key, row)]
    for key in found:
        del table[key]
    return len(found)


class Retention(Journal):
    """The side of the store that cleans up."""

    async def trim(self, now: datetime) -> int:
        def effect(_: int, row: JournalRow) -> bool:
            proof = row.value.verb == "export" and self.db.tenants[row.tenant].purged_at is None
            return row.value.state not in OPEN and not proof and (row.settled_at or row.planned_at) < now - EFFECTS

        def refusal(key: tuple[str, str, str, int], _: object) -> bool:
            return key[-1] < self.db.tenants[key[0]].generation

        def gone(id: str, row: Seen) -> bool:
            return row.gone and id not in self.db.inventory and row.observed.seen_at < now - PICTURE

        def idle(key: tuple[Bucket, str], row: BucketRow) -> bool:
            bucket, live_id = key
            ended = (row.window_start or EPOCH) + timedelta(seconds=BUCKET_WINDOWS_S[bucket])
            punished = row.penalty_until is not None and row.penalty_until >= now
            return bool(live_id) and not punished and ended < now - IDLE

        old = 0
        for rows in self.db.passes.values():
            young = [row for row in rows if row.at >= now - PASSES]
            old += len(rows) - len(young)
            rows[:] = young
        return (
            old
            + _drop(self.db.journal, effect)
            + _drop(self.db.refusals, refusal)
            + _drop(self.db.picture, gone)
            + _drop(self.db.budget, idle)
        )
