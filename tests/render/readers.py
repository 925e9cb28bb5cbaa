"""Reads any answer the way the client does: parsed, normalised, and every text of it forced into the open."""

import re
from datetime import UTC, datetime

from reconciler.core.kinds import Kind
from reconciler.render import events, normalise, wire
from tests.render.recorded import ID, Pair

SEEN = datetime(2026, 9, 1, tzinfo=UTC)


def observe(kind, parsed):
    match kind:
        case Kind.POSTGRES:
            return normalise.postgres(parsed, SEEN)
        case Kind.KEY_VALUE:
            return normalise.key_value(parsed, SEEN)
        case Kind.ENV_GROUP:
            return normalise.env_group(parsed, SEEN)
        case Kind.PROJECT:
            return normalise.project(parsed, SEEN)
        case Kind.ENVIRONMENT:
            return normalise.environment(parsed, SEEN)
        case _:
            return normalise.service(parsed, kind, SEEN)


def one(model, kind=None):
    """Read one object, and normalise it as a kind."""
    if kind is None:
        return lambda result: result.parse(model)
    return lambda result: observe(kind, result.parse(model))


def many(model, field, key=""):
    """Read a list, and answer one field of each item."""
    return lambda result: [getattr(item, field) for item, _ in result.items(model, key)]


def connection(result):
    found = result.parse(wire.ConnectionInfo)
    kind = Kind.POSTGRES if found.password else Kind.KEY_VALUE
    attributes = normalise.connection(kind, found)
    assert attributes["connectionString"].reveal().startswith("postgres" if found.password else "redis://")
    return attributes


def whole(model, kind, key=""):
    """Read a list of objects, and normalise each as a kind."""
    return lambda result: [observe(kind, item) for item, _ in result.items(model, key)]


def events_of(result):
    """Read events down to the phrase that they come to, and whether each is of a type we ask for."""
    found = [item for item, _ in result.items(wire.ServiceEvent, "event")]
    return [events.failure(found), *(item.id for item in found)]


GROUP = one(wire.EnvGroup, Kind.ENV_GROUP)
OBJECT = "GET|PATCH"
READERS = [
    (r"/owners", "GET", many(wire.Owner, "id", "owner")),
    (r"/services", "POST", lambda result: service(result.parse(wire.Created).service)),
    (r"/services", "GET", lambda result: [service(item) for item, _ in result.items(wire.Service, "service")]),
    (rf"/services/{ID}", OBJECT, lambda result: service(result.parse(wire.Service))),
    (r"/services/[^/]+/autoscaling", "PUT", lambda result: normalise.autoscaling(result.parse(wire.Autoscaling))),
    (r"/services/[^/]+/deploys", "POST", lambda result: normalise.deploy(result.parse(wire.Deploy))),
    (
        r"/services/[^/]+/deploys",
        "GET",
        lambda result: [normalise.deploy(item) for item, _ in result.items(wire.Deploy, "deploy")],
    ),
    (r"/services/[^/]+/events", "GET", events_of),
    (r"/services/[^/]+/env-vars", "GET|PUT", many(wire.EnvVar, "key", "envVar")),
    (r"/services/[^/]+/secret-files", "GET|PUT", many(wire.SecretFile, "name", "secretFile")),
    (r"/services/[^/]+/custom-domains", "GET", many(wire.CustomDomain, "name", "customDomain")),
    (r"/services/[^/]+/custom-domains", "POST", many(wire.CustomDomain, "name")),
    (r"/services/[^/]+/headers", "GET", many(wire.Header, "name", "header")),
    (r"/services/[^/]+/headers", "PUT", many(wire.Header, "name")),
    (r"/services/[^/]+/routes", "GET", many(wire.Route, "source", "route")),
    (r"/services/[^/]+/routes", "PUT", many(wire.Route, "source")),
    (rf"/disks(/{ID})?", "POST|PATCH", lambda result: normalise.disk_field(result.parse(wire.Disk))),
    (r"/postgres", "GET", whole(wire.Postgres, Kind.POSTGRES, "postgres")),
    (rf"/postgres(/{ID})?", f"{OBJECT}|POST", one(wire.Postgres, Kind.POSTGRES)),
    (r"/key-value", "GET", whole(wire.KeyValue, Kind.KEY_VALUE, "keyValue")),
    (rf"/(key-value|redis)(/{ID})?", f"{OBJECT}|POST", one(wire.KeyValue, Kind.KEY_VALUE)),
    (r"/(postgres|key-value|redis)/[^/]+/connection-info", "GET", connection),
    (r"/env-groups", "GET", whole(wire.EnvGroup, Kind.ENV_GROUP)),
    (rf"/env-groups(/{ID})?", f"{OBJECT}|POST", GROUP),
    (r"/env-groups/[^/]+/(env-vars|secret-files)/.*", "PUT", GROUP),
    (r"/projects", "GET", whole(wire.Project, Kind.PROJECT, "project")),
    (rf"/projects(/{ID})?", f"{OBJECT}|POST", one(wire.Project, Kind.PROJECT)),
    (r"/environments", "GET", whole(wire.Environment, Kind.ENVIRONMENT, "environment")),
    (rf"/environments(/{ID})?", f"{OBJECT}|POST", one(wire.Environment, Kind.ENVIRONMENT)),
    (rf"/environments/{ID}/resources", "POST", one(wire.Environment, Kind.ENVIRONMENT)),
]
NOT_READ = r"/(logs|metrics-stream|notification-settings|webhooks|dedicated-ips)(/.*)?|/env-groups/[^/]+/services/[^/]+"
"""Calls we never make, and the linking of a group, of whose answer the client uses the status alone."""


def service(parsed):
    kind = normalise.kind_of(parsed)
    assert kind is not None
    return normalise.service(parsed, kind, SEEN)


def reader_of(pair: Pair):
    """Find what reads an answer; None for what is never read: calls we do not make, refusals, empty bodies."""
    if re.fullmatch(NOT_READ, pair.path) or not 200 <= pair.status < 300 or not pair.answer.strip():
        return None
    found = [
        reader
        for pattern, methods, reader in READERS
        if re.fullmatch(pattern, pair.path) and re.fullmatch(methods, pair.method)
    ]
    assert found, f"{pair}: nothing reads it"
    return found[0]
