"""Answers the calls on webhooks, dedicated IP sets, maintenance runs, owners and users.

Render API: a webhook shows its secret; a set of addresses flaps between CREATING and PENDING for about 20 s
before it is RUNNING (recorded: webhook/webhooks_resource, dedicatedip/dedicated_ip).
"""

from reconciler.simulator import checks, entitlements, events, lists, maintenance, metering, models, times
from reconciler.simulator.event_types import WEBHOOK_TYPES
from reconciler.simulator.plans import REGIONS
from reconciler.simulator.smalls import drop, find
from reconciler.simulator.wire import Call, Json, Reply, Route, accepted, gone, invalid
from reconciler.simulator.world import World

# Seconds after creation, status, whether the addresses are there.
ADDRESS_STAGES = (
    (0.0, "PENDING", False),
    (6.0, "PENDING", True),
    (11.0, "CREATING", True),
    (16.0, "PENDING", True),
    (20.0, "RUNNING", True),
)
FIRST_ADDRESS = 217
ADDRESSES = 3
SHARED_ADDRESSES = ["198.51.100.10", "198.51.100.11", "198.51.100.12"]


# Webhooks


def _hook_view(item: models.Small) -> Json:
    body = item.body
    return {
        "enabled": body["enabled"], "eventFilter": body["eventFilter"], "id": item.id, "name": item.name,
        "secret": item.secret, "url": body["url"],
    }  # fmt: skip


def _event_filter(body: Json, default: list[str] | None) -> list[str] | None:
    if "eventFilter" not in body:
        return default
    if body["eventFilter"] is None:
        return None
    wanted = checks.texts(body, "eventFilter")
    unknown = [kind for kind in wanted if kind not in WEBHOOK_TYPES]
    if unknown:
        raise invalid(f"eventFilter: unknown event type: {unknown[0]}")
    return wanted


def _check_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise invalid(f"invalid url: {url}")
    return url


def post_hook(call: Call) -> Reply:
    """Answer POST /webhooks."""
    world, body = call.world, call.body()
    owner_id = world.accept_owner(checks.text(body, "ownerId"))
    name = checks.text(body, "name")
    entitlements.one_more_webhook(world)
    for required in ("enabled", "eventFilter"):
        if required not in body:
            raise invalid(f"{required} is required")
    content: Json = {
        "url": _check_url(checks.text(body, "url")),
        "enabled": checks.flag(body, "enabled", True),
        "eventFilter": _event_filter(body, []),
    }
    now_ns = world.stamp_ns()
    item = models.Small(
        world.ids.new("whk", now_ns), "webhook", owner_id, now_ns, now_ns,
        name=name, body=content, secret=world.ids.webhook_secret(),
    )  # fmt: skip
    world.webhook_ids.append(item.id)
    return Reply(201, _hook_view(world.smalls.add(item)))


def list_hooks(call: Call) -> Reply:
    """Answer GET /webhooks."""
    wanted = lists.Filters(call, models.Small).common().only(lambda item: item.kind == "webhook")
    return lists.page(call, call.world.smalls, "webhook", _hook_view, wanted)


def _hook(call: Call) -> models.Small:
    return find(call, call.params["id"], "webhook", call.params["id"])


def get_hook(call: Call) -> Reply:
    """Answer GET /webhooks/{id}."""
    return Reply(200, _hook_view(_hook(call)))


def patch_hook(call: Call) -> Reply:
    """Answer PATCH /webhooks/{id}."""
    world, item, body = call.world, _hook(call), call.body()
    url = _check_url(checks.text(body, "url", item.body["url"]))
    enabled = checks.flag(body, "enabled", item.body["enabled"])
    world.smalls.rename(item, checks.text(body, "name", item.name))
    item.body |= {"url": url, "enabled": enabled, "eventFilter": _event_filter(body, item.body["eventFilter"])}
    item.updated_ns = world.stamp_ns()
    return Reply(200, _hook_view(item))


def delete_hook(call: Call) -> Reply:
    """Answer DELETE /webhooks/{id}."""
    item = _hook(call)
    call.world.webhook_ids.remove(item.id)
    call.world.smalls.remove(item)
    return gone()


def list_sent(call: Call) -> Reply:
    """Answer GET /webhooks/{id}/events, newest first."""
    after, before = lists.instant(call.query, "sentAfter"), lists.instant(call.query, "sentBefore")
    items = []
    for line in reversed(_hook(call).body.get("sent", [])):
        sent_ns = times.parse(line["sentAt"])
        if (after is None or sent_ns > after) and (before is None or sent_ns < before):
            items.append((line["id"], line))
    return lists.nested(call, items, "webhookEvent")


# Dedicated IP sets


def _addresses_view(world: World, item: models.Small, *, nanos: bool = False) -> Json:
    # A stamp under a frozen clock lies a little ahead of it, hence the hundredth of a second.
    age_s = (world.now_ns() - item.created_ns) / times.SECOND_NS + 0.01
    at_s, status, there = [stage for stage in ADDRESS_STAGES if stage[0] <= max(0.0, age_s)][-1]
    if nanos:
        at_s, status, there = 0.0, "CREATING", False
    updated_ns = max(item.updated_ns, item.created_ns + times.seconds_ns(at_s))
    stamp = times.nano if nanos else times.micro
    return {
        "createdAt": stamp(item.created_ns), "description": item.body["description"],
        "environmentIds": item.body["environmentIds"], "id": item.id,
        "ips": item.body["ips"] if there else [], "name": item.name, "ownerId": item.owner_id,
        "region": item.body["region"], "status": status, "updatedAt": stamp(updated_ns),
    }  # fmt: skip


def post_addresses(call: Call) -> Reply:
    """Answer POST /dedicated-ips."""
    world, body = call.world, call.body()
    name = checks.text(body, "name")
    owner_id = world.accept_owner(checks.text(body, "ownerId"))
    now_ns = world.stamp_ns()
    content: Json = {
        "region": checks.choice(body, "region", REGIONS),
        "description": checks.optional_text(body, "description") or "",
        "environmentIds": checks.texts(body, "environmentIds"),
        "ips": [f"203.0.113.{(FIRST_ADDRESS + world.ids.counter * ADDRESSES + n) % 256}" for n in range(ADDRESSES)],
    }
    item = models.Small(
        world.ids.new("egs", now_ns), "addresses", owner_id, now_ns, now_ns, name=name, body=content
    )  # fmt: skip
    metering.record(world, item.id, name, "dedicated_ip", {"dedicated_ip": 1})
    return Reply(201, _addresses_view(world, world.smalls.add(item), nanos=True))


def list_addresses(call: Call) -> Reply:
    """Answer GET /dedicated-ips, a bare list; the workspace is required."""
    world = call.world
    if not call.values("ownerId"):
        raise invalid("ownerId is required")
    places = set(call.values("environmentId"))
    wanted = (
        lists.Filters(call, models.Small)
        .one_of("ownerId", lambda item: item.owner_id)
        .only(lambda item: item.kind == "addresses")
        .only(lambda item: not places or not places.isdisjoint(item.body["environmentIds"]))
    )
    return lists.bare(call, world.smalls, lambda item: _addresses_view(world, item), wanted)


def _addresses(call: Call) -> models.Small:
    return find(call, call.params["id"], "addresses", call.params["id"])


def get_addresses(call: Call) -> Reply:
    """Answer GET /dedicated-ips/{id}."""
    return Reply(200, _addresses_view(call.world, _addresses(call)))


def patch_addresses(call: Call) -> Reply:
    """Answer PATCH /dedicated-ips/{id}."""
    world, item, body = call.world, _addresses(call), call.body()
    if checks.optional_text(body, "description") is not None:
        item.body["description"] = body["description"]
    if body.get("environmentIds") is not None:
        item.body["environmentIds"] = checks.texts(body, "environmentIds")
    world.smalls.rename(item, checks.text(body, "name", item.name))
    item.updated_ns = world.stamp_ns()
    return Reply(200, _addresses_view(world, item))


def delete_addresses(call: Call) -> Reply:
    """Answer DELETE /dedicated-ips/{id}."""
    metering.close(call.world, call.params["id"])
    return drop(call, call.params["id"], "addresses", call.params["id"])


def outbound(call: Call) -> Reply:
    """Answer GET /services/{id}/outbound-ips: those of a set for its environment, of the workspace, or shared."""
    world = call.world
    service = world.service(call.params["id"])
    region = service.details.get("region", "oregon")
    for item in world.smalls.newest_first():
        if item.kind != "addresses" or item.owner_id != service.owner_id or item.body["region"] != region:
            continue
        shown, places = _addresses_view(world, item), item.body["environmentIds"]
        if shown["status"] == "RUNNING" and (not places or service.environment_id in places):
            return Reply(200, {"type": "dedicated", "ips": shown["ips"], "dedicatedIpId": item.id})
    return Reply(200, {"type": "shared", "ips": SHARED_ADDRESSES})


# Maintenance


Datastore = models.Postgres | models.KeyValue


def plan_maintenance(world: World, subject: Datastore, after_s: float) -> None:
    """Announce a maintenance run of a datastore."""
    if maintenance.shown(world, subject):
        raise invalid(f"maintenance of {subject.name} is planned already")
    now_ns = world.stamp_ns()
    content: Json = {
        "resourceId": subject.id, "state": "scheduled", "type": "database_upgrade", "manual": False,
        "starts_ns": world.in_s(after_s), "latest_ns": world.in_s(after_s + world.settings.maintenance_notice_s),
    }  # fmt: skip
    item = models.Small(world.ids.new("mrn", now_ns), "maintenance", subject.owner_id, now_ns, now_ns, body=content)
    item.due_ns = content["starts_ns"]
    subject.maintenance_id = item.id
    _touch(world, subject)
    world.smalls.add(item)
    world.schedule("small", item)


def _touch(world: World, subject: Datastore) -> None:
    if isinstance(subject, models.Postgres):
        world.postgres.touch(subject)
    else:
        world.key_values.touch(subject)


def advance(world: World, item: models.Small) -> None:
    """Start or end a maintenance run; the datastore is not available meanwhile."""
    at_ns, subject = item.due_ns, world.resource(item.body["resourceId"])
    if not isinstance(subject, (models.Postgres, models.KeyValue)):
        item.body["state"], item.due_ns = "cancelled", 0
    elif item.body["state"] == "scheduled":
        item.body["state"] = "in_progress"
        item.due_ns = world.in_s(world.settings.maintenance_s, after_ns=at_ns)
        manual = item.body["manual"]
        trigger = {"manual": manual, "startedByRender": not manual}
        events.emit(world, subject, "maintenance_started", {"trigger": trigger}, at_ns)
        if subject.status == "available":
            subject.status = "maintenance_in_progress"
            _touch(world, subject)
    else:
        item.body["state"], item.due_ns = "succeeded", 0
        events.emit(world, subject, "maintenance_ended", {}, at_ns)
        if subject.status == "maintenance_in_progress":
            subject.status = "available"
            _touch(world, subject)
    item.updated_ns = at_ns
    world.smalls.touch(item)
    world.schedule("small", item)


def _run_view(item: models.Small) -> Json:
    return {"resourceId": item.body["resourceId"], **maintenance.view(item)}


def list_runs(call: Call) -> Reply:
    """Answer GET /maintenance, a bare list."""
    wanted = (
        lists.Filters(call, models.Small)
        .common()
        .only(lambda item: item.kind == "maintenance")
        .one_of("resourceId", lambda item: item.body["resourceId"])
        .one_of("state", lambda item: item.body["state"])
    )
    return lists.bare(call, call.world.smalls, _run_view, wanted)


def _run(call: Call) -> models.Small:
    return find(call, call.params["id"], "maintenance", call.params["id"])


def get_run(call: Call) -> Reply:
    """Answer GET /maintenance/{id}."""
    return Reply(200, _run_view(_run(call)))


def _start_at(world: World, item: models.Small, starts_ns: int) -> Reply:
    if item.body["state"] != "scheduled":
        raise invalid(f"maintenance is {item.body['state']}")
    if not world.now_ns() <= starts_ns <= item.body["latest_ns"]:
        raise invalid(f"scheduledAt must lie between now and {times.micro(item.body['latest_ns'])}")
    item.due_ns = item.body["starts_ns"] = starts_ns
    world.smalls.touch(item)
    world.schedule("small", item)
    return accepted()


def move_run(call: Call) -> Reply:
    """Answer PATCH /maintenance/{id}."""
    at = checks.text(call.body(), "scheduledAt")
    try:
        return _start_at(call.world, _run(call), times.parse(at))
    except ValueError as error:
        raise invalid("scheduledAt must be an RFC 3339 time") from error


def trigger_run(call: Call) -> Reply:
    """Answer POST /maintenance/{id}/trigger."""
    item = _run(call)
    reply = _start_at(call.world, item, call.world.now_ns())
    item.body["manual"] = True
    return reply


# Owners and users


def list_owners(call: Call) -> Reply:
    """Answer GET /owners: the one workspace."""
    world = call.world
    owner = world.owner(world.owner_id)
    names, emails = call.values("name"), call.values("email")
    hidden = (names and owner["name"] not in names) or (emails and owner["email"] not in emails)
    return lists.nested(call, [] if hidden else [(world.owner_id, owner)], "owner")


def get_owner(call: Call) -> Reply:
    """Answer GET /owners/{id}."""
    return Reply(200, call.world.owner(call.world.accept_owner(call.params["id"])))


def list_members(call: Call) -> Reply:
    """Answer GET /owners/{id}/members, a bare list."""
    call.world.accept_owner(call.params["id"])
    member = {"userId": "usr-00000000000000000000", "name": "Owner", "email": "owner@example.com"}
    return Reply(200, [member | {"status": "active", "role": "ADMIN", "mfaEnabled": True}])


def get_user(_call: Call) -> Reply:
    """Answer GET /users: who the key belongs to."""
    return Reply(200, {"id": "usr-00000000000000000000", "email": "owner@example.com", "name": "Owner"})


ROUTES = [
    Route("POST", "/webhooks", post_hook),
    Route("GET", "/webhooks", list_hooks),
    Route("GET", "/webhooks/{id}", get_hook),
    Route("PATCH", "/webhooks/{id}", patch_hook),
    Route("DELETE", "/webhooks/{id}", delete_hook),
    Route("GET", "/webhooks/{id}/events", list_sent),
    Route("POST", "/dedicated-ips", post_addresses),
    Route("GET", "/dedicated-ips", list_addresses),
    Route("GET", "/dedicated-ips/{id}", get_addresses),
    Route("PATCH", "/dedicated-ips/{id}", patch_addresses),
    Route("DELETE", "/dedicated-ips/{id}", delete_addresses),
    Route("GET", "/services/{id}/outbound-ips", outbound),
    Route("GET", "/maintenance", list_runs),
    Route("GET", "/maintenance/{id}", get_run),
    Route("PATCH", "/maintenance/{id}", move_run),
    Route("POST", "/maintenance/{id}/trigger", trigger_run),
    Route("GET", "/owners", list_owners),
    Route("GET", "/owners/{id}", get_owner),
    Route("GET", "/owners/{id}/members", list_members),
    Route("GET", "/users", get_user),
]
