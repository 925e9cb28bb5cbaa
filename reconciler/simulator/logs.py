"""Answers the calls on logs: a line per event, with the labels one can filter by.

Render API: `hasMore` and the interval of the next page instead of a cursor; filters of one name are alternatives,
filters of different names all count.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.simulator import checks, lists, metering, metrics, models, times
from reconciler.simulator.wire import Call, Json, Reply, Route, invalid

# Parameter of the request and, with the same name, label of a line.
LABELS = ("instance", "host", "statusCode", "method", "task", "taskRun", "sandbox", "level", "type", "path")
VALUE_LABELS = ("host", "instance", "level", "method", "statusCode", "type")
BAD_ENDS = ("_failed", "_unhealthy", "_unavailable")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log."""

    id: str
    at_ns: int
    message: str
    labels: dict[str, str]


def _labels(call: Call, event: models.Event) -> dict[str, str]:
    labels = {"resource": event.service_id, "type": "app"}
    labels["level"] = "error" if event.type.endswith(BAD_ENDS) else "info"
    service = call.world.services.get(event.service_id)
    if service is not None and service.running is not None:
        labels["instance"] = metering.instance_ids(service)[0]
    return labels


def _lines(call: Call) -> list[Line]:
    """Make the lines of the resources asked for, oldest first, no two of them at the same instant."""
    world = call.world
    found: list[models.Event] = []
    for key in call.values("resource"):
        events_of = (world.events.get(event_id) for event_id in world.events_of.get(key, []))
        found += [event for event in events_of if event is not None]
    found.sort(key=lambda event: (event.at_ns, event.id))
    lines: list[Line] = []
    for event in found:
        at_ns = times.rounded(event.at_ns)
        # A reader goes on by time alone, so that two lines of one instant could not be told apart between pages.
        at_ns = max(at_ns, lines[-1].at_ns + times.MICRO_NS) if lines else at_ns
        lines.append(Line(event.id, at_ns, event.type, _labels(call, event)))
    return lines


def _matching(call: Call, start: int, end: int) -> list[Line]:
    """Find the lines of an interval that pass the filters, oldest first."""
    if not call.values("ownerId") or not call.values("resource"):
        raise invalid("ownerId and resource are required")
    wanted = {name: call.values(name) for name in LABELS if call.values(name)}
    texts = call.values("text")
    return [
        line
        for line in _lines(call)
        if start <= line.at_ns <= end
        and all(_any(line.labels.get(name, ""), values) for name, values in wanted.items())
        and (not texts or any(text in line.message for text in texts))
    ]


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
    edge = shown[-1].at_ns if shown else start
    # The next page begins behind (or ends before) the last line shown, which is not shown again.
    following = (start, edge - times.MICRO_NS) if backward else (edge + times.MICRO_NS, end)
    return Reply(200, {
        "hasMore": len(found) > limit,
        "nextStartTime": times.micro(following[0]), "nextEndTime": times.micro(following[1]),
        "logs": [_view(line) for line in shown],
    })  # fmt: skip


def _view(line: Line) -> Json:
    return {
        "id": line.id, "timestamp": times.micro(line.at_ns), "message": line.message,
        "labels": [{"name": name, "value": value} for name, value in line.labels.items()],
    }  # fmt: skip


def list_values(call: Call) -> Reply:
    """Answer GET /logs/values: what a label can be among the matching lines."""
    label = checks.choice({"label": call.value("label")}, "label", VALUE_LABELS)
    start, end = metrics.window(call)
    values = {line.labels[label] for line in _matching(call, start, end) if label in line.labels}
    return Reply(200, sorted(values)[: lists.limit_of(call)])


ROUTES = [
    Route("GET", "/logs", list_lines),
    Route("GET", "/logs/values", list_values),
]
