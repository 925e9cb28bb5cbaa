"""The journal, the inventory and the picture of Render in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.core import guard
from reconciler.core.actions import Action, Verb
from reconciler.core.errors import NotFound, StaleLease
from reconciler.core.inventory import Owned
from reconciler.core.kinds import SERVICES, Kind
from reconciler.core.observed import Observed
from reconciler.core.status import Event, Reason
from reconciler.ports import Brake, Claim, Operation, OperationState, Refusal, Settlement, Unasked, WakeClass
from reconciler.postgres import windows
from reconciler.postgres.journal import summary_of
from tests.campaign.memory.budgets import Budgets, answered
from tests.campaign.memory.claims import Claims
from tests.campaign.memory.database import Held, JournalRow, Seen

OPEN = frozenset({OperationState.PLANNED, OperationState.SENT, OperationState.UNKNOWN})


class Journal(Budgets, Claims):
    """The side of the store that effects write to."""

    async def open_operation(self, claim: Claim, action: Action, request_hash: str, now: datetime) -> int:
        self.fence(claim)
        place = (claim.tenant, action.component)
        held = self.db.open.get(place)
        if held is not None and self.db.journal[held].value.state is OperationState.PLANNED:
            del self.db.journal[held]
        elif held is not None:
            raise StaleLease(f"{claim.tenant}: an effect on {action.component} is under way, settle it first")
        environment_id = action.payload.get("environmentId")
        value = Operation(
            id=self.db.next_operation(), component=action.component, verb=str(action.verb), kind=action.kind,
            name=action.name, live_id=action.id, request_hash=request_hash, state=OperationState.PLANNED,
            environment_id=environment_id if isinstance(environment_id, str) else "", summary=summary_of(action),
        )  # fmt: skip
        generation = self.db.tenants[claim.tenant].generation
        row = JournalRow(value, claim.tenant, action.bucket, claim.epoch, generation, planned_at=now)
        self.db.journal[value.id] = row
        self.db.open[place] = value.id
        return value.id

    async def settle_operation(
        self, claim: Claim | None, operation: int, settlement: Settlement, now: datetime
    ) -> None:
        row = self.db.journal.get(operation)
        if row is None:
            raise NotFound(f"there is no operation {operation}")
        before = row.value.state
        if before is OperationState.SUCCEEDED:
            return
        if before not in OPEN and settlement.state in OPEN:
            return
        row.value = replace(
            row.value, state=settlement.state, status=settlement.status, message=settlement.message,
            sent_at=None if settlement.state is OperationState.PLANNED else row.value.sent_at,
        )  # fmt: skip
        row.settled_at = None if settlement.state in OPEN else now
        if settlement.state not in OPEN:
            self._close((row.tenant, row.value.component), operation)
        if settlement.state is OperationState.REFUSED:
            self._refuse(row, settlement)
        if before is OperationState.UNKNOWN and settlement.state not in OPEN:
            row.value = replace(row.value, looked_at=now)
        elif answered(row.value):
            self.db.broken.pop(row.bucket, None)
        if settlement.limits is not None:
            row.window_start = windows.window_of(row.bucket, settlement.limits.date).start
            self.believe(row.bucket, row.value.live_id, settlement.limits)
        self._apply(row.tenant, settlement, now, makes=row.value.verb == Verb.CREATE)

    def _close(self, place: tuple[str, str], operation: int) -> None:
        if self.db.open.get(place) == operation:
            del self.db.open[place]

    def _refuse(self, row: JournalRow, settlement: Settlement) -> None:
        value = row.value
        key = (row.tenant, value.component, value.request_hash, row.generation)
        self.db.refusals.pop(key, None)  # the newest comes last
        self.db.refusals[key] = Refusal(
            component=value.component, request_hash=value.request_hash, generation=row.generation,
            message=settlement.message, status=settlement.status,
        )  # fmt: skip

    def _apply(self, tenant: str, settlement: Settlement, now: datetime, *, makes: bool) -> None:
        """Change inventory and picture: what leaves goes first, so that a replaced object makes room."""
        for id in sorted(settlement.forgotten):
            self._forget(tenant, id)
        for one in sorted(settlement.owned, key=lambda one: one.id):
            if makes:
                self._own(tenant, one, now)
            elif (held := self.db.inventory.get(one.id)) and (held.tenant, held.owned.component) == (
                tenant,
                one.component,
            ):
                held.owned = replace(one, observed=None)
        orphaned = self.db.tenants[tenant].purge_mode == "orphan"
        for id in settlement.forgotten:
            if id in self.db.picture and not orphaned:
                gone = self.db.picture[id]
                gone.gone, gone.observed = True, replace(gone.observed, seen_at=max(gone.observed.seen_at, now))
        self._write([one.observed for one in settlement.owned if one.observed is not None])
        self._write(settlement.observed)

    def _forget(self, tenant: str, id: str) -> None:
        held = self.db.inventory.get(id)
        if held is not None and held.tenant == tenant:
            del self.db.inventory[id]
            self.db.connections.pop((tenant, held.owned.component), None)

    def _own(self, tenant: str, one: Owned, now: datetime) -> None:
        for id, held in self.db.inventory.items():
            same_place = held.tenant == tenant and held.owned.component == one.component
            if (id == one.id) != same_place:
                text = f"{one.id} appeared for {one.component} while {held.tenant}/{held.owned.component} has {id}"
                event = Event(reason=Reason.DUPLICATE, component=one.component, message=text, warning=True)
                self._tell(tenant, [event], now)
                return
        self.db.inventory[one.id] = Held(tenant, replace(one, observed=None))

    def _write(self, observed: Sequence[Observed]) -> list[str]:
        """Write what differs into the picture; an older look never replaces a newer one."""
        written = []
        for one in sorted(observed, key=lambda one: one.seen_at):
            if self._news(one):
                self.db.picture[one.id] = Seen(one)
                written.append(one.id)
        return written

    def _news(self, one: Observed) -> bool:
        old = self.db.picture.get(one.id)
        if old is None:
            return True
        if one.seen_at < old.observed.seen_at:
            return False
        return old.gone or old.absent_sweeps > 0 or replace(one, seen_at=old.observed.seen_at) != old.observed

    async def look_operation(self, operation: int, now: datetime) -> int:
        row = self.db.journal.get(operation)
        if row is None or row.value.state not in (OperationState.SENT, OperationState.UNKNOWN):
            raise NotFound(f"operation {operation} is not open")
        row.value = replace(row.value, looks=row.value.looks + 1, looked_at=now, state=OperationState.UNKNOWN)
        return row.value.looks

    async def save_owned(self, claim: Claim, owned: Sequence[Owned], forgotten: Sequence[str] = ()) -> None:
        self.fence(claim)
        stamps = [one.observed.seen_at for one in owned if one.observed is not None]
        learned = Settlement(state=OperationState.SUCCEEDED, owned=owned, forgotten=forgotten)
        self._apply(claim.tenant, learned, max(stamps, default=self.db.now()), makes=True)

    async def count_recent(self, verbs: Sequence[str], since: datetime) -> int:
        wanted = {str(verb) for verb in verbs}
        return sum(
            row.value.verb in wanted and row.value.sent_at is not None and row.value.sent_at >= since
            for row in self.db.journal.values()
        )

    # ------------------------------------------------------------ the picture

    async def observe(self, observed: Sequence[Observed], now: datetime) -> Sequence[str]:
        for one in observed:
            if one.id in self.db.inventory and self.db.inventory[one.id].owned.absent_looks:
                self.db.see(one.id, absent_looks=0)
        return self._wake_owners(self._write(observed))

    async def swept(self, kinds: Sequence[Kind], seen: Sequence[str], started_at: datetime) -> Sequence[str]:
        covered = set(kinds) | (SERVICES if set(kinds) & SERVICES else set())
        here = set(seen)
        missed = [
            id
            for id, row in self.db.picture.items()
            if row.observed.kind in covered and not row.gone and id not in here and row.observed.seen_at < started_at
        ]
        for id in missed:
            row = self.db.picture[id]
            row.gone = row.absent_sweeps >= 1
            row.absent_sweeps += 1
            if id in self.db.inventory:
                self.db.see(id, absent_looks=self.db.inventory[id].owned.absent_looks + 1)
        for kind in covered:
            self.db.sweeps[kind] = max(self.db.sweeps.get(kind, started_at), started_at)
        return self._wake_owners(missed)

    def _wake_owners(self, ids: Sequence[str]) -> list[str]:
        owners = {self.db.inventory[id].tenant for id in ids if id in self.db.inventory}
        return self.db.wake(sorted(owners), WakeClass.DRIFT)

    async def swept_at(self, kind: Kind) -> datetime | None:
        return self.db.sweeps.get(kind)

    async def sweeps(self) -> Mapping[Kind, datetime]:
        return dict(self.db.sweeps)

    async def count_snapshot(self, kinds: Sequence[Kind]) -> int:
        return sum(seen.observed.kind in kinds and not seen.gone for seen in self.db.picture.values())

    async def unasked(self, claim: Claim, event: Event, since: datetime, now: datetime) -> Unasked:
        self.fence(claim)
        self._tell(claim.tenant, [event], now)
        unasked = {
            tenant
            for (tenant, reason, _), told in self.db.events.items()
            if reason == Reason.UNASKED and told.last_at >= since
        }
        struck = [who for who, _, _ in self.db.audit[-20:]].count(guard.MASS_CHANGE)
        released = self.db.brake_at if struck and self.db.brake[0] is Brake.NORMAL else None
        tenants = sum(one.purged_at is None for one in self.db.tenants.values())
        return Unasked(plans=len(unasked), tenants=tenants, released_at=released)
