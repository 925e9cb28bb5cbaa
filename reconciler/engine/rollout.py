"""Leads a Blueprint edit to its tenants in steps, and stops when one of them fails; it only assigns revisions."""

import math
from collections.abc import Sequence

from reconciler.core import conditions
from reconciler.core.spec import Rollout
from reconciler.core.status import Phase, Reason
from reconciler.engine.options import Ports
from reconciler.ports import Brake, RolloutState, RolloutTenant

DUTY = "rollout"
LEASE_S = 60.0
UP_TO_DATE = frozenset({Reason.IN_SYNC, Reason.HELD, Reason.DATA_LOSS})
"""Reasons of Synced with which a tenant that is Ready keeps nobody waiting: a hold may last for weeks."""


def step_size(policy: Rollout, tenants: int) -> int:
    """Answer how many tenants may be on their way at once: at least one."""
    return max(1, policy.step_count or math.ceil(tenants * policy.step_share))


def _judged(one: RolloutTenant) -> bool:
    """Say whether a tenant's status speaks of the revision it was given."""
    return one.observed_revision == one.revision and one.observed_generation >= one.generation


def _failing(one: RolloutTenant) -> bool:
    """Say whether a tenant's status, if it speaks of the revision, asks for a person."""
    if one.phase is None or one.synced is None or not _judged(one):
        return False
    return conditions.failing(one.phase, one.synced)


def _failed(one: RolloutTenant) -> bool:
    """Say whether the revision is to blame for a tenant's state: not where it was so before.

    A tenant born on the revision that waits for a person (blocked, invalid) says nothing about the revision either.
    """
    if not _failing(one) or one.state != "running":
        return False
    return one.phase is Phase.DEGRADED if one.found_failing is None else not one.found_failing


def _arrived(one: RolloutTenant) -> bool:
    """Say whether a tenant has nothing more to do with the revision it was given."""
    up = one.ready and one.synced in UP_TO_DATE
    return _judged(one) and (up or one.state != "running" or _failing(one))


def decide(state: RolloutState) -> tuple[Sequence[str], str, bool]:
    """Decide a rollout's next move: (tenants to move on, reason to stop, finished)."""
    movable = [one for one in state.tenants if not one.pinned]
    moved = [one for one in movable if one.revision == state.revision]
    left = [one for one in movable if one.revision != state.revision]
    failed = [one.name for one in moved if _failed(one)]
    if len(failed) >= state.policy.stop_after:
        return (), f"revision {state.revision} failed for {', '.join(failed[:5])}", False
    under_way = [one for one in moved if not _arrived(one)]
    if not left:
        return (), "", not under_way
    room = step_size(state.policy, len(movable)) - len(under_way)
    ordered = sorted(left, key=lambda one: (one.created_at, one.name))
    return [one.name for one in ordered[: max(0, room)]], "", False


async def advance(ports: Ports, owner: str) -> None:
    """Move every active rollout by one decision, if this replica holds the duty; under the brake nobody moves on."""
    if not await ports.store.singleton(DUTY, owner, LEASE_S):
        return
    brake, _ = await ports.store.brake()
    if brake is not Brake.NORMAL:
        return
    now = ports.clock.now()
    for state in await ports.store.rollouts(now):
        names, stop, finished = decide(state)
        if stop:
            await ports.store.stop_rollout(state.blueprint, stop)
            ports.telemetry.problem("rollout_stopped", blueprint=state.blueprint, revision=state.revision, why=stop)
        elif finished:
            await ports.store.finish_rollout(state.blueprint)
            ports.telemetry.log("rollout_finished", blueprint=state.blueprint, revision=state.revision)
        elif names:
            moved = await ports.store.assign(names, state.revision, now)
            ports.telemetry.log("rollout_step", blueprint=state.blueprint, revision=state.revision, tenants=list(moved))
