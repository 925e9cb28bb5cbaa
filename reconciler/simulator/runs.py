"""Runs one-off jobs and cron jobs, and answers the calls on them.

Render API: a job uses the service's latest build and variables; a cron job runs once at a time, a run by hand
cancels the running one first.
"""

from reconciler.simulator import checks, cron, events, lists, metering, models, plans, times
from reconciler.simulator.wire import Bucket, Call, Json, Reply, Route, gone, invalid
from reconciler.simulator.world import World

ENDED = frozenset({"succeeded", "failed", "canceled", "successful", "unsuccessful"})
MAX_CRON_RUN_S = 43_200.0
WITH_JOBS = ("web_service", "private_service", "background_worker", "cron_job")


def _add(world: World, run: models.Run) -> models.Run:
    world.runs.add(run)
    known = world.runs_of.setdefault(run.service_id, [])
    known.append(run.id)
    while len(known) > world.settings.keep_runs:
        old = world.runs.get(known[0])
        if old is not None and old.status not in ENDED:
            break
        known.pop(0)
        if old is not None:
            world.runs.remove(old)
    world.schedule("run", run)
    return run


def advance(world: World, run: models.Run) -> None:
    """Start or end a run."""
    service, at_ns, settings = world.services.get(run.service_id), run.due_ns, world.settings
    run.due_ns = 0
    if service is None:
        return
    if run.status == "pending" and not run.cron:
        run.status, run.started_ns = "running", at_ns
        run.due_ns = world.in_s(settings.job_run_s, after_ns=at_ns)
        world.schedule("run", run)
    else:
        endless = run.cron and settings.cron_run_s > MAX_CRON_RUN_S
        failed = service.broken == "crash" or endless
        words = ("unsuccessful", "successful") if run.cron else ("failed", "succeeded")
        _end(world, service, run, words[0] if failed else words[1], at_ns)
    world.runs.touch(run)


def _end(world: World, service: models.Service, run: models.Run, status: str, at_ns: int) -> None:
    run.status, run.finished_ns, run.due_ns = status, at_ns, 0
    plan = plans.JOB_PLANS.get(run.plan_id, str(service.details.get("plan")))
    if run.started_ns:
        metering.add_run(world, service.id, plan, run.started_ns, (at_ns - run.started_ns) / times.SECOND_NS)
    details: Json = {"cronJobRunId" if run.cron else "jobId": run.id, "status": status}
    if status in ("unsuccessful", "failed"):
        details["reason"] = {"evicted": False, "nonZeroExit": 1}
    if run.canceled_by:
        details["user"] = events.USER
    if status == "successful":
        service.last_run_ns = at_ns
        world.services.touch(service)
    events.emit(world, service, "cron_job_run_ended" if run.cron else "job_run_ended", details, at_ns)
    world.runs.touch(run)


def fire(world: World, service: models.Service) -> None:
    """Run a cron job because its time has come, and note when that is again."""
    at_ns = service.due_ns
    service.due_ns = 0 if service.suspenders else cron.next_ns(service.details["schedule"], at_ns)
    world.schedule("service", service)
    world.services.touch(service)
    if service.suspenders or service.running is None or _running(world, service) is not None:
        return
    _start(world, service, at_ns, None)


def _running(world: World, service: models.Service) -> models.Run | None:
    for key in reversed(world.runs_of.get(service.id, [])):
        run = world.runs.get(key)
        if run is not None and run.cron:
            return run if run.status not in ENDED else None  # one at a time, so only the newest can be running
    return None


def _start(world: World, service: models.Service, at_ns: int, by: str | None) -> models.Run:
    run = models.Run(
        id=world.ids.new("crr", at_ns), service_id=service.id, cron=True, status="pending", created_ns=at_ns,
        started_ns=at_ns, triggered_by=by,
        due_ns=world.in_s(min(world.settings.cron_run_s, MAX_CRON_RUN_S), after_ns=at_ns),
    )  # fmt: skip
    events.emit(world, service, "cron_job_run_started", {"cronJobRunId": run.id}, at_ns)
    return _add(world, run)


def _cron(call: Call) -> models.Service:
    service = call.world.service(call.params["id"])
    if service.type != "cron_job":
        raise invalid("not a cron job")
    return service


def _run_view(run: models.Run) -> Json:
    shown: Json = {"id": run.id, "status": run.status}
    if run.started_ns:
        shown["startedAt"] = times.micro(run.started_ns)
    if run.finished_ns:
        shown["finishedAt"] = times.micro(run.finished_ns)
    if run.triggered_by:
        shown["triggeredBy"] = run.triggered_by
    if run.canceled_by:
        shown["canceledBy"] = run.canceled_by
    return shown


def run_now(call: Call) -> Reply:
    """Answer POST /cron-jobs/{id}/runs."""
    world, service = call.world, _cron(call)
    if service.suspenders:
        raise invalid("service is suspended")
    running = _running(world, service)
    if running is not None:
        _cancel_run(world, service, running)
    return Reply(200, _run_view(_start(world, service, world.stamp_ns(), events.USER["email"])))


def _cancel_run(world: World, service: models.Service, run: models.Run) -> None:
    run.canceled_by = str(events.USER["email"])
    _end(world, service, run, "canceled", world.stamp_ns())


def cancel_run(call: Call) -> Reply:
    """Answer DELETE /cron-jobs/{id}/runs."""
    world, service = call.world, _cron(call)
    running = _running(world, service)
    if running is not None:
        _cancel_run(world, service, running)
    return gone()


def _job_view(run: models.Run) -> Json:
    shown: Json = {
        "id": run.id, "serviceId": run.service_id, "startCommand": run.command, "planId": run.plan_id,
        "createdAt": times.micro(run.created_ns), "status": run.status,
    }  # fmt: skip
    if run.started_ns:
        shown["startedAt"] = times.micro(run.started_ns)
    if run.finished_ns:
        shown["finishedAt"] = times.micro(run.finished_ns)
    return shown


def _job(call: Call) -> models.Run:
    run = call.world.runs.get(call.params["job"])
    if run is None or run.cron or run.service_id != call.params["id"]:
        raise call.world.missing(call.params["job"])
    return run


def _plan_id(service: models.Service, body: Json) -> str:
    """Read the plan of a job; without one it is that of the service."""
    own = next((key for key, plan in plans.JOB_PLANS.items() if plan == service.details.get("plan")), "plan-srv-006")
    return checks.choice(body, "planId", plans.JOB_PLANS, own)


def post_job(call: Call) -> Reply:
    """Answer POST /services/{id}/jobs."""
    world, body = call.world, call.body()
    service = world.service(call.params["id"])
    if service.type not in WITH_JOBS:
        raise invalid(f"jobs are not supported for {service.type}")
    if service.suspenders or service.live_deploy_id is None:
        raise invalid("jobs need a service with a live deploy")
    now_ns = world.stamp_ns()
    run = models.Run(
        id=world.ids.new("job", now_ns), service_id=service.id, cron=False, status="pending",
        created_ns=now_ns, command=checks.text(body, "startCommand"),
        plan_id=_plan_id(service, body),
        due_ns=world.in_s(world.settings.job_start_s),
    )  # fmt: skip
    return Reply(201, _job_view(_add(world, run)))


def list_jobs(call: Call) -> Reply:
    """Answer GET /services/{id}/jobs, newest first."""
    world, service = call.world, call.world.service(call.params["id"])
    wanted = (
        lists.Filters(call, models.Run)
        .only(lambda item: not item.cron)
        .one_of("status", lambda item: item.status)
        .between("created", lambda item: item.created_ns)
        .between("started", lambda item: item.started_ns)
        .between("finished", lambda item: item.finished_ns)
    )
    found = (world.runs.get(key) for key in reversed(world.runs_of.get(service.id, [])))
    items = [(run.id, _job_view(run)) for run in found if run is not None and wanted.accept(run)]
    return lists.nested(call, items, "job")


def get_job(call: Call) -> Reply:
    """Answer GET /services/{id}/jobs/{job}."""
    return Reply(200, _job_view(_job(call)))


def cancel_job(call: Call) -> Reply:
    """Answer POST /services/{id}/jobs/{job}/cancel."""
    world, run = call.world, _job(call)
    if run.status in ENDED:
        raise invalid(f"job has ended: {run.status}")
    _end(world, world.service(run.service_id), run, "canceled", world.stamp_ns())
    return Reply(200, _job_view(run))


ROUTES = [
    Route("POST", "/cron-jobs/{id}/runs", run_now),
    Route("DELETE", "/cron-jobs/{id}/runs", cancel_run),
    Route("POST", "/services/{id}/jobs", post_job, Bucket.JOB),
    Route("GET", "/services/{id}/jobs", list_jobs),
    Route("GET", "/services/{id}/jobs/{job}", get_job),
    Route("POST", "/services/{id}/jobs/{job}/cancel", cancel_job),
]
