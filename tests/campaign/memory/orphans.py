"""What nobody owns although it carries our marks, in memory."""

from collections.abc import Sequence
from datetime import datetime

from reconciler.core.adoption import orphans
from reconciler.core.adoption.orphans import Home, Orphan
from reconciler.core.observed import Observed
from reconciler.ports import OperationState
from tests.campaign.memory.retention import Retention

UNDER_WAY = (OperationState.SENT, OperationState.UNKNOWN)


class Orphans(Retention):
    """The store's view of what nobody owns."""

    async def newcomers(self, since: datetime) -> Sequence[Orphan]:
        strangers = [
            row.observed for id, row in sorted(self.db.picture.items()) if not row.gone and id not in self.db.inventory
        ]
        purged = {name for name, row in self.db.tenants.items() if row.purged_at is not None}
        each = (orphans.marks_of(kept.revisions[-1]) for _, kept in sorted(self.db.blueprints.items()))
        marks = [one for one in each if one is not None]
        found = orphans.find(strangers, self._homes(strangers), marks, self.db.tenants.keys() - purged, purged)
        ours = {
            (row.value.kind, row.value.name)
            for row in self.db.journal.values()
            if row.value.verb == "create" and row.value.state in UNDER_WAY
        }
        return [
            one
            for one in found
            if one.observed.created_at is not None
            and one.observed.created_at > since
            and (one.observed.kind, one.observed.name) not in ours
        ]

    def _homes(self, strangers: Sequence[Observed]) -> dict[str, Home]:
        homes = {}
        for id in {one.environment_id or "" for one in strangers}:
            environment = self.db.picture.get(id)
            if environment is None or environment.gone:
                continue
            project = self.db.picture.get(str(environment.observed.fields.get("projectId")))
            holder = self.db.inventory.get(id)
            name = project.observed.name if project is not None else ""
            homes[id] = Home(project=name, tenant=holder.tenant if holder is not None else "")
        return homes

    async def vanished(self) -> Sequence[str]:
        looks: dict[str, list[int]] = {}
        for held in self.db.inventory.values():
            looks.setdefault(held.tenant, []).append(held.owned.absent_looks)
        return sorted(name for name, each in looks.items() if len(each) > 1 and all(each))
