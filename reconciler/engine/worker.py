"""Runs the engine: claims due tenants by shares, keeps leases, sweeps and rollouts going, and stops in order."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.core import schedule
from reconciler.core.errors import NotFound, RenderError, StaleLease, Throttled
from reconciler.core.passes import Kept
from reconciler.engine import restored, rollout
from reconciler.engine.options import Ports
from reconciler.engine.reconcile import Reconciler
from reconciler.engine.shares import Shares
from reconciler.engine.snapshot import Step, Sweeper
from reconciler.engine.trail import Trail
from reconciler.ports import Claim, WakeClass

IDLE_MIN_S = 0.05
DUTY_MIN_S = 0.2
TRIM_EVERY_S = 60.0
SWEEP_AGAIN_MAX_S = 120.0
"""Longest wait (world) before a list that failed is asked for again: when Render is back, it is seen soon."""
DISBELIEVED_S = 60.0
"""World seconds before all is listed again after a sweep whose absences were not believed."""
LAST_WRITES_S = 1.0
"""A pass that has just released its lease needs so long at most to end; one that goes on has lost it."""


class Worker:
    """One replica of the engine. `owner` names it in leases; `progress_at` (monotonic) is its last sign of life.

    `swept` is set once the whole workspace was listed since this replica began, by it or by who has the duty.
    """

    def __init__(self, ports: Ports, owner: str, *, seed: int | None = None, alive_at: datetime | None = None) -> None:
        """Keep the ports; `seed` makes the jitter repeatable, `alive_at` (world) is when anybody last worked here."""
        self.ports = ports
        self.owner = owner
        self.progress_at = time.monotonic()
        self.swept = asyncio.Event()
        self._fresh = asyncio.Event()
        self._reconciler = Reconciler(ports)
        self.sweeper = Sweeper(ports, owner)
        self._random = random.Random(seed)  # noqa: S311 jitter, not a secret
        self._passes: dict[str, asyncio.Task[None]] = {}
        self._unreturned: dict[str, tuple[Claim, datetime, str, Kept | None]] = {}
        self._wake = asyncio.Event()
        self._full = False
        self._woken_again: set[str] = set()
        self._stopping = asyncio.Event()
        self._shares = Shares()
        self._sweep_failures = 0
        self._sweep_again_at: datetime | None = None
        self._alive_at = alive_at

    @property
    def active(self) -> int:
        """Count the passes under way."""
        return len(self._passes)

    async def run(self) -> None:
        """Work until `stop()`; then finish the passes under way and give the leases back."""
        duties = [
            asyncio.create_task(self._forever("listen", self._listen)),
            asyncio.create_task(self._forever("renew", self._renew)),
            asyncio.create_task(self._forever("sweep", self._sweep)),
            asyncio.create_task(self._forever("rollout", self._rollout)),
            asyncio.create_task(self._forever("trim", self._trim)),
            asyncio.create_task(self._forever("clock", self._tell_time)),
        ]
        try:
            await self._forever("claim", self._claim)
        finally:
            await self._drain()
            for duty in duties:
                duty.cancel()
            await asyncio.gather(*duties, return_exceptions=True)
            await self._release()

    def stop(self) -> None:
        """Ask for an orderly end: no more claims."""
        self._stopping.set()
        self._wake.set()

    async def _forever(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat a duty until the end; what goes wrong in it is said and tried again, more and more calmly."""
        failures = 0
        while not self._stopping.is_set():
            try:
                await step()
                failures = 0
            except asyncio.CancelledError:
                raise
            except Exception as error:
                failures += 1
                self.ports.telemetry.problem("duty_failed", duty=name, error=describe(error), failures=failures)
                await self._pause(min(10.0, 0.2 * 2.0 ** min(failures, 8)))

    async def _pause(self, real_s: float) -> None:
        """Wait, but not beyond the end."""
        try:
            await asyncio.wait_for(self._stopping.wait(), real_s)
        except TimeoutError:
            return

    def _idle_s(self) -> float:
        """Answer how long to wait before the queue is asked again: a poll is the truth, NOTIFY only a hint."""
        options = self.ports.options
        return max(IDLE_MIN_S, min(options.poll_s, max(options.poll_s, 5.0) / max(1.0, self.ports.clock.speed())))

    def _duty_s(self) -> float:
        """Answer how long a duty rests before it looks whether it is due."""
        return max(DUTY_MIN_S, self.ports.options.duty_s * min(1.0, 2.0 / max(1.0, self.ports.clock.speed())))

    async def _claim(self) -> None:
        if self._unreturned:
            await self._return_kept()
        free = self.ports.options.workers - len(self._passes)
        claimed = 0
        if free > 0 and self._fresh.is_set():
            claimed = await self._claim_some(free)
        self.progress_at = time.monotonic()
        if claimed == 0 or claimed >= free:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), self._idle_s())
            except TimeoutError:
                return

    async def turn(self) -> int:
        """Run the passes that are due now, once, and wait for their end; answers how many ran."""
        started = await self._claim_some(self.ports.options.workers - len(self._passes))
        await asyncio.gather(*self._passes.values())
        return started

    async def _claim_some(self, free: int) -> int:
        """Claim for every free place, by shares."""
        lease_s, now = self.ports.options.lease_s, self.ports.clock.now()
        claims = await self.ports.store.claim(self._shares.turns(), free, self.owner, lease_s, now)
        self._full = len(claims) >= free
        self._shares.taken([claim.wake_class for claim in claims], all_of_them=len(claims) < free)
        for claim in claims:
            self._start(claim)
        return len(claims)

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._pass(claim), name=f"pass {claim.tenant}")
        self._passes[claim.tenant] = task
        task.add_done_callback(lambda _: self._ended(claim.tenant))

    def _ended(self, tenant: str) -> None:
        """Make room; ask the queue again only if somebody may be waiting for it: the poll finds the rest."""
        self._passes.pop(tenant, None)
        if self._full or tenant in self._woken_again:
            self._woken_again.discard(tenant)
            self._wake.set()

    async def _pass(self, claim: Claim) -> None:
        """Run one pass; whatever happens, say how it ended and give the tenant back."""
        started = time.monotonic()
        telemetry = self.ports.telemetry
        trail = Trail(began_at=self.ports.clock.now())
        try:
            result = await self._reconcile(claim, trail)
        except StaleLease:
            telemetry.stale()
            result = "error"
        except NotFound as error:
            telemetry.problem("tenant_vanished", tenant=claim.tenant, error=str(error))
            result = "error"
        except Throttled as error:  # a full budget is nobody's failure
            telemetry.log("pass_waits", tenant=claim.tenant, epoch=claim.epoch, why=describe(error))
            result = "requeue_after"
            await self._retry_later(claim, error, trail)
        except Exception as error:
            telemetry.problem("pass_failed", tenant=claim.tenant, epoch=claim.epoch, error=describe(error))
            result = "error"
            await self._retry_later(claim, error, trail)
        self.progress_at = time.monotonic()
        telemetry.passed(result, time.monotonic() - started, str(claim.wake_class), claim.overdue_s)

    async def _reconcile(self, claim: Claim, trail: Trail) -> str:
        verdict = await self._reconciler.reconcile(claim, self._random.random(), trail)
        await self.ports.store.finish(claim, verdict, self.ports.clock.now())
        if verdict.failed:
            return "error"
        return "success" if verdict.wake_class is WakeClass.DRIFT else "requeue_after"

    async def _retry_later(self, claim: Claim, error: Exception, trail: Trail) -> None:
        """Give a tenant whose pass broke back to the queue, with backoff; a full budget is nobody's failure."""
        now, pace = self.ports.clock.now(), self.ports.options.pace
        due = now + schedule.backoff(pace, claim.failures + 1, self._random.random())
        if isinstance(error, Throttled):
            due = max(now, error.until) + timedelta(seconds=self._random.random() * 5)
        failed = not isinstance(error, Throttled)
        text = describe(error) if failed else ""
        kept = trail.broke(self.ports, text) if failed else None
        try:
            await self.ports.store.give_back(claim, due, text, now, kept)
        except StaleLease:
            self.ports.telemetry.stale()
        except Exception as again:  # the database itself: given back as soon as it answers, or when the lease is over
            self._unreturned[claim.tenant] = (claim, due, text, kept)
            self.ports.telemetry.problem("give_back_failed", tenant=claim.tenant, error=describe(again))

    async def _return_kept(self) -> None:
        """Give back what the database could not take when its pass ended; StaleLease means that its lease is over."""
        for tenant, (claim, due, text, kept) in list(self._unreturned.items()):
            try:
                await self.ports.store.give_back(claim, due, text, self.ports.clock.now(), kept)
            except StaleLease:
                self.ports.telemetry.stale()
            del self._unreturned[tenant]

    async def _listen(self) -> None:
        async for tenant in self.ports.store.wakes():
            if tenant in self._passes:  # not claimable before its pass has ended
                self._woken_again.add(tenant)
            self._wake.set()
            if self._stopping.is_set():
                return

    async def _renew(self) -> None:
        await self._pause(self.ports.options.renew_s)
        mine = dict(self._passes)  # a lease without a pass must run out
        if not mine:
            return
        held = await self.ports.store.renew(self.owner, self.ports.options.lease_s, mine)
        if mine.keys() - held:
            await self._pause(LAST_WRITES_S)
        for tenant in mine.keys() - held:
            if self._passes.get(tenant) is mine[tenant]:
                self.ports.telemetry.problem("lease_lost", tenant=tenant)

    async def _sweep(self) -> None:
        """Sweep when due; a picture that is fresh enough is worked with from the start.

        Whatever happened while this process was away, it looks, even if somebody else did so a moment ago.
        """
        if self._sweep_again_at is not None and self.ports.clock.now() < self._sweep_again_at:
            await self._pause_until(self._sweep_again_at)
            return
        self._sweep_again_at = None
        due = await self.sweeper.due()
        if not due:
            self._begin_passes()
        if not self.sweeper.under_way and (due or not self.swept.is_set()):
            self.sweeper.begin()
        try:
            step = await self._sweep_on()
        except Throttled as error:
            await self._pause_until(error.until)
            return
        except RenderError:
            self._sweep_failures += 1
            pace = replace(self.ports.options.pace, backoff_max_s=SWEEP_AGAIN_MAX_S)
            again = schedule.backoff(pace, self._sweep_failures, self._random.random())
            self._sweep_again_at = self.ports.clock.now() + again
            return
        self._sweep_failures = 0
        if step is Step.MORE:
            return
        if not await self.sweeper.due():
            await self._check_age()
            self.swept.set()
            self._begin_passes()
        elif step is Step.DONE:  # it was not believed, and the next one will say the same for a while
            await self._pause(max(DUTY_MIN_S, DISBELIEVED_S / max(1.0, self.ports.clock.speed())))
            return
        await self._pause(self._duty_s())

    async def _check_age(self) -> None:
        """Ask once, before anything is done, whether this database is older than what Render shows."""
        if self._alive_at is not None:
            await restored.check(self.ports, self._alive_at)
            self._alive_at = None

    async def _sweep_on(self) -> Step:
        """Read pages to the end, or until this minute's share of reads is used, and then wait for the next."""
        step = Step.DONE
        while self.sweeper.under_way and not self._stopping.is_set():
            waits = self.sweeper.waits()
            if waits is not None:
                await self._pause_until(self.ports.clock.now() + waits)
                return Step.MORE
            step = await self.sweeper.step()
        return step

    def _begin_passes(self) -> None:
        """Let passes run from now on: the picture is no older than it may be while this process works."""
        if not self._fresh.is_set():
            self._fresh.set()
            self._wake.set()

    async def _pause_until(self, at: datetime) -> None:
        """Wait until a world time, but look at the clock again every few seconds: it may have been moved."""
        world_s = (at - self.ports.clock.now()).total_seconds()
        await self._pause(max(DUTY_MIN_S, min(5.0, world_s / max(0.001, self.ports.clock.speed()))))

    async def _rollout(self) -> None:
        await rollout.advance(self.ports, self.owner)
        await self._pause(self._duty_s())

    async def _trim(self) -> None:
        await self._pause(TRIM_EVERY_S)
        if not self._stopping.is_set() and await self.ports.store.singleton("trim", self.owner, TRIM_EVERY_S):
            await self.ports.store.trim(self.ports.clock.now())

    async def _tell_time(self) -> None:
        await self.ports.store.set_clock(self.ports.clock.now(), self.ports.clock.speed())
        await self._pause(self.ports.options.clock_s)

    async def _drain(self) -> None:
        """Let passes end by themselves; what is still on the wire after that is settled by whoever comes next."""
        if self._passes:
            await asyncio.wait(list(self._passes.values()), timeout=self.ports.options.shutdown_s)
        for tenant, task in list(self._passes.items()):
            self.ports.telemetry.problem("pass_cut_off", tenant=tenant)
            task.cancel()
        await asyncio.gather(*self._passes.values(), return_exceptions=True)

    async def _release(self) -> None:
        try:
            await self.ports.store.release_all(self.owner)
        except Exception as error:  # leases run out by themselves
            self.ports.telemetry.problem("release_failed", error=describe(error))


def describe(error: BaseException) -> str:
    """Name an error in one line, never with more than its first 300 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
