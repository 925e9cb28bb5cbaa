"""Decides what a PATCH of a service changes; it never deploys.

Render API: absent fields stay; a PATCH equal to the state answers 200 and leaves `updatedAt` alone (recorded:
privateservice/disks); a rename keeps slug and URL; a switch to an image drops repository and build filter.
"""

import copy

from reconciler.simulator import checks, cron, events, metering, models
from reconciler.simulator.services import create
from reconciler.simulator.services import details as details_of
from reconciler.simulator.wire import Json, invalid
from reconciler.simulator.world import World

WATCHED = (
    "name", "root_dir", "repo", "branch", "image_path", "registry_credential_id",
    "auto_deploy_trigger", "build_filter", "details",
)  # fmt: skip


def patch(world: World, service: models.Service, body: Json) -> None:
    """Change a service by the body of PATCH /services/{id}."""
    draft = copy.copy(service)
    draft.details = copy.deepcopy(service.details)
    given = checks.section(body, "serviceDetails")
    details_of.change(service.type, draft.details, given)
    if draft.details.get("plan") == "free":
        _refuse_free(draft)
    name = checks.optional_text(body, "name") or service.name
    if name != service.name:
        create.check_name(world, name, service.owner_id, but=service.id)
    draft.name = name
    _patch_source(world, draft, body, given)
    draft.auto_deploy_trigger = create.auto_deploy(body, service.auto_deploy_trigger)
    if all(getattr(draft, field) == getattr(service, field) for field in WATCHED):
        return
    _commit(world, service, draft)


def _refuse_free(draft: models.Service) -> None:
    details = draft.details
    if draft.disk_id or details.get("autoscaling") or details.get("numInstances", 1) > 1:
        raise invalid("plan free allows one instance, no disk and no autoscaling")


def _patch_source(world: World, draft: models.Service, body: Json, given: Json) -> None:
    if body.get("rootDir") is not None:
        draft.root_dir = checks.optional_text(body, "rootDir") or ""
    if draft.details.get("runtime") == "image":
        _patch_image(world, draft, checks.section(body, "image"))
    else:
        _patch_repository(world, draft, body, checks.section(given, "envSpecificDetails"))


def _patch_image(world: World, draft: models.Service, image: Json) -> None:
    """Take an image as a whole: one without a credential has none, as Render's Terraform provider relies on."""
    if image.get("imagePath"):
        draft.image_path = details_of.canonical_image(checks.text(image, "imagePath"))
    if image:
        draft.registry_credential_id = create.credential(world, image)
    if draft.image_path is None:
        raise invalid("image.imagePath is required for runtime image")
    draft.repo = draft.branch = draft.build_filter = None


def _patch_repository(world: World, draft: models.Service, body: Json, commands: Json) -> None:
    draft.image_path = None
    if body.get("repo"):
        draft.repo = create.check_repo(world, checks.text(body, "repo"))
    if draft.repo is None:
        raise invalid("repo is required")
    draft.branch = checks.text(body, "branch", draft.branch or "main")
    if "buildFilter" in body:
        draft.build_filter = create.build_filter(body)
    if draft.details.get("runtime") != "docker":
        draft.registry_credential_id = None
    elif "registryCredentialId" in commands:
        draft.registry_credential_id = create.credential(world, commands)


def _commit(world: World, service: models.Service, draft: models.Service) -> None:
    old_plan = service.details.get("plan")
    old_schedule, new_schedule = service.details.get("schedule"), draft.details.get("schedule")
    before = copy.copy(service)  # details are replaced below, not changed
    if draft.name != service.name:
        world.services.rename(service, draft.name)
    for field in WATCHED[1:]:
        setattr(service, field, getattr(draft, field))
    service.updated_ns = world.stamp_ns()
    world.services.touch(service)
    create.note_plan_change(world, service, old_plan)
    if old_schedule != new_schedule and new_schedule is not None and not service.suspenders:
        service.due_ns = cron.next_ns(new_schedule, world.now_ns())
        world.schedule("service", service)
    _tell(world, service, before)
    metering.service(world, service)


def _tell(world: World, service: models.Service, before: models.Service) -> None:
    """Tell of what takes effect at once; a change of plan is told where the plan changes."""
    old, new = before.auto_deploy_trigger, service.auto_deploy_trigger
    if new == "off" != old:
        events.emit(world, service, "auto_deploy_disabled", {"reason": "service updated", "fromTrigger": old})
    elif old == "off" != new:
        events.emit(world, service, "auto_deploy_enabled", {"newTrigger": new})
    was, mode = before.details.get("maintenanceMode"), service.details.get("maintenanceMode")
    if was and mode and was["enabled"] != mode["enabled"]:
        events.emit(world, service, "maintenance_mode_enabled", {"enabled": mode["enabled"]})
    if was and mode and was["uri"] != mode["uri"]:
        events.emit(world, service, "maintenance_mode_uri_updated", {"fromUri": was["uri"], "toUri": mode["uri"]})
    cached = [item.details.get("cache", {}).get("profile", "no-cache") != "no-cache" for item in (before, service)]
    if cached[0] != cached[1]:
        word = "enabled" if cached[1] else "disabled"
        events.emit(world, service, f"edge_cache_{word}", {"trigger": events.BY_USER})
