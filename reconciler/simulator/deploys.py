"""Moves deploys through their phases: what starts, what waits, what is canceled, what ends how.

Render API: a git deploy begins in build_in_progress, an image one in update_in_progress, with a pre-deploy
command in pre_deploy_in_progress; the deploy of an image cron job is live at once. Under the workspace policy
"wait" a new deploy is queued behind the running one and only the newest queued one survives; under "override"
it cancels the running one. A deploy takes its variables when it starts; instances keep them until the next.
"""

from dataclasses import dataclass

from reconciler.simulator import commits, events, metering, models, times
from reconciler.simulator import deploy_events as said
from reconciler.simulator.plans import NATIVE_RUNTIMES
from reconciler.simulator.wire import Json
from reconciler.simulator.world import World

IN_PROGRESS = frozenset({"created", "build_in_progress", "pre_deploy_in_progress", "update_in_progress"})
OPEN = IN_PROGRESS | {"queued"}
FAILED_PHASE = {
    "build_in_progress": "build_failed",
    "pre_deploy_in_progress": "pre_deploy_failed",
    "update_in_progress": "update_failed",
}
FOREVER = -1.0
Phase = list[str | float]


@dataclass(frozen=True, slots=True)
class Options:
    """What a deploy is asked to be."""

    trigger: str
    clear_cache: bool = False
    deploy_only: bool = False
    commit_id: str | None = None
    image: str | None = None
    rollback_of: str | None = None


def open_deploys(world: World, service: models.Service) -> list[models.Deploy]:
    """Find the deploys of a service that have not ended, oldest first."""
    found = (world.deploys.get(key) for key in service.deploy_ids)
    return [deploy for deploy in found if deploy is not None and deploy.status in OPEN]


def request(world: World, service: models.Service, options: Options) -> tuple[models.Deploy, bool]:
    """Ask for a deploy; tell whether it started at once or was queued."""
    running = open_deploys(world, service)
    deploy = _make(world, service, options)
    active = [item for item in running if item.status in IN_PROGRESS]
    waits = bool(active) and world.settings.deploy_overlap == "wait"
    for item in running:
        if item.status == "queued" or not waits:
            cancel(world, item, start_next=False, replaced_by=deploy.id)
    if waits:
        deploy.status = "queued"
        return deploy, False
    _start(world, service, deploy, world.now_ns())
    return deploy, True


def _make(world: World, service: models.Service, options: Options) -> models.Deploy:
    now_ns = world.stamp_ns()
    deploy = models.Deploy(
        id=world.ids.new("dep", now_ns), service_id=service.id, status="created", trigger=options.trigger,
        created_ns=now_ns, updated_ns=now_ns, clear_cache=options.clear_cache, rollback_of=options.rollback_of,
    )  # fmt: skip
    _describe_source(world, service, deploy, options)
    deploy.plan = phases(world, service, skip_build=options.deploy_only or options.rollback_of is not None)
    world.deploys.add(deploy)
    service.deploy_ids.append(deploy.id)
    _prune(world, service)
    world.services.touch(service)
    return deploy


def _describe_source(world: World, service: models.Service, deploy: models.Deploy, options: Options) -> None:
    original = world.deploys.get(options.rollback_of) if options.rollback_of else None
    if original is not None:
        deploy.commit, deploy.image = original.commit, original.image
    elif service.image_path is not None:
        reference = options.image or service.image_path
        deploy.image = {"ref": reference, "sha": world.ids.image_digest(reference)}
    else:
        branch = service.branch or "main"
        newest = commits.newest(world, service.repo or "", branch)
        deploy.commit = newest if options.commit_id is None else newest | {"id": options.commit_id}


def _prune(world: World, service: models.Service) -> None:
    while len(service.deploy_ids) > world.settings.keep_deploys:
        oldest = world.deploys.get(service.deploy_ids[0])
        if oldest is not None and (oldest.status in OPEN or oldest.id == service.live_deploy_id):
            return
        service.deploy_ids.pop(0)
        if oldest is not None:
            world.deploys.remove(oldest)


def phases(world: World, service: models.Service, *, skip_build: bool) -> list[Phase]:
    """List what a deploy of a service has to go through, with the length of each phase."""
    settings = world.settings
    runtime = str(service.details.get("runtime", "static"))
    found: list[Phase] = []
    if runtime != "image" and not skip_build:
        length = settings.build_static_s if service.type == "static_site" else settings.build_native_s
        found.append(["build_in_progress", settings.build_docker_s if runtime == "docker" else length])
    if service.type == "cron_job":
        return found
    if service.details.get("envSpecificDetails", {}).get("preDeployCommand"):
        found.append(["pre_deploy_in_progress", settings.pre_deploy_s])
    pulling = settings.build_image_s if runtime == "image" else 0.0
    found.append(["update_in_progress", pulling + settings.go_live_s])
    return found


def snapshot(world: World, service: models.Service) -> Json:
    """Take what the instances of a service would run with now: own variables win over those of groups."""
    env: dict[str, str] = {}
    files: dict[str, str] = {}
    groups = [group for key in service.group_ids if (group := world.groups.get(key)) is not None]
    for group in sorted(groups, key=lambda item: item.created_ns):
        env.update({name: value for _, name, value in group.variables})
        files.update({name: content for _, name, content in group.files})
    env.update({name: value for _, name, value in service.variables})
    files.update({name: content for _, name, content in service.files})
    return {"env": env, "files": files, "image": service.image_path, "plan": service.details.get("plan")}


def _start(world: World, service: models.Service, deploy: models.Deploy, at_ns: int) -> None:
    shown_ns = max(at_ns, deploy.created_ns)
    deploy.started_ns = deploy.updated_ns = shown_ns
    deploy.snapshot = snapshot(world, service)
    _apply_faults(world, service, deploy)
    instant = not deploy.plan
    if not instant:
        service.updated_ns = max(shown_ns, service.updated_ns)
    why = said.trigger(service, deploy)
    native = service.details.get("runtime") in (*NATIVE_RUNTIMES, "docker") or service.type == "static_site"
    if native and not instant and deploy.plan[0][0] == "build_in_progress":
        events.emit(world, service, "build_started", {"buildId": said.build_id(deploy), "trigger": why}, at_ns)
    events.emit(world, service, "deploy_started", {"deployId": deploy.id, "trigger": why}, at_ns)
    _enter_next(world, service, deploy, at_ns)
    world.services.touch(service)


def _apply_faults(world: World, service: models.Service, deploy: models.Deploy) -> None:
    """Let a rule decide that this deploy will fail or hang."""
    limits = {
        "build_in_progress": world.settings.build_limit_s,
        "pre_deploy_in_progress": world.settings.pre_deploy_limit_s,
        "update_in_progress": world.settings.go_live_limit_s,
    }
    if not deploy.plan:
        return
    stuck = world.faults.on_lifecycle("deploy_stuck", service.id, service.name)
    if stuck is not None:
        phase = deploy.plan[-1] if stuck.params.get("phase") != "build" else deploy.plan[0]
        deploy.plan = deploy.plan[: deploy.plan.index(phase) + 1]
        deploy.timed_out_s = limits[str(phase[0])]
        phase[1] = FOREVER if stuck.params.get("forever") else deploy.timed_out_s
        if phase[1] == FOREVER:
            stuck.held.append(deploy.id)
        deploy.outcome = FAILED_PHASE[str(phase[0])]
        return
    if world.faults.on_lifecycle("build_failed", service.id, service.name) is not None:
        deploy.plan = deploy.plan[:1]
        deploy.outcome = FAILED_PHASE[str(deploy.plan[0][0])]
        deploy.unpullable = deploy.image is not None
    elif world.faults.on_lifecycle("deploy_failed", service.id, service.name) is not None:
        deploy.outcome = "update_failed"


def _enter_next(world: World, service: models.Service, deploy: models.Deploy, at_ns: int) -> None:
    if not deploy.plan:
        _finish(world, service, deploy, at_ns)
        return
    status, length = deploy.plan.pop(0)
    deploy.status = str(status)
    deploy.updated_ns = max(at_ns, deploy.updated_ns)
    deploy.due_ns = 0 if length == FOREVER else world.in_s(float(length), after_ns=at_ns)
    if deploy.status == "pre_deploy_in_progress":
        events.emit(world, service, "pre_deploy_started", _command(deploy), at_ns)
    world.deploys.touch(deploy)
    world.schedule("deploy", deploy)


def advance(world: World, deploy: models.Deploy) -> None:
    """End the present phase of a deploy."""
    service, at_ns = world.service(deploy.service_id), deploy.due_ns
    failing = not deploy.plan and deploy.outcome != "live"
    verdict = "failed" if failing else "succeeded"
    _end_phase(world, service, deploy, verdict, {"failure": said.failure(deploy)} if failing else {}, at_ns)
    if failing and deploy.status == "update_in_progress" and deploy.unpullable:
        details = {"message": "failed to pull image", "imageUrl": (deploy.image or {}).get("ref", "")}
        events.emit(world, service, "image_pull_failed", details, at_ns)
    _enter_next(world, service, deploy, at_ns)


def _end_phase(
    world: World, service: models.Service, deploy: models.Deploy, verdict: str, reason: Json, at_ns: int
) -> None:
    """Tell of the end of a build or a pre-deploy command."""
    if deploy.status == "build_in_progress":
        events.emit(world, service, "build_ended", said.ended_build(deploy, verdict, reason), at_ns)
        length_s = (at_ns - deploy.started_ns) / times.SECOND_NS
        metering.add_run(world, service.id, metering.BUILD, deploy.started_ns, length_s)
    elif deploy.status == "pre_deploy_in_progress":
        events.emit(world, service, "pre_deploy_ended", said.ended_command(deploy, verdict, reason), at_ns)


def _finish(world: World, service: models.Service, deploy: models.Deploy, at_ns: int) -> None:
    outcome = deploy.outcome
    if outcome == "live" and service.broken == "crash":
        outcome = "update_failed"
    _end(world, deploy, outcome, at_ns)
    if outcome == "live":
        _go_live(world, service, deploy, at_ns)
    verdict = "succeeded" if outcome == "live" else "failed"
    details = said.ended_deploy(deploy, verdict, said.reason(deploy, outcome))
    events.emit(world, service, "deploy_ended", details, at_ns)
    start_queued(world, service, at_ns)


def _end(world: World, deploy: models.Deploy, status: str, at_ns: int) -> None:
    deploy.status = status
    deploy.due_ns = 0
    deploy.plan = []
    deploy.finished_ns = deploy.updated_ns = max(at_ns, deploy.created_ns + 1_000)
    world.deploys.touch(deploy)


def _go_live(world: World, service: models.Service, deploy: models.Deploy, at_ns: int) -> None:
    previous = world.deploys.get(service.live_deploy_id) if service.live_deploy_id else None
    if previous is not None and previous.id != deploy.id:
        previous.status = "deactivated"
        previous.updated_ns = at_ns
        world.deploys.touch(previous)
    service.live_deploy_id = deploy.id
    service.running = {"deploy": deploy.id, **(deploy.snapshot or {})}
    service.started_ns = at_ns
    deploy.snapshot = None
    if service.type != "cron_job":
        service.updated_ns = max(at_ns, service.updated_ns)
        events.emit(world, service, "server_available", {}, at_ns)
    world.services.touch(service)
    metering.service(world, service, at_ns)


def start_queued(world: World, service: models.Service, at_ns: int) -> None:
    """Start the deploy that waited, if nothing else runs."""
    waiting = open_deploys(world, service)
    if waiting and all(item.status == "queued" for item in waiting):
        _start(world, service, waiting[-1], at_ns)


def cancel(world: World, deploy: models.Deploy, *, start_next: bool = True, replaced_by: str | None = None) -> None:
    """End an open deploy without effect."""
    service, now_ns = world.service(deploy.service_id), world.stamp_ns()
    began = bool(deploy.started_ns)
    reason: Json = {"newDeploy": {"id": replaced_by}} if replaced_by else {}
    _end_phase(world, service, deploy, "canceled", reason, now_ns)
    _end(world, deploy, "canceled", now_ns)
    deploy.snapshot = None
    if began:
        events.emit(world, service, "deploy_ended", said.ended_deploy(deploy, "canceled", reason), now_ns)
    if start_next:
        start_queued(world, service, world.now_ns())


def _command(deploy: models.Deploy) -> Json:
    return {"deployId": deploy.id, "deployCommandExecutionId": said.command_id(deploy)}
