"""Tells tests everything that is so: objects, accepted writes with their cause, counts of requests."""

from dataclasses import asdict
from itertools import dropwhile

from reconciler.simulator import deploy_routes, disks, domains, groups, key_values, models, postgres, projects, times
from reconciler.simulator.metering import running_instances
from reconciler.simulator.services import view
from reconciler.simulator.wire import Json
from reconciler.simulator.world import World


def tell(world: World, since: int) -> Json:
    """Tell all there is; of the writes only those after a sequence number."""
    return {
        "now": times.micro(world.now_ns()),
        "services": [_service(world, item) for item in world.services.oldest_first()],
        "postgres": [
            postgres.view(world, item) | {"connectionInfo": postgres.connection_info(item)}
            for item in world.postgres.oldest_first()
        ],
        "key_values": [
            key_values.view(world, item) | {"password": item.password, "suspenders": item.suspenders}
            for item in world.key_values.oldest_first()
        ],
        "env_groups": [groups.view(world, item) for item in world.groups.oldest_first()],
        "projects": [projects.project_view(world, item) for item in world.projects.oldest_first()],
        "environments": [projects.environment_view(world, item) for item in world.environments.oldest_first()],
        "disks": [disks.view(item) for item in world.disks.oldest_first()],
        "others": [asdict(item) for item in world.smalls.oldest_first()],
        "writes": [_write(item) for item in dropwhile(lambda item: item.seq <= since, world.writes)],
        "write_seq": world.write_seq,
        "requests": world.requests,
        "throttled": world.throttled,
    }


def _service(world: World, item: models.Service) -> Json:
    disk = world.disks.get(item.disk_id) if item.disk_id else None
    found = (world.deploys.get(key) for key in item.deploy_ids)
    running = item.running or {}
    return view.show(world, item) | {
        "envVars": {key: value for _, key, value in item.variables},
        "secretFiles": {name: content for _, name, content in item.files},
        "customDomains": [domains.view(domain) for domain in domains.of_service(world, item)],
        "headers": item.headers,
        "routes": item.routes,
        "disk": disks.view(disk) if disk is not None else None,
        "envGroups": item.group_ids,
        "deploys": [deploy_routes.view(world, deploy) for deploy in found if deploy is not None],
        "liveDeployId": item.live_deploy_id,
        "running": {"env": running.get("env"), "files": running.get("files"), "image": running.get("image")},
        "runningInstances": 0 if item.suspenders or not running else running_instances(item),
        "broken": item.broken,
    }


def _write(item: models.Write) -> Json:
    return {
        "seq": item.seq, "at": times.micro(item.at_ns), "method": item.method, "path": item.path,
        "status": item.status, "cause": item.cause, "affected": item.affected,
    }  # fmt: skip
