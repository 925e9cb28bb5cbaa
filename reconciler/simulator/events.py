"""Records what happens to services and datastores and hands it to the webhooks that want it.

Render API: the service list has a window of one hour by default; no event tells of variables, creation,
deletion or renames.
"""

from reconciler.simulator import event_types, lists, models, times
from reconciler.simulator.event_types import LIST_ONLY
from reconciler.simulator.wire import Call, Json, Reply, Route
from reconciler.simulator.world import World

WINDOW_S = 3_600
# Who stands behind every key of this workspace, as events name people.
USER: Json = {"id": "usr-00000000000000000000", "email": "owner@example.com"}
BY_USER: Json = {"manual": True, "system": False, "user": USER}
WITH_STATUS = {
    "build_ended": "buildStatus", "deploy_ended": "deployStatus",
    "cron_job_run_ended": "status", "job_run_ended": "status",
}  # fmt: skip
# Webhooks say of runs of cron jobs what they say of all else.
PLAIN_STATUS = {"successful": "succeeded", "unsuccessful": "failed"}

Subject = models.Service | models.Postgres | models.KeyValue


def emit(world: World, subject: Subject, kind: str, details: Json | None = None, at_ns: int | None = None) -> None:
    """Record an event and queue it for the webhooks that listen."""
    stamp_ns = world.stamp_ns() if at_ns is None else at_ns
    event = models.Event(
        id=world.ids.new("evt", stamp_ns), type=kind, service_id=subject.id, service_name=subject.name,
        at_ns=stamp_ns, details=details or {},
    )  # fmt: skip
    world.events.add(event)
    known = world.events_of.setdefault(subject.id, [])
    known.append(event.id)
    if len(known) > world.settings.keep_events:
        old = world.events.get(known.pop(0))
        if old is not None:
            world.events.remove(old)
    if kind not in LIST_ONLY:
        _queue(world, event)


def _queue(world: World, event: models.Event) -> None:
    for hook_id in world.webhook_ids:
        hook = world.smalls.get(hook_id)
        if hook is None or not hook.body["enabled"]:
            continue
        wanted = hook.body["eventFilter"]
        if wanted and event.type not in wanted:
            continue
        key = world.ids.new("dlv", event.at_ns)
        world.deliveries.add(models.Delivery(key, hook_id, event.id, attempt=1, due_ns=event.at_ns))


def forget(world: World, subject_id: str) -> None:
    """Drop the events of what is deleted, those still on their way to a webhook excepted."""
    pending = {delivery.event_id for delivery in world.deliveries.rows.values()}
    for event_id in world.events_of.pop(subject_id, []):
        event = world.events.get(event_id)
        if event is not None and event_id not in pending:
            world.events.remove(event)


def view(event: models.Event) -> Json:
    """Show an event."""
    return {
        "id": event.id, "timestamp": times.micro(event.at_ns), "serviceId": event.service_id,
        "type": event.type, "details": event.details,
    }  # fmt: skip


def payload(event: models.Event) -> Json:
    """Show an event the thin way webhooks carry it."""
    data: Json = {"id": event.id, "serviceId": event.service_id, "serviceName": event.service_name}
    field = WITH_STATUS.get(event.type)
    if field is not None and field in event.details:
        status = event.details[field]
        data["status"] = PLAIN_STATUS.get(status, status)
    return {"type": event.type, "timestamp": times.micro(event.at_ns), "data": data}


def list_of(call: Call) -> Reply:
    """Answer GET /services/{id}/events (and the same of datastores)."""
    world, key = call.world, call.params["id"]
    if world.resource(key) is None:
        raise world.missing(key)
    start = lists.instant(call.query, "startTime") or world.in_s(-WINDOW_S)
    end = lists.instant(call.query, "endTime") or world.now_ns() + times.SECOND_NS
    wanted = set(call.values("type"))
    found = [world.events.get(event_id) for event_id in reversed(world.events_of.get(key, []))]
    items = [
        (event.id, view(event))
        for event in found
        if event is not None and start <= event.at_ns <= end and (not wanted or event.type in wanted)
        if event.type not in event_types.UNLISTED
    ]
    return lists.nested(call, items, "event")


def get_one(call: Call) -> Reply:
    """Answer GET /events/{id}; by setting an event needs a moment before it can be read."""
    world = call.world
    event = world.events.get(call.params["id"])
    wait_s = world.settings.events_readable_after_s
    if event is None or (wait_s and world.now_ns() < world.in_s(wait_s, after_ns=event.at_ns)):
        raise world.missing(call.params["id"])
    return Reply(200, view(event))


ROUTES = [
    Route("GET", "/services/{id}/events", list_of),
    Route("GET", "/postgres/{id}/events", list_of),
    Route("GET", "/key-value/{id}/events", list_of),
    Route("GET", "/events/{id}", get_one),
]
