"""Suspends, resumes, restarts, scales and removes services; calls and people in the dashboard share it.

Render API: suspenders other than `user` cannot be lifted by the API; a resume starts a deploy; a restart keeps
the variables of the live deploy; a manual scale under autoscaling is accepted and ignored.
"""

from reconciler.simulator import cron, deploys, domains, events, metering, models
from reconciler.simulator.wire import invalid
from reconciler.simulator.world import World


def suspend(world: World, service: models.Service, suspender: str = "user") -> None:
    """Suspend a service on behalf of someone."""
    if suspender in service.suspenders:
        return
    first = not service.suspenders
    service.suspenders = [*service.suspenders, suspender]
    service.updated_ns = world.stamp_ns()
    if first:
        for deploy in deploys.open_deploys(world, service):
            deploys.cancel(world, deploy, start_next=False)
        service.due_ns = 0
        events.emit(world, service, "service_suspended")
    by = {"suspendedByUser": events.USER} if suspender == "user" else {}
    events.emit(world, service, "suspender_added", {"actor": suspender, **by})
    world.services.touch(service)
    metering.service(world, service)


def resume(world: World, service: models.Service, suspender: str = "user") -> None:
    """Lift a suspension; the service comes back when nobody else holds it."""
    if suspender not in service.suspenders:
        return
    service.suspenders = [item for item in service.suspenders if item != suspender]
    service.updated_ns = world.stamp_ns()
    by = {"resumedByUser": events.USER} if suspender == "user" else {}
    events.emit(world, service, "suspender_removed", {"actor": suspender, **by})
    world.services.touch(service)
    if not service.suspenders:
        events.emit(world, service, "service_resumed")
        deploys.request(world, service, deploys.Options(trigger="service_resumed"))
        if service.type == "cron_job":
            service.due_ns = cron.next_ns(service.details["schedule"], world.now_ns())
            world.schedule("service", service)
    metering.service(world, service)


def restart(world: World, service: models.Service) -> None:
    """Start the instances anew with what they ran before."""
    if service.type in ("cron_job", "static_site"):
        raise invalid(f"restart is not supported for {service.type}")
    if service.suspenders:
        raise invalid("service is suspended")
    service.started_ns = world.stamp_ns()
    events.emit(world, service, "server_restarted", {"triggeredByUser": events.USER["email"]})
    world.services.touch(service)


def scale(world: World, service: models.Service, instances: int) -> None:
    """Set the number of instances; under autoscaling only within its bounds and not in the configuration."""
    if service.type in ("cron_job", "static_site"):
        raise invalid(f"numInstances: scaling is not supported for {service.type}")
    if service.disk_id is not None and instances > 1:
        raise invalid("numInstances must be 1 for a service with a disk")
    if service.details.get("plan") == "free" and instances > 1:
        raise invalid("numInstances must be 1 on plan free")
    old = int(service.details["numInstances"])
    if service.details.get("autoscaling", {}).get("enabled") or old == instances:
        return
    service.details["numInstances"] = instances
    service.updated_ns = world.stamp_ns()
    world.services.touch(service)
    events.emit(world, service, "instance_count_changed", {"fromInstances": old, "toInstances": instances})
    metering.service(world, service)


def autoscale(world: World, service: models.Service, running: int) -> None:
    """Let the load move the number of running instances within the bounds."""
    before = metering.running_instances(service)
    service.autoscaled = running
    after = metering.running_instances(service)
    world.services.touch(service)
    if before != after:
        details = {"fromInstances": before, "toInstances": after}
        events.emit(world, service, "autoscaling_started", details)
        events.emit(world, service, "autoscaling_ended", details)
        metering.service(world, service)


def delete(world: World, service: models.Service) -> None:
    """Remove a service with its disk, domains, deploys, runs and links."""
    for key in service.deploy_ids:
        deploy = world.deploys.get(key)
        if deploy is not None:
            world.deploys.remove(deploy)
    disk = world.disks.get(service.disk_id) if service.disk_id else None
    if disk is not None:
        world.disks.remove(disk)
    for domain in domains.of_service(world, service):
        world.domains.remove(domain)
        world.domain_names.pop(domain.name, None)
    for key in service.group_ids:
        group = world.groups.get(key)
        if group is not None:
            group.service_ids.remove(service.id)
            world.groups.touch(group)
    for key in world.runs_of.pop(service.id, []):
        run = world.runs.get(key)
        if run is not None:
            world.runs.remove(run)
    leave_environment(world, service)
    override = world.smalls.get(f"log-{service.id}")
    if override is not None:
        world.smalls.remove(override)
    world.slugs.pop(service.slug, None)
    world.services.remove(service)
    events.forget(world, service.id)
    metering.close(world, service.id)


def leave_environment(world: World, item: models.Service | models.Postgres | models.KeyValue | models.Group) -> bool:
    """Take a resource out of its environment; tell whether it was in one."""
    environment = world.environments.get(item.environment_id) if item.environment_id else None
    item.environment_id = None
    if environment is None:
        return False
    if item.id in environment.members:
        environment.members.remove(item.id)
        world.environments.touch(environment)
    return True
