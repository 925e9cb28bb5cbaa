"""Tells the audit log of the workspace from the accepted writes.

Render API: who changed what, under names of events that are fixed; changes without such a name are not listed.
"""

import re
from itertools import islice

from reconciler.simulator import lists, models, times
from reconciler.simulator.wire import Call, Json, Reply, Route

MAX_LIMIT = 1_000
NAMES: list[tuple[str, str]] = [
    (r"POST /v1/services", "CreateServerEvent"),
    (r"DELETE /v1/services/crn-[^/]+", "DeleteCronJobEvent"),
    (r"DELETE /v1/services/[^/]+", "DeleteServerEvent"),
    (r"POST /v1/postgres/[^/]+/suspend", "SuspendPostgresEvent"),
    (r"POST /v1/postgres/[^/]+/resume", "ResumePostgresEvent"),
    (r"POST /v1/[^/]+/[^/]+/suspend|HUMAN .*suspend", "SuspendServiceEvent"),
    (r"POST /v1/[^/]+/[^/]+/resume|HUMAN .*resume", "ResumeServiceEvent"),
    (r"PUT .*/(env-vars|secret-files).*|HUMAN .*(env-set|group-var-set)", "UpdateEnvVarsEvent"),
    (r"DELETE .*/(env-vars|secret-files)/.*|HUMAN .*(env-delete|group-var-delete)", "DeleteEnvVarsEvent"),
    (r"POST /v1/env-groups", "CreateEnvVarsEvent"),
    (r"DELETE /v1/env-groups/[^/]+|HUMAN .*group-delete", "DeleteEnvGroupEvent"),
    (r"POST /v1/disks", "CreateServerDiskEvent"),
    (r"DELETE /v1/disks/[^/]+|HUMAN .*disk-remove", "DeleteServerDiskEvent"),
    (r"POST /v1/disks/[^/]+/snapshots/restore", "RestoreDiskSnapshotEvent"),
    (r"POST /v1/postgres", "CreatePostgresEvent"),
    (r"DELETE /v1/postgres/[^/]+", "DeletePostgresEvent"),
    (r"POST /v1/(key-value|redis)", "CreateRedisEvent"),
    (r"DELETE /v1/(key-value|redis)/[^/]+", "DeleteRedisEvent"),
    (r"POST /v1/projects", "CreateProjectEvent"),
    (r"DELETE /v1/projects/[^/]+", "DeleteProjectEvent"),
    (r"POST /v1/environments", "CreateEnvironmentEvent"),
    (r"DELETE /v1/environments/[^/]+", "DeleteEnvironmentEvent"),
    (r"(POST|DELETE) /v1/environments/[^/]+/resources|HUMAN .*env-move", "MoveEnvironmentResourceEvent"),
    (r"POST /v1/webhooks", "CreateWebhookEvent"),
    (r"PATCH /v1/webhooks/[^/]+", "UpdateWebhookEvent"),
    (r"DELETE /v1/webhooks/[^/]+", "DeleteWebhookEvent"),
    (r"PUT /v1/metrics-stream/[^/]+", "CreateOtelIntegrationEvent"),
    (r"DELETE /v1/metrics-stream/[^/]+", "DeleteOtelIntegrationEvent"),
    (r"HUMAN .*/rename", "UpdateServiceNameEvent"),
    (r"HUMAN .*/delete", "DeleteServerEvent"),
]
PATTERNS = [(re.compile(pattern), name) for pattern, name in NAMES]


def name_of(write: models.Write) -> str | None:
    """Name the event of a write; None when Render has no name for it."""
    text = f"{write.method} {write.path}"
    found = next((name for pattern, name in PATTERNS if pattern.fullmatch(text)), None)
    if found == "CreateServerEvent" and any(key.startswith("crn-") for key in write.affected):
        return "CreateCronJobEvent"
    return found


def list_all(call: Call) -> Reply:
    """Answer GET /owners/{id}/audit-logs, newest first unless asked otherwise."""
    world, limit, tail = call.world, lists.limit_of(call, MAX_LIMIT), lists.tail_of(call)
    world.accept_owner(call.params["id"])
    start, end = lists.instant(call.query, "startTime"), lists.instant(call.query, "endTime")
    wanted = set(call.values("event"))
    items: list[tuple[str, Json]] = []
    behind = tail is None
    forward = call.value("direction") == "forward"
    for write in world.writes if forward else reversed(world.writes):
        if not behind:
            behind = write.id.endswith(tail or "")
            continue
        name = name_of(write)
        inside = (start is None or write.at_ns >= start) and (end is None or write.at_ns <= end)
        if name is not None and inside and (not wanted or name in wanted):
            items.append((write.id, _view(write, name)))
    return Reply(200, lists.enveloped(list(islice(items, limit)), "auditLog"))


def _view(write: models.Write, name: str) -> Json:
    actor: Json = {"type": "user", "email": "owner@example.com", "id": "usr-00000000000000000000"}
    if write.cause != "human":
        actor["type"] = "rest_api"
    return {
        "id": write.id, "timestamp": times.micro(write.at_ns), "event": name, "status": "success",
        "actor": actor, "metadata": {"path": write.path, "resourceIds": ",".join(write.affected)},
    }  # fmt: skip


ROUTES = [Route("GET", "/owners/{id}/audit-logs", list_all)]
