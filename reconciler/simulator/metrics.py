"""Answers the calls on metrics and logs from what the simulator knows: instances, disks, steady traffic.

Render API: a metric is a bare array of {labels, values, unit}; the default window is the last hour; older data
of bandwidth sources than 9 March 2025 is refused.
"""

from functools import partial

from reconciler.simulator import events, lists, models, times
from reconciler.simulator.wire import Call, Json, Reply, Route, invalid
from reconciler.simulator.world import World

HOUR_S = 3_600
DEFAULT_STEP_S = 300
MAX_POINTS = 2_000
GB = 1_000_000_000
# Steady figures, so that a reader can compute what to expect: share of a CPU, of memory, of a disk.
UNITS = {
    "bandwidth": "GB", "bandwidth-sources": "GB", "instance-count": "instances", "cpu": "CPU",
    "cpu-limit": "CPU", "cpu-target": "CPU", "memory": "bytes", "memory-limit": "bytes",
    "memory-target": "bytes", "disk-usage": "bytes", "disk-capacity": "bytes", "http-requests": "requests",
    "http-latency": "ms", "active-connections": "connections", "replication-lag": "seconds",
}  # fmt: skip
STEADY = {
    "cpu": 0.1, "cpu-limit": 0.5, "cpu-target": 0.3, "memory": 0.2 * GB, "memory-limit": 0.5 * GB,
    "memory-target": 0.35 * GB, "http-requests": 60.0, "http-latency": 25.0, "active-connections": 3.0,
    "replication-lag": 0.5,
}  # fmt: skip
USED_SHARE = 0.3
Item = models.Service | models.Postgres | models.KeyValue


def _window(call: Call) -> tuple[int, int, int]:
    end = lists.instant(call.query, "endTime") or call.world.now_ns()
    start = lists.instant(call.query, "startTime") or end - HOUR_S * times.SECOND_NS
    if start >= end:
        raise invalid("startTime must be before endTime")
    text = call.value("resolutionSeconds") or str(DEFAULT_STEP_S)
    if not text.isdigit() or int(text) == 0:
        raise invalid("resolutionSeconds must be a positive integer")
    step = int(text) * times.SECOND_NS
    return start, end, max(step, (end - start) // MAX_POINTS)


def answer(call: Call, metric: str) -> Reply:
    """Answer GET /metrics/{metric}."""
    world = call.world
    resources = call.values("resource") or call.values("service")
    if not resources:
        raise invalid("resource is required")
    start, end, step = _window(call)
    if metric.startswith("bandwidth"):
        step = HOUR_S * times.SECOND_NS
    shown: list[Json] = []
    for key in resources:
        item = world.resource(key)
        if item is None or isinstance(item, models.Group):
            continue
        values = []
        for at_ns in range(start // step * step, end, step):
            if at_ns >= item.created_ns - step:
                values.append({"timestamp": times.micro(at_ns), "value": _value(world, item, metric, at_ns)})
        labels = [{"field": "resource", "value": key}]
        shown.append({"labels": labels, "values": values, "unit": UNITS[metric]})
    return Reply(200, shown)


def _value(world: World, item: Item, metric: str, at_ns: int) -> float:
    if metric.startswith("bandwidth"):
        if not isinstance(item, models.Service) or item.type not in ("web_service", "static_site"):
            return 0.0
        return world.settings.bandwidth_gb_per_hour if item.live_deploy_id else 0.0
    if metric == "instance-count":
        return _instances(world, item, at_ns)
    if metric.startswith("disk-"):
        size = _disk_gb(world, item) * GB
        return size if metric == "disk-capacity" else size * USED_SHARE
    return STEADY[metric]


def _instances(world: World, item: Item, at_ns: int) -> float:
    """Tell how many instances ran at an instant, from what was metered."""
    meter = world.meters.get(item.id)
    if meter is None:
        return 0.0
    count = 0.0
    for since, quantities in meter.points:
        if isinstance(since, int) and since <= at_ns and isinstance(quantities, dict):
            count = sum(amount for sku, amount in quantities.items() if ":" in sku and not sku.startswith("cron"))
    return float(count)


def _disk_gb(world: World, item: Item) -> float:
    if isinstance(item, models.Postgres):
        return item.disk_gb
    if isinstance(item, models.Service) and item.disk_id:
        disk = world.disks.get(item.disk_id)
        return disk.size_gb if disk is not None else 0
    return 0


def filter_values(_call: Call) -> Reply:
    """Answer GET /metrics/filters/*: nothing to choose from."""
    return Reply(200, [])


def logs(call: Call) -> Reply:
    """Answer GET /logs: a line per event."""
    world = call.world
    end = lists.instant(call.query, "endTime") or world.now_ns()
    start = lists.instant(call.query, "startTime") or end - HOUR_S * times.SECOND_NS
    limit = lists.limit_of(call)
    if not call.values("ownerId") or not call.values("resource"):
        raise invalid("ownerId and resource are required")
    found = [
        event
        for key in call.values("resource")
        for event_id in world.events_of.get(key, [])
        if (event := world.events.get(event_id)) is not None and start <= event.at_ns <= end
    ]
    backward = call.value("direction") != "forward"
    found.sort(key=lambda event: event.at_ns, reverse=backward)
    shown = [_line(event) for event in found[:limit]]
    edge = times.micro(found[min(limit, len(found)) - 1].at_ns) if found else times.micro(start)
    following = (times.micro(start), edge) if backward else (edge, times.micro(end))
    return Reply(
        200,
        {
            "hasMore": len(found) > limit,
            "nextStartTime": following[0],
            "nextEndTime": following[1],
            "logs": shown,
        },
    )


def _line(event: models.Event) -> Json:
    labels = [{"name": "resource", "value": event.service_id}, {"name": "type", "value": "app"}]
    shown = events.view(event)
    return {"id": event.id, "timestamp": shown["timestamp"], "message": event.type, "labels": labels}


ROUTES = [
    *(Route("GET", f"/metrics/{name}", partial(answer, metric=name)) for name in UNITS),
    Route("GET", "/metrics/filters/application", filter_values),
    Route("GET", "/metrics/filters/http", filter_values),
    Route("GET", "/metrics/filters/path", filter_values),
    Route("GET", "/logs", logs),
]
