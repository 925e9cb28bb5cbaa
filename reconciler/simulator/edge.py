"""Answers the calls on header and route rules of static sites.

Render API: PUT replaces all, gives new ids even to equal rules and answers `null` for none; headers are shown
newest first, routes by priority (recorded: staticsite/static_site). One header added, and one route moved, come
wrapped in `headers`, so the published schema says; one route added comes bare.
"""

from reconciler.simulator import checks, lists, models
from reconciler.simulator.wire import Call, Json, Reply, Route, gone, invalid
from reconciler.simulator.world import World


def header(world: World, given: Json) -> Json:
    """Make a header rule."""
    return {
        "id": world.ids.new("hdr", world.now_ns()), "name": checks.text(given, "name"),
        "path": checks.text(given, "path"), "value": checks.text(given, "value"),
    }  # fmt: skip


def route(world: World, given: Json) -> Json:
    """Make a route rule; its priority is given by its place."""
    return {
        "destination": checks.text(given, "destination"), "id": world.ids.new("rdr", world.now_ns()),
        "priority": 0, "source": checks.text(given, "source"),
        "type": checks.choice(given, "type", ("redirect", "rewrite")),
    }  # fmt: skip


def numbered(routes: list[Json]) -> list[Json]:
    """Give routes their priorities: the index in the list."""
    for index, item in enumerate(routes):
        item["priority"] = index
    return routes


def _site(call: Call) -> models.Service:
    service = call.world.service(call.params["id"])
    if service.type != "static_site":
        raise invalid("headers and routes are only supported for static sites")
    return service


def _matching(call: Call, items: list[Json], fields: tuple[str, ...]) -> list[tuple[str, Json]]:
    wanted = {field: set(call.values(field)) for field in fields}
    return [
        (item["id"], item)
        for item in items
        if all(not values or item[field] in values for field, values in wanted.items())
    ]  # fmt: skip


def list_headers(call: Call) -> Reply:
    """Answer GET /services/{id}/headers."""
    items = _matching(call, _site(call).headers[::-1], ("path", "name", "value"))
    return lists.nested(call, items, "header")


def put_headers(call: Call) -> Reply:
    """Answer PUT /services/{id}/headers."""
    service = _site(call)
    service.headers = [header(call.world, item) for item in call.items()]
    call.world.services.touch(service)
    return Reply(200, call.world.listed(service.headers))


def add_header(call: Call) -> Reply:
    """Answer POST /services/{id}/headers."""
    service = _site(call)
    made = header(call.world, call.body())
    service.headers.append(made)
    call.world.services.touch(service)
    return Reply(201, {"headers": made})


def delete_header(call: Call) -> Reply:
    """Answer DELETE /services/{id}/headers/{rule}."""
    service = _site(call)
    rule = _rule(call, service.headers)
    service.headers.remove(rule)
    call.world.bury(rule["id"])
    call.world.services.touch(service)
    return gone()


def _rule(call: Call, rules: list[Json]) -> Json:
    for item in rules:
        if item["id"] == call.params["rule"]:
            return item
    raise call.world.missing(call.params["rule"])


def list_routes(call: Call) -> Reply:
    """Answer GET /services/{id}/routes."""
    return lists.nested(call, _matching(call, _site(call).routes, ("type", "source", "destination")), "route")


def put_routes(call: Call) -> Reply:
    """Answer PUT /services/{id}/routes."""
    service = _site(call)
    service.routes = numbered([route(call.world, item) for item in call.items()])
    call.world.services.touch(service)
    return Reply(200, call.world.listed(service.routes))


def add_route(call: Call) -> Reply:
    """Answer POST /services/{id}/routes; last unless a priority is given."""
    service, body = _site(call), call.body()
    last = len(service.routes)
    at = checks.whole(body, "priority", (0, 10_000), last)
    made = route(call.world, body)
    service.routes.insert(min(at, last), made)
    numbered(service.routes)
    call.world.services.touch(service)
    return Reply(201, made)


def move_route(call: Call) -> Reply:
    """Answer PATCH /services/{id}/routes/{rule}: another priority."""
    service, body = _site(call), call.body()
    rule = _rule(call, service.routes)
    priority = checks.whole(body, "priority", (0, 10_000))
    service.routes.remove(rule)
    service.routes.insert(min(priority, len(service.routes)), rule)
    numbered(service.routes)
    call.world.services.touch(service)
    return Reply(200, {"headers": rule})


def move_route_by_body(call: Call) -> Reply:
    """Answer PATCH /services/{id}/routes, which names the rule in its body."""
    call.params["rule"] = checks.text(call.body(), "id" if "id" in call.body() else "routeId")
    return move_route(call)


def delete_route(call: Call) -> Reply:
    """Answer DELETE /services/{id}/routes/{rule}."""
    service = _site(call)
    service.routes.remove(_rule(call, service.routes))
    numbered(service.routes)
    call.world.services.touch(service)
    return gone()


ROUTES = [
    Route("GET", "/services/{id}/headers", list_headers),
    Route("PUT", "/services/{id}/headers", put_headers),
    Route("POST", "/services/{id}/headers", add_header),
    Route("DELETE", "/services/{id}/headers/{rule}", delete_header),
    Route("GET", "/services/{id}/routes", list_routes),
    Route("PUT", "/services/{id}/routes", put_routes),
    Route("POST", "/services/{id}/routes", add_route),
    Route("PATCH", "/services/{id}/routes", move_route_by_body),
    Route("PATCH", "/services/{id}/routes/{rule}", move_route),
    Route("DELETE", "/services/{id}/routes/{rule}", delete_route),
]
