"""What the render.yaml language refuses, each with its path, the value found and a remedy; and anything at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.blueprint import normalise
from reconciler.core.errors import Invalid

WEB = {"type": "web", "name": "web", "runtime": "node"}
CACHE = {"type": "keyvalue", "name": "cache"}
DB = {"name": "db", "plan": "basic-256mb"}


def service(**fields):
    return {"services": [{**WEB, **fields}]}


def problems_of(document, **options):
    with pytest.raises(Invalid) as caught:
        normalise(document, **options)
    return [(problem.path, str(problem)) for problem in caught.value.problems]


def only_problem(document, **options):
    problems = problems_of(document, **options)
    assert len(problems) == 1, problems
    return problems[0]


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("said", "path", "says"),
    [
        ({"plan": "gold"}, "plan", 'is not a plan of a web service, found "gold"; use one of: free, starter'),
        ({"plan": "standrad"}, "plan", 'did you mean "standard"?'),
        ({"plan": 7}, "plan", "must be text"),
        ({"type": "worker", "plan": "starter plus"}, "plan", "is not a plan of a worker"),
        ({"region": "mars"}, "region", "is not a known word here"),
        ({"region": ["oregon"]}, "region", "must be a word, found a list"),
        ({"numInstances": "three"}, "numInstances", "must be a whole number"),
        ({"numInstances": True}, "numInstances", "must be a whole number"),
        ({"numInstances": 101}, "numInstances", "must lie between 1 and 100"),
        ({"autoDeploy": [True]}, "autoDeploy", "must be true or false, found a list"),
        ({"autoDeployTrigger": True}, "autoDeployTrigger", 'must be a word, found "true"'),
        ({"healthCheckPath": "up"}, "healthCheckPath", "must begin with /"),
        ({"domains": "a.example.com"}, "domains", "must be a list"),
        ({"domains": ["https://a"]}, "domains[0]", "is not a domain name"),
        ({"domain": 5}, "domain", "must be text"),
        ({"repo": "github.com/acme/shop"}, "repo", "is not the URL of a git repository"),
        ({"repo": "https://me:pw@github.com/a/b"}, "repo", "https://***@github.com/a/b"),
        ({"branch": " "}, "branch", "must not be empty"),
        ({"buildFilter": []}, "buildFilter", "its keys are: paths, ignoredPaths"),
        ({"buildFilter": {"path": []}}, "buildFilter.path", 'did you mean "paths"?'),
        ({"ipAllowList": [{"source": "all"}]}, "ipAllowList[0].source", "is not an address range"),
        ({"ipAllowList": [{}]}, "ipAllowList[0].source", "is required"),
        ({"ipAllowList": 5}, "ipAllowList", "must be a list"),
        ({"registryCredential": "ghcr"}, "registryCredential", "must be a mapping"),
        ({"maintenanceMode": {"enabled": "yes"}}, "maintenanceMode.enabled", "must be true or false"),
        ({"disk": {"name": "d", "mountPath": "/etc/"}}, "disk.mountPath", "cannot be mounted here"),
        ({"disk": {"name": "d", "mountPath": 5}}, "disk.mountPath", "must be text"),
        ({"disk": {"name": "d", "sizeGB": 5}}, "disk.mountPath", "is required"),
        ({"disk": "big"}, "disk", "must be a mapping"),
        ({"disk": {"name": "d", "mountPath": "/d"}, "plan": "free"}, "disk", "free plan"),
        ({"disk": {"name": "d", "mountPath": "/d"}, "numInstances": 2}, "disk", "several instances"),
        ({"scaling": {"minInstances": 2}}, "scaling.maxInstances", "is required"),
        ({"scaling": {"minInstances": 3, "maxInstances": 2, "targetCPUPercent": 5}}, "scaling", "more than max"),
        ({"scaling": {"minInstances": 1, "maxInstances": 2}}, "scaling", "has no target"),
        ({"scaling": {"minInstances": 1, "maxInstances": 2, "targetCPUPercent": 95}}, "scaling.targetCPUPercent", "90"),
        (
            {"scaling": {"minInstances": 1, "maxInstances": 2, "targetMemoryPercent": 5}, "plan": "free"},
            "scaling",
            "paid",
        ),
        ({"runtime": "cobol"}, "runtime", "is not a known word here"),
        ({"type": "worker", "runtime": "static"}, "runtime", "a worker cannot be static"),
        ({"schedule": "* * * * *"}, "schedule", "it is for: cron job"),
        ({"cache": {"profile": "x"}}, "cache", "is not supported: the profile of the edge cache"),
        ({"healthCheck": {}}, "healthCheck", 'did you mean "healthCheckPath"?'),
        ({"zzzzzz": 1}, "zzzzzz", "unknown field of a web service; use one of: runtime"),
        ({"a\x1b[31m": 1}, '["a\\u001b[31m"]', "unknown field"),
        ({"name": "-x"}, "name", "is not a name"),
        ({"name": 5}, "name", "must be text"),
    ],
)
def test_a_wrong_field_is_refused_by_path(said, path, says):
    found = problems_of(service(**said))
    steps = path if path.startswith("[") else f".{path}"
    assert f"services[0]{steps}" in [one for one, _ in found]
    assert any(says in text for _, text in found), found


@pytest.mark.parametrize(
    ("said", "path", "says"),
    [
        ({"plan": "basic_256mb"}, "plan", 'did you mean "basic-256mb"?'),
        ({"postgresMajorVersion": "9.6"}, "postgresMajorVersion", "is not a PostgreSQL major version"),
        ({"postgresMajorVersion": True}, "postgresMajorVersion", "is not a PostgreSQL major version"),
        ({"diskSizeGB": 7}, "diskSizeGB", "write 10"),
        ({"highAvailability": True}, "highAvailability", "must be a mapping"),
        ({"readReplicas": [{}]}, "readReplicas[0].name", "is required"),
        ({"parameterOverrides": {}}, "parameterOverrides", "is not supported"),
        ({"maxmemoryPolicy": "noeviction"}, "maxmemoryPolicy", "it is for: key value"),
        ({"type": "postgres"}, "type", "unknown field of a postgres"),
        ({"connectionPool": "odyssey"}, "connectionPool", "use one of: pgbouncer, none"),
    ],
)
def test_a_wrong_database_field_is_refused(said, path, says):
    found_path, text = only_problem({"databases": [{"name": "db", **said}]})
    assert found_path == f"databases[0].{path}"
    assert says in text


@pytest.mark.parametrize(
    ("document", "path", "says"),
    [
        (["web"], "template", "the document must be a mapping, found a list"),
        ("text", "template", "the document must be a mapping"),
        ({}, "services", "nothing is defined"),
        ({"services": {}}, "services", "must be a list, found an empty mapping"),
        ({"services": ["web"]}, "services[0]", "must be a mapping"),
        ({"servcies": [], "databases": [DB]}, "servcies", 'did you mean "services"?'),
        ({"services": [{"name": "x"}]}, "services[0].type", "use one of: web"),
        ({"services": [{"type": "lambda", "name": "x"}]}, "services[0].type", 'found "lambda"'),
        ({"services": [{"type": "db", "name": "x"}]}, "services[0].type", "list it under `databases`"),
        ({"services": [{"type": 5, "name": "x"}]}, "services[0].type", "is not a type of service"),
        ({"services": [{"type": "web", "runtime": "go"}]}, "services[0].name", "is required"),
        ({"services": [{"type": "web", "name": "x"}]}, "services[0].runtime", "is required"),
        ({"services": [{"type": "web", "name": "x", "env": 5}]}, "services[0].env", "must be a word"),
        ({"services": [{"type": "static", "name": "x", "runtime": "node"}]}, "services[0].runtime", "has no runtime"),
        ({"services": [WEB, {**WEB, "type": "worker"}]}, "services[1].name", "two services have this name"),
        ({"databases": [DB, DB]}, "databases[1].name", "two databases have this name"),
        ({"envVarGroups": [{"name": "g"}, {"name": "g"}]}, "envVarGroups[1].name", "two env groups"),
        ({"envVarGroups": [{"name": "g", "plan": "x"}]}, "envVarGroups[0].plan", "cannot stand on an env group"),
        ({"services": [{**CACHE, "envVars": []}]}, "services[0].envVars", "unknown field of a key value"),
        ({"ungrouped": []}, "ungrouped", "must be a mapping"),
        ({"ungrouped": {"service": [], "databases": [DB]}}, "ungrouped.service", 'did you mean "services"?'),
    ],
)
def test_a_wrong_document_is_refused(document, path, says):
    found = problems_of(document)
    assert (path, True) in [(one, says in text) for one, text in found], found


def test_every_problem_is_reported_not_only_the_first():
    document = {"services": [{**WEB, "plan": "x", "region": "y"}], "databases": [{"plan": "z"}], "volumes": {}}
    assert {path for path, _ in problems_of(document)} == {
        "volumes",
        "services[0].plan",
        "services[0].region",
        "databases[0].plan",
        "databases[0].name",
    }


def test_no_value_of_a_mapping_is_shown():
    document = service(envVars={"PASSWORD": "hunter2"}, scaling=[{"hunter2": 1}])
    assert not any("hunter2" in text for _, text in problems_of(document))


# ---------------------------------------------------------------- anything at all

WORDS = st.sampled_from(
    [
        "services",
        "databases",
        "envVarGroups",
        "projects",
        "environments",
        "ungrouped",
        "type",
        "name",
        "web",
        "cron",
        "keyvalue",
        "runtime",
        "node",
        "static",
        "plan",
        "starter",
        "envVars",
        "key",
        "value",
        "sync",
        "fromGroup",
        "image",
        "url",
        "scaling",
        "minInstances",
        "disk",
        "schedule",
        "domains",
        "fromService",
        "property",
        "host",
        "*",
        "",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=30,
)
ITEMS = st.lists(st.dictionaries(WORDS, JSON, max_size=6) | JSON, max_size=3)
DOCUMENTS = st.fixed_dictionaries({}, optional={"services": ITEMS, "databases": ITEMS, "projects": ITEMS, "x": JSON})


@given(DOCUMENTS | JSON, st.sampled_from(["", "web"]))
def test_any_document_is_normalised_or_refused_with_paths(document, environment):
    try:
        template = normalise(document, environment=environment)
    except Invalid as wrong:
        assert wrong.problems
        assert all(problem.path and problem.message for problem in wrong.problems)
    else:
        assert all(key == one.key for key, one in template.components.items())
