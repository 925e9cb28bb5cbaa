"""Tokens of Render's fixed windows and the create queue in memory."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core import guard
from reconciler.core.errors import StaleLease
from reconciler.core.kinds import BUCKET_LIMITS, CREATE_BUDGETED, Bucket
from reconciler.ports import Claim, Limits, Operation, OperationState, Repeats, Throttle
from reconciler.postgres import windows
from reconciler.postgres.budgets import EVER, HOPELESS, PROBE, UNSEEN, UNSEEN_PATIENCE_S
from tests.campaign.memory.database import BucketRow, Tenant
from tests.campaign.memory.parts import Part

UNDER_WAY = frozenset({OperationState.PLANNED, OperationState.SENT})
READ_BLOCK = 20
READ_BLOCK_S = 3.0


@dataclass(slots=True)
class Block:
    """GET tokens of one replica: of one window, until a real second."""

    window: windows.Window
    left: int
    ends_at: float


class Budgets(Part):
    """The side of the store that hands out tokens."""

    _block: Block | None = None
    _granting_since: datetime | None = None

    async def send_operation(
        self,
        claim: Claim,
        operation: int,
        bucket: Bucket,
        live_id: str,
        now: datetime,
        *,
        cap: int | None = None,
        keeps: float = 0.0,
    ) -> Throttle | None:
        self.fence(claim)
        row = self.db.journal.get(operation)
        if row is None or row.value.state is not OperationState.PLANNED:
            raise StaleLease(f"{claim.tenant}: operation {operation} is not planned any more")
        window = windows.window_of(bucket, now)
        counter, limit = self._counter(bucket, live_id, window)
        throttle = self._stopped(bucket, counter, limit, window, now)
        if throttle is None and cap is not None:
            throttle = self._capped(row.value.verb, cap, now)
        if throttle is None and bucket is Bucket.CREATE:
            throttle = self._queue(claim.tenant, counter, limit, window, now)
        elif throttle is None:
            most = int(limit * (1 - keeps)) if bucket is Bucket.WRITE else limit
            throttle = self._count(bucket, live_id, counter, most, window, 1)
        if throttle is not None:
            del self.db.journal[operation]
            self.db.open.pop((claim.tenant, row.value.component), None)
            return throttle
        if bucket in self.db.broken:
            self.db.broken[bucket] = (now + PROBE, self.db.broken[bucket][1])
        row.value = replace(row.value, state=OperationState.SENT, sent_at=now)
        row.sent_real_s, row.bucket, row.window_start = self.db.real(), bucket, window.start
        return None

    def _capped(self, verb: str, cap: int, now: datetime) -> Throttle | None:
        sent = [
            at
            for row in self.db.journal.values()
            if row.value.verb == verb and (at := row.value.sent_at) is not None and at >= now - guard.CAP_WINDOW
        ]
        return None if len(sent) < cap else Throttle(until=min(sent) + guard.CAP_WINDOW, guard=guard.cap_text(verb))

    def _place(self, bucket: Bucket, live_id: str) -> tuple[Bucket, str]:
        return bucket, live_id if bucket is Bucket.SERVICE else ""

    def _counter(self, bucket: Bucket, live_id: str, window: windows.Window) -> tuple[BucketRow, int]:
        """Answer a bucket's row as of a window, with the pause of its class, and its limit."""
        row = self.db.budget.get(self._place(bucket, live_id), BucketRow())
        whole = self.db.budget.get((bucket, ""), BucketRow())
        row = replace(row, paused_until=whole.paused_until, message=whole.message)
        if row.window_start != window.start:
            row = replace(row, window_start=window.start, used=0)
        return row, BUCKET_LIMITS[bucket] if row.limit_seen is None else row.limit_seen

    def _stopped(
        self, bucket: Bucket, row: BucketRow, limit: int, window: windows.Window, now: datetime
    ) -> Throttle | None:
        edge = windows.blocked_until(window, now, self.guard_band_s)
        until = max(
            (at for at in (row.paused_until, row.penalty_until, edge) if at is not None and at > now), default=None
        )
        if until is None:
            broken_until, broken = self.db.broken.get(bucket, (now, ""))
            return Throttle(until=broken_until, broken=broken) if broken_until > now else None
        paused = row.paused_until is not None and row.paused_until > now
        return Throttle(until=until, used=row.used, limit=limit, message=row.message if paused else "")

    def _count(
        self, bucket: Bucket, live_id: str, row: BucketRow, limit: int, window: windows.Window, wanted: int
    ) -> Throttle | None:
        if row.used + wanted > limit:
            return Throttle(until=windows.opens_again(window, self.guard_band_s), used=row.used, limit=limit)
        self.db.budget[self._place(bucket, live_id)] = replace(row, used=row.used + wanted)
        return None

    def _queue(self, tenant: str, row: BucketRow, limit: int, window: windows.Window, now: datetime) -> Throttle | None:
        """Grant a create, or say where the tenant stands and when to ask again."""
        used = row.used + self.db.creates(window.start)
        mine = self._rank(tenant)
        ahead = [
            demand
            for name, demand in self.db.demand.items()
            if name != tenant
            and name in self.db.queue
            and self.db.queue[name].failures < HOPELESS
            and self._rank(name) < mine
        ]
        ready = sum(one.ready for one in ahead)
        later = sum(one.wanted - one.ready for one in ahead if one.started or one.ready > 0)
        late = now >= windows.reserves_end(window)
        remaining = limit - used
        free = remaining > (ready if late else ready + later)
        demand = self.db.demand.get(tenant)
        unseen = self._unseen(mine, now) if mine[0] else 0
        if free and not unseen:
            self.db.budget[(Bucket.CREATE, "")] = row
            if demand is not None:
                left = max(demand.wanted - 1, 0), max(demand.ready - 1, 0)
                self.db.demand[tenant] = replace(demand, wanted=left[0], ready=left[1], started=True)
            return None
        soon = not late and remaining > ready
        until = windows.reserves_end(window) if soon else windows.opens_again(window, self.guard_band_s)
        return Throttle(
            until=now + UNSEEN if free else until, position=len(ahead) + unseen + 1,
            ahead=ready + later + unseen * (demand.wanted if demand else 1), used=used, limit=limit,
        )  # fmt: skip

    def _unseen(self, mine: tuple[bool, int, datetime, str], now: datetime) -> int:
        """Count who goes before us and has not had its first pass yet, and so could not say what it wants."""
        if self._granting_since is None or now < self._granting_since:
            self._granting_since = now
        since = now - timedelta(seconds=UNSEEN_PATIENCE_S)
        if self._granting_since > since:
            since = EVER
        return sum(
            not queued.handled_seq
            and name not in self.db.demand
            and (row := self.db.tenants[name]).columns["state"] == "running"
            and row.purged_at is None
            and row.created_at > since
            and (-_priority(row), row.created_at, name) < mine[1:]
            for name, queued in self.db.queue.items()
        )

    def _rank(self, tenant: str) -> tuple[bool, int, datetime, str]:
        """Answer a tenant's place: started stacks first, then priority, then since when."""
        demand, row = self.db.demand.get(tenant), self.db.tenants[tenant]
        if demand is not None:
            return not demand.started, -demand.priority, demand.since, tenant
        budgeted = any(
            held.tenant == tenant and held.owned.kind in CREATE_BUDGETED for held in self.db.inventory.values()
        )
        return not budgeted, -_priority(row), row.created_at, tenant

    # ------------------------------------------------------------ reads

    async def read_token(self, now: datetime) -> Throttle | None:
        window = windows.window_of(Bucket.READ, now)
        edge = windows.blocked_until(window, now, self.guard_band_s)
        if edge is not None:
            return Throttle(until=edge, limit=BUCKET_LIMITS[Bucket.READ])
        block = self._block
        if block is None or block.window != window or block.left <= 0 or self.db.real() >= block.ends_at:
            row, limit = self._counter(Bucket.READ, "", window)
            size = max(1, min(READ_BLOCK, limit - row.used))
            self._block = None
            throttle = self._stopped(Bucket.READ, row, limit, window, now) or self._count(
                Bucket.READ, "", row, limit, window, size
            )
            if throttle is not None:
                return throttle
            block = self._block = Block(window, size, self.db.real() + READ_BLOCK_S)
        block.left -= 1
        return None

    async def take_deep(self, calls: int, limit: int, now: datetime) -> bool:
        start = windows.window_of(Bucket.READ, now).start
        counted, used = self.db.deep
        used = used if counted == start else 0
        if counted > start or used + calls > max(limit, calls):
            return False
        self.db.deep = (start, used + calls)
        return True

    # ------------------------------------------------------------ feedback

    async def learn(self, bucket: Bucket, live_id: str, limits: Limits) -> None:
        self.believe(bucket, live_id, limits)

    def believe(self, bucket: Bucket, live_id: str, limits: Limits) -> None:
        window = windows.window_of(bucket, limits.date)
        place = self._place(bucket, live_id)
        before = self.db.budget.get(place, BucketRow())
        if before.window_start is not None and before.window_start > window.start:
            return
        row, _ = self._counter(bucket, live_id, window)
        spent = limits.limit - limits.remaining
        if bucket is Bucket.CREATE:
            spent -= self.db.creates(window.start)
        penalty = row.penalty_until
        if limits.remaining <= 0 and limits.resets_at > window.end + timedelta(seconds=1):
            penalty = max(penalty or limits.resets_at, limits.resets_at)
        self.db.budget[place] = replace(
            row, used=max(row.used, spent), limit_seen=limits.limit, penalty_until=penalty,
            paused_until=before.paused_until, message=before.message,
        )  # fmt: skip

    async def penalise(self, bucket: Bucket, live_id: str, until: datetime) -> None:
        self._drop_block(bucket)
        place = self._place(bucket, live_id)
        row = self.db.budget.get(place, BucketRow())
        self.db.budget[place] = replace(row, penalty_until=max(row.penalty_until or until, until))

    async def pause(self, bucket: Bucket, until: datetime, message: str) -> None:
        self._drop_block(bucket)
        row = self.db.budget.get((bucket, ""), BucketRow())
        self.db.budget[(bucket, "")] = replace(row, paused_until=until, message=message)

    async def unpause(self, bucket: Bucket) -> None:
        row = self.db.budget.get((bucket, ""))
        if row is not None:
            self.db.budget[(bucket, "")] = replace(row, paused_until=None, message="")

    async def failures(self, bucket: Bucket, since: datetime) -> tuple[int, int]:
        failed: list[str] = []
        for row in reversed(list(self.db.journal.values())):
            sent_at = row.value.sent_at
            if row.bucket is not bucket or sent_at is None or sent_at < since or row.value.state in UNDER_WAY:
                continue
            if answered(row.value):
                break
            failed.append(row.tenant)
        return len(failed), len(set(failed))

    async def break_class(self, bucket: Bucket, until: datetime, message: str) -> None:
        before, _ = self.db.broken.get(bucket, (until, ""))
        self.db.broken[bucket] = (max(before, until), message)

    async def repeats(self, tenant: str, generation: int, now: datetime) -> Repeats:
        effects: Counter[str] = Counter()
        creates: Counter[str] = Counter()
        for row in self.db.journal.values():
            at = row.value.sent_at
            if row.tenant != tenant or row.value.state is not OperationState.SUCCEEDED or at is None:
                continue
            looked = row.value.looked_at is not None
            effects[row.value.request_hash] += (
                not looked and row.generation == generation and at >= now - guard.SPIN_WINDOW
            )
            creates[row.value.component] += row.bucket is Bucket.CREATE and at >= now - guard.BIRTH_WINDOW
        return Repeats(effects=effects, creates=creates)

    def _drop_block(self, bucket: Bucket) -> None:
        if bucket is Bucket.READ:
            self._block = None


def answered(value: Operation) -> bool:
    """Say whether an outcome shows that Render works; what is known by looking alone was not answered."""
    done = value.state in (OperationState.SUCCEEDED, OperationState.REFUSED) and value.looked_at is None
    return done or 400 <= value.status < 500


def _priority(row: Tenant) -> int:
    priority = row.columns["priority"]
    assert isinstance(priority, int)
    return priority
