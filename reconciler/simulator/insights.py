"""Answers the calls that look into a Postgres: who is connected, what is how large, what was asked of it.

Nothing really connects to a simulated database, so these agree with its metrics (steady connections, a share
of the disk used) and know no tables, scans or statements.
"""

from reconciler.simulator import checks, metrics, models, postgres, times
from reconciler.simulator.wire import Call, Json, Reply, Route, invalid

FIRST_PID = 1_000


def _find(call: Call) -> models.Postgres:
    item = call.world.postgres.get(call.params["id"])
    if item is None:
        raise call.world.missing(call.params["id"])
    if item.status != "available":
        raise invalid(f"database is not available: {item.status}")
    return item


def processes(call: Call) -> Reply:
    """Answer GET /postgres/{id}/query/processes: as many idle sessions as the metric counts connections."""
    item = _find(call)
    since = times.micro(item.created_ns)
    shown: list[Json] = [
        {
            "pid": FIRST_PID + number, "databaseName": item.database, "username": item.user, "state": "idle",
            "backendStart": since, "isLeader": False,
        }
        for number in range(int(metrics.STEADY["active-connections"]))
    ]  # fmt: skip
    return Reply(200, {"processes": shown})


def sizes(call: Call) -> Reply:
    """Answer GET /postgres/{id}/query/sizes: the database itself."""
    item = _find(call)
    used = round(item.disk_gb * metrics.GB * metrics.USED_SHARE)
    return Reply(200, {"sizes": [{"Database": item.database, "Bytes": used}]})


def table_scans(call: Call) -> Reply:
    """Answer GET /postgres/{id}/query/table-scans."""
    _find(call)
    return Reply(200, {"tableScans": []})


def top_queries(call: Call) -> Reply:
    """Answer GET /postgres/{id}/query/top-queries."""
    _find(call)
    return Reply(200, {"topQueries": []})


def set_up_replication(call: Call) -> Reply:
    """Answer POST /postgres/{id}/replication: of a publication only the restart it may ask for is seen here."""
    world, item, body = call.world, _find(call), call.body()
    checks.text(body, "schemaName")
    if checks.text(body, "databaseName") != item.database:
        raise world.missing(str(body["databaseName"]))
    if checks.flag(body, "restartNow"):
        postgres.begin(world, item, "config_restart", world.settings.postgres_restart_s)
    return Reply(201, {})


ROUTES = [
    Route("GET", "/postgres/{id}/query/processes", processes),
    Route("GET", "/postgres/{id}/query/sizes", sizes),
    Route("GET", "/postgres/{id}/query/table-scans", table_scans),
    Route("GET", "/postgres/{id}/query/top-queries", top_queries),
    Route("POST", "/postgres/{id}/replication", set_up_replication),
]
