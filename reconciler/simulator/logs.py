"""Answers the calls on logs: a line per event, with the labels one can filter by.

Render API: `hasMore` and the interval of the next page instead of a cursor; filters of one name are alternatives,
filters of different names all count.
"""

from fnmatch import fnmatchcase

from reconciler.simulator import checks, events, lists, metering, metrics, models, times
from reconciler.simulator.wire import Call, Json, Reply, Route, invalid

# Parameter of the request and, with the same name, label of a line.
LABELS = ("instance", "host", "statusCode", "method", "task", "taskRun", "sandbox", "level", "type", "path")
VALUE_LABELS = ("host", "instance", "level", "method", "statusCode", "type")
BAD_ENDS = ("_failed", "_unhealthy", "_unavailable")


def _labels(call: Call, event: models.Event) -> dict[str, str]:
    labels = {"resource": event.service_id, "type": "app"}
    labels["level"] = "error" if event.type.endswith(BAD_ENDS) else "info"
    service = call.world.services.get(event.service_id)
    if service is not None and service.running is not None:
        labels["instance"] = metering.instance_ids(service)[0]
    return labels


def _matching(call: Call, start: int, end: int) -> list[tuple[models.Event, dict[str, str]]]:
    """Find the lines of an interval that pass the filters, oldest first."""
    world = call.world
    if not call.values("ownerId") or not call.values("resource"):
        raise invalid("ownerId and resource are required")
    wanted = {name: call.values(name) for name in LABELS if call.values(name)}
    texts = call.values("text")
    found = []
    for key in call.values("resource"):
        for event_id in world.events_of.get(key, []):
            event = world.events.get(event_id)
            if event is None or not start <= event.at_ns <= end:
                continue
            labels = _labels(call, event)
            labelled = all(_any(labels.get(name, ""), values) for name, values in wanted.items())
            if labelled and (not texts or any(text in event.type for text in texts)):
                found.append((event, labels))
    return sorted(found, key=lambda line: line[0].at_ns)


def _any(value: str, patterns: list[str]) -> bool:
    """Tell whether a value is one of those wanted; they may hold wildcards."""
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def list_lines(call: Call) -> Reply:
    """Answer GET /logs, the newest lines first unless asked otherwise."""
    start, end = metrics.window(call)
    limit = lists.limit_of(call)
    backward = call.value("direction") != "forward"
    found = _matching(call, start, end)
    if backward:
        found.reverse()
    shown = found[:limit]
    edge = shown[-1][0].at_ns if shown else start
    # The next page begins behind (or ends before) the last line shown, which is not shown again.
    following = (start, edge - times.MICRO_NS) if backward else (edge + times.MICRO_NS, end)
    return Reply(200, {
        "hasMore": len(found) > limit,
        "nextStartTime": times.micro(following[0]), "nextEndTime": times.micro(following[1]),
        "logs": [_line(event, labels) for event, labels in shown],
    })  # fmt: skip


def _line(event: models.Event, labels: dict[str, str]) -> Json:
    return {
        "id": event.id, "timestamp": events.view(event)["timestamp"], "message": event.type,
        "labels": [{"name": name, "value": value} for name, value in labels.items()],
    }  # fmt: skip


def list_values(call: Call) -> Reply:
    """Answer GET /logs/values: what a label can be among the matching lines."""
    label = checks.choice({"label": call.value("label")}, "label", VALUE_LABELS)
    start, end = metrics.window(call)
    values = {labels[label] for _, labels in _matching(call, start, end) if label in labels}
    return Reply(200, sorted(values)[: lists.limit_of(call)])


ROUTES = [
    Route("GET", "/logs", list_lines),
    Route("GET", "/logs/values", list_values),
]
