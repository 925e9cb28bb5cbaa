"""Lists what nobody owns for the doors, with its price; it deletes nothing."""

from collections.abc import Sequence

from reconciler.core import prices
from reconciler.core.adoption.orphans import Orphan, holds_data
from reconciler.doors import OrphanRow
from reconciler.postgres import orphans
from reconciler.postgres.registry_base import RegistryPart


class RegistryOrphans(RegistryPart):
    """The side of the registry that looks at what is left over."""

    async def orphans(self) -> Sequence[OrphanRow]:
        """What carries our marks at Render and is nobody's, as of the newest sweep, by tenant."""
        async with self.session() as connection:
            found = await orphans.find(connection, self.reader)
        return [self._row(one) for one in found]

    def _row(self, one: Orphan) -> OrphanRow:
        live = one.observed
        return OrphanRow(
            id=live.id,
            kind=live.kind.value,
            name=live.name,
            project=one.project,
            tenant=one.tenant,
            why=one.why,
            usd_per_month=prices.of_observed(self.book(), live, self.now().date()),
            created_at=live.created_at,
            bears_data=holds_data(live),
        )
