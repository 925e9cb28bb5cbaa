"""Answers the calls on metrics from what the simulator knows: instances, disks, steady traffic.

Render API: a metric is a bare array of {labels, values, unit}; the default window is the last hour; older data
of bandwidth sources than 9 March 2025 is refused.
"""

from functools import partial

from reconciler.simulator import lists, metering, models, times
from reconciler.simulator.services import view
from reconciler.simulator.wire import Call, Json, Reply, Route, invalid
from reconciler.simulator.world import World

HOUR_S = 3_600
DEFAULT_STEP_S = 300
MAX_POINTS = 2_000
GB = 1_000_000_000
# Steady figures, so that a reader can compute what to expect: share of a CPU, of memory, of a disk.
UNITS = {
    "bandwidth": "GB", "instance-count": "instances", "cpu": "CPU",
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
SOURCES_SINCE_NS = times.parse("2025-03-09T00:00:00Z")
Item = models.Service | models.Postgres | models.KeyValue


def window(call: Call) -> tuple[int, int]:
    """Read the interval a request asks about; the last hour without."""
    end = lists.instant(call.query, "endTime") or call.world.now_ns()
    start = lists.instant(call.query, "startTime") or end - HOUR_S * times.SECOND_NS
    if start >= end:
        raise invalid("startTime must be before endTime")
    return start, end


def _step(call: Call, start: int, end: int) -> int:
    """Read the distance of the points; it is a decimal number of seconds."""
    text = call.value("resolutionSeconds") or str(DEFAULT_STEP_S)
    try:
        step = times.seconds_ns(float(text))
    except (ValueError, OverflowError) as error:
        raise invalid("resolutionSeconds must be a number") from error
    if step <= 0:
        raise invalid("resolutionSeconds must be positive")
    return max(step, (end - start) // MAX_POINTS)


def _subjects(call: Call) -> list[Item]:
    """Find the resources a request asks about; those that are not there have no series."""
    keys = call.values("resource") or call.values("service")
    if not keys:
        raise invalid("resource is required")
    found = (call.world.resource(key) for key in keys)
    return [item for item in found if item is not None and not isinstance(item, models.Group)]


def answer(call: Call, metric: str) -> Reply:
    """Answer GET /metrics/{metric}."""
    world = call.world
    subjects, (start, end) = _subjects(call), window(call)
    if call.value("aggregationMethod") not in (None, "AVG", "MAX", "MIN"):
        raise invalid("aggregationMethod must be AVG, MAX or MIN")
    step = HOUR_S * times.SECOND_NS if metric == "bandwidth" else _step(call, start, end)
    shown: list[Json] = []
    for item in subjects:
        values = [
            {"timestamp": times.micro(at_ns), "value": _value(world, item, metric, at_ns)}
            for at_ns in range(start // step * step, end, step)
            if at_ns >= item.created_ns - step
        ]
        labels = [{"field": "resource", "value": item.id}]
        shown.append({"labels": labels, "values": values, "unit": UNITS[metric]})
    return Reply(200, shown)


def sources(call: Call) -> Reply:
    """Answer GET /metrics/bandwidth-sources: hourly, in whole seconds since 1970, all of it HTTP."""
    world = call.world
    subjects, (start, end) = _subjects(call), window(call)
    if start < SOURCES_SINCE_NS:
        raise invalid("startTime: bandwidth by source is known from 2025-03-09 on")
    step = HOUR_S * times.SECOND_NS
    shown: list[Json] = []
    for item in subjects:
        values = [
            {"timestamp": at_ns // times.SECOND_NS, "value": _value(world, item, "bandwidth", at_ns)}
            for at_ns in range(start // step * step, end, step)
            if at_ns >= item.created_ns - step
        ]
        for source in ("total", "http"):
            shown.append({"labels": {"resource": item.id, "trafficSource": source}, "values": values})
    return Reply(200, {"data": shown})


def _value(world: World, item: Item, metric: str, at_ns: int) -> float:
    if metric == "bandwidth":
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


def application_filters(call: Call) -> Reply:
    """Answer GET /metrics/filters/application: the instances one can ask for."""
    found = [
        key
        for item in _subjects(call)
        if isinstance(item, models.Service) and item.running is not None and not item.suspenders
        for key in metering.instance_ids(item)
    ]
    return Reply(200, [{"filter": "instance", "values": found}])


def http_filters(call: Call) -> Reply:
    """Answer GET /metrics/filters/http: the hosts and statuses of the steady traffic."""
    hosts = _hosts(call)
    statuses = ["200"] if hosts else []
    return Reply(200, [{"filter": "host", "values": hosts}, {"filter": "statusCode", "values": statuses}])


def path_filters(call: Call) -> Reply:
    """Answer GET /metrics/filters/path: the steady traffic asks for the root."""
    return Reply(200, ["/"] if _hosts(call) else [])


def _hosts(call: Call) -> list[str]:
    web = [item for item in _subjects(call) if isinstance(item, models.Service) and item.live_deploy_id]
    urls = (view.url_of(item) for item in web if item.type in ("web_service", "static_site"))
    return [url.removeprefix("https://") for url in urls if url is not None]


ROUTES = [
    *(Route("GET", f"/metrics/{name}", partial(answer, metric=name)) for name in UNITS),
    Route("GET", "/metrics/bandwidth-sources", sources),
    Route("GET", "/metrics/filters/application", application_filters),
    Route("GET", "/metrics/filters/http", http_filters),
    Route("GET", "/metrics/filters/path", path_filters),
]
