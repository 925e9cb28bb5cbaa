"""Answers the calls on variables and secret files of a service.

Render API: PUT of the list replaces everything, re-creates all rows and answers in the order of the request;
GET shows the newest first; neither deploys nor moves `updatedAt` (recorded: webservice/env_var).
"""

from reconciler.simulator import checks, lists, models
from reconciler.simulator.wire import Call, Json, Reply, Route, gone, invalid
from reconciler.simulator.world import World

Rows = list[list[str]]
MAX_FILES_BYTES = 1_048_576


def variable_rows(world: World, given: list[Json], old: Rows) -> Rows:
    """Read variables: a value, or a request to generate one."""
    known = {key: value for _, key, value in old}
    rows: Rows = []
    seen: set[str] = set()
    for item in given:
        key = checks.text(item, "key")
        if key in seen:
            raise invalid(f"duplicate env var key: {key}")
        seen.add(key)
        rows.append([_row_id(world), key, variable_value(world, item, known.get(key))])
    return rows


def variable_value(world: World, item: Json, old: str | None) -> str:
    """Read or generate the value of one variable."""
    if item.get("generateValue"):
        if old is not None and not world.settings.generate_value_again:
            return old
        return world.ids.generated_value()
    value = item.get("value")
    if not isinstance(value, str):
        raise invalid("value must be a string (or generateValue true)")
    return value


def file_rows(world: World, given: list[Json]) -> Rows:
    """Read secret files."""
    rows: Rows = []
    seen: set[str] = set()
    for item in given:
        name = checks.text(item, "name")
        if name in seen:
            raise invalid(f"duplicate secret file name: {name}")
        seen.add(name)
        rows.append([_row_id(world), name, checks.optional_text(item, "content") or ""])
    _check_size(rows)
    return rows


def _check_size(rows: Rows) -> None:
    if sum(len(content.encode()) for _, _, content in rows) > MAX_FILES_BYTES:
        raise invalid("secretFiles must not exceed 1 MB in total")


def put_content(world: World, rows: Rows, name: str, body: Json) -> str:
    """Set the content of one secret file, if all together are not too large then."""
    content = checks.optional_text(body, "content") or ""
    _check_size([*(row for row in rows if row[1] != name), ["", name, content]])
    upsert(world, rows, name, content)
    return content


def _row_id(world: World) -> str:
    return world.ids.new("evr", world.now_ns())


def shown(rows: Rows, first: str, second: str) -> list[tuple[str, Json]]:
    """Show rows in their order."""
    return [(row_id, {first: name, second: value}) for row_id, name, value in rows]


def upsert(world: World, rows: Rows, name: str, value: str) -> None:
    """Set one row, in its place when it exists."""
    for row in rows:
        if row[1] == name:
            row[2] = value
            return
    rows.append([_row_id(world), name, value])


def drop(world: World, rows: Rows, name: str) -> None:
    """Remove one row or refuse."""
    row = find(world, rows, name)
    rows.remove(row)
    world.bury(row[0])


def find(world: World, rows: Rows, name: str) -> list[str]:
    """Find one row or refuse."""
    for row in rows:
        if row[1] == name:
            return row
    raise world.missing(name)


def _service(call: Call) -> models.Service:
    return call.world.service(call.params["id"])


def list_variables(call: Call) -> Reply:
    """Answer GET /services/{id}/env-vars."""
    return lists.nested(call, shown(_service(call).variables[::-1], "key", "value"), "envVar", "env")


def put_variables(call: Call) -> Reply:
    """Answer PUT /services/{id}/env-vars."""
    service, world = _service(call), call.world
    service.variables = variable_rows(world, call.items(), service.variables)
    world.services.touch(service)
    return Reply(200, lists.enveloped(shown(service.variables, "key", "value"), "envVar", "env"))


def get_variable(call: Call) -> Reply:
    """Answer GET /services/{id}/env-vars/{key}."""
    _, key, value = find(call.world, _service(call).variables, call.params["key"])
    return Reply(200, {"key": key, "value": value})


def put_variable(call: Call) -> Reply:
    """Answer PUT /services/{id}/env-vars/{key}."""
    service, world, key = _service(call), call.world, call.params["key"]
    old = next((row[2] for row in service.variables if row[1] == key), None)
    value = variable_value(world, call.body(), old)
    upsert(world, service.variables, key, value)
    world.services.touch(service)
    return Reply(200, {"key": key, "value": value})


def delete_variable(call: Call) -> Reply:
    """Answer DELETE /services/{id}/env-vars/{key}."""
    service = _service(call)
    drop(call.world, service.variables, call.params["key"])
    call.world.services.touch(service)
    return gone()


def list_files(call: Call) -> Reply:
    """Answer GET /services/{id}/secret-files."""
    return lists.nested(call, shown(_service(call).files[::-1], "name", "content"), "secretFile", "env")


def put_files(call: Call) -> Reply:
    """Answer PUT /services/{id}/secret-files."""
    service, world = _service(call), call.world
    service.files = file_rows(world, call.items())
    world.services.touch(service)
    return Reply(200, lists.enveloped(shown(service.files, "name", "content"), "secretFile", "env"))


def get_file(call: Call) -> Reply:
    """Answer GET /services/{id}/secret-files/{name}."""
    _, name, content = find(call.world, _service(call).files, call.params["name"])
    return Reply(200, {"name": name, "content": content})


def put_file(call: Call) -> Reply:
    """Answer PUT /services/{id}/secret-files/{name}."""
    service, world, name = _service(call), call.world, call.params["name"]
    content = put_content(world, service.files, name, call.body())
    world.services.touch(service)
    return Reply(world.settings.secret_file_put_status, {"name": name, "content": content})


def delete_file(call: Call) -> Reply:
    """Answer DELETE /services/{id}/secret-files/{name}."""
    service = _service(call)
    drop(call.world, service.files, call.params["name"])
    call.world.services.touch(service)
    return gone()


ROUTES = [
    Route("GET", "/services/{id}/env-vars", list_variables),
    Route("PUT", "/services/{id}/env-vars", put_variables),
    Route("GET", "/services/{id}/env-vars/{key}", get_variable),
    Route("PUT", "/services/{id}/env-vars/{key}", put_variable),
    Route("DELETE", "/services/{id}/env-vars/{key}", delete_variable),
    Route("GET", "/services/{id}/secret-files", list_files),
    Route("PUT", "/services/{id}/secret-files", put_files),
    Route("GET", "/services/{id}/secret-files/{name}", get_file),
    Route("PUT", "/services/{id}/secret-files/{name}", put_file),
    Route("DELETE", "/services/{id}/secret-files/{name}", delete_file),
]
