"""Follows one change to its end: what was sent to Render, in words that name components, and what was said of it."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from reconciler.doors import TenantRow
from reconciler.engine import reconcile
from tests.engine.world import World, synced

KINDS = ("services", "postgres", "key_values", "env_groups", "projects", "environments", "disks")


@dataclass(frozen=True)
class Followed:
    """What a change led to: accepted writes as `PATCH services/app-acme`, and the events that were new or repeated."""

    writes: list[str]
    events: list[tuple[str, str]]
    truth: dict[str, Any]

    def count(self, pattern: str) -> int:
        """Count the writes that match a pattern as a whole."""
        return sum(re.fullmatch(pattern, one) is not None for one in self.writes)

    def said(self, reason: str, *words: str) -> bool:
        """Whether an event of this reason holds all of these words."""
        return any(one == reason and all(word in text for word in words) for one, text in self.events)

    def live(self, kind: str, name: str) -> dict[str, Any]:
        return next(one for one in self.truth[kind] if one["name"] == name)


def names_of(*truths: dict[str, Any]) -> dict[str, str]:
    """Map the ids of everything that was ever seen to its name."""
    return {one["id"]: one["name"] for truth in truths for kind in KINDS for one in truth[kind]}


def in_words(write: dict[str, Any], names: dict[str, str]) -> str:
    """Write `POST /v1/services/srv-1/deploys` as `POST services/app-acme/deploys`."""
    parts = write["path"].removeprefix("/v1/").split("/")
    return f"{write['method']} " + "/".join(names.get(part, part) for part in parts)


def at(phase: str, revision: int = 0) -> Callable[[TenantRow], bool]:
    """Say when a tenant arrived: fresh, in this phase, with nothing left that the operator itself could do."""

    def arrived(row: TenantRow) -> bool:
        status = row.status
        return (
            row.fresh
            and status is not None
            and status.phase == phase
            and synced(row)
            and (not revision or status.revision == revision)
        )

    return arrived


async def follow(
    world: World,
    change: Awaitable[object],
    *names: str,
    phase: str = "Ready",
    revision: int = 0,
    until: Callable[[TenantRow], bool] | None = None,
    within_s: float = 3600,
    step_s: float = 20.0,
) -> Followed:
    """Make a change and run until its tenants arrived; answer what was sent and said meanwhile."""
    before = await world.simulator.truth()
    last = max([one.id for name in names for one in await world.registry.events(name, limit=500)], default=0)
    await change
    arrived = until or at(phase, revision)

    async def there() -> bool:
        return all([arrived(await world.tenant(name)) for name in names])

    await world.run(there, within_s=within_s, step_s=step_s)
    after = await world.simulator.truth()
    known = names_of(before, after)
    sent = [one for one in after["writes"] if one["seq"] > before["write_seq"] and one["cause"] != "human"]
    events = [one for name in names for one in await world.registry.events(name, after=last, limit=500)]
    return Followed(
        writes=[in_words(one, known) for one in sent],
        events=[(str(one.reason), one.message) for one in events],
        truth=after,
    )


async def assert_still(world: World, seconds: float = 400.0) -> None:
    """Nothing is sent while time passes with everybody awake, every plan is empty, and nothing was throttled."""
    sent = await world.quiet(seconds)
    assert sent == [], [f"{one['method']} {one['path']}" for one in sent]
    for row in (await world.registry.list_tenants()).rows:
        record = await world.wiring.store.load(row.name, await world.now())
        plan, _ = await reconcile.preview(world.wiring.ports, record, row.name)
        todo = [f"{one.verb} {one.component}" for one in plan.actions if one.ready]
        assert todo == [], (row.name, todo)
        assert plan.drift == (), (row.name, plan.drift)
    assert (await world.simulator.truth())["throttled"] == 0


def tally(writes: list[str]) -> dict[str, int]:
    return dict(Counter(writes))
