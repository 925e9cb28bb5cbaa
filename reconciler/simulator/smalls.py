"""Answers the calls on what is hardly more than its settings: notifications, log and metrics streams, credentials.

Render API: a notification override always exists, a log stream override is 404 when unset (recorded 421 times);
a registry credential is created with 200 and never shows its token (recorded: notifications/notifications_resource,
logstreams/log_streams_resource, metricstream/metric_streams_resource).
"""

from reconciler.simulator import checks, lists, models, times
from reconciler.simulator.wire import Bucket, Call, Json, Reply, Route, gone, invalid
from reconciler.simulator.world import World

SEND = ("all", "failure", "none", "default")
PREVIEW = ("true", "false", "default")
REGISTRIES = ("GITHUB", "GITLAB", "DOCKER", "GOOGLE_ARTIFACT", "AWS_ECR")
PROVIDERS = (
    "BETTER_STACK", "GRAFANA", "DATADOG", "NEW_RELIC", "HONEYCOMB", "SIGNOZ", "GROUNDCOVER", "LOGFIRE", "CUSTOM",
)  # fmt: skip


def keep(world: World, key: str, kind: str, owner_id: str, body: Json) -> models.Small:
    """Set a resource that exists once per something, such as the log stream of a workspace."""
    now_ns = world.stamp_ns()
    item = world.smalls.get(key)
    if item is None:
        return world.smalls.add(models.Small(key, kind, owner_id, now_ns, now_ns, body=body))
    item.body, item.updated_ns = body, now_ns
    world.smalls.touch(item)
    return item


def find(call: Call, key: str, kind: str, shown_as: str) -> models.Small:
    """Find a small resource or refuse."""
    item = call.world.smalls.get(key)
    if item is None or item.kind != kind:
        raise call.world.missing(shown_as)
    return item


def drop(call: Call, key: str, kind: str, shown_as: str) -> Reply:
    """Remove a small resource."""
    call.world.smalls.remove(find(call, key, kind, shown_as))
    return gone()


# Notifications


def override_view(service: models.Service) -> Json:
    """Show the notification override of a service."""
    return {
        "notificationsToSend": service.notifications,
        "previewNotificationsEnabled": service.preview_notifications,
        "serviceId": service.id,
    }


def get_override(call: Call) -> Reply:
    """Answer GET /notification-settings/overrides/services/{id}."""
    return Reply(200, override_view(call.world.service(call.params["id"])))


def patch_override(call: Call) -> Reply:
    """Answer PATCH /notification-settings/overrides/services/{id}."""
    world, body = call.world, call.body()
    service = world.service(call.params["id"])
    send = checks.choice(body, "notificationsToSend", SEND, service.notifications)
    preview = checks.choice(body, "previewNotificationsEnabled", PREVIEW, service.preview_notifications)
    service.notifications, service.preview_notifications = send, preview
    world.services.touch(service)
    return Reply(200, override_view(service))


def list_overrides(call: Call) -> Reply:
    """Answer GET /notification-settings/overrides."""
    wanted = (
        lists.Filters(call, models.Service)
        .one_of("ownerId", lambda item: item.owner_id)
        .one_of("serviceId", lambda item: item.id)
        .only(lambda item: (item.notifications, item.preview_notifications) != ("default", "default"))
    )
    return lists.page(call, call.world.services, "override", override_view, wanted)


def _owner_settings(world: World, owner_id: str) -> Json:
    item = world.smalls.get(f"set-{owner_id}-notifications")
    default = {
        "emailEnabled": True,
        "notificationsToSend": "failure",
        "ownerId": owner_id,
        "previewNotificationsEnabled": False,
        "slackEnabled": False,
    }
    return default if item is None else item.body


def get_owner_settings(call: Call) -> Reply:
    """Answer GET /notification-settings/owners/{id}."""
    return Reply(200, _owner_settings(call.world, call.world.accept_owner(call.params["id"])))


def patch_owner_settings(call: Call) -> Reply:
    """Answer PATCH /notification-settings/owners/{id}."""
    world, body = call.world, call.body()
    owner_id = world.accept_owner(call.params["id"])
    old = _owner_settings(world, owner_id)
    new = {
        "emailEnabled": checks.flag(body, "emailEnabled", old["emailEnabled"]),
        "notificationsToSend": checks.choice(body, "notificationsToSend", SEND[:3], old["notificationsToSend"]),
        "ownerId": owner_id,
        "previewNotificationsEnabled": checks.flag(
            body, "previewNotificationsEnabled", old["previewNotificationsEnabled"]
        ),
        "slackEnabled": checks.flag(body, "slackEnabled", old["slackEnabled"]),
    }
    keep(world, f"set-{owner_id}-notifications", "notifications", owner_id, new)
    return Reply(200, new)


# Log streams


def _stream_view(item: models.Small) -> Json:
    return {"endpoint": item.body["endpoint"], "resourceId": item.body["resourceId"], "setting": item.body["setting"]}


def get_log_override(call: Call) -> Reply:
    """Answer GET /logs/streams/resource/{id}."""
    key = call.params["id"]
    return Reply(200, _stream_view(find(call, f"log-{key}", "log_override", key)))


def put_log_override(call: Call) -> Reply:
    """Answer PUT /logs/streams/resource/{id}."""
    world, key, body = call.world, call.params["id"], call.body()
    resource = world.resource(key)
    if resource is None or isinstance(resource, models.Group):
        raise world.missing(key)
    setting = checks.choice(body, "setting", ("send", "drop"))
    endpoint = checks.optional_text(body, "endpoint") or ""
    content = {"endpoint": endpoint, "resourceId": key, "setting": setting}
    return Reply(200, _stream_view(keep(world, f"log-{key}", "log_override", resource.owner_id, content)))


def delete_log_override(call: Call) -> Reply:
    """Answer DELETE /logs/streams/resource/{id}."""
    key = call.params["id"]
    return drop(call, f"log-{key}", "log_override", key)


def list_log_overrides(call: Call) -> Reply:
    """Answer GET /logs/streams/resource, a bare list."""
    wanted = (
        lists.Filters(call, models.Small)
        .only(lambda item: item.kind == "log_override")
        .one_of("ownerId", lambda item: item.owner_id)
        .one_of("logStreamId", lambda item: f"own-{item.owner_id[4:]}")
        .one_of("resourceId", lambda item: item.body["resourceId"])
        .one_of("setting", lambda item: item.body["setting"])
    )
    return lists.bare(call, call.world.smalls, _stream_view, wanted)


def get_owner_stream(call: Call) -> Reply:
    """Answer GET /logs/streams/owner/{id}."""
    owner_id = call.params["id"]
    return Reply(200, find(call, f"set-{owner_id}-logs", "log_stream", owner_id).body)


def put_owner_stream(call: Call) -> Reply:
    """Answer PUT /logs/streams/owner/{id}; the token is not shown again."""
    world, body = call.world, call.body()
    owner_id = world.accept_owner(call.params["id"])
    preview = checks.choice(body, "preview", ("send", "drop"))
    content = {"endpoint": checks.optional_text(body, "endpoint") or "", "ownerId": owner_id, "preview": preview}
    return Reply(200, keep(world, f"set-{owner_id}-logs", "log_stream", owner_id, content).body)


def delete_owner_stream(call: Call) -> Reply:
    """Answer DELETE /logs/streams/owner/{id}."""
    owner_id = call.params["id"]
    return drop(call, f"set-{owner_id}-logs", "log_stream", owner_id)


# Metrics stream


def get_metrics_stream(call: Call) -> Reply:
    """Answer GET /metrics-stream/{id}."""
    owner_id = call.params["id"]
    return Reply(200, find(call, f"set-{owner_id}-metrics", "metrics_stream", owner_id).body)


def put_metrics_stream(call: Call) -> Reply:
    """Answer PUT /metrics-stream/{id}: what is absent stays; the token is not shown again."""
    world, body = call.world, call.body()
    owner_id = world.accept_owner(call.params["id"])
    known = world.smalls.get(f"set-{owner_id}-metrics")
    old = known.body if known is not None else {}
    provider = checks.choice(body, "provider", PROVIDERS, old.get("provider"))
    content = {"ownerId": owner_id, "provider": provider, "url": checks.text(body, "url", old.get("url", ""))}
    return Reply(200, keep(world, f"set-{owner_id}-metrics", "metrics_stream", owner_id, content).body)


def delete_metrics_stream(call: Call) -> Reply:
    """Answer DELETE /metrics-stream/{id}."""
    owner_id = call.params["id"]
    return drop(call, f"set-{owner_id}-metrics", "metrics_stream", owner_id)


# Registry credentials


def credential_view(item: models.Small) -> Json:
    """Show a registry credential; its token never."""
    return {"id": item.id, "name": item.name, **item.body, "updatedAt": times.micro(item.updated_ns)}


def post_credential(call: Call) -> Reply:
    """Answer POST /registrycredentials with 200."""
    world, body = call.world, call.body()
    name = checks.text(body, "name")
    content = {
        "registry": checks.choice(body, "registry", REGISTRIES),
        "username": checks.text(body, "username"),
    }
    token = checks.text(body, "authToken")
    owner_id = world.accept_owner(checks.text(body, "ownerId"))
    now_ns = world.stamp_ns()
    item = models.Small(
        world.ids.new("rgc", now_ns), "registry", owner_id, now_ns, now_ns, name=name, body=content, secret=token
    )
    return Reply(200, credential_view(world.smalls.add(item)))


def list_credentials(call: Call) -> Reply:
    """Answer GET /registrycredentials, a bare list."""
    wanted = (
        lists.Filters(call, models.Small)
        .common()
        .only(lambda item: item.kind == "registry")
        .one_of("username", lambda item: item.body["username"])
        .one_of("type", lambda item: item.body["registry"])
    )
    return lists.bare(call, call.world.smalls, credential_view, wanted)


def get_credential(call: Call) -> Reply:
    """Answer GET /registrycredentials/{id}."""
    return Reply(200, credential_view(find(call, call.params["id"], "registry", call.params["id"])))


def patch_credential(call: Call) -> Reply:
    """Answer PATCH /registrycredentials/{id}."""
    world, body = call.world, call.body()
    item = find(call, call.params["id"], "registry", call.params["id"])
    registry = checks.choice(body, "registry", REGISTRIES, item.body["registry"])
    username = checks.text(body, "username", item.body["username"])
    world.smalls.rename(item, checks.text(body, "name", item.name))
    item.body = {"registry": registry, "username": username}
    item.secret = checks.text(body, "authToken", item.secret)
    item.updated_ns = world.stamp_ns()
    return Reply(200, credential_view(item))


def delete_credential(call: Call) -> Reply:
    """Answer DELETE /registrycredentials/{id}; refused while a service uses it."""
    key = call.params["id"]
    users = [item for item in call.world.services.rows.values() if item.registry_credential_id == key]
    if users:
        raise invalid(f"registry credential is in use by {users[0].name}")
    return drop(call, key, "registry", key)


ROUTES = [
    Route("GET", "/notification-settings/overrides", list_overrides),
    Route("GET", "/notification-settings/overrides/services/{id}", get_override),
    Route("PATCH", "/notification-settings/overrides/services/{id}", patch_override),
    Route("GET", "/notification-settings/owners/{id}", get_owner_settings),
    Route("PATCH", "/notification-settings/owners/{id}", patch_owner_settings),
    Route("GET", "/logs/streams/resource", list_log_overrides),
    Route("GET", "/logs/streams/resource/{id}", get_log_override),
    Route("PUT", "/logs/streams/resource/{id}", put_log_override),
    Route("DELETE", "/logs/streams/resource/{id}", delete_log_override),
    Route("GET", "/logs/streams/owner/{id}", get_owner_stream, Bucket.LOG_STREAM),
    Route("PUT", "/logs/streams/owner/{id}", put_owner_stream, Bucket.LOG_STREAM),
    Route("DELETE", "/logs/streams/owner/{id}", delete_owner_stream, Bucket.LOG_STREAM),
    Route("GET", "/metrics-stream/{id}", get_metrics_stream),
    Route("PUT", "/metrics-stream/{id}", put_metrics_stream),
    Route("DELETE", "/metrics-stream/{id}", delete_metrics_stream),
    Route("POST", "/registrycredentials", post_credential),
    Route("GET", "/registrycredentials", list_credentials),
    Route("GET", "/registrycredentials/{id}", get_credential),
    Route("PATCH", "/registrycredentials/{id}", patch_credential),
    Route("DELETE", "/registrycredentials/{id}", delete_credential),
]
