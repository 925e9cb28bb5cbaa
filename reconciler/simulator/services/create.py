"""Decides whether a service may be created and makes it, with its first deploy.

Render API: POST /services always deploys and answers with `deployId`; names are unique in the workspace; web,
private and static slugs take the plain name when it is free, workers and cron jobs always get a suffix.
"""

import re

from reconciler.simulator import checks, cron, deploys, disks, edge, entitlements, events, metering, models
from reconciler.simulator.plans import SERVICE_TYPES
from reconciler.simulator.services import details as details_of
from reconciler.simulator.services import env
from reconciler.simulator.wire import ApiError, Call, Json, invalid
from reconciler.simulator.world import World

PLAIN_SLUGS = frozenset({"web_service", "private_service", "static_site"})
MAX_NAME = 255


def check_name(world: World, name: str, owner_id: str, but: str | None = None) -> str:
    """Accept a name for a service or refuse it as taken."""
    if len(name) > MAX_NAME:
        raise invalid("name is too long")
    taken = world.settings.unique_service_names and any(
        item.owner_id == owner_id and item.id != but for item in world.services.named(name)
    )
    if taken:
        raise ApiError(world.settings.service_name_conflict_status, f"name already in use: {name}")
    return name


def check_repo(world: World, repo: str) -> str:
    """Accept a repository or refuse it as unfetchable."""
    pattern = world.settings.unfetchable_repo
    if "/tree/" in repo:
        raise invalid(f"repo must not name a branch: {repo}; use branch")
    if not re.match(r"(https?://|git@)[^\s]+$", repo) or (pattern and re.search(pattern, repo)):
        raise invalid(f"invalid or unfetchable: {repo}")
    return repo


def slug_for(world: World, kind: str, name: str) -> str:
    """Choose the slug of a new service."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "service"
    if kind in PLAIN_SLUGS and plain not in world.slugs:
        return plain
    while True:
        candidate = f"{plain}-{world.ids.suffix()}"
        if candidate not in world.slugs:
            return candidate


def build_filter(given: Json) -> Json | None:
    """Read a build filter; one without any path is none."""
    section = checks.section(given, "buildFilter")
    paths, ignored = checks.texts(section, "paths"), checks.texts(section, "ignoredPaths")
    return {"ignoredPaths": ignored, "paths": paths} if paths or ignored else None


def auto_deploy(given: Json, old: str) -> str:
    """Read when a service deploys by itself; the newer switch wins over the older one."""
    trigger = checks.optional_text(given, "autoDeployTrigger")
    if trigger:
        return checks.choice(given, "autoDeployTrigger", ("commit", "checksPass", "off"))
    switch = checks.optional_text(given, "autoDeploy")
    if not switch:
        return old
    checks.choice(given, "autoDeploy", ("yes", "no"))
    if switch == "no":
        return "off"
    return "commit" if old == "off" else old


def credential(world: World, given: Json) -> str | None:
    """Read a registry credential that is referred to; it must exist."""
    key = checks.optional_text(given, "registryCredentialId")
    if not key:
        return None
    found = world.smalls.get(key)
    if found is None or found.kind != "registry":
        raise invalid(f"registryCredentialId: not found: {key}")
    return key


def create(call: Call) -> tuple[models.Service, models.Deploy]:
    """Make a service from the body of POST /services, and its first deploy."""
    world, body = call.world, call.body()
    kind = checks.choice(body, "type", SERVICE_TYPES)
    name = checks.text(body, "name")
    owner_id = world.accept_owner(checks.text(body, "ownerId"))
    if world.settings.payment_missing:
        raise ApiError(402, "Payment information is required. Add a card in the dashboard.")
    entitlements.one_more_service(world)
    given = checks.section(body, "serviceDetails")
    details = details_of.blank(kind, given)
    variables = env.variable_rows(world, checks.rows(body, "envVars"), [])
    files = env.file_rows(world, checks.rows(body, "secretFiles"))
    check_name(world, name, owner_id)
    now_ns = world.stamp_ns()
    service = models.Service(
        id=world.ids.new("crn" if kind == "cron_job" else "srv", now_ns), type=kind, name=name,
        slug=slug_for(world, kind, name), owner_id=owner_id, created_ns=now_ns, updated_ns=now_ns,
        root_dir=checks.optional_text(body, "rootDir") or "", details=details,
        variables=variables, files=files,
    )  # fmt: skip
    _take_source(world, service, body, given)
    service.auto_deploy_trigger = auto_deploy(body, "commit")
    environment = _environment(world, body)
    disk = disks.read(given["disk"]) if given.get("disk") else None
    _take_scaling(world, service, given, with_disk=disk is not None)
    if kind == "static_site":
        service.headers = [edge.header(world, item) for item in checks.rows(given, "headers")]
        service.routes = edge.numbered([edge.route(world, item) for item in checks.rows(given, "routes")])
    world.services.add(service)
    world.slugs[service.slug] = service.id
    if disk is not None:
        disks.attach(world, service, disk, bump=False)
    if environment is not None:
        service.environment_id = environment.id
        environment.members.append(service.id)
        world.environments.touch(environment)
    deploy, _ = deploys.request(world, service, deploys.Options(trigger="api"))
    _start_schedule(world, service)
    metering.service(world, service)
    return service, deploy


def _take_source(world: World, service: models.Service, body: Json, given: Json) -> None:
    """Read where the code comes from: an image or a repository."""
    image = checks.section(body, "image")
    if service.details.get("runtime") == "image":
        service.image_path = details_of.canonical_image(checks.text(image, "imagePath"))
        service.registry_credential_id = credential(world, image)
        return
    service.repo = check_repo(world, checks.text(body, "repo"))
    service.branch = checks.text(body, "branch", "main")
    service.build_filter = build_filter(body)
    commands = checks.section(given, "envSpecificDetails")
    if service.details.get("runtime") == "docker":
        service.registry_credential_id = credential(world, commands)


def _take_scaling(world: World, service: models.Service, given: Json, *, with_disk: bool) -> None:
    """Read autoscaling and refuse what does not go together."""
    details, kind = service.details, service.type
    if kind in details_of.SCALABLE and given.get("autoscaling"):
        details["autoscaling"] = details_of.autoscaling(checks.section(given, "autoscaling"))
        entitlements.needs_pro(world, True, "autoscaling")
    free = details.get("plan") == "free"
    if free and (with_disk or details.get("autoscaling") or details["numInstances"] > 1):
        raise invalid("plan free allows one instance, no disk and no autoscaling")
    if with_disk and kind not in details_of.SCALABLE:
        raise invalid(f"disk is not supported for {kind}")
    if with_disk and (details["numInstances"] > 1 or details.get("autoscaling")):
        raise invalid("disk requires exactly one instance: numInstances must be 1")


def _environment(world: World, body: Json) -> models.Environment | None:
    key = checks.optional_text(body, "environmentId")
    if not key:
        return None
    environment = world.environments.get(key)
    if environment is None:
        raise world.missing(key)
    return environment


def _start_schedule(world: World, service: models.Service) -> None:
    if service.type == "cron_job":
        service.due_ns = cron.next_ns(service.details["schedule"], world.now_ns())
        world.schedule("service", service)


def note_plan_change(world: World, service: models.Service, old: str | None) -> None:
    """Record a change of plan."""
    new = service.details.get("plan")
    if old != new:
        events.emit(world, service, "plan_changed", {"from": old, "to": new})
