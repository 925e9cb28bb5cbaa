"""The fields of the render.yaml language: canonical forms, older spellings, and what has no effect."""

import pytest

from reconciler.core.blueprint import normalise
from reconciler.core.errors import Invalid
from reconciler.core.kinds import Kind

WEB = {"type": "web", "name": "web", "runtime": "node"}
CACHE = {"type": "keyvalue", "name": "cache"}
DB = {"name": "db", "plan": "basic-256mb"}


def service(**fields):
    return {"services": [{**WEB, **fields}]}


def fields_of(document, key="web", **options):
    return dict(normalise(document, **options).components[key].fields)


def problems_of(document, **options):
    with pytest.raises(Invalid) as caught:
        normalise(document, **options)
    return [(problem.path, str(problem)) for problem in caught.value.problems]


def only_problem(document, **options):
    problems = problems_of(document, **options)
    assert len(problems) == 1, problems
    return problems[0]


def warnings_of(document):
    return [(one.path, one.message) for one in normalise(document).warnings]


# ---------------------------------------------------------------- fields


@pytest.mark.parametrize(
    ("said", "canonical"),
    [
        ({"plan": "Starter"}, {"plan": "starter"}),
        ({"plan": "pro plus"}, {"plan": "pro_plus"}),
        ({"plan": "pro_plus"}, {"plan": "pro_plus"}),
        ({"plan": "2c-4g"}, {"plan": "pro"}),
        ({"plan": "8c-64g"}, {"plan": "8c-64g"}),
        ({"plan": "starter plus"}, {"plan": "starter_plus"}),
        ({"region": "frankfurt"}, {"region": "frankfurt"}),
        ({"repo": "https://github.com/acme/shop"}, {"repo": "https://github.com/acme/shop"}),
        ({"repo": "https://${params.host}/x y"}, {"repo": "https://${params.host}/x y"}),
        ({"branch": "main", "rootDir": ""}, {"branch": "main", "rootDir": ""}),
        ({"autoDeploy": True}, {"autoDeployTrigger": "commit"}),
        ({"autoDeploy": False}, {"autoDeployTrigger": "off"}),
        ({"autoDeployTrigger": False}, {"autoDeployTrigger": "off"}),
        ({"autoDeployTrigger": "checksPass"}, {"autoDeployTrigger": "checksPass"}),
        ({"autoDeploy": True, "autoDeployTrigger": "commit"}, {"autoDeployTrigger": "commit"}),
        ({"buildFilter": {"paths": ["a/**"]}}, {"buildFilter": {"paths": ["a/**"]}}),
        ({"healthCheckPath": "/up"}, {"healthCheckPath": "/up"}),
        ({"maxShutdownDelaySeconds": 60}, {"maxShutdownDelaySeconds": 60}),
        ({"maintenanceMode": {"enabled": True, "uri": ""}}, {"maintenanceMode": {"enabled": True, "uri": ""}}),
        ({"numInstances": 3}, {"numInstances": 3}),
        (
            {"scaling": {"minInstances": 1, "maxInstances": 3, "targetCPUPercent": 70}},
            {"scaling": {"min": 1, "max": 3, "cpu": 70}},
        ),
        (
            {"disk": {"name": "data", "mountPath": "/data"}},
            {"disk": {"name": "data", "mountPath": "/data", "sizeGB": 10}},
        ),
        ({"domains": ["CRM.Example.com."]}, {"domains": ["crm.example.com"]}),
        ({"domains": ["${tenant.name}.example.com"]}, {"domains": ["${tenant.name}.example.com"]}),
        ({"domain": "a.example.com"}, {"domains": ["a.example.com"]}),
        (
            {"domains": ["a.example.com"], "domain": "b.example.com"},
            {"domains": ["a.example.com", "b.example.com"]},
        ),
        ({"renderSubdomainPolicy": "disabled"}, {"renderSubdomainPolicy": "disabled"}),
        (
            {"ipAllowList": [{"source": "10.0.0.0/8", "description": "office"}]},
            {"ipAllowList": [{"cidrBlock": "10.0.0.0/8", "description": "office"}]},
        ),
        ({"ipAllowList": []}, {"ipAllowList": []}),
        ({"registryCredential": {"fromRegistryCreds": {"name": "ghcr"}}}, {"registryCredential": "ghcr"}),
        (
            {"initialDeployHook": "make seed", "preDeployCommand": "make migrate"},
            {"initialDeployHook": "make seed", "preDeployCommand": "make migrate"},
        ),
        ({"buildCommand": None, "startCommand": "npm start"}, {"startCommand": "npm start"}),
    ],
)
def test_a_field_becomes_canonical(said, canonical):
    assert fields_of(service(**said)) == {"runtime": "node", **canonical}


@pytest.mark.parametrize(
    ("sort", "kind"),
    [
        ("web", Kind.WEB),
        ("web_service", Kind.WEB),
        ("pserv", Kind.PRIVATE),
        ("private_service", Kind.PRIVATE),
        ("worker", Kind.WORKER),
        ("background_worker", Kind.WORKER),
        ("keyvalue", Kind.KEY_VALUE),
        ("redis", Kind.KEY_VALUE),
        ("static", Kind.STATIC),
        ("static_site", Kind.STATIC),
    ],
)
def test_older_type_names_fold(sort, kind):
    words = {"type": sort, "name": "x"} | ({} if kind in (Kind.KEY_VALUE, Kind.STATIC) else {"runtime": "go"})
    assert normalise({"services": [words]}).components["x"].kind is kind


def test_a_static_site_has_no_runtime_and_keeps_its_own_fields():
    document = service(
        runtime="static",
        staticPublishPath="dist",
        headers=[{"path": "/*", "name": "X", "value": "1"}],
        routes=[{"type": "rewrite", "source": "/*", "destination": "/index.html"}],
    )
    component = normalise(document).components["web"]
    assert component.kind is Kind.STATIC
    assert component.fields == {
        "publishPath": "dist",
        "headers": [{"path": "/*", "name": "X", "value": "1"}],
        "routes": [{"type": "rewrite", "source": "/*", "destination": "/index.html"}],
    }


def test_env_is_the_older_word_for_runtime():
    assert fields_of({"services": [{"type": "web", "name": "web", "env": "python"}]}) == {"runtime": "python"}
    assert fields_of(service(env="node")) == {"runtime": "node"}
    assert "stands here twice" in only_problem(service(env="python"))[1]


def test_an_image_implies_its_runtime_and_is_written_in_full():
    image = {"url": "nginx", "creds": {"fromRegistryCreds": {"name": "hub"}}}
    document = {"services": [{"type": "web", "name": "web", "image": image}]}
    assert fields_of(document) == {
        "runtime": "image",
        "imagePath": "docker.io/library/nginx:latest",
        "registryCredential": "hub",
    }
    assert only_problem(service(image={"url": "nginx"}))[0] == "services[0].runtime"


def test_a_cron_job_needs_a_schedule_of_five_fields():
    cron = {"type": "cron", "name": "web", "runtime": "python"}
    assert fields_of({"services": [{**cron, "schedule": " 0  5 31 2 ? "}]})["schedule"] == "0 5 31 2 ?"
    assert fields_of({"services": [{**cron, "schedule": "${params.cron}"}]})["schedule"] == "${params.cron}"
    assert only_problem({"services": [cron]}) == (
        "services[0].schedule",
        'services[0].schedule: is required; write it like "0 3 * * *"',
    )
    for schedule, says in [
        ("0 3 * *", "five fields"),
        ("61 * * * *", "its minute is wrong"),
        ("*/90 * * * ;", "its day of week is wrong"),
        ("0 24 * * *", "its hour is wrong"),
        (5, "must be text"),
    ]:
        assert says in only_problem({"services": [{**cron, "schedule": schedule}]})[1]


def test_key_value_fields_become_canonical():
    words = {**CACHE, "plan": "256mb", "maxmemoryPolicy": "allkeys-lru", "persistenceMode": False, "ipAllowList": []}
    assert fields_of({"services": [words]}, "cache") == {
        "plan": "starter",
        "maxmemoryPolicy": "allkeys_lru",
        "persistenceMode": "off",
        "ipAllowList": [],
    }


def test_database_fields_become_canonical():
    words = {
        "name": "db",
        "plan": "basic-1gb",
        "region": "Oregon",
        "postgresMajorVersion": 17,
        "databaseName": "crm",
        "user": "crm",
        "diskSizeGB": 20,
        "storageAutoscalingEnabled": True,
        "highAvailability": {"enabled": True},
        "readReplicas": [{"name": "db-ro"}],
        "connectionPool": "pgbouncer",
        "ipAllowList": [{"source": "0.0.0.0/0", "description": "all"}],
    }
    assert fields_of({"databases": [words]}, "db") == {
        "plan": "basic_1gb",
        "region": "oregon",
        "version": "17",
        "databaseName": "crm",
        "databaseUser": "crm",
        "diskSizeGB": 20,
        "diskAutoscalingEnabled": True,
        "highAvailabilityEnabled": True,
        "readReplicas": [{"name": "db-ro"}],
        "connectionPool": "pgbouncer",
        "ipAllowList": [{"cidrBlock": "0.0.0.0/0", "description": "all"}],
    }


@pytest.mark.parametrize("plan", ["starter", "pro", "pro plus", "free", "2c-64g", "0.5c-1g", "accelerated-16gb"])
def test_a_database_plan_may_be_a_legacy_name_or_name_cpu_and_memory(plan):
    assert fields_of({"databases": [{"name": "db", "plan": plan}]}, "db")["plan"]


# ---------------------------------------------------------------- warnings


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({**service(), "previews": {"generation": False}}, "previews"),
        ({**service(), "previewsEnabled": True}, "previewsEnabled"),
        ({**service(), "version": "1"}, "version"),
        (service(previewPlan="starter"), "services[0].previewPlan"),
        (service(previews={"generation": "off"}), "services[0].previews"),
        ({"databases": [{**DB, "previewDiskSizeGB": 1}]}, "databases[0].previewDiskSizeGB"),
        (service(envVars=[{"key": "A", "value": 1, "previewValue": 2}]), "services[0].envVars[0].previewValue"),
        (service(runtime="static", plan="free"), "services[0].plan"),
        (service(type="worker", healthCheckPath="/"), "services[0].healthCheckPath"),
        (service(runtime="docker", startCommand="x"), "services[0].startCommand"),
        (service(dockerCommand="x"), "services[0].dockerCommand"),
        (service(autoDeploy=True, autoDeployTrigger="off"), "services[0].autoDeployTrigger"),
        ({"ungrouped": {"databases": [DB]}}, "ungrouped"),
    ],
)
def test_what_has_no_effect_is_a_named_warning(document, path):
    assert [one for one, _ in warnings_of(document)] == [path]


def test_idle_fields_do_not_reach_the_component():
    assert fields_of(service(runtime="docker", startCommand="x", dockerCommand="y")) == {
        "runtime": "docker",
        "dockerCommand": "y",
    }


def test_the_newer_auto_deploy_switch_wins_in_either_order():
    newer_last = {**WEB, "autoDeploy": True, "autoDeployTrigger": "off"}
    newer_first = {**WEB, "autoDeployTrigger": "off", "autoDeploy": True}
    for words in (newer_last, newer_first):
        assert fields_of({"services": [words]})["autoDeployTrigger"] == "off"


def test_scaling_beside_a_count_warns_and_wins():
    scaling = {"minInstances": 1, "maxInstances": 3, "targetCPUPercent": 60}
    document = service(scaling=scaling, numInstances=5)
    assert warnings_of(document) == [("services[0].numInstances", "has no effect beside scaling")]
    assert "numInstances" not in fields_of(document)


def test_scaling_and_a_disk_exclude_each_other():
    scaling = {"minInstances": 1, "maxInstances": 3, "targetCPUPercent": 60}
    document = service(scaling=scaling, disk={"name": "d", "mountPath": "/d"})
    assert "is not possible with a disk" in only_problem(document)[1]
