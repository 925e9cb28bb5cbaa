"""A hundred tenants of five creates each under Render's real limits: every hour is used, and the order is kept."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.documents import tenant
from tests.engine.test_onboarding import AN_HOUR, creates, hour, owner
from tests.engine.world import open_world

FIVE = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: five}
spec:
  template:
    databases: [{name: db, plan: basic-256mb, ipAllowList: []}]
    services:
      - {type: keyvalue, name: cache, plan: starter, ipAllowList: []}
      - type: web
        name: app
        runtime: image
        image: {url: docker.io/acme/app:1}
        plan: starter
        envVars:
          - {key: DATABASE_URL, fromDatabase: {name: db, property: connectionString}}
          - {key: REDIS_URL, fromService: {type: keyvalue, name: cache, property: connectionString}}
      - {type: worker, name: jobs, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter}
      - {type: pserv, name: search, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter}
  entrypoint: app
  ready: {path: /up, within: 15m}
  tiers: {small: {}}
"""
TENANTS, EACH, URGENT = 100, 5, 8
TO_COME_UP = timedelta(minutes=10)
"""From a stack's last create to Ready: its slowest build."""


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_hundred_tenants_use_every_hour_and_are_ready_as_soon_as_the_limit_allows(
    database_url: str, tmp_path: Path
) -> None:
    async with open_world(database_url, tmp_path) as world:
        await world.apply(FIVE)
        for number in range(TENANTS):
            urgent = number >= TENANTS - URGENT
            await world.apply(tenant(f"t{number:03}", "five", priority=90 if urgent else 50))
        began = await world.now()
        await world.settle(within_s=40 * 3600.0, step_s=30.0)
        truth = await world.simulator.truth()
        ready = {
            row.name: row.status.ready_since
            for row in (await world.registry.list_tenants(limit=TENANTS)).rows
            if row.status is not None and row.status.ready_since is not None
        }
    assert truth["throttled"] == 0, "nothing was answered 429"
    made = creates(truth)
    assert len(made) == TENANTS * EACH
    counts = Counter(hour(at) for at, _ in made)
    full = [counts[at] for at in sorted(counts)[1:-1]]
    assert min(full) >= 0.98 * AN_HOUR, full

    order = sorted(ready, key=lambda name: ready[name])
    assert len(order) == TENANTS
    late = [
        (place, ready[name] - allowed)
        for place, name in enumerate(order)
        if ready[name] > (allowed := earliest(began, place))
    ]
    assert late == [], "the k-th tenant is ready when the limit allows k stacks, plus five per cent"
    begun = list(dict.fromkeys(owner(name) for _, name in made))
    assert set(begun[:URGENT]) == {f"t{number:03}" for number in range(TENANTS - URGENT, TENANTS)}, "urgent ones first"


def earliest(began: datetime, place: int) -> datetime:
    """When the (place + 1)-th stack can have its last create, if each hour's 20 go to as few stacks as possible."""
    hours = (EACH * (place + 1) - 1) // AN_HOUR
    window = hour(began) + timedelta(hours=hours)
    wait = max(window, began) - began + TO_COME_UP
    return began + wait * 1.05
