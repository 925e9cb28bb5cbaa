"""Keeps the shared picture of Render fresh: full sweeps by one replica; a shrunken picture is not believed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from reconciler.core import guard
from reconciler.core.errors import Denied, RenderError
from reconciler.core.kinds import SERVICES, Bucket, Kind
from reconciler.core.observed import Observed
from reconciler.engine.options import Ports

DUTY = "sweep"
LEASE_S = 120.0
SWEEPS: Sequence[tuple[Kind, tuple[Kind, ...]]] = (
    (Kind.WEB, tuple(sorted(SERVICES))),
    (Kind.POSTGRES, (Kind.POSTGRES,)),
    (Kind.KEY_VALUE, (Kind.KEY_VALUE,)),
    (Kind.ENV_GROUP, (Kind.ENV_GROUP,)),
    (Kind.PROJECT, (Kind.PROJECT,)),
    (Kind.ENVIRONMENT, (Kind.ENVIRONMENT,)),
)
"""What to ask for, and which kinds the answer covers."""


class Sweeper:
    """Sweeps when a sweep is due and this replica holds the duty."""

    def __init__(self, ports: Ports, owner: str) -> None:
        """Keep the ports and who we are."""
        self._ports = ports
        self._owner = owner
        self._disbelieved: dict[Kind, int] = {}

    async def due(self) -> bool:
        """Say whether the oldest sweep of any kind is older than the interval."""
        now, limit = self._ports.clock.now(), timedelta(seconds=self._ports.options.sweep_s)
        ages = [await self._ports.store.swept_at(kind) for kind, _ in SWEEPS]
        return any(at is None or now - at >= limit for at in ages)

    async def sweep(self) -> int:
        """Sweep every kind once; answers how many tenants were woken, -1 when another replica has the duty."""
        if not await self._ports.store.singleton(DUTY, self._owner, LEASE_S):
            return -1
        woken = 0
        for asked, kinds in SWEEPS:
            woken += await self._sweep_kind(asked, kinds)
        return woken

    async def _sweep_kind(self, asked: Kind, kinds: tuple[Kind, ...]) -> int:
        ports = self._ports
        started_at = ports.clock.now()
        try:
            seen = await ports.render.sweep(asked)
        except RenderError as error:
            ports.telemetry.problem("sweep_failed", kind=str(asked), error=error.message, status=error.status)
            if isinstance(error, Denied):
                until = ports.clock.now() + timedelta(seconds=ports.options.pace.denied_s)
                await ports.store.pause(Bucket.READ, until, f"{error.status}: {error.message}")
            raise
        believed = await self._believed(asked, kinds, seen)
        return len(await ports.store.observe(seen, kinds if believed else (), started_at, ports.clock.now()))

    async def _believed(self, asked: Kind, kinds: tuple[Kind, ...], seen: Sequence[Observed]) -> bool:
        """Believe absence only when the picture did not shrink suddenly; what is there is always believed."""
        before = await self._ports.store.count_snapshot(kinds)
        if not guard.shrunken(before, len(seen), self._ports.options.caps):
            self._disbelieved.pop(asked, None)
            return True
        self._disbelieved[asked] = self._disbelieved.get(asked, 0) + 1
        self._ports.telemetry.guarded("shrunken_snapshot")
        self._ports.telemetry.problem(
            "sweep_not_believed", kind=str(asked), before=before, seen=len(seen), times=self._disbelieved[asked]
        )
        return False


def age(swept_at: datetime | None, now: datetime) -> float | None:
    """Answer the age of the picture in world seconds, None before the first sweep."""
    return None if swept_at is None else max(0.0, (now - swept_at).total_seconds())
