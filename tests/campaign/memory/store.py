"""The in-memory store put together: what a pass reads, rollouts, costs, beside queue, journal and budgets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.core import conditions
from reconciler.core.errors import Invalid, NotFound
from reconciler.core.inventory import Owned
from reconciler.core.kinds import Kind
from reconciler.core.observed import Observed
from reconciler.core.spec import BlueprintSpec, DesiredState, TenantSpec
from reconciler.core.status import Phase
from reconciler.core.values import SecretRef, Sensitive
from reconciler.ports import (
    Brake,
    End,
    Interval,
    Metered,
    Operation,
    OperationState,
    Record,
    RolloutState,
    RolloutTenant,
    WakeClass,
)
from reconciler.postgres.records import pinned_revision
from tests.campaign.memory.database import Billed, Tenant
from tests.campaign.memory.orphans import Orphans


class MemoryStore(Orphans):
    """ports.Store over a Database, for one replica."""

    async def load(self, tenant: str, now: datetime) -> Record:
        row = self.db.tenants.get(tenant)
        if row is None:
            raise NotFound(f"there is no tenant {tenant}")
        problems: list[str] = []
        hold = self.db.holds.get(tenant)
        blueprint = str(row.columns["blueprint"])
        brake, brake_why = self.db.brake
        revision = self._pinned(row, now) or row.revision
        return Record(
            tenant=self._read(row, problems),
            blueprint=self._blueprint(blueprint, revision, problems),
            revision=revision,
            generation=row.generation,
            number=row.number,
            state=DesiredState(str(row.columns["state"])),
            invalid=tuple(problems),
            created_at=row.created_at,
            generation_at=row.generation_at,
            purge_at=row.purge_at,
            purge_mode=row.purge_mode,
            purged=row.purged_at is not None,
            status=self.db.status.get(tenant),
            owned=self._owned(tenant),
            operations=self._operations(tenant),
            refusals=tuple(
                refusal
                for (name, _, _, generation), refusal in self.db.refusals.items()
                if name == tenant and generation == row.generation
            ),
            hold=hold if hold is not None and hold.until > now else None,
            brake=brake,
            brake_why=brake_why,
            secrets=self._secrets(tenant, blueprint),
            connection={
                (component, name): value
                for (owner, component), found in self.db.connections.items()
                if owner == tenant
                for name, value in found.items()
            },
            metered={
                id: Metered(
                    tenant=one.tenant, component=one.component, facts=one.facts, usd_per_month=one.usd_per_month
                )
                for id, (one, _) in self.db.ledger.items()
                if id in self.db.inventory and self.db.inventory[id].tenant == tenant
            },
            reconcile_token=row.token,
            exported=row.deleted_generation is not None and self._exported(tenant, row.deleted_generation),
            swept_at=min(self.db.sweeps.values(), default=None),
        )

    def _read(self, row: Tenant, problems: list[str]) -> TenantSpec | None:
        try:
            row.read = row.read or self.db.reader.tenant(row.columns)
        except Invalid as error:
            problems.extend(str(problem) for problem in error.problems)
            return None
        return row.read

    def _pinned(self, row: Tenant, now: datetime) -> int | None:
        details = row.columns["details"]
        assert isinstance(details, dict)
        return pinned_revision(details, now)

    def _blueprint(self, name: str, revision: int, problems: list[str]) -> BlueprintSpec | None:
        revisions = self.db.blueprints[name].revisions
        if not 1 <= revision <= len(revisions):
            problems.append(f"spec.pin: {name} has no revision {revision}")
            return None
        return revisions[revision - 1]

    def _owned(self, tenant: str) -> dict[str, Owned]:
        found = {}
        for id, held in self.db.inventory.items():
            if held.tenant == tenant:
                found[held.owned.component] = replace(held.owned, observed=self._observed(id))
        return dict(sorted(found.items()))

    def _observed(self, id: str) -> Observed | None:
        """Answer what was seen of an object; the newest sweep that still saw it unchanged dates it."""
        seen = self.db.picture.get(id)
        if seen is None:
            return None
        swept = self.db.sweeps.get(seen.observed.kind)
        if seen.absent_sweeps or swept is None or swept <= seen.observed.seen_at:
            return seen.observed
        return replace(seen.observed, seen_at=swept)

    def _operations(self, tenant: str) -> tuple[Operation, ...]:
        return tuple(
            replace(row.value, sent_ago_s=self.db.real() - (row.sent_real_s or 0.0))
            for row in self.db.journal.values()
            if row.tenant == tenant and row.value.state in (OperationState.SENT, OperationState.UNKNOWN)
        )

    def _secrets(self, tenant: str, blueprint: str) -> dict[SecretRef, Sensitive]:
        owners = {("tenant", tenant): False, ("blueprint", blueprint): True}
        return {
            SecretRef(key, shared=owners[scope, owner]): value
            for (scope, owner, key), value in self.db.secrets.items()
            if (scope, owner) in owners
        }

    def _exported(self, tenant: str, deleted_generation: int) -> bool:
        databases = {
            held.owned.component
            for held in self.db.inventory.values()
            if held.tenant == tenant and held.owned.kind is Kind.POSTGRES
        }
        done = {
            row.value.component
            for row in self.db.journal.values()
            if row.tenant == tenant and row.value.verb == "export" and row.value.state is OperationState.SUCCEEDED
            and row.generation >= deleted_generation
        }  # fmt: skip
        return databases <= done

    async def unowned(self, names: Sequence[tuple[Kind, str]]) -> Sequence[Observed]:
        wanted = set(names)
        return [
            seen.observed
            for id, seen in sorted(self.db.picture.items())
            if not seen.gone and id not in self.db.inventory and (seen.observed.kind, seen.observed.name) in wanted
        ]

    async def put_secrets(self, tenant: str, generated: Mapping[str, Sensitive]) -> Mapping[str, Sensitive]:
        return {name: self.db.secrets.setdefault(("tenant", tenant, name), value) for name, value in generated.items()}

    async def put_connection(self, tenant: str, component: str, attributes: Mapping[str, Sensitive]) -> None:
        self.db.connections[tenant, component] = dict(attributes)

    async def brake(self) -> tuple[Brake, str]:
        return self.db.brake

    async def set_brake(self, brake: Brake, why: str, by: str) -> None:
        self.db.brake, self.db.brake_at = (brake, why), self.db.now()
        self.db.audit.append((by, str(brake), why))

    # ------------------------------------------------------------ costs

    async def meter(self, intervals: Sequence[Interval], ended: Mapping[str, End]) -> None:
        opened = {one.resource_id: one for one in sorted(intervals, key=lambda one: one.at)}
        for id, end in ended.items():
            self._end(id, end)
        for id, one in opened.items():
            before = self.db.ledger.get(id)
            if before is not None:
                same = replace(before[0], at=one.at, uncertainty_s=one.uncertainty_s, book=one.book) == one
                if same:
                    continue
                self._end(id, End(at=one.at, uncertainty_s=one.uncertainty_s))
            closed = [past.ended_at for past in self.db.billed if past.interval.resource_id == id]
            self.db.ledger[id] = (one, max([one.at, *closed]))

    def _end(self, id: str, end: End) -> None:
        before = self.db.ledger.pop(id, None)
        if before is not None:
            interval, started_at = before
            self.db.billed.append(Billed(interval, started_at, max(end.at, started_at), end.uncertainty_s))

    # ------------------------------------------------------------ rollouts

    async def rollouts(self, now: datetime) -> Sequence[RolloutState]:
        return [
            RolloutState(
                blueprint=name,
                revision=kept.rollout,
                policy=kept.revisions[kept.rollout - 1].rollout,
                started_at=kept.started_at,
                tenants=tuple(
                    self._rolling(tenant, row, now)
                    for tenant, row in self.db.tenants.items()
                    if row.columns["blueprint"] == name and row.purged_at is None
                ),
            )
            for name, kept in sorted(self.db.blueprints.items())
            if kept.rollout
        ]

    def _rolling(self, tenant: str, row: Tenant, now: datetime) -> RolloutTenant:
        status = self.db.status.get(tenant)
        found = status.details.get("found") if status else None
        return RolloutTenant(
            name=tenant,
            revision=row.revision,
            generation=row.generation,
            state=str(row.columns["state"]),
            pinned=self._pinned(row, now) is not None,
            created_at=row.created_at,
            phase=status.phase if status else None,
            ready=status is not None and status.phase is Phase.READY,
            observed_revision=status.revision if status else 0,
            observed_generation=status.observed_generation if status else 0,
            synced=status.conditions[1].reason if status and len(status.conditions) > 1 else None,
            found_failing=None if found is None else found == conditions.FAILING,
        )

    async def assign(self, names: Sequence[str], revision: int, now: datetime) -> Sequence[str]:
        moved = []
        for name in sorted(names):
            row = self.db.tenants.get(name)
            if row is None or row.purged_at is not None or row.revision == revision:
                continue
            if 1 <= revision <= len(self.db.blueprints[str(row.columns["blueprint"])].revisions):
                row.revision = revision
                moved.append(name)
        self.db.wake(moved, WakeClass.USER)
        return moved

    async def stop_rollout(self, blueprint: str, why: str) -> None:
        kept = self.db.blueprints.get(blueprint)
        if kept is not None and kept.rollout:
            kept.halted.add(kept.rollout)
            kept.rollout = 0

    async def finish_rollout(self, blueprint: str) -> None:
        if blueprint in self.db.blueprints:
            self.db.blueprints[blueprint].rollout = 0
