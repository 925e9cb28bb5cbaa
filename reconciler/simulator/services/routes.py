"""Answers the calls on services themselves.

Render API: POST 201 with `deployId`; suspend, resume and scale 202 and empty; DELETE 204.
"""

from reconciler.simulator import checks, deploys, entitlements, events, lists, metering, models, plans, times
from reconciler.simulator.services import change, create, state, view
from reconciler.simulator.services import details as details_of
from reconciler.simulator.wire import Bucket, Call, Reply, Route, accepted, gone, invalid


def _service(call: Call) -> models.Service:
    return call.world.service(call.params["id"])


def post(call: Call) -> Reply:
    """Answer POST /services."""
    service, deploy = create.create(call)
    return Reply(201, {"deployId": deploy.id, "service": view.show(call.world, service)})


def list_all(call: Call) -> Reply:
    """Answer GET /services."""
    world = call.world
    wanted = (
        lists.Filters(call, models.Service)
        .one_of("type", lambda item: item.type)
        .one_of("env", lambda item: item.details.get("runtime", "static"))
        .one_of("region", lambda item: item.details.get("region"))
        .one_of("suspended", lambda item: "suspended" if item.suspenders else "not_suspended")
        .common()
    )
    if not call.flag("includePreviews", True):
        wanted.only(lambda item: "parentServer" not in item.details)
    return lists.page(call, world.services, "service", lambda item: view.show(world, item), wanted)


def get_one(call: Call) -> Reply:
    """Answer GET /services/{id}."""
    return Reply(200, view.show(call.world, _service(call)))


def patch(call: Call) -> Reply:
    """Answer PATCH /services/{id}."""
    service = _service(call)
    change.patch(call.world, service, call.body())
    return Reply(200, view.show(call.world, service))


def delete(call: Call) -> Reply:
    """Answer DELETE /services/{id}."""
    state.delete(call.world, _service(call))
    return gone()


def suspend(call: Call) -> Reply:
    """Answer POST /services/{id}/suspend."""
    state.suspend(call.world, _service(call))
    return accepted()


def resume(call: Call) -> Reply:
    """Answer POST /services/{id}/resume."""
    state.resume(call.world, _service(call))
    return accepted()


def restart(call: Call) -> Reply:
    """Answer POST /services/{id}/restart."""
    state.restart(call.world, _service(call))
    return Reply(200, empty=True)


def scale(call: Call) -> Reply:
    """Answer POST /services/{id}/scale."""
    service = _service(call)
    instances = checks.whole(call.body(), "numInstances", (1, details_of.MAX_INSTANCES))
    state.scale(call.world, service, instances)
    return accepted()


def put_autoscaling(call: Call) -> Reply:
    """Answer PUT /services/{id}/autoscaling with its echo."""
    service, world = _service(call), call.world
    wanted = details_of.autoscaling(call.body())
    entitlements.needs_pro(world, True, "autoscaling")
    if service.type not in details_of.SCALABLE:
        raise invalid(f"autoscaling is not supported for {service.type}")
    if service.disk_id is not None or service.details.get("plan") == "free":
        raise invalid("autoscaling needs a paid plan and no disk")
    old = service.details.get("autoscaling")
    service.details["autoscaling"] = wanted
    world.services.touch(service)
    if old != wanted:
        change_of = {"toConfig": wanted} if old is None else {"fromConfig": old, "toConfig": wanted}
        events.emit(world, service, "autoscaling_config_changed", change_of)
    metering.service(world, service)
    return Reply(200, wanted)


def delete_autoscaling(call: Call) -> Reply:
    """Answer DELETE /services/{id}/autoscaling; numInstances stays what it was."""
    service = _service(call)
    old = service.details.pop("autoscaling", None)
    if old is not None:
        call.world.services.touch(service)
        details = {"fromConfig": old, "toConfig": old | {"enabled": False}}
        events.emit(call.world, service, "autoscaling_config_changed", details)
        metering.service(call.world, service)
    return gone()


def instances(call: Call) -> Reply:
    """Answer GET /services/{id}/instances, a bare list."""
    service = _service(call)
    if service.running is None or service.suspenders or service.type in ("cron_job", "static_site"):
        return Reply(200, [])
    started = times.micro(service.started_ns)
    return Reply(200, [{"id": key, "createdAt": started} for key in metering.instance_ids(service)])


def purge(call: Call) -> Reply:
    """Answer POST /services/{id}/cache/purge."""
    service = _service(call)
    if service.type != "web_service" or service.details.get("cache", {}).get("profile", "no-cache") == "no-cache":
        raise invalid("cache: the edge cache is not enabled")
    events.emit(call.world, service, "edge_cache_purged", {"trigger": events.BY_USER})
    return accepted()


def preview(call: Call) -> Reply:
    """Answer POST /services/{id}/preview: an image service once more, with another image."""
    parent = _service(call)
    body = call.body()
    image = details_of.canonical_image(checks.text(body, "imagePath"))
    if parent.image_path is None:
        raise invalid("previews by API are only supported for image services")
    plan = checks.choice(body, "plan", plans.PLANS_OF[parent.type], parent.details["plan"])
    world, now_ns = call.world, call.world.stamp_ns()
    name = checks.text(body, "name", f"{parent.name}-preview-{world.ids.suffix()}")
    child = models.Service(
        id=world.ids.new("srv", now_ns), type=parent.type, name=create.check_name(world, name, parent.owner_id),
        slug=create.slug_for(world, parent.type, name), owner_id=parent.owner_id, created_ns=now_ns,
        updated_ns=now_ns, image_path=image,
        details={**parent.details, "plan": plan, "parentServer": {"id": parent.id, "name": parent.name}},
        variables=[list(row) for row in parent.variables], files=[list(row) for row in parent.files],
    )  # fmt: skip
    world.services.add(child)
    world.slugs[child.slug] = child.id
    deploy, _ = deploys.request(world, child, deploys.Options(trigger="api"))
    metering.service(world, child)
    return Reply(200, {"deployId": deploy.id, "service": view.show(world, child)})


ROUTES = [
    Route("POST", "/services", post, Bucket.CREATE),
    Route("GET", "/services", list_all),
    Route("GET", "/services/{id}", get_one),
    Route("PATCH", "/services/{id}", patch, Bucket.SERVICE),
    Route("DELETE", "/services/{id}", delete),
    Route("POST", "/services/{id}/suspend", suspend, Bucket.SUSPEND),
    Route("POST", "/services/{id}/resume", resume, Bucket.SUSPEND),
    Route("POST", "/services/{id}/restart", restart),
    Route("POST", "/services/{id}/scale", scale, Bucket.SERVICE),
    Route("PUT", "/services/{id}/autoscaling", put_autoscaling),
    Route("DELETE", "/services/{id}/autoscaling", delete_autoscaling),
    Route("GET", "/services/{id}/instances", instances),
    Route("POST", "/services/{id}/cache/purge", purge),
    Route("POST", "/services/{id}/preview", preview),
]
