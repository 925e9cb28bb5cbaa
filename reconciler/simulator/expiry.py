"""Ends free databases when their time is over.

Render API: a free Postgres says when (`expiresAt`, 30 days after its creation); afterwards it is not available
until it is moved to a plan that is paid for. What becomes of its data is not documented, so it stays.
"""

from reconciler.simulator import events, metering, models, times
from reconciler.simulator.world import World

DAY_S = 86_400


def at_ns(world: World, item: models.Postgres) -> int:
    """Tell when a free database expires."""
    return item.created_ns + times.seconds_ns(world.settings.free_postgres_days * DAY_S)


def watch(world: World, item: models.Postgres, now_ns: int) -> None:
    """End a free database whose time is over, or wait for that."""
    if item.plan != "free" or item.status in ("suspended", "unavailable") or item.primary_id is not None:
        return
    over_ns = at_ns(world, item)
    if now_ns < over_ns:
        if not item.due_ns:
            item.due_ns = over_ns
            world.schedule("postgres", item)
        return
    item.status = "unavailable"
    item.updated_ns = max(item.updated_ns, over_ns)
    world.postgres.touch(item)
    events.emit(world, item, "postgres_unavailable", {}, now_ns)
    metering.postgres(world, item, now_ns)
