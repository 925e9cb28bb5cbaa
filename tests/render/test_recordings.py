"""Every recorded answer of Render parses and normalises; what we would send equals what was recorded.

Recorded traffic: see the README of the recordings. Scenarios are read as they are, none is copied.
"""

import functools
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from reconciler.core.kinds import KIND_OF_API_TYPE, Kind
from reconciler.core.values import Sensitive
from reconciler.render import bodies, limits, normalise, wire
from reconciler.render.calls import Result
from reconciler.render.transport import Answer

SEEN = datetime(2026, 9, 1, tzinfo=UTC)
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
OWNER = "some-owner-id"
ID = r"(?:srv|crn|dpg|red|evg|prj|evm|dsk|dep)-[0-9a-v]{20}(?:-[a-z])?"


@functools.cache
def interactions(folder):
    """All pairs as (file, method, path, request body, status, response body, headers)."""
    pairs = []
    for file in sorted(folder.glob("*/*.yaml")):
        for pair in yaml.load(file.read_text(), Loader=LOADER)["interactions"]:  # noqa: S506 - a safe loader
            request, response = pair["request"], pair["response"]
            where = re.sub(r"^https?://[^/]+/v1", "", request["url"]).partition("?")[0]
            headers = {name.lower(): ", ".join(values) for name, values in response["headers"].items()}
            pairs.append(
                (
                    f"{file.parent.name}/{file.stem}",
                    request["method"],
                    where,
                    request["body"] or "",
                    response["code"],
                    (response["body"] or "").encode(),
                    headers,
                )
            )
    return pairs


def result_of(method, where, status, body, headers=None):
    answer = Answer(status=status, headers=headers or {}, body=body, seconds=0.1, sent_at=0.0)
    return Result(method=method, what=where, answer=answer, limits=None)


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


GROUP, WRITES = one(wire.EnvGroup, Kind.ENV_GROUP), "GET|POST|PATCH"
READERS = [
    (r"/services", "POST", lambda result: service(result.parse(wire.Created).service)),
    (r"/services", "GET", lambda result: [service(item) for item, _ in result.items(wire.Service, "service")]),
    (rf"/services/{ID}", "GET|PATCH", lambda result: service(result.parse(wire.Service))),
    (r"/services/[^/]+/autoscaling", "PUT", lambda result: normalise.autoscaling(result.parse(wire.Autoscaling))),
    (r"/services/[^/]+/deploys", "POST", lambda result: normalise.deploy(result.parse(wire.Deploy))),
    (r"/services/[^/]+/env-vars", "GET|PUT", many(wire.EnvVar, "key", "envVar")),
    (r"/services/[^/]+/secret-files", "GET|PUT", many(wire.SecretFile, "name", "secretFile")),
    (r"/services/[^/]+/custom-domains", "GET", many(wire.CustomDomain, "name", "customDomain")),
    (r"/services/[^/]+/custom-domains", "POST", many(wire.CustomDomain, "name")),
    (r"/services/[^/]+/headers", "GET", many(wire.Header, "name", "header")),
    (r"/services/[^/]+/headers", "PUT", many(wire.Header, "name")),
    (r"/services/[^/]+/routes", "GET", many(wire.Route, "source", "route")),
    (r"/services/[^/]+/routes", "PUT", many(wire.Route, "source")),
    (rf"/disks(/{ID})?", "POST|PATCH", lambda result: normalise.disk_field(result.parse(wire.Disk))),
    (rf"/postgres(/{ID})?", WRITES, one(wire.Postgres, Kind.POSTGRES)),
    (rf"/(key-value|redis)(/{ID})?", WRITES, one(wire.KeyValue, Kind.KEY_VALUE)),
    (r"/(postgres|key-value|redis)/[^/]+/connection-info", "GET", connection),
    (rf"/env-groups(/{ID})?", WRITES, GROUP),
    (r"/env-groups/[^/]+/(env-vars|secret-files)/.*", "PUT", GROUP),
    (rf"/projects(/{ID})?", WRITES, one(wire.Project, Kind.PROJECT)),
    (rf"/environments(/{ID})?", WRITES, one(wire.Environment, Kind.ENVIRONMENT)),
    (rf"/environments/{ID}/resources", "POST", one(wire.Environment, Kind.ENVIRONMENT)),
]
NOT_OURS = r"/(logs|metrics-stream|notification-settings|webhooks|dedicated-ips)(/.*)?"


def service(parsed):
    kind = normalise.kind_of(parsed)
    assert kind is not None
    return normalise.service(parsed, kind, SEEN)


def test_every_recorded_answer_parses_and_normalises(recordings: Path):
    read = 0
    for file, method, where, _, status, body, headers in interactions(recordings):
        if re.fullmatch(NOT_OURS, where) or not 200 <= status < 300 or not body.strip():
            continue
        readers = [
            reader
            for pattern, methods, reader in READERS
            if re.fullmatch(pattern, where) and re.fullmatch(methods, method)
        ]
        assert readers, f"{file}: nothing reads {method} {where}"
        found = readers[0](result_of(method, where, status, body, headers))
        assert found is not None, f"{file}: {method} {where}"
        read += 1
    assert read > 1500


def test_every_recorded_answer_tells_the_limit_of_the_bucket_we_count_it_in(recordings: Path):
    expected = {"read": 400, "write": 100, "create": 20, "service": 10, "cron": 10, "domain": 50}
    seen = set()
    for file, method, where, _, _, _, headers in interactions(recordings):
        if where.startswith(("/logs/streams/owner", "/notification-settings/owners")):
            continue  # buckets of their own, calls we never make
        bucket, _ = limits.bucket_of(method, where)
        found = limits.limits_of(headers, SEEN)
        assert found is not None, f"{file}: {method} {where}"
        assert found.limit == expected[bucket], f"{file}: {method} {where}"
        assert found.resets_at.second == 0, "windows end at full minutes"
        assert 0 <= (found.resets_at - found.date).total_seconds() <= 3601
        seen.add(bucket)
    assert seen == set(expected)


def test_a_read_after_a_write_normalises_to_the_same(recordings: Path):
    """What the reply of a create says equals what the next GET says, stamps included: no false differences."""
    last: dict[tuple[str, str], tuple[object, datetime | None]] = {}
    compared = 0
    for file, method, where, _, status, body, _ in interactions(recordings):
        if status not in {200, 201} or method not in {"GET", "POST", "PATCH"}:
            continue
        for pattern, kind, model in (
            (rf"/postgres(/{ID})?", Kind.POSTGRES, wire.Postgres),
            (rf"/key-value(/{ID})?", Kind.KEY_VALUE, wire.KeyValue),
            (rf"/env-groups(/{ID})?", Kind.ENV_GROUP, wire.EnvGroup),
            (rf"/projects(/{ID})?", Kind.PROJECT, wire.Project),
        ):
            if not re.fullmatch(pattern, where):
                continue
            found = observe(kind, result_of(method, where, status, body).parse(model))
            key = (file, found.id)
            if method == "GET" and key in last:
                fields, created_at = last[key]
                assert found.created_at == created_at, "nanoseconds round as Render rounds them"
                if fields is not None:
                    assert found.fields == fields, f"{file}: {where}"
                compared += 1
            # memberships change by other calls, which bring no reply of this kind
            changes_by_itself = kind is Kind.PROJECT
            last[key] = (None if changes_by_itself else found.fields, found.created_at)
    assert compared > 50


def sent(recordings, scenario, method, pattern, at=0):
    """The request bodies of a scenario that go to a path."""
    found = [
        json.loads(body)
        for file, verb, where, body, *_ in interactions(recordings)
        if file == scenario and verb == method and re.fullmatch(pattern, where)
    ]
    return found[at]


def without(body, *names):
    return {key: value for key, value in body.items() if key not in names and value not in (None, "", [], {})}


SERVICE_CREATES = [
    ("webservice/web_service_image", 0),
    ("webservice/web_service_autoscaling", 0),
    ("webservice/web_service", 0),
    ("privateservice/disks", 0),
    ("privateservice/git", 0),
    ("backgroundworker/scaling", 0),
    ("backgroundworker/background_worker", 0),
    ("backgroundworker/docker", 0),
    ("cronjob/cron_job", 0),
    ("cronjob/git", 0),
    ("staticsite/static_site", 0),
]


@pytest.mark.parametrize(("scenario", "at"), SERVICE_CREATES)
def test_the_create_we_build_from_the_answer_equals_the_recorded_request(recordings: Path, scenario, at):
    """From what Render answered to a create, build our create; it must say what the recorded one said."""
    pairs = [pair for pair in interactions(recordings) if pair[0] == scenario and pair[1:3] == ("POST", "/services")]
    _, method, where, request, status, body, _ = pairs[at]
    recorded = json.loads(request)
    observed = service(result_of(method, where, status, body).parse(wire.Created).service)
    payload = {key: value for key, value in observed.fields.items() if key in bodies.CREATES[observed.kind]}
    payload |= {"environmentId": observed.environment_id}
    if observed.kind is Kind.STATIC:
        details = recorded["serviceDetails"]
        payload["headers"] = [[rule["path"], rule["name"], rule["value"]] for rule in details.get("headers") or []]
        payload["routes"] = [
            [rule["type"], rule["source"], rule["destination"]] for rule in details.get("routes") or []
        ]
    env = {item["key"]: Sensitive(item["value"]) for item in recorded.get("envVars") or [] if "value" in item}
    files = {item["name"]: Sensitive(item["content"]) for item in recorded.get("secretFiles") or []}
    built = bodies.create(observed.kind, observed.name, OWNER, payload, env=env, files=files)
    assert covers(built, canonical(recorded)) == []


def canonical(recorded):
    """Write a recorded request as it would be in canonical values: image names whole, twins dropped."""
    body = json.loads(json.dumps(recorded))
    body.pop("autoDeploy", None)
    if isinstance(body.get("image"), dict):
        body["image"]["imagePath"] = normalise.canonical_image(body["image"]["imagePath"])
        body["image"].pop("ownerId", None)
        body["image"].pop("registryCredential", None)
    details = body.get("serviceDetails", {})
    details.pop("pullRequestPreviewsEnabled", None)
    details.pop("env", None)
    details.get("envSpecificDetails", {}).pop("registryCredential", None)
    if body.get("envVars"):
        body["envVars"] = [item for item in body["envVars"] if "value" in item]
    return body


def covers(built, wanted, at=""):
    """List what `wanted` says and `built` does not say; null, "" and empty say nothing."""
    if isinstance(wanted, dict):
        inside = built if isinstance(built, dict) else {}
        return [gap for key, value in wanted.items() for gap in covers(inside.get(key), value, f"{at}.{key}")]
    if wanted in (None, "", [], {}):
        return []
    if isinstance(wanted, list):
        same = isinstance(built, list) and len(built) == len(wanted)
        return [] if same and not [g for b, w in zip(built, wanted, strict=True) for g in covers(b, w, at)] else [at]
    return [] if built == wanted else [f"{at}: {built!r} is not {wanted!r}"]


def test_postgres_bodies_equal_recorded_ones(recordings: Path):
    payload = {
        "plan": "pro_4gb", "region": "oregon", "version": "16", "databaseName": "db_name2", "databaseUser": "db_user2",
        "diskSizeGB": 10, "highAvailabilityEnabled": False, "ipAllowList": [], "readReplicas": None,
    }  # fmt: skip
    built = bodies.create(Kind.POSTGRES, "new-name", OWNER, payload, env={}, files={})
    recorded = sent(recordings, "postgres/postgres", "POST", "/postgres", 1)
    assert built == {key: value for key, value in recorded.items() if value is not None}
    changed = {
        "name": "new-name", "plan": "pro_4gb", "diskSizeGB": 25, "highAvailabilityEnabled": True, "ipAllowList": [],
        "readReplicas": ["read-replica"],
    }  # fmt: skip
    assert bodies.update(Kind.POSTGRES, changed, OWNER) == sent(
        recordings, "postgres/postgres", "PATCH", r"/postgres/.*"
    )


def test_key_value_bodies_equal_recorded_ones(recordings: Path):
    payload = {"plan": "free", "region": "oregon", "maxmemoryPolicy": "allkeys_lfu", "ipAllowList": []}
    built = bodies.create(Kind.KEY_VALUE, "test-keyvalue-upgrade", OWNER, payload, env={}, files={})
    creates = [
        json.loads(body)
        for file, method, where, body, *_ in interactions(recordings)
        if (file, method, where) == ("keyvalue/keyvalue", "POST", "/key-value")
    ]
    assert built in creates


def test_project_bodies_equal_recorded_ones(recordings: Path):
    payload = {"environment": "prod", "networkIsolationEnabled": False, "protectedStatus": "protected"}
    built = bodies.create(Kind.PROJECT, "first", OWNER, payload, env={}, files={})
    assert built == sent(recordings, "postgres/postgres", "POST", "/projects")


def test_autoscaling_body_equals_the_recorded_one(recordings: Path):
    recorded = sent(recordings, "backgroundworker/scaling", "PUT", r"/services/[^/]+/autoscaling")
    assert bodies.autoscaling({"min": 2, "max": 3, "cpu": 60, "memory": None}) == recorded


def test_kinds_cover_every_recorded_type(recordings: Path):
    types = {
        json.loads(body)["type"]
        for _, method, where, body, *_ in interactions(recordings)
        if (method, where) == ("POST", "/services")
    }
    assert types == set(KIND_OF_API_TYPE)
