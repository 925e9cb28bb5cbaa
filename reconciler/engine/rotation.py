"""Decides when what lists do not show is read anew: by turns spread over a period, within a share of the reads."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum, auto

from reconciler.core import schedule
from reconciler.core.inventory import Owned
from reconciler.core.kinds import BUCKET_LIMITS, SERVICES, Bucket, Kind
from reconciler.core.observed import DeployState
from reconciler.engine import deploys
from reconciler.engine.options import Ports

CALLS: Mapping[Kind, int] = {
    **dict.fromkeys(SERVICES, 4),  # variables, files, newest deploy, events
    Kind.WEB: 5,  # and domains
    Kind.STATIC: 7,  # and header and route rules
    Kind.ENV_GROUP: 1,
    Kind.POSTGRES: 2,
}
"""Kinds of which lists do not show everything, and how many calls show the rest."""


class Due(Enum):
    """Why an object is looked at closely."""

    NO = auto()
    NOW = auto()
    """It was never looked at since it is ours, a person asks, or somebody moved it."""
    TURN = auto()
    """Its turn has come; that can wait until the share of reads has room."""


def due(ports: Ports, tenant: str, row: Owned, *, asked: bool) -> Due:
    """Say whether an object of a tenant is due."""
    known = row.known
    if row.kind not in CALLS or row.absent_looks:
        return Due.NO
    if asked or known.checked_at is None or row.unchecked or _moved(row, known.checked_at):
        return Due.NOW
    return Due.TURN if _turn(ports, tenant, known.checked_at) <= ports.clock.now() else Due.NO


def _moved(row: Owned, checked_at: datetime) -> bool:
    """Say whether an object changed since its last look in a way that no write or deploy of ours explains."""
    known, live = row.known, row.observed.updated_at if row.observed else None
    if live is None or known.updated_at is None or live <= known.updated_at + timedelta(seconds=deploys.STEP_S):
        return False
    settled = known.deploy is not None and known.deploy.state is not DeployState.PROGRESSING
    return live > checked_at and (settled or row.kind not in SERVICES)


def _turn(ports: Ports, tenant: str, checked_at: datetime) -> datetime:
    """Answer a tenant's first turn after its last look: tenants made together do not come back together."""
    return schedule.turn(tenant, ports.options.deep_s, checked_at)


async def granted(ports: Ports, row: Owned) -> bool:
    """Take the calls of an object's turn out of this minute's share of reads; False: another time."""
    limit = int(BUCKET_LIMITS[Bucket.READ] * ports.options.deep_share)
    return await ports.store.take_deep(CALLS[row.kind], limit, ports.clock.now())


def next_check(ports: Ports, tenant: str, rows: Iterable[Owned]) -> datetime | None:
    """Answer when the next turn of any of these objects comes.

    A turn that found no room is in the past; then the next resync tries again.
    """
    turns = [
        _turn(ports, tenant, row.known.checked_at)
        for row in rows
        if row.kind in CALLS and row.known.checked_at and not row.absent_looks
    ]
    return min(turns, default=None)
