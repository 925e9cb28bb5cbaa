"""Keeps the shared picture of Render fresh: full sweeps by one replica; a shrunken picture is not believed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from reconciler.core import guard
from reconciler.core.errors import Denied, RenderError, Throttled
from reconciler.core.kinds import BUCKET_LIMITS, SERVICES, Bucket, Kind
from reconciler.core.observed import Observed
from reconciler.engine.options import Ports
from reconciler.ports import Pages

DUTY = "sweep"
LEASE_S = 120.0
MINUTE = timedelta(minutes=1)
SWEEPS: Sequence[tuple[Kind, tuple[Kind, ...]]] = (
    (Kind.WEB, tuple(sorted(SERVICES))),
    (Kind.POSTGRES, (Kind.POSTGRES,)),
    (Kind.KEY_VALUE, (Kind.KEY_VALUE,)),
    (Kind.ENV_GROUP, (Kind.ENV_GROUP,)),
    (Kind.PROJECT, (Kind.PROJECT,)),
    (Kind.ENVIRONMENT, (Kind.ENVIRONMENT,)),
)
"""What to ask for, and which kinds the answer covers."""


class Step(Enum):
    """What reading one page led to."""

    MORE = auto()
    DONE = auto()
    NOT_OURS = auto()
    """Another replica has the duty."""


@dataclass(slots=True)
class _List:
    """The list of one kind under way. Ids alone are kept of what it has shown: the picture is in the store."""

    asked: Kind
    kinds: tuple[Kind, ...]
    pages: Pages
    started_at: datetime
    before: int
    seen: dict[str, None] = field(default_factory=dict)


class Sweeper:
    """Sweeps when a sweep is due and this replica holds the duty, page by page, within a share of the read limit."""

    def __init__(self, ports: Ports, owner: str) -> None:
        """Keep the ports and who we are."""
        self._ports = ports
        self._owner = owner
        self._disbelieved: dict[Kind, int] = {}
        self._left: list[tuple[Kind, tuple[Kind, ...]]] = []
        self._list: _List | None = None
        self._projects: _List | None = None
        self._throttled = False
        self._held_until_s = 0.0
        self._minute: tuple[datetime, int] | None = None
        self.woken = 0

    @property
    def under_way(self) -> bool:
        """Say whether a sweep has begun and not ended."""
        return bool(self._left)

    async def due(self) -> bool:
        """Say whether the oldest sweep of any kind is older than the interval."""
        now, limit = self._ports.clock.now(), timedelta(seconds=self._ports.options.sweep_s)
        ages = await self._ports.store.sweeps()
        return any(kind not in ages or now - ages[kind] >= limit for kind, _ in SWEEPS)

    async def sweep(self) -> int:
        """Sweep to the end, however many reads it takes; answers how many tenants were woken, -1: not our duty.

        What the read limit broke off goes on from there, after any other error all is listed anew.
        """
        if not self._throttled:
            self.begin()
        self._throttled = False
        while (step := await self.step()) is Step.MORE:
            pass
        return -1 if step is Step.NOT_OURS else self.woken

    def begin(self) -> None:
        """Forget what is under way, and begin with the first kind."""
        self._left, self._list, self._projects, self.woken = list(SWEEPS), None, None, 0

    def waits(self) -> timedelta | None:
        """Answer how long (world) the next page should wait, so that passes find reads left in this minute."""
        now, options = self._ports.clock.now(), self._ports.options
        minute = now.replace(second=0, microsecond=0)
        used = self._minute[1] if self._minute is not None and self._minute[0] == minute else 0
        if used < max(1, int(BUCKET_LIMITS[Bucket.READ] * options.sweep_share)):
            return None
        return minute + MINUTE - now

    async def step(self) -> Step:
        """Read one page of the sweep under way.

        RenderError: the same page is asked for again after Throttled, the same list from its beginning after others.
        """
        if not await self._held():
            self._left, self._list = [], None
            return Step.NOT_OURS
        if not self._left:
            return Step.DONE
        if self._list is None:
            self._list = await self._open(*self._left[0])
        page = await self._page(self._list)
        if page is not None:
            self._list.seen |= {one.id: None for one in page}
            self.woken += len(await self._ports.store.observe(page, self._ports.clock.now()))
            return Step.MORE
        await self._close(self._list)
        del self._left[0]
        return Step.MORE if self._left else Step.DONE

    async def _held(self) -> bool:
        """Hold the duty; asked for again long before it runs out, not for every page."""
        now_s = time.monotonic()
        if now_s < self._held_until_s:
            return True
        held = await self._ports.store.singleton(DUTY, self._owner, LEASE_S)
        self._held_until_s = now_s + LEASE_S / 4 if held else 0.0
        return held

    async def _open(self, asked: Kind, kinds: tuple[Kind, ...]) -> _List:
        ports, projects = self._ports, self._projects
        inside = asked is Kind.ENVIRONMENT and projects is not None
        return _List(
            asked=asked,
            kinds=kinds,
            pages=ports.render.pages(asked, list(projects.seen) if inside and projects else ()),
            # Of a project that appeared since its list was read no environment can be listed: it is not missed either.
            started_at=projects.started_at if inside and projects else ports.clock.now(),
            before=await ports.store.count_snapshot(kinds),
        )

    async def _page(self, one: _List) -> Sequence[Observed] | None:
        minute = self._ports.clock.now().replace(second=0, microsecond=0)
        try:
            page = await one.pages.next()
        except RenderError as error:
            self._throttled = isinstance(error, Throttled)
            if not self._throttled:
                self._list = None
                await self._told(one.asked, error)
            raise
        if page is not None:
            self._minute = (minute, self._minute[1] + 1 if self._minute and self._minute[0] == minute else 1)
        return page

    async def _told(self, asked: Kind, error: RenderError) -> None:
        ports = self._ports
        ports.telemetry.problem("sweep_failed", kind=str(asked), error=error.message, status=error.status)
        if isinstance(error, Denied):
            until = ports.clock.now() + timedelta(seconds=ports.options.pace.denied_s)
            await ports.store.pause(Bucket.READ, until, f"{error.status}: {error.message}")

    async def _close(self, one: _List) -> None:
        """End a list; of one that is not believed nothing follows but what it showed."""
        self._list = None
        if one.asked is Kind.PROJECT:
            self._projects = one
        if self._believed(one):
            self.woken += len(await self._ports.store.swept(one.kinds, list(one.seen), one.started_at))

    def _believed(self, one: _List) -> bool:
        """Believe absence only when the picture did not shrink suddenly; what is there is always believed."""
        if not guard.shrunken(one.before, len(one.seen), self._ports.options.caps):
            self._disbelieved.pop(one.asked, None)
            return True
        times = self._disbelieved[one.asked] = self._disbelieved.get(one.asked, 0) + 1
        self._ports.telemetry.guarded("shrunken_snapshot")
        self._ports.telemetry.problem(
            "sweep_not_believed", kind=str(one.asked), before=one.before, seen=len(one.seen), times=times
        )
        return False
