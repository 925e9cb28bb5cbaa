"""Makes the inventory rows of objects that are taken over as they stand: nothing in them counts as written by us."""

from datetime import datetime

from reconciler.core.inventory import UNCHECKED, Known, Owned
from reconciler.core.kinds import SERVICES, Kind
from reconciler.core.observed import Observed
from reconciler.core.plan.create import COMMIT_MARK
from reconciler.core.plan.lifecycle import STATE_MARK
from reconciler.core.plan.outcome import state_of
from reconciler.core.spec import DesiredState
from reconciler.core.stack import Resource


def row_of(resource: Resource, observed: Observed, state: DesiredState, now: datetime) -> Owned:
    """Answer the row of a live object as a component.

    Its initialDeployHook counts as done: it was deployed before, and running it twice can do harm. A cron job's commit
    cannot be chosen, so whatever it has is the one asked for. Suspended under a spec that says so is suspended by us.
    """
    applied: dict[str, str] = {}
    if observed.suspenders and state is not DesiredState.RUNNING:
        applied[STATE_MARK] = "suspended"
    if resource.kind is Kind.CRON and resource.commit:
        applied[COMMIT_MARK] = resource.commit
    return Owned(
        component=resource.component,
        kind=observed.kind,
        id=observed.id,
        name=observed.name,
        observed=observed,
        known=Known(
            applied=applied,
            checked_at=UNCHECKED,
            hook_done=resource.kind in SERVICES,
            state=state_of(observed),
        ),
        created_at=observed.created_at,
        since=now,
    )
