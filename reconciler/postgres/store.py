"""Puts the parts of the engine's memory together: this is ports.Store on PostgreSQL; it adds nothing of its own.

claims    queue, leases, end of a pass       journal   effects, inventory       records   what a pass reads
budgets   tokens and create queue            snapshot  the picture of Render    ledger    costs
rollouts  revisions of tenants               wakes     LISTEN               orphans   what nobody owns
unasked   plans that nobody asked for
"""

from reconciler.postgres.journal import Journal
from reconciler.postgres.ledger import Ledger
from reconciler.postgres.levels import Levels
from reconciler.postgres.orphans import Orphans
from reconciler.postgres.records import Records
from reconciler.postgres.rollouts import Rollouts
from reconciler.postgres.unasked import Unasked
from reconciler.postgres.wakes import Wakes


class PostgresStore(Unasked, Journal, Records, Ledger, Levels, Rollouts, Orphans, Wakes):
    """The operator's memory. `PostgresStore(pool, reader, vault, workspace, guard_band_s)`, see `Adapter`."""
