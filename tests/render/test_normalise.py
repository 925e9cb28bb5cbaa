"""Answers normalise to canonical fields: absent, null and empty are equal, defaults are spelt out, sets are sorted."""

from datetime import UTC, datetime

import pytest

from reconciler.core.kinds import API_TYPES, SERVICES, Kind
from reconciler.render import events, normalise, wire

SEEN = datetime(2026, 9, 1, tzinfo=UTC)


def service(kind=Kind.WEB, **body):
    found = wire.Service.model_validate(
        {"id": "srv-1", "type": API_TYPES[kind], "name": "web", "slug": "web-x1", **body}
    )
    return normalise.service(found, kind, SEEN)


@pytest.mark.parametrize("kind", sorted(SERVICES))
def test_absent_null_and_empty_are_equal(kind):
    texts = ["repo", "branch", "rootDir", "imagePath", "environmentId"]
    inner = ["healthCheckPath", "schedule", "publishPath", "buildCommand", "preDeployCommand", "renderSubdomainPolicy"]
    empty = {name: "" for name in texts} | {"serviceDetails": {name: "" for name in inner} | {"ipAllowList": []}}
    nulls = {name: None for name in [*texts, "buildFilter", "suspenders", "registryCredential"]} | {
        "serviceDetails": {name: None for name in inner}
        | {"ipAllowList": None, "autoscaling": None, "disk": None, "envSpecificDetails": None, "openPorts": None}
    }
    observed = [service(kind), service(kind, **empty), service(kind, **nulls), service(kind, serviceDetails=None)]
    assert all(item == observed[0] for item in observed)


def test_unknown_fields_and_words_are_no_obstacle():
    observed = service(
        brandNew={"a": 1},
        suspended="paused_by_moon",
        autoDeployTrigger="whenReady",
        serviceDetails={"plan": "9c-99g", "region": "atlantis", "runtime": "cobol", "novel": [1]},
    )
    assert observed.fields["plan"] == "9c-99g"
    assert observed.fields["region"] == "atlantis"
    assert observed.fields["runtime"] == "cobol"
    assert observed.fields["autoDeployTrigger"] == "whenReady"


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ({"autoDeploy": "yes"}, "autoDeployTrigger", "commit"),
        ({"autoDeploy": "no"}, "autoDeployTrigger", "off"),
        ({"autoDeploy": "yes", "autoDeployTrigger": "checksPass"}, "autoDeployTrigger", "checksPass"),
        ({"imagePath": "nginx"}, "imagePath", "docker.io/library/nginx:latest"),
        ({"buildFilter": {"paths": None, "ignoredPaths": []}}, "buildFilter", None),
        ({"buildFilter": {"paths": ["b", "a"]}}, "buildFilter", {"paths": ["b", "a"], "ignoredPaths": []}),
        ({"serviceDetails": {"plan": "1c-2g"}}, "plan", "standard"),
        ({"serviceDetails": {"env": "go"}}, "runtime", "go"),
        ({"serviceDetails": {"envSpecificDetails": {"preDeployCommand": "x"}}}, "preDeployCommand", "x"),
        ({"serviceDetails": {"preDeployCommand": "y"}}, "preDeployCommand", "y"),
        ({"serviceDetails": {}}, "maxShutdownDelaySeconds", 30),
        ({"serviceDetails": {"maxShutdownDelaySeconds": 60}}, "maxShutdownDelaySeconds", 60),
        ({"serviceDetails": {"pullRequestPreviewsEnabled": "yes"}}, "previews", "automatic"),
        ({"serviceDetails": {"previews": {"generation": "manual"}}}, "previews", "manual"),
        ({}, "previews", "off"),
        ({}, "renderSubdomainPolicy", "enabled"),
        ({}, "maintenanceMode", {"enabled": False, "uri": ""}),
        ({"registryCredential": {"id": "rgc-1", "name": "ghcr"}}, "registryCredential", "ghcr"),
        (
            {"serviceDetails": {"envSpecificDetails": {"registryCredential": {"id": "rgc-1", "name": "ghcr"}}}},
            "registryCredential",
            "ghcr",
        ),
        (
            {"serviceDetails": {"disk": {"id": "dsk-1", "name": "d", "mountPath": "/data", "sizeGB": 5}}},
            "disk",
            {"id": "dsk-1", "name": "d", "mountPath": "/data", "sizeGB": 5},
        ),
        (
            {"serviceDetails": {"ipAllowList": [{"cidrBlock": "2.0.0.0/8"}, {"cidrBlock": "1.1.1.1/32", "description": "d"}]}},  # noqa: E501
            "ipAllowList",
            [{"cidrBlock": "1.1.1.1/32", "description": "d"}, {"cidrBlock": "2.0.0.0/8", "description": ""}],
        ),
        (
            {
                "serviceDetails": {
                    "autoscaling": {
                        "enabled": True, "min": 1, "max": 3,
                        "criteria": {
                            "cpu": {"enabled": True, "percentage": 60}, "memory": {"enabled": False, "percentage": 70}
                        },
                    }
                }
            },
            "autoscaling",
            {"min": 1, "max": 3, "cpu": 60, "memory": None},
        ),
        ({"serviceDetails": {"autoscaling": {"enabled": False, "min": 1, "max": 3}}}, "autoscaling", None),
    ],
)  # fmt: skip
def test_field_of_a_web_service(body, field, value):
    assert service(**body).fields[field] == value


@pytest.mark.parametrize(
    ("body", "suspenders"),
    [
        ({"suspended": "not_suspended", "suspenders": []}, ()),
        ({"suspended": "suspended", "suspenders": ["user", "billing"]}, ("billing", "user")),
        ({"suspended": "suspended"}, ("unknown",)),
    ],
)
def test_suspenders(body, suspenders):
    assert service(**body).suspenders == suspenders
    found = wire.Postgres.model_validate({"id": "dpg-1-a", **body})
    assert normalise.postgres(found, SEEN).suspenders == suspenders


def test_a_suspended_key_value_shows_it_by_its_status_alone():
    for status, suspenders in (("available", ()), ("suspended", ("user",))):
        found = wire.KeyValue.model_validate({"id": "red-1", "status": status})
        assert normalise.key_value(found, SEEN).suspenders == suspenders


def test_attributes_of_a_web_service():
    details = {"url": "https://web-x1.onrender.com", "openPorts": [{"port": 8080, "protocol": "TCP"}]}
    assert service(serviceDetails=details).attributes == {
        "serviceId": "srv-1",
        "serviceName": "web",
        "serviceType": "web",
        "slug": "web-x1",
        "host": "web-x1",
        "port": "8080",
        "hostport": "web-x1:8080",
        "internalHostname": "web-x1",
        "url": "https://web-x1.onrender.com",
        "externalHostname": "web-x1.onrender.com",
    }


def test_attributes_of_the_other_kinds():
    private = service(Kind.PRIVATE, serviceDetails={"url": "web-x1:10000"}).attributes
    assert (private["hostport"], private["port"], "url" in private) == ("web-x1:10000", "10000", False)
    for kind in (Kind.WORKER, Kind.CRON):
        assert set(service(kind).attributes) == {"serviceId", "serviceName", "serviceType", "slug"}
    static = service(Kind.STATIC, serviceDetails={"url": "https://s.onrender.com"}).attributes
    assert (static["externalHostname"], "host" in static) == ("s.onrender.com", False)
    database = wire.Postgres.model_validate({"id": "dpg-1-a", "databaseName": "db_x", "databaseUser": "u"})
    assert normalise.postgres(database, SEEN).attributes == {
        "host": "dpg-1-a", "port": "5432", "hostport": "dpg-1-a:5432", "user": "u", "database": "db_x"
    }  # fmt: skip


def test_postgres_null_lists_and_absent_overrides():
    found = wire.Postgres.model_validate(
        {"id": "dpg-1-a", "plan": "basic-256mb", "ipAllowList": None, "readReplicas": [{"name": "b"}, {"name": "a"}]}
    )
    fields = normalise.postgres(found, SEEN).fields
    assert fields["ipAllowList"] == []
    assert fields["readReplicas"] == ["a", "b"]
    assert fields["parameterOverrides"] == {}
    assert fields["connectionPool"] == "none"
    assert fields["plan"] == "basic_256mb"


def test_environment_members_are_merged_and_null_is_empty():
    found = wire.Environment.model_validate(
        {
            "id": "evm-1",
            "databasesIds": ["dpg-1-a"],
            "redisIds": ["red-1"],
            "serviceIds": None,
            "envGroupIds": ["evg-1"],
        }
    )
    assert normalise.environment(found, SEEN).fields == {
        "projectId": "",
        "networkIsolationEnabled": False,
        "protectedStatus": "unprotected",
        "members": ["dpg-1-a", "evg-1", "red-1"],
    }


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("2026-05-04T20:43:02.84289922Z", 842_899),  # these three: recorded, Render API 1.6
        ("2026-06-09T16:25:26.405394083Z", 405_394),
        ("2026-06-09T16:25:39.949526738Z", 949_527),
        ("2026-06-09T16:25:39Z", 0),
        ("2026-06-09T16:25:39.9Z", 900_000),
    ],
)
def test_times_are_rounded_as_render_rounds_them(text, micro):
    deploy = wire.Deploy.model_validate({"id": "dep-1", "createdAt": text})
    assert deploy.created_at is not None
    assert deploy.created_at.microsecond == micro
    assert deploy.created_at.utcoffset() == UTC.utcoffset(None)


def test_rounding_carries_into_the_next_second_and_null_is_none():
    deploy = wire.Deploy.model_validate(
        {"id": "dep-1", "createdAt": "2026-12-31T23:59:59.9999999Z", "finishedAt": None}
    )
    assert deploy.created_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert deploy.finished_at is None
    assert wire.Deploy.model_validate({"id": "dep-1", "finishedAt": ""}).finished_at is None


def test_secrets_stay_out_of_every_repr():
    group = wire.EnvGroup.model_validate(
        {
            "id": "evg-1",
            "envVars": [{"key": "A", "value": "hunter2"}],
            "secretFiles": [{"name": "f", "content": "hunter2"}],
        }
    )
    info = wire.ConnectionInfo.model_validate({"password": "hunter2", "internalConnectionString": "pg://u:hunter2@h"})
    detail = normalise.group_detail(group)
    assert "hunter2" not in f"{group!r}{info!r}{detail!r}{normalise.connection(Kind.POSTGRES, info)!r}"
    assert detail.env is not None
    assert detail.env["A"].reveal() == "hunter2"


def test_connection_attributes():
    info = wire.ConnectionInfo.model_validate(
        {
            "password": "p",
            "internalConnectionString": "s",
            "externalConnectionString": "e",
            "internalConnectionPoolString": "x",
        }
    )
    found = {name: value.reveal() for name, value in normalise.connection(Kind.POSTGRES, info).items()}
    assert found == {"connectionString": "s", "connectionPoolString": "x", "password": "p"}
    assert set(normalise.connection(Kind.KEY_VALUE, info)) == {"connectionString"}


def event(type_, minute, **details):
    return wire.ServiceEvent.model_validate(
        {"id": f"evt-{minute}", "type": type_, "timestamp": f"2026-06-09T16:{minute:02}:00Z", "details": details}
    )


@pytest.mark.parametrize(
    ("found", "phrase"),
    [
        ([], None),
        ([event("server_failed", 1, reason={"nonZeroExit": 137})], "server failed exited with status 137"),
        ([event("server_failed", 1, reason={"oomKilled": {"memoryLimit": "512Mi"}})], "server failed out of memory"),
        ([event("server_failed", 1)], "server failed for no reason that Render names"),
        ([event("server_hardware_failure", 1)], "server failed hardware failure"),
        (
            [event("server_failed", 3, reason={"unhealthy": "GET /\x1b[31m"}), event("server_failed", 1)],
            "server failed 2 times, last: unhealthy: GET /\\x1b[31m",
        ),
        ([event("server_failed", 1), event("server_available", 2)], None),
        ([event("server_available", 2), event("server_failed", 1)], None),
        ([event("server_failed", 1), event("deploy_ended", 2, deployStatus="succeeded")], None),
        ([event("server_failed", 1), event("deploy_ended", 2, deployStatus="failed")], "server failed for no"),
        ([event("server_available", 1), event("server_failed", 2, reason=None)], "server failed for no"),
    ],
)
def test_failure(found, phrase):
    told = events.failure(found)
    assert told == phrase or (phrase is not None and told is not None and told.startswith(phrase))
