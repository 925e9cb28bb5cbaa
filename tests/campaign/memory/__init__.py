"""The operator's memory without Postgres: the same contract (ports.Store), every method one atomic commit.

One suite holds both stores to the contract; the campaign runs on this one by the thousand.
"""

from tests.campaign.memory.database import Database
from tests.campaign.memory.store import MemoryStore

__all__ = ["Database", "MemoryStore"]
