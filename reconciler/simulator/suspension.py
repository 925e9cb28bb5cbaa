"""Suspends and resumes whatever can be suspended, on behalf of a person or of Render itself; it knows no routes."""

from reconciler.simulator import key_values, models, postgres
from reconciler.simulator.services import state
from reconciler.simulator.world import World

Suspendable = models.Service | models.Postgres | models.KeyValue
BILLING = "billing"


def everything(world: World) -> list[Suspendable]:
    """Find all that a suspension of the account concerns: services, databases (with their replicas), Key Values."""
    return [
        *world.services.rows.values(), *(item for item in world.postgres.rows.values() if item.primary_id is None),
        *world.key_values.rows.values(),
    ]  # fmt: skip


def suspend(world: World, item: Suspendable, suspender: str) -> None:
    """Suspend one thing on behalf of someone."""
    if isinstance(item, models.Service):
        state.suspend(world, item, suspender)
    elif isinstance(item, models.Postgres):
        postgres.suspend(world, item, suspender)
    else:
        key_values.suspend(world, item, suspender)


def resume(world: World, item: Suspendable, suspender: str) -> None:
    """Lift the suspension of someone; what another one suspended stays so."""
    if isinstance(item, models.Service):
        state.resume(world, item, suspender)
    elif isinstance(item, models.Postgres):
        postgres.resume(world, item, suspender)
    else:
        key_values.resume(world, item, suspender)
