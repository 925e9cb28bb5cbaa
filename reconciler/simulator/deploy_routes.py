"""Answers the calls on deploys: list, get, create (201 or queued 202), cancel, rollback.

Render API: recorded in privateservice/scaling (202, empty) and webservice/web_service (201).
"""

from reconciler.simulator import checks, deploys, lists, models, times
from reconciler.simulator.wire import Bucket, Call, Json, Reply, Route, accepted, invalid
from reconciler.simulator.world import World


def view(world: World, deploy: models.Deploy) -> Json:
    """Show a deploy; what has not happened yet is absent."""
    shown: Json = {"id": deploy.id}
    if deploy.commit is not None or world.settings.nulls_as_recorded:
        shown["commit"] = deploy.commit
    if deploy.image is not None:
        shown["image"] = deploy.image
    shown |= {
        "status": deploy.status, "trigger": deploy.trigger,
        "createdAt": times.micro(deploy.created_ns), "updatedAt": times.micro(deploy.updated_ns),
    }  # fmt: skip
    if deploy.started_ns:
        shown["startedAt"] = times.micro(deploy.started_ns)
    if deploy.finished_ns:
        shown["finishedAt"] = times.micro(deploy.finished_ns)
    return shown


def find(world: World, service: models.Service, key: str) -> models.Deploy:
    """Find a deploy of a service or refuse."""
    deploy = world.deploys.get(key)
    if deploy is None or deploy.service_id != service.id:
        raise world.missing(key)
    return deploy


def list_all(call: Call) -> Reply:
    """Answer GET /services/{id}/deploys, newest first."""
    world = call.world
    service = world.service(call.params["id"])
    wanted = (
        lists.Filters(call, models.Deploy)
        .one_of("status", lambda item: item.status)
        .between("created", lambda item: item.created_ns)
        .between("updated", lambda item: item.updated_ns)
        .between("finished", lambda item: item.finished_ns)
    )
    found = (world.deploys.get(key) for key in reversed(service.deploy_ids))
    items = [(item.id, view(world, item)) for item in found if item is not None and wanted.accept(item)]
    return lists.nested(call, items, "deploy")


def get_one(call: Call) -> Reply:
    """Answer GET /services/{id}/deploys/{deploy}."""
    service = call.world.service(call.params["id"])
    return Reply(200, view(call.world, find(call.world, service, call.params["deploy"])))


def create(call: Call) -> Reply:
    """Answer POST /services/{id}/deploys."""
    world, body = call.world, call.body()
    service = world.service(call.params["id"])
    checks.choice(body, "clearCache", ("clear", "do_not_clear"), "do_not_clear")
    mode = checks.choice(body, "deployMode", ("build_and_deploy", "deploy_only"), "build_and_deploy")
    commit_id, image = checks.optional_text(body, "commitId"), checks.optional_text(body, "imageUrl")
    _refuse(service, mode, commit_id, image)
    options = deploys.Options(
        trigger="api", clear_cache=body.get("clearCache") == "clear", deploy_only=mode == "deploy_only",
        commit_id=commit_id, image=image,
    )  # fmt: skip
    deploy, started = deploys.request(world, service, options)
    return Reply(201, view(world, deploy)) if started else accepted()


def _refuse(service: models.Service, mode: str, commit_id: str | None, image: str | None) -> None:
    if service.suspenders:
        raise invalid("service is suspended")
    if mode == "deploy_only" and (commit_id or image):
        raise invalid("deployMode deploy_only excludes commitId and imageUrl")
    if commit_id and service.type == "cron_job":
        raise invalid("commitId is not supported for cron jobs")
    if image and (service.image_path is None or _name_of(image) != _name_of(service.image_path)):
        raise invalid("imageUrl must keep the host, repository and image name of the service")


def _name_of(image: str) -> str:
    head, _, last = image.partition("@")[0].rpartition("/")
    return f"{head}/{last.partition(':')[0]}"


def cancel(call: Call) -> Reply:
    """Answer POST /services/{id}/deploys/{deploy}/cancel."""
    world = call.world
    service = world.service(call.params["id"])
    deploy = find(world, service, call.params["deploy"])
    if service.type == "cron_job":
        raise invalid("deploys of cron jobs cannot be canceled")
    if deploy.status not in deploys.IN_PROGRESS:
        raise invalid(f"deploy is not in progress: {deploy.status}")
    deploys.cancel(world, deploy)
    return Reply(200, view(world, deploy))


def rollback(call: Call) -> Reply:
    """Answer POST /services/{id}/rollback: a new deploy of an older build."""
    world = call.world
    service = world.service(call.params["id"])
    original = find(world, service, checks.text(call.body(), "deployId"))
    if service.suspenders:
        raise invalid("service is suspended")
    if original.status not in ("live", "deactivated"):
        raise invalid(f"deployId must name a deploy that was live, not one that is {original.status}")
    options = deploys.Options(trigger="rollback", rollback_of=original.id)
    deploy, _ = deploys.request(world, service, options)
    return Reply(201, view(world, deploy))


ROUTES = [
    Route("GET", "/services/{id}/deploys", list_all),
    Route("POST", "/services/{id}/deploys", create, Bucket.SERVICE),
    Route("GET", "/services/{id}/deploys/{deploy}", get_one),
    Route("POST", "/services/{id}/deploys/{deploy}/cancel", cancel),
    Route("POST", "/services/{id}/rollback", rollback),
]
