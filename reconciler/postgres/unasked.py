"""Counts tenants whose plans nobody asked for, for the guard against mass changes; it judges nothing."""

from datetime import datetime

from reconciler.core import guard
from reconciler.core.status import Event
from reconciler.ports import Claim
from reconciler.ports import Unasked as Count
from reconciler.postgres import claims

COUNT = """
SELECT
  (SELECT count(DISTINCT e.tenant) FROM reconciler.events e WHERE e.reason = %(reason)s AND e.last_at >= %(since)s)::int
    AS plans,
  (SELECT count(*) FROM reconciler.tenants t WHERE t.purged_at IS NULL)::int AS tenants,
  (SELECT b.at FROM reconciler.brake b WHERE b.scope = 'all' AND b.mode = 'normal' AND EXISTS (
     SELECT FROM reconciler.audit a WHERE a.actor = %(guard)s AND a.subject = 'all' AND a.at <= b.at
       AND a.at >= b.at - interval '7 days')) AS released_at
"""


class Unasked(claims.Claims):
    """The guard's view of the fleet."""

    async def unasked(self, claim: Claim, event: Event, since: datetime, now: datetime) -> Count:
        """Tell at once of a plan that nobody asked for, and count them; StaleLease when the epoch moved."""
        async with self.transaction() as connection:
            await claims.hold_epoch(connection, claim)
            await self._put_events(connection, claim.tenant, [event], now)
        # Others who told at the same moment have committed by now, or will count this one.
        values = {"reason": event.reason.value, "since": since, "guard": guard.MASS_CHANGE}
        async with self.session() as connection:
            row = await (await connection.execute(COUNT, values)).fetchone()
        assert row is not None, "a count always has a row"
        return Count(**row)
