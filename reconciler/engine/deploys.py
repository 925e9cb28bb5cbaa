"""Judges a look at a service's newest deploy beside the one we know or wait for; it looks at nothing itself."""

from datetime import datetime, timedelta

from reconciler.core.inventory import Known, Owned
from reconciler.core.kinds import SERVICES
from reconciler.core.observed import Deploy, DeployState

STEP_S = 4.0
"""What moved within so many world seconds of a look of ours, or of a deploy's start or end, is explained by it."""
ASKED_SKEW = timedelta(minutes=2)
"""A deploy created so long before it was asked for is another one."""
LISTED_WITHIN = timedelta(minutes=10)
"""A queued deploy is listed from the start (Render API 3.9); one that is not for so long does not exist."""


def explains(deploy: Deploy, stamp: datetime) -> bool:
    """Say whether a service's time stamp is that of a deploy's start or end (Render API 3.6)."""
    times = [at for at in (deploy.created_at, deploy.finished_at) if at is not None]
    return any(abs((stamp - at).total_seconds()) <= STEP_S for at in times)


def older(seen: Deploy, than: Deploy) -> bool:
    """Say whether a look shows a deploy from before the one we know: a read that lags behind."""
    return seen.created_at is not None and than.created_at is not None and seen.created_at < than.created_at


def newer(known: Known, seen: Deploy, now: datetime) -> Deploy:
    """Keep waiting for a deploy that was queued without an id, until a newer one shows up or it is late for that."""
    before, asked = known.deploy, known.deploy_asked_at
    if before is None:
        return seen
    if before.id:
        return before if before.id != seen.id and older(seen, before) else seen
    if asked is None or now - asked > LISTED_WITHIN:
        return seen
    too_old = seen.created_at is not None and seen.created_at < asked - ASKED_SKEW
    return before if too_old and seen.state is not DeployState.PROGRESSING else seen


def lost(known: Known, newest: Deploy) -> bool:
    """Say whether a deploy that we asked for never came to be, so that what it should bring is still to be deployed.

    A resume that starts none, since somebody else had resumed before, brings nothing.
    """
    asked, before = known.deploy_asked_at, known.deploy
    if before is None or before.id or asked is None or newest.created_at is None or known.asked_state_at == asked:
        return False
    return (
        newest is not before and newest.state is not DeployState.PROGRESSING and newest.created_at < asked - ASKED_SKEW
    )


def ended_badly(row: Owned) -> bool:
    """Say whether a service's newest deploy failed or was cancelled, so that what it should bring does not run."""
    deploy = row.known.deploy
    ended = deploy is not None and deploy.state in (DeployState.FAILED, DeployState.CANCELED)
    return ended and row.kind in SERVICES and not row.absent_looks
