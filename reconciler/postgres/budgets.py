"""Grants or delays calls by Render's fixed windows, over all processes; it knows buckets, not what is sent.

A grant is one counter raised under a row lock. For creates the journal itself is counted, and `used` holds only what
others used with the same key, learned from headers. A create is granted only if what remains of the hour exceeds what
the tenants ahead in the create queue may still want of it.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.core import guard
from reconciler.core.errors import StaleLease
from reconciler.core.kinds import BUCKET_LIMITS, CREATE_BUDGETED, Bucket
from reconciler.ports import Claim, Limits, Repeats, Throttle
from reconciler.postgres import claims, codec, queries, windows
from reconciler.postgres.adapter import Adapter
from reconciler.postgres.pool import Connection
from reconciler.postgres.windows import Window

SQL = queries.load("budgets")
JOURNAL = queries.load("journal")
READ_BLOCK = 20
READ_BLOCK_S = 3.0
"""GET tokens are taken in blocks, for real seconds: what a process does not use in time is lost to the window."""
UNSEEN = timedelta(seconds=5)
"""World time until a stack that gave way to tenants not looked at yet asks again."""
UNSEEN_PATIENCE_S = 300.0
"""World seconds at real speed, real ones in a faster world: longer nobody waits for a tenant that was not looked at."""
HOPELESS = 3
"""So many passes failed one after the other: the creates of their tenant are not kept for it any more."""
EVER = datetime.fromtimestamp(0, UTC)
"""Before every sign-up (world)."""
PROBE = timedelta(minutes=1)
"""World time between the probes of a class whose circuit breaker is half open."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A bucket's row as of one window: `used` is 0 when the row speaks of an earlier one."""

    window: Window
    used: int
    limit: int
    limit_seen: int | None
    penalty_until: datetime | None
    paused_until: datetime | None
    message: str
    broken_until: datetime | None
    broken: str

    def stop(self, now: datetime, guard_band_s: float) -> Throttle | None:
        """Answer why nothing may be sent at all now: pause, penalty or edge of the window, whichever ends last."""
        reasons = [self.paused_until, self.penalty_until, windows.blocked_until(self.window, now, guard_band_s)]
        until = max((at for at in reasons if at is not None and at > now), default=None)
        if until is None:
            broken = self.broken_until is not None and self.broken_until > now
            return Throttle(until=self.broken_until, broken=self.broken) if broken and self.broken_until else None
        paused = self.paused_until is not None and self.paused_until > now
        return Throttle(until=until, used=self.used, limit=self.limit, message=self.message if paused else "")


@dataclass(slots=True)
class Block:
    """GET tokens of this process: of one window, until a moment of the machine's monotonic clock."""

    window: Window
    left: int
    ends_at_s: float


class Budgets(Adapter):
    """The side of the store that hands out tokens."""

    _block: Block | None = None
    _granting_since: datetime | None = None
    """When (world) this process was first asked for a create: until then it has looked at nobody."""
    _reads: Counter | None = None
    """The bucket of reads as this process last raised it; within its window it only fills."""
    _block_lock: asyncio.Lock | None = None

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
        """Take the tokens and mark the row sent, in one transaction; a Throttle means that the row is gone again."""
        began_s = time.monotonic()
        async with self.transaction() as connection:
            await claims.hold_epoch(connection, claim)
            counter, moment = await self._lock(connection, bucket, live_id, now, began_s)
            throttle = counter.stop(moment, self.guard_band_s)
            if throttle is None and cap is not None:
                throttle = await self._capped(connection, operation, cap, moment)
            if throttle is None and bucket is Bucket.CREATE:
                throttle = await self._queue(connection, claim.tenant, counter, moment)
            elif throttle is None:
                throttle = await self._count(connection, bucket, live_id, counter, 1, keeps)
            if throttle is None and counter.broken_until is not None:
                throttle = await self._probe(connection, bucket, counter, moment)
            if throttle is not None:
                await connection.execute(JOURNAL["take_back"], {"id": operation})
                return throttle
            sent: Row = {"id": operation, "tenant": claim.tenant, "now": moment, "bucket": bucket}
            marked = await connection.execute(JOURNAL["mark_sent"], sent | {"window_start": counter.window.start})
            if marked.rowcount != 1:
                raise StaleLease(f"{claim.tenant}: operation {operation} is not planned any more")
        return None

    async def _probe(
        self, connection: Connection, bucket: Bucket, counter: Counter, moment: datetime
    ) -> Throttle | None:
        """Let one call through a half open breaker; the others wait for its answer."""
        until = moment + PROBE
        values = self._place(bucket, "") | {"until": until, "now": moment}
        won = (await connection.execute(SQL["probe"], values)).rowcount == 1
        return None if won else Throttle(until=until, broken=counter.broken)

    async def spend(self, bucket: Bucket, now: datetime) -> Throttle | None:
        """Take one token of the key's for a call that is no tenant's and in no journal, or say when."""
        began_s = time.monotonic()
        async with self.transaction() as connection:
            counter, moment = await self._lock(connection, bucket, "", now, began_s)
            return counter.stop(moment, self.guard_band_s) or await self._count(connection, bucket, "", counter, 1)

    async def _lock(
        self, connection: Connection, bucket: Bucket, live_id: str, now: datetime, began_s: float
    ) -> tuple[Counter, datetime]:
        """Lock the bucket's row; answer it for the window of this very moment: waiting for the lock took time."""
        key = self._place(bucket, live_id)
        row = await (await connection.execute(SQL["lock"], key)).fetchone()
        if row is None:  # the first call of its bucket
            await connection.execute(SQL["ensure"], key)
            row = await (await connection.execute(SQL["lock"], key)).fetchone()
        assert row is not None
        moment = now + timedelta(seconds=(time.monotonic() - began_s) * self.speed)
        return _counter(bucket, row, windows.window_of(bucket, moment)), moment

    def _place(self, bucket: Bucket, live_id: str) -> Row:
        """Only one bucket is kept per service (Render API 2.2); all others are the key's."""
        return {
            **{"workspace": self.workspace, "bucket": bucket},
            **{"live_id": live_id if bucket is Bucket.SERVICE else ""},
        }

    async def _count(
        self, connection: Connection, bucket: Bucket, live_id: str, counter: Counter, wanted: int, keeps: float = 0.0
    ) -> Throttle | None:
        most = counter.limit if bucket is not Bucket.WRITE else int(counter.limit * (1 - keeps))
        if counter.used + wanted > most:
            until = windows.opens_again(counter.window, self.guard_band_s)
            return Throttle(until=until, used=counter.used, limit=counter.limit)
        await self._store(connection, bucket, live_id, replace(counter, used=counter.used + wanted))
        return None

    async def _capped(self, connection: Connection, operation: int, cap: int, moment: datetime) -> Throttle | None:
        """Count the effects of the same verb, of all tenants; planned ones were not sent."""
        values: Row = {"workspace": self.workspace, "id": operation, "since": moment - guard.CAP_WINDOW}
        await connection.execute(SQL["lock_cap"], values)
        row = await (await connection.execute(SQL["capped"], values)).fetchone()
        if row is None or row["sent"] < cap:
            return None
        return Throttle(until=row["first_at"] + guard.CAP_WINDOW, guard=guard.cap_text(row["verb"]))

    async def _store(self, connection: Connection, bucket: Bucket, live_id: str, counter: Counter) -> None:
        window = counter.window
        values: Row = {"window_start": window.start, "window_end": window.end, "used": counter.used}
        learned: Row = {"limit_seen": counter.limit_seen, "penalty_until": counter.penalty_until}
        await connection.execute(SQL["store"], self._place(bucket, live_id) | values | learned)

    # ------------------------------------------------------------ creates

    async def _queue(self, connection: Connection, tenant: str, counter: Counter, moment: datetime) -> Throttle | None:
        """Grant a create, or say where the tenant stands and when to ask again."""
        used = counter.used + await self._creates(connection, counter.window)
        mine = await (
            await connection.execute(
                SQL["my_demand"], {"tenant": tenant, "budgeted": [k.value for k in CREATE_BUDGETED]}
            )
        ).fetchone()
        assert mine is not None
        mine |= {"tenant": tenant, "hopeless": HOPELESS}
        ahead = await (await connection.execute(SQL["ahead"], mine)).fetchone()
        assert ahead is not None
        remaining = counter.limit - used
        late = moment >= windows.reserves_end(counter.window)
        reserved = ahead["ready"] if late else ahead["ready"] + ahead["started_later"]
        granted = remaining > reserved
        unseen = 0 if mine["started"] else await self._unseen(connection, mine, moment)
        if granted and not unseen:
            await self._store(connection, Bucket.CREATE, "", counter)
            await connection.execute(SQL["meet_demand"], {"tenant": tenant})
            return None
        until = windows.opens_again(counter.window, self.guard_band_s)
        if granted:
            until = moment + UNSEEN
        elif not late and remaining > ahead["ready"]:
            until = windows.reserves_end(counter.window)
        return Throttle(
            until=until,
            position=ahead["tenants"] + unseen + 1,
            ahead=ahead["ready"] + ahead["started_later"] + unseen * mine["wanted"],
            used=used,
            limit=counter.limit,
        )

    async def _unseen(self, connection: Connection, mine: Row, now: datetime) -> int:
        """Count who goes before us and has only just come; each is taken to want what we want.

        No stack is begun before those were looked at, or have waited in vain for longer than that takes, in which the
        time that nobody worked here does not count.
        """
        if self._granting_since is None or now < self._granting_since:
            self._granting_since = now
        since = now - timedelta(seconds=UNSEEN_PATIENCE_S * max(1.0, self.speed))
        values = mine | {"newer_than": since if self._granting_since <= since else EVER}
        row = await (await connection.execute(SQL["unseen"], values)).fetchone()
        assert row is not None
        tenants: int = row["tenants"]
        return tenants

    async def _creates(self, connection: Connection, window: Window) -> int:
        key: Row = {"workspace": self.workspace, "window_start": window.start}
        row = await (await connection.execute(SQL["count_creates"], key)).fetchone()
        assert row is not None
        used: int = row["used"]
        return used

    # ------------------------------------------------------------ reads

    async def read_token(self, now: datetime) -> Throttle | None:
        """Take one GET token from this process's block, or say when."""
        if self._block_lock is None:
            self._block_lock = asyncio.Lock()
        window = windows.window_of(Bucket.READ, now)
        edge = windows.blocked_until(window, now, self.guard_band_s)
        if edge is not None:
            return Throttle(until=edge, limit=BUCKET_LIMITS[Bucket.READ])
        async with self._block_lock:
            block = self._block
            if block is None or block.window != window or block.left <= 0 or time.monotonic() >= block.ends_at_s:
                throttle = await self._take_block(now)
                if throttle is not None:
                    return throttle
                block = self._block
            assert block is not None
            block.left -= 1
        return None

    async def _take_block(self, now: datetime) -> Throttle | None:
        began_s = time.monotonic()
        self._block = None
        async with self.transaction() as connection:
            counter, moment = await self._lock(connection, Bucket.READ, "", now, began_s)
            size = max(1, min(READ_BLOCK, counter.limit - counter.used))
            throttle = counter.stop(moment, self.guard_band_s)
            throttle = throttle or await self._count(connection, Bucket.READ, "", counter, size)
        if throttle is None:
            self._block = Block(counter.window, size, time.monotonic() + READ_BLOCK_S)
            self._reads = replace(counter, used=counter.used + size)
        return throttle

    async def take_deep(self, calls: int, limit: int, now: datetime) -> bool:
        """Count calls of a deep check into the world's minute, over all replicas, unless it would hold over `limit`.

        One check fits into an empty minute however small the limit is, or it would never come.
        """
        window = windows.window_of(Bucket.READ, now)
        values: Row = {"workspace": self.workspace, "calls": calls, "limit": max(limit, calls)}
        values |= {"window_start": window.start, "window_end": window.end}
        async with self.session() as connection:
            return await (await connection.execute(SQL["take_deep"], values)).fetchone() is not None

    # ------------------------------------------------------------ feedback

    async def learn(self, bucket: Bucket, live_id: str, limits: Limits) -> None:
        """Believe an answer's headers where they are lower than our own count.

        Answers of effects are learned from when they are settled; this is for all others.
        """
        # Nearly every answer tells nothing new: that is found without asking, or at least without a lock.
        if bucket is Bucket.READ and self._reads is not None and not _news(self._reads, bucket, limits):
            return
        async with self.session() as connection:
            row = await (await connection.execute(SQL["peek"], self._place(bucket, live_id))).fetchone()
        if row is not None and bucket is not Bucket.CREATE:
            window = windows.window_of(bucket, limits.date)
            if row["window_start"] > window.start or not _news(_counter(bucket, row, window), bucket, limits):
                return
        async with self.transaction() as connection:
            await self._believe(connection, bucket, live_id, limits)

    async def _believe(self, connection: Connection, bucket: Bucket, live_id: str, limits: Limits) -> None:
        key = self._place(bucket, live_id)
        await connection.execute(SQL["ensure"], key)
        row = await (await connection.execute(SQL["lock"], key)).fetchone()
        assert row is not None
        window = windows.window_of(bucket, limits.date)
        if row["window_start"] > window.start:
            return  # an answer of a window that is over
        counter = _counter(bucket, row, window)
        spent = limits.limit - limits.remaining
        if bucket is Bucket.CREATE:
            spent -= await self._creates(connection, window)  # what is left was used by others
        penalty = counter.penalty_until
        if limits.remaining <= 0 and limits.resets_at > window.end + timedelta(seconds=1):
            penalty = max(penalty or limits.resets_at, limits.resets_at)  # a window longer than we thought
        learned = replace(counter, used=max(counter.used, spent), limit_seen=limits.limit, penalty_until=penalty)
        if learned != counter or row["window_start"] != window.start:
            await self._store(connection, bucket, live_id, learned)

    async def penalise(self, bucket: Bucket, live_id: str, until: datetime) -> None:
        """Empty a bucket until a time, after a 429."""
        self._drop_block(bucket)
        async with self.session() as connection:
            await connection.execute(SQL["penalise"], self._place(bucket, live_id) | {"until": until})

    async def pause(self, bucket: Bucket, until: datetime, message: str) -> None:
        """Stop a class of calls after 401, 402 or 403, to be probed again at `until`."""
        self._drop_block(bucket)
        values: Row = {"workspace": self.workspace, "bucket": bucket, "until": until}
        async with self.session() as connection:
            await connection.execute(SQL["pause"], values | {"message": codec.storable(message)})

    async def unpause(self, bucket: Bucket) -> None:
        """Lift a pause after a call of its class succeeded."""
        async with self.session() as connection:
            await connection.execute(SQL["unpause"], {"workspace": self.workspace, "bucket": bucket})

    # ------------------------------------------------------------ circuit breaker

    async def failures(self, bucket: Bucket, since: datetime) -> tuple[int, int]:
        """Count the newest effects of a class sent since then that all failed (5xx, silence), and their tenants."""
        async with self.session() as connection:
            asked = await connection.execute(SQL["failures"], self._place(bucket, "") | {"since": since})
            row = await asked.fetchone()
        assert row is not None
        return row["in_a_row"], row["tenants"]

    async def break_class(self, bucket: Bucket, until: datetime, message: str) -> None:
        """Open the circuit breaker of a class until a time."""
        values = self._place(bucket, "") | {"until": until, "message": codec.storable(message)}
        async with self.session() as connection:
            await connection.execute(SQL["break"], values)

    async def broken(self) -> list[Bucket]:
        """Name the classes whose circuit breaker is open or half open."""
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["broken"], {"workspace": self.workspace})).fetchall()
        return [Bucket(row["bucket"]) for row in rows]

    async def repeats(self, tenant: str, generation: int, now: datetime) -> Repeats:
        """Count what succeeded again and again for a tenant, in the windows of `core.guard`."""
        since: Row = {"spins": now - guard.SPIN_WINDOW, "births": now - guard.BIRTH_WINDOW}
        async with self.session() as connection:
            asked = await connection.execute(SQL["repeats"], {"tenant": tenant, "generation": generation} | since)
            rows = await asked.fetchall()
        births: dict[str, int] = {}
        for row in rows:
            births[row["component"]] = births.get(row["component"], 0) + row["births"]
        return Repeats(effects={row["request_hash"]: row["spins"] for row in rows}, creates=births)

    def _drop_block(self, bucket: Bucket) -> None:
        if bucket is Bucket.READ:
            self._block = None


def _news(known: Counter, bucket: Bucket, limits: Limits) -> bool:
    """Say whether an answer's headers are lower than what is known of its window, or change the limit."""
    if known.window != windows.window_of(bucket, limits.date):
        return True
    spent = limits.limit - limits.remaining
    return spent > known.used or limits.limit != known.limit_seen or limits.remaining <= 0


def _counter(bucket: Bucket, row: Row, window: Window) -> Counter:
    same = row["window_start"] == window.start
    return Counter(
        window=window,
        used=row["used"] if same else 0,
        limit=BUCKET_LIMITS[bucket] if row["limit_seen"] is None else row["limit_seen"],
        limit_seen=row["limit_seen"],
        penalty_until=row["penalty_until"],
        paused_until=row["paused_until"],
        message=row["paused_message"] or "",
        broken_until=row["broken_until"],
        broken=row["broken"] or "",
    )
