"""What the parts of the in-memory store share: the tables, and the fence around every write of a pass."""

from reconciler.core.errors import StaleLease
from reconciler.ports import Claim
from tests.campaign.memory.database import Database, Queued


class Part:
    """One replica's hands on the tables."""

    def __init__(self, database: Database, guard_band_s: float = 2.0) -> None:
        self.db = database
        self.guard_band_s = guard_band_s

    def fence(self, claim: Claim) -> Queued:
        """Answer the queue row while the claim holds; StaleLease when it is over."""
        row = self.db.queue.get(claim.tenant)
        if row is None or row.epoch != claim.epoch or row.lease_until is None:
            raise StaleLease(f"{claim.tenant}: epoch {claim.epoch} is over, another worker has it or it was released")
        return row
