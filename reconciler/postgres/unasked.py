"""Counts tenants whose plans nobody asked for, for the guard against mass changes; it judges nothing."""

from datetime import datetime

from reconciler.core.status import Reason
from reconciler.postgres.adapter import Adapter

COUNT = """
SELECT (SELECT count(DISTINCT e.tenant) FROM reconciler.events e
        WHERE e.reason = %(reason)s AND e.last_at >= %(since)s) AS unasked,
       (SELECT count(*) FROM reconciler.tenants t WHERE t.purged_at IS NULL) AS tenants
"""


class Unasked(Adapter):
    """The guard's view of the fleet."""

    async def count_unasked(self, since: datetime) -> tuple[int, int]:
        """Count tenants with an Unasked event since then, and all tenants that are not purged."""
        async with self.session() as connection:
            row = await (await connection.execute(COUNT, {"reason": Reason.UNASKED.value, "since": since})).fetchone()
        assert row is not None, "a count always has a row"
        return int(row["unasked"]), int(row["tenants"])
