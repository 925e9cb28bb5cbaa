"""Notes what is billable of every resource from when on, so that a bill of any interval can be made later.

It knows quantities (instances of a plan, gigabytes), not prices.
"""

from collections.abc import Iterator
from decimal import Decimal

from reconciler.simulator import ids, models
from reconciler.simulator.calendar_months import Span
from reconciler.simulator.world import World

Quantities = dict[str, float]
BUILD = "build"
PUBLIC = frozenset({"web_service", "static_site"})


def record(
    world: World, key: str, name: str, kind: str, quantities: Quantities, at_ns: int | None = None
) -> None:  # fmt: skip
    """Note that these quantities are in use from now on, or since an instant that a long step passed over."""
    meter = world.meters.get(key)
    now_ns = world.now_ns() if at_ns is None else at_ns
    if meter is None:
        meter = world.meters.add(models.Meter(id=key, name=name, kind=kind, created_ns=now_ns))
    billed: dict[str, object] = {sku: amount for sku, amount in quantities.items() if amount}
    if meter.points and meter.points[-1][1] == billed:
        return
    meter.points.append([now_ns, billed])
    world.meters.touch(meter)


def close(world: World, key: str) -> None:
    """Note that a resource is gone."""
    meter = world.meters.get(key)
    if meter is not None and not meter.deleted_ns:
        meter.points.append([world.now_ns(), {}])
        meter.deleted_ns = world.now_ns()
        world.meters.touch(meter)


def add_run(world: World, key: str, plan: str, started_ns: int, seconds: float) -> None:
    """Note the run time of a cron job or a one-off job, or (with `BUILD` for a plan) of a build."""
    meter = world.meters.get(key)
    if meter is None:
        return
    slot = f"{started_ns}:{plan}"
    meter.used_s[slot] = meter.used_s.get(slot, 0.0) + seconds
    world.note_use(meter, slot)


def service(world: World, item: models.Service, at_ns: int | None = None) -> None:
    """Note what a service uses now: its instances unless suspended, its disk always."""
    quantities: Quantities = {}
    plan = item.details.get("plan")
    if plan and item.type != "cron_job" and not item.suspenders:
        quantities[f"compute:{plan}"] = running_instances(item)
    if item.type == "cron_job":
        quantities[f"cron:{plan}"] = 1
    disk = world.disks.get(item.disk_id) if item.disk_id else None
    if disk is not None:
        quantities["disk_gb"] = disk.size_gb
    if item.type in PUBLIC and item.live_deploy_id is not None and not item.suspenders:
        quantities["bandwidth_gb_hour"] = world.settings.bandwidth_gb_per_hour
    if item.domain_ids:
        quantities["custom_domain"] = len(item.domain_ids)
    record(world, item.id, item.name, item.type, quantities, at_ns)


def running_instances(item: models.Service) -> int:
    """Count the instances of a service: under autoscaling not what was configured by hand."""
    autoscaling = item.details.get("autoscaling")
    if autoscaling and autoscaling.get("enabled"):
        low, high = int(autoscaling["min"]), int(autoscaling["max"])
        return min(max(item.autoscaled or low, low), high)
    return int(item.details.get("numInstances", 1))


def instance_ids(item: models.Service) -> list[str]:
    """Name the instances of a service that runs."""
    return [ids.instance_id(item.id, item.started_ns, index) for index in range(running_instances(item))]


def postgres(world: World, item: models.Postgres, at_ns: int | None = None) -> None:
    """Note what a database uses now; a standby counts like another instance."""
    copies = 2 if item.high_availability else 1
    quantities: Quantities = {}
    if not item.suspenders:
        quantities[f"postgres:{item.plan}"] = copies
    if item.plan != "free" and (not item.suspenders or world.settings.bill_suspended_storage):
        quantities["postgres_gb"] = item.disk_gb * copies
    record(world, item.id, item.name, "postgres", quantities, at_ns)


def key_value(world: World, item: models.KeyValue) -> None:
    """Note what a Key Value instance uses now."""
    quantities: Quantities = {} if item.suspenders else {f"key_value:{item.plan}": 1}
    record(world, item.id, item.name, "key_value", quantities)


def parts(meter: models.Meter, span: Span) -> Iterator[tuple[str, Decimal, Span]]:
    """Walk what was in use during an interval: a sku, how much of it, and when."""
    for index, (at_ns, quantities) in enumerate(meter.points):
        following = meter.points[index + 1][0] if index + 1 < len(meter.points) else span.end_ns
        if not isinstance(at_ns, int) or not isinstance(following, int) or not isinstance(quantities, dict):
            raise TypeError(f"not a point of a meter: {meter.points[index]}")
        part = Span(max(at_ns, span.start_ns), min(following, span.end_ns))
        if part.start_ns < part.end_ns:
            for sku, quantity in quantities.items():
                yield sku, Decimal(str(quantity)), part


def runs(meter: models.Meter) -> Iterator[tuple[int, str, Decimal]]:
    """Walk the runs of jobs: when each began, its plan, its seconds."""
    for slot, seconds in meter.used_s.items():
        begun, _, plan = slot.partition(":")
        if plan != BUILD:
            yield int(begun), plan, Decimal(str(seconds))


def builds(meter: models.Meter) -> Iterator[tuple[int, Decimal]]:
    """Walk the builds: when each began, its seconds."""
    for slot, seconds in meter.used_s.items():
        begun, _, plan = slot.partition(":")
        if plan == BUILD:
            yield int(begun), Decimal(str(seconds))
