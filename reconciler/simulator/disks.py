"""Answers the calls on persistent disks.

Render API: one disk per service, exactly one instance, grow only; attaching and removing move the service's
`updatedAt`, changing the disk does not; equal values do not move the disk's (recorded: privateservice/disks).
"""

from dataclasses import dataclass

from reconciler.simulator import checks, events, lists, metering, models, times
from reconciler.simulator.wire import Call, Json, Reply, Route, gone, invalid
from reconciler.simulator.world import World

FORBIDDEN_MOUNTS = frozenset({
    "/", "/opt", "/opt/render", "/opt/render/project", "/opt/render/project/src",
    "/home", "/home/render", "/etc", "/etc/secrets",
})  # fmt: skip
MAX_GB = 1_024
DAY_S = 86_400
SNAPSHOT_DAYS = 7
WITH_DISK = ("web_service", "private_service", "background_worker")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a disk is asked to be."""

    name: str
    mount_path: str
    size_gb: int


def read(given: Json) -> Wanted:
    """Read a disk from a request."""
    if not isinstance(given, dict):
        raise invalid("disk must be an object")
    size = checks.whole(given, "sizeGB", (1, MAX_GB), 1)
    return Wanted(checks.text(given, "name"), _mount(checks.text(given, "mountPath")), size)


def _mount(path: str) -> str:
    if not path.startswith("/") or path.rstrip("/") in FORBIDDEN_MOUNTS or path == "/":
        raise invalid(f"invalid mountPath: {path}")
    return path


def attach(world: World, service: models.Service, wanted: Wanted, *, bump: bool) -> models.Disk:
    """Give a service a disk."""
    now_ns = world.stamp_ns()
    disk = models.Disk(
        id=world.ids.new("dsk", now_ns), service_id=service.id, owner_id=service.owner_id, name=wanted.name,
        mount_path=wanted.mount_path, size_gb=wanted.size_gb, created_ns=now_ns, updated_ns=now_ns,
    )  # fmt: skip
    world.disks.add(disk)
    service.disk_id = disk.id
    if bump:
        service.updated_ns = world.stamp_ns()
    world.services.touch(service)
    events.emit(world, service, "disk_created", {"diskId": disk.id, "sizeGB": disk.size_gb})
    metering.service(world, service)
    return disk


def detach(world: World, disk: models.Disk) -> None:
    """Remove a disk and what is on it."""
    service = world.services.get(disk.service_id)
    world.disks.remove(disk)
    if service is not None:
        service.disk_id = None
        service.updated_ns = world.stamp_ns()
        world.services.touch(service)
        events.emit(world, service, "disk_deleted", {"diskId": disk.id})
        metering.service(world, service)


def resize(world: World, disk: models.Disk, size_gb: int) -> None:
    """Grow a disk."""
    if size_gb < disk.size_gb:
        raise invalid(f"sizeGB cannot shrink from {disk.size_gb} to {size_gb}")
    if size_gb == disk.size_gb:
        return
    service = world.service(disk.service_id)
    details = {"diskId": disk.id, "fromSizeGB": disk.size_gb, "toSizeGB": size_gb}
    disk.size_gb = size_gb
    disk.updated_ns = world.stamp_ns()
    world.disks.touch(disk)
    events.emit(world, service, "disk_updated", details)
    metering.service(world, service)


def view(disk: models.Disk) -> Json:
    """Show a disk."""
    return {
        "createdAt": times.micro(disk.created_ns), "id": disk.id, "mountPath": disk.mount_path,
        "name": disk.name, "serviceId": disk.service_id, "sizeGB": disk.size_gb,
        "updatedAt": times.micro(disk.updated_ns),
    }  # fmt: skip


def _find(call: Call) -> models.Disk:
    disk = call.world.disks.get(call.params["id"])
    if disk is None:
        raise call.world.missing(call.params["id"])
    return disk


def create(call: Call) -> Reply:
    """Answer POST /disks."""
    world, body = call.world, call.body()
    service = world.service(checks.text(body, "serviceId"))
    if body.get("sizeGB") is None:
        raise invalid("sizeGB is required")
    wanted = read(body)
    if service.type not in WITH_DISK:
        raise invalid(f"serviceId: disks are not supported for {service.type}")
    if service.disk_id is not None:
        raise invalid("service already has a disk")
    if service.details.get("plan") == "free":
        raise invalid("disks are not supported on plan free")
    if service.details.get("autoscaling") or service.details.get("numInstances", 1) > 1:
        raise invalid("disk requires exactly one instance: numInstances must be 1")
    return Reply(201, view(attach(world, service, wanted, bump=True)))


def list_all(call: Call) -> Reply:
    """Answer GET /disks."""
    wanted = (
        lists.Filters(call, models.Disk)
        .common()
        .one_of("diskId", lambda item: item.id)
        .one_of("serviceId", lambda item: item.service_id)
    )
    return lists.page(call, call.world.disks, "disk", view, wanted)


def get_one(call: Call) -> Reply:
    """Answer GET /disks/{id}."""
    return Reply(200, view(_find(call)))


def patch(call: Call) -> Reply:
    """Answer PATCH /disks/{id}."""
    world, disk, body = call.world, _find(call), call.body()
    name = checks.optional_text(body, "name") or disk.name
    mount = _mount(checks.optional_text(body, "mountPath") or disk.mount_path)
    size = checks.whole(body, "sizeGB", (1, MAX_GB), disk.size_gb)
    if world.service(disk.service_id).suspenders:
        raise invalid("the service of a disk must be active: it is suspended")
    resize(world, disk, size)
    if (name, mount) != (disk.name, disk.mount_path):
        world.disks.rename(disk, name)
        disk.mount_path = mount
        disk.updated_ns = world.stamp_ns()
    return Reply(200, view(disk))


def delete(call: Call) -> Reply:
    """Answer DELETE /disks/{id}."""
    detach(call.world, _find(call))
    return gone()


def _snapshots(world: World, disk: models.Disk) -> dict[str, int]:
    """Find the snapshots of a disk, newest first: one a day for a week."""
    day_ns = DAY_S * times.SECOND_NS
    newest_ns = world.now_ns() // day_ns * day_ns
    taken = (newest_ns - day * day_ns for day in range(SNAPSHOT_DAYS))
    issued = world.now_ns() // times.SECOND_NS
    return {
        f"snap-{disk.id[4:]}-{at_ns // times.SECOND_NS}-{issued}": at_ns for at_ns in taken if at_ns > disk.created_ns
    }


def _snapshot_of(world: World, disk: models.Disk, key: str) -> int | None:
    """Find the snapshot a key was given out for; a key ends after a day, its snapshot later."""
    stem, _, issued = key.rpartition("-")
    if not issued.isdecimal() or world.now_ns() >= (int(issued) + DAY_S) * times.SECOND_NS:
        return None
    return next((at_ns for known, at_ns in _snapshots(world, disk).items() if known.rpartition("-")[0] == stem), None)


def snapshots(call: Call) -> Reply:
    """Answer GET /disks/{id}/snapshots."""
    world, disk = call.world, _find(call)
    (instance,) = metering.instance_ids(world.service(disk.service_id))  # a service with a disk has just one
    shown = [
        {"createdAt": times.micro(at_ns), "snapshotKey": key, "instanceId": instance}
        for key, at_ns in _snapshots(world, disk).items()
    ]
    return Reply(world.settings.disk_snapshots_status, shown)


def restore(call: Call) -> Reply:
    """Answer POST /disks/{id}/snapshots/restore."""
    world, disk = call.world, _find(call)
    key = checks.text(call.body(), "snapshotKey")
    at_ns = _snapshot_of(world, disk, key)
    if at_ns is None:
        raise world.missing(key)
    details = {"diskId": disk.id, "triggeredByUser": events.USER["email"], "snapshotCreatedAt": times.micro(at_ns)}
    events.emit(world, world.service(disk.service_id), "disk_snapshot_restored", details)
    return Reply(200, view(disk))


ROUTES = [
    Route("POST", "/disks", create),
    Route("GET", "/disks", list_all),
    Route("GET", "/disks/{id}", get_one),
    Route("PATCH", "/disks/{id}", patch),
    Route("DELETE", "/disks/{id}", delete),
    Route("GET", "/disks/{id}/snapshots", snapshots),
    Route("POST", "/disks/{id}/snapshots/restore", restore),
]
