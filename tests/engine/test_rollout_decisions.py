"""Every decision of a rollout as a table: who moves, who keeps others waiting, what stops it, when it is over."""

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.spec import Rollout
from reconciler.core.status import Phase, Reason
from reconciler.engine.rollout import decide, step_size
from reconciler.ports import RolloutState, RolloutTenant

AT = datetime(2026, 3, 1, tzinfo=UTC)
STEP_2 = Rollout(step_count=2, stop_after=1)


def one(name: str, revision: int, **changes: object) -> RolloutTenant:
    """A tenant that is Ready and in sync at its revision, but for what is given."""
    fine: dict[str, object] = {
        "generation": 1, "observed_generation": 1, "observed_revision": revision, "state": "running", "pinned": False,
        "created_at": AT + timedelta(seconds=ord(name)), "phase": Phase.READY, "ready": True, "synced": Reason.IN_SYNC,
        "found_failing": False,
    }  # fmt: skip
    return RolloutTenant(name=name, revision=revision, **{**fine, **changes})  # type: ignore[arg-type]


def decided(*tenants: RolloutTenant, policy: Rollout = STEP_2) -> tuple[list[str], str, bool]:
    state = RolloutState(blueprint="b", revision=2, policy=policy, started_at=AT, tenants=tenants)
    names, stop, finished = decide(state)
    return list(names), stop, finished


BROKEN = {"phase": Phase.DEGRADED, "ready": False, "synced": Reason.WAITING}
BLOCKED = {"phase": Phase.BLOCKED, "ready": False, "synced": Reason.SECRET_MISSING}
UPDATING = {"phase": Phase.UPDATING, "ready": False, "synced": Reason.UPDATING}


def test_the_oldest_move_first_and_no_more_than_a_step() -> None:
    assert decided(one("c", 1), one("a", 1), one("b", 1)) == (["a", "b"], "", False)
    assert decided(one("a", 2, **UPDATING), one("b", 1), one("c", 1)) == (["b"], "", False)
    assert decided(one("a", 2, **UPDATING), one("b", 2, observed_revision=1), one("c", 1)) == ([], "", False)
    assert decided(one("a", 2, generation=2), one("b", 2, **UPDATING), one("c", 1)) == ([], "", False)
    assert decided(one("a", 2), one("b", 2), one("p", 1, pinned=True)) == ([], "", True)
    assert decided(one("a", 2), one("b", 2, **UPDATING)) == ([], "", False)


@pytest.mark.parametrize(
    ("tenant", "what"),
    [
        (one("a", 2, **BROKEN), "stops"),
        (one("a", 2, **BLOCKED), "stops"),
        (one("a", 2, phase=Phase.INVALID, ready=False, synced=Reason.INVALID), "stops"),
        (one("a", 2, synced=Reason.SECRET_MISSING), "stops"),
        (one("a", 2, synced=Reason.IMMUTABLE), "stops"),
        (one("a", 2, found_failing=None, **BROKEN), "stops"),
        (one("a", 2, found_failing=True, **BROKEN), "arrived"),
        (one("a", 2, found_failing=True, **BLOCKED), "arrived"),
        (one("a", 2, found_failing=None, **BLOCKED), "arrived"),
        (one("a", 2, state="suspended", phase=Phase.SUSPENDED, ready=False), "arrived"),
        (one("a", 2, synced=Reason.HELD), "arrived"),
        (one("a", 2, synced=Reason.DATA_LOSS), "arrived"),
        (one("a", 2, synced=Reason.UPDATING), "under way"),
        (one("a", 2, synced=Reason.QUEUED), "under way"),
        (one("a", 2, observed_revision=1, **BROKEN), "under way"),
        (one("a", 2, phase=None, synced=None, ready=False, observed_revision=0), "under way"),
    ],
)
def test_what_one_tenant_means_for_the_others(tenant: RolloutTenant, what: str) -> None:
    names, stop, finished = decided(tenant, policy=Rollout(step_count=1, stop_after=1))
    assert not names and bool(stop) == (what == "stops") and finished == (what == "arrived")


def test_failures_are_counted_and_do_not_take_the_room_of_others() -> None:
    patient = Rollout(step_count=1, stop_after=2)
    assert decided(one("a", 2, **BROKEN), one("b", 1), policy=patient) == (["b"], "", False)
    names, stop, finished = decided(one("a", 2, **BROKEN), one("b", 2, **BROKEN), one("c", 1), policy=patient)
    assert (names, stop, finished) == ([], "revision 2 failed for a, b", False)


@pytest.mark.parametrize(
    ("policy", "tenants", "size"),
    [
        (Rollout(), 100, 10), (Rollout(), 101, 11), (Rollout(), 3, 1), (Rollout(step_share=1.0), 7, 7),
        (Rollout(step_count=5), 2, 5), (Rollout(), 0, 1),
    ],
)  # fmt: skip
def test_a_step_is_a_share_or_a_count_and_at_least_one(policy: Rollout, tenants: int, size: int) -> None:
    assert step_size(policy, tenants) == size
