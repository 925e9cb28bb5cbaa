"""Shows a service the way the API does.

Render API: no deploy or health state, no variables; what is unset is absent (recorded: webservice/web_service).
"""

from reconciler.simulator import models, plans, smalls, times
from reconciler.simulator.plans import SHORT_TYPES
from reconciler.simulator.wire import Json
from reconciler.simulator.world import World

DOMAIN = "onrender.com"


def show(world: World, service: models.Service) -> Json:
    """Show a service."""
    trigger = service.auto_deploy_trigger
    shown: Json = {
        "autoDeploy": "no" if trigger == "off" else "yes",
        "autoDeployTrigger": trigger,
    }
    if service.branch is not None:
        shown["branch"] = service.branch
    if service.build_filter is not None:
        shown["buildFilter"] = service.build_filter
    shown["createdAt"] = times.micro(service.created_ns)
    shown["dashboardUrl"] = f"https://dashboard.render.com/{SHORT_TYPES[service.type]}/{service.id}"
    if service.environment_id is not None:
        shown["environmentId"] = service.environment_id
    shown["id"] = service.id
    if service.image_path is not None:
        shown["imagePath"] = service.image_path
    shown["name"] = service.name
    shown["notifyOnFail"] = notify_on_fail(service)
    shown["ownerId"] = service.owner_id
    if service.registry_credential_id:
        credential = world.smalls.get(service.registry_credential_id)
        name = credential.name if credential is not None else ""
        shown["registryCredential"] = {"id": service.registry_credential_id, "name": name}
    if service.repo is not None:
        shown["repo"] = service.repo
    shown["rootDir"] = service.root_dir
    shown["serviceDetails"] = _details(world, service)
    shown["slug"] = service.slug
    shown["suspended"] = "suspended" if service.suspenders else "not_suspended"
    shown["suspenders"] = service.suspenders
    shown["type"] = service.type
    shown["updatedAt"] = times.micro(service.updated_ns)
    return shown


def notify_on_fail(service: models.Service) -> str:
    """Derive the old notification field (recorded: staticsite/static_site, privateservice/disks)."""
    return {"default": "default", "none": "ignore"}.get(service.notifications, "notify")


def _details(world: World, service: models.Service) -> Json:
    details = dict(service.details)
    if "plan" in details:
        details["plan"] = plans.spelt(details["plan"], plans.COMPUTE_ALIASES, world.settings.plan_names)
    credential = _docker_credential(world, service)
    if credential is not None:
        details["envSpecificDetails"] = {**details["envSpecificDetails"], "registryCredential": credential}
    disk = world.disks.get(service.disk_id) if service.disk_id else None
    if disk is not None:
        details["disk"] = {
            "id": disk.id, "mountPath": disk.mount_path, "name": disk.name, "sizeGB": disk.size_gb,
        }  # fmt: skip
    if service.type in ("web_service", "private_service"):
        details["openPorts"] = [{"port": 10000, "protocol": "TCP"}]
    url = url_of(service)
    if url is not None:
        details["url"] = url
    if service.type not in ("cron_job", "static_site"):
        details["sshAddress"] = f"{service.id}@ssh.{details['region']}.render.com"
    if service.type == "cron_job" and service.last_run_ns:
        details["lastSuccessfulRunAt"] = times.micro(service.last_run_ns)
    return details


def _docker_credential(world: World, service: models.Service) -> Json | None:
    """Show the credential that a Docker build pulls with, where Render's own clients look for it."""
    if service.details.get("runtime") != "docker" or not service.registry_credential_id:
        return None
    found = world.smalls.get(service.registry_credential_id)
    return smalls.credential_view(found) if found is not None else None


def url_of(service: models.Service) -> str | None:
    """Tell where a service is reached; a private one without a scheme."""
    if service.type == "private_service":
        return f"{service.slug}:10000"
    if service.type in ("web_service", "static_site"):
        return f"https://{service.slug}.{DOMAIN}"
    return None
