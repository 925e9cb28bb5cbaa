"""The queue in memory: claims, leases, the end of a pass."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.core import passes
from reconciler.core.kinds import BUCKET_LIMITS, Bucket
from reconciler.core.passes import Kept
from reconciler.core.status import Event, Reason
from reconciler.ports import Backlog, Brake, Claim, Demand, OperationState, Turns, Verdict, WakeClass
from reconciler.postgres import windows
from tests.campaign.memory.database import EPOCH, Clock, Explained, Told
from tests.campaign.memory.parts import Part

PASSES_MAX = 20
"""Kept of each tenant."""
PAUSE_MIN_S = 1.0
"""What is due and not taken (the replica is full, the brake is on) is mentioned again after this."""


class Claims(Part):
    """The queue side of the store."""

    async def claim(
        self, turns: Mapping[WakeClass, Turns], limit: int, owner: str, lease_s: float, now: datetime
    ) -> list[Claim]:
        if self.db.brake[0] is Brake.STOP:
            return []
        real_s = self.db.real()
        places: list[tuple[float, str]] = []
        for wake_class, turn in turns.items():
            if turn.keeps and self._short(turn.keeps, now):
                continue
            due = sorted(
                (row.due_at, row.queued_at, tenant)
                for tenant, row in self.db.queue.items()
                if row.wake_class is wake_class and row.due_at <= now and not row.leased(real_s)
            )
            places += [(turn.starts + turn.step * at, tenant) for at, (_, _, tenant) in enumerate(due[:limit])]
        return [self._take(tenant, owner, real_s, lease_s, now) for _, tenant in sorted(places)[:limit]]

    def _short(self, keeps: float, now: datetime) -> bool:
        """Say whether less than a share of the minute's reads or writes is left."""
        for bucket in (Bucket.READ, Bucket.WRITE):
            row = self.db.budget.get((bucket, ""))
            if row is None or row.window_start != windows.window_of(bucket, now).start:
                continue
            if row.used > (1 - keeps) * (BUCKET_LIMITS[bucket] if row.limit_seen is None else row.limit_seen):
                return True
        return False

    def _take(self, tenant: str, owner: str, real_s: float, lease_s: float, now: datetime) -> Claim:
        row = self.db.queue[tenant]
        row.owner, row.lease_until = owner, real_s + lease_s
        row.epoch += 1
        return Claim(
            tenant=tenant, epoch=row.epoch, wake_seq=row.wake_seq, wake_class=row.wake_class,
            failures=row.failures, overdue_s=self.db.overdue_s(row, now),
        )  # fmt: skip

    async def renew(self, owner: str, lease_s: float, tenants: Collection[str] | None = None) -> set[str]:
        mine = {
            name
            for name, row in self.db.queue.items()
            if row.owner == owner and row.lease_until is not None and (tenants is None or name in tenants)
        }
        for name in mine:
            self.db.queue[name].lease_until = self.db.real() + lease_s
        return mine

    async def release_all(self, owner: str) -> None:
        for row in self.db.queue.values():
            if row.owner == owner and row.lease_until is not None:
                row.owner, row.lease_until = "", None
                row.epoch += 1
        self.db.singletons = {name: held for name, held in self.db.singletons.items() if held[0] != owner}
        self.db.ring()

    async def declare(self, claim: Claim, demand: Demand) -> None:
        self.fence(claim)
        self._demand(claim.tenant, demand)

    def _demand(self, tenant: str, demand: Demand | None) -> None:
        if demand is None or demand.wanted <= 0:
            self.db.demand.pop(tenant, None)
        else:
            self.db.demand[tenant] = replace(demand, ready=min(demand.ready, demand.wanted))

    async def finish(self, claim: Claim, verdict: Verdict, now: datetime) -> None:
        row = self.fence(claim)
        if self.db.finished is not None:
            self.db.finished(claim.tenant, verdict.status.observed_generation)
        dirty = row.wake_seq > claim.wake_seq
        row.handled_seq = max(row.handled_seq, claim.wake_seq)
        row.failures = row.failures + 1 if verdict.failed else 0
        if not dirty:
            row.due_at, row.wake_class = verdict.due_at, verdict.wake_class
        else:
            row.due_at = EPOCH
        row.owner, row.lease_until = "", None
        more = verdict.events or verdict.demand is not None or verdict.purged or verdict.kept is not None
        if more or not verdict.unchanged:
            self.db.status[claim.tenant] = verdict.status
        self._demand(claim.tenant, verdict.demand)
        self._drop_planned(claim.tenant)
        self._keep(claim, verdict.kept, now)
        self._tell(claim.tenant, verdict.events, now)
        if verdict.purged:
            tenant = self.db.tenants[claim.tenant]
            tenant.purged_at = tenant.purged_at or now
            self.db.secrets = {key: one for key, one in self.db.secrets.items() if key[:2] != ("tenant", claim.tenant)}
            self.db.connections = {key: one for key, one in self.db.connections.items() if key[0] != claim.tenant}
            del self.db.queue[claim.tenant]
        self.db.ring()

    def _drop_planned(self, tenant: str) -> None:
        for id, row in list(self.db.journal.items()):
            if row.tenant == tenant and row.value.state is OperationState.PLANNED:
                del self.db.journal[id]
                self.db.open.pop((tenant, row.value.component), None)

    async def give_back(
        self, claim: Claim, due_at: datetime, error: str, now: datetime, kept: Kept | None = None
    ) -> None:
        row = self.fence(claim)
        row.handled_seq = max(row.handled_seq, claim.wake_seq)
        if row.wake_seq > claim.wake_seq:
            row.due_at = EPOCH
        else:
            row.due_at = due_at
            row.wake_class = WakeClass.RETRY if error else row.wake_class
        row.failures += bool(error)
        row.owner, row.lease_until = "", None
        self._keep(claim, kept, now)
        if error:
            self._tell(claim.tenant, [Event(reason=Reason.FAILED, message=error, warning=True)], now)
        self.db.ring()

    def _keep(self, claim: Claim, kept: Kept | None, now: datetime) -> None:
        if kept is None:
            return
        rows, mark = self.db.passes.setdefault(claim.tenant, []), passes.fingerprint(kept)
        again = rows.pop() if rows and mark and rows[-1].fingerprint == mark else None
        first_at, count = (again.first_at, again.count + 1) if again else (now, 1)
        one = Explained(kept=kept, epoch=claim.epoch, fingerprint=mark, first_at=first_at, at=now, count=count)
        rows.append(one)
        del rows[:-PASSES_MAX]

    def _tell(self, tenant: str, events: Sequence[Event], now: datetime) -> None:
        for event in events:
            key = (tenant, str(event.reason), event.component)
            before = self.db.events.get(key)
            count, first_at = (before.count + 1, before.first_at) if before else (1, now)
            self.db.events[key] = Told(event, count, first_at, now)

    async def singleton(self, name: str, owner: str, lease_s: float) -> bool:
        holder, until = self.db.singletons.get(name, ("", 0.0))
        if holder not in ("", owner) and until >= self.db.real():
            return False
        self.db.singletons[name] = (owner, self.db.real() + lease_s)
        return True

    async def set_clock(self, now: datetime, speed: float) -> None:
        self.db.clock = Clock(now, self.db.real(), speed)

    async def backlog(self, now: datetime) -> Backlog:
        real_s = self.db.real()
        due = dict.fromkeys(WakeClass, 0)
        overdue_s = 0.0
        for row in self.db.queue.values():
            if row.due_at <= now and not row.leased(real_s):
                due[row.wake_class] += 1
                overdue_s = max(overdue_s, self.db.overdue_s(row, now))
        return Backlog(
            due=due,
            leased=sum(row.leased(real_s) for row in self.db.queue.values()),
            oldest_overdue_s=overdue_s,
            unknown_operations=sum(row.value.state is OperationState.UNKNOWN for row in self.db.journal.values()),
        )

    async def wakes(self) -> AsyncIterator[str]:
        """Yield whom a commit woke; and "" where others poll: at every release, and when somebody becomes due."""
        heard: dict[str, None] = {}
        self.db.listeners.append(heard)
        yield ""
        while True:
            bell, due_s = self.db.bell, self.db.next_due_s()
            if not heard:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(bell.wait(), None if due_s is None else max(PAUSE_MIN_S, due_s))
            names = list(heard) or [""]
            heard.clear()
            for name in names:
                yield name
