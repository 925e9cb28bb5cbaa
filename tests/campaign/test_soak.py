"""The soak as part of the tests: what it weighs, that it notices what stays behind, and two thousand lives."""

import functools
import itertools
from collections.abc import Iterator
from unittest import mock

import pytest

from reconciler.core.kinds import Kind
from reconciler.core.observed import Observed, canonical_plan
from reconciler.engine.worker import Worker
from tests.campaign import soak
from tests.campaign.loop import SeededLoop
from tests.campaign.memory.database import Seen
from tests.campaign.soak import Soak, growths
from tests.campaign.test_campaign import campaign

PLANTED = 200
LEAST = 50
"""Bytes of any object that is kept by its name."""


@pytest.fixture
def fresh() -> Iterator[Soak]:
    loop = SeededLoop(0)
    yield Soak(0, loop)
    loop.close()


def gained(one: Soak, before: int) -> int:
    return one.weigh().weight.bytes - before


def test_what_is_kept_by_the_worker_the_client_the_metrics_or_a_cache_is_weighed(fresh: Soak) -> None:
    names = [f"tenant-{number:04d}" for number in range(PLANTED)]
    before = fresh.weigh().weight.bytes
    assert gained(fresh, before) == 0
    fresh.worker._woken_again.update(names)
    by_worker = gained(fresh, before)
    for name in names:
        fresh.telemetry.metrics.guard_blocks.labels(name)
    by_metrics = gained(fresh, before)
    for name in names:
        canonical_plan(Kind.WEB, name)
    by_cache = gained(fresh, before)
    for name in names:
        fresh.client._sends.__dict__[name] = [name]
    by_client = gained(fresh, before)
    figures = [0, by_worker, by_metrics, by_cache, by_client]
    canonical_plan.cache_clear()
    assert all(after - had > PLANTED * LEAST for had, after in itertools.pairwise(figures)), figures


def test_what_lies_in_the_database_or_at_render_is_not_the_operators(fresh: Soak) -> None:
    before = fresh.weigh().weight.bytes
    for number in range(PLANTED):
        fresh.database.put_tenant(name=f"tenant-{number:04d}", blueprint="lean", tier="small")
        seen = Observed(id=f"srv-{number}", kind=Kind.WEB, name=f"app-{number}", fields={}, seen_at=fresh.clock.now())
        fresh.database.picture[seen.id] = Seen(seen)
        fresh.cloud.call("POST", "/projects", {"name": f"p{number}", "ownerId": "tea-cccccccccccccccccccc",
                                               "environments": [{"name": "main"}]})  # fmt: skip
    assert gained(fresh, before) == 0


@pytest.mark.long
def test_a_name_that_stays_behind_is_noticed() -> None:
    left: set[str] = set()
    ended = Worker._ended

    @functools.wraps(ended)
    def forgetful(self: Worker, tenant: str) -> None:
        ended(self, tenant)
        self.__dict__.setdefault("_seen", left).add(tenant)

    with mock.patch.object(Worker, "_ended", forgetful):
        points = soak.run(900, 150, lambda _: True).points
    assert len(left) == 900
    own, *_ = growths(points)
    assert not own.bounded, own


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_thousand_lives_leave_nothing_behind() -> None:
    text = campaign("--only", "soak", "--cycles", "2000", "--every", "400")
    assert text.count("does not grow") == 3
