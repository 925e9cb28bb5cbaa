"""Every recorded answer of Render parses and normalises; what we would send equals what was recorded.

Recorded traffic: see the README of the recordings. Scenarios are read as they are, none is copied.
"""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from reconciler.core.kinds import KIND_OF_API_TYPE, Kind
from reconciler.core.values import Sensitive
from reconciler.render import bodies, limits, normalise, wire
from tests.render.readers import SEEN, observe, reader_of, service
from tests.render.recorded import ID, pairs

OWNER = "some-owner-id"


def test_every_recorded_answer_parses_and_normalises(recordings: Path):
    read = 0
    for pair in pairs(recordings):
        reader = reader_of(pair)
        if reader is not None:
            assert reader(pair.result) is not None, str(pair)
            read += 1
    assert read > 1500


def test_every_recorded_answer_tells_the_limit_of_the_bucket_we_count_it_in(recordings: Path):
    expected = {"read": 400, "write": 100, "create": 20, "service": 10, "cron": 10, "domain": 50}
    seen = set()
    for pair in pairs(recordings):
        if pair.path.startswith(("/logs/streams/owner", "/notification-settings/owners")):
            continue  # buckets of their own, calls we never make
        bucket, _ = limits.bucket_of(pair.method, pair.path)
        found = limits.limits_of(pair.headers, SEEN)
        assert found is not None, str(pair)
        assert found.limit == expected[bucket], str(pair)
        assert found.resets_at.second == 0, "windows end at full minutes"
        assert 0 <= (found.resets_at - found.date).total_seconds() <= 3601
        seen.add(bucket)
    assert seen == set(expected)


def test_a_read_after_a_write_normalises_to_the_same(recordings: Path):
    """What the reply of a create says equals what the next GET says, stamps included: no false differences."""
    last: dict[tuple[str, str], tuple[object, datetime | None]] = {}
    compared = 0
    for pair in pairs(recordings):
        if pair.status not in {200, 201} or pair.method not in {"GET", "POST", "PATCH"}:
            continue
        for pattern, kind, model in (
            (rf"/postgres(/{ID})?", Kind.POSTGRES, wire.Postgres),
            (rf"/key-value(/{ID})?", Kind.KEY_VALUE, wire.KeyValue),
            (rf"/env-groups(/{ID})?", Kind.ENV_GROUP, wire.EnvGroup),
            (rf"/projects(/{ID})?", Kind.PROJECT, wire.Project),
        ):
            if not re.fullmatch(pattern, pair.path):
                continue
            found = observe(kind, pair.result.parse(model))
            key = (pair.scenario, found.id)
            if pair.method == "GET" and key in last:
                fields, created_at = last[key]
                assert found.created_at == created_at, "nanoseconds round as Render rounds them"
                if fields is not None:
                    assert found.fields == fields, str(pair)
                compared += 1
            # memberships change by other calls, which bring no reply of this kind
            changes_by_itself = kind is Kind.PROJECT
            last[key] = (None if changes_by_itself else found.fields, found.created_at)
    assert compared > 50


def sent(recordings, scenario, method, pattern, at=0):
    """The request bodies of a scenario that go to a path."""
    found = [
        pair.asked
        for pair in pairs(recordings)
        if pair.scenario == scenario and pair.method == method and re.fullmatch(pattern, pair.path)
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
    creates = [
        pair for pair in pairs(recordings) if (pair.scenario, pair.method, pair.path) == (scenario, "POST", "/services")
    ]
    recorded = creates[at].asked
    observed = service(creates[at].result.parse(wire.Created).service)
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
        pair.asked
        for pair in pairs(recordings)
        if (pair.scenario, pair.method, pair.path) == ("keyvalue/keyvalue", "POST", "/key-value")
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
    types = {pair.asked["type"] for pair in pairs(recordings) if (pair.method, pair.path) == ("POST", "/services")}
    assert types == set(KIND_OF_API_TYPE)
