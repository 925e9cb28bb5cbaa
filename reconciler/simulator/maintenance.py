"""Shows maintenance runs, in their own list and on the datastore they are about."""

from reconciler.simulator import models, times
from reconciler.simulator.wire import Json
from reconciler.simulator.world import World

OPEN = ("scheduled", "in_progress")


def view(item: models.Small) -> Json:
    """Show a run the way its datastore carries it."""
    return {
        "id": item.id, "type": item.body["type"], "state": item.body["state"],
        "scheduledAt": times.micro(item.body["starts_ns"]),
        "pendingMaintenanceBy": times.micro(item.body["latest_ns"]),
    }  # fmt: skip


def shown(world: World, subject: models.Postgres | models.KeyValue) -> Json:
    """Show the run that is ahead of a datastore or under way, as a field; nothing when there is none."""
    item = world.smalls.get(subject.maintenance_id) if subject.maintenance_id else None
    return {"maintenance": view(item)} if item is not None and item.body["state"] in OPEN else {}
